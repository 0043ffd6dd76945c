"""Parent images: which exist, and what an image that is built from one inherits.

A recipe's parent is an Amazon-managed image, one of one's own images, an SSM parameter (`ssm:/…`) or an AMI.
The managed names are those of AWS's own construct library (aws-cdk `aws-imagebuilder-alpha`).
"""

import re
from dataclasses import dataclass

_MANAGED_BY_PLATFORM = {
    "Linux": (
        "amazon-linux-2",
        "amazon-linux-2023",
        "red-hat-enterprise-linux-10",
        "suse-linux-enterprise-server-15",
        "ubuntu-server-22-lts",
        "ubuntu-server-24-lts",
    ),
    "macOS": ("macos-sonoma", "macos-sequoia"),
    "Windows": tuple(
        f"windows-server-{year}-english-{edition}-base"
        for year in (2016, 2019, 2022, 2025)
        for edition in ("core", "full")
    ),
}


@dataclass(frozen=True, kw_only=True)
class ParentImage:
    """What is known of a parent; None where only the running build would know."""

    source: str
    """AMAZON_MANAGED or CUSTOM, as the service model's ImageSource."""
    platform: str | None
    architecture: str
    """As EC2 names it: x86_64, arm64, x86_64_mac, arm64_mac."""
    root_device_name: str


MANAGED_IMAGES: dict[str, ParentImage] = {
    f"{name}-{suffix}": ParentImage(
        source="AMAZON_MANAGED",
        platform=platform,
        architecture=architecture + ("_mac" if platform == "macOS" else ""),
        root_device_name="/dev/xvda" if name.startswith("amazon-linux") else "/dev/sda1",
    )
    for platform, names in _MANAGED_BY_PLATFORM.items()
    for name in names
    for suffix, architecture in (("x86", "x86_64"), ("arm64", "arm64"))
    if not (platform == "Windows" and suffix == "arm64")
}
"""By the name in `arn:aws:imagebuilder:REGION:aws:image/NAME/x.x.x`."""


def managed_name(parent: str) -> str | None:
    """The name in the ARN of an Amazon-managed image, or None for any other parent."""
    match = re.fullmatch(r"arn:aws[^:]*:imagebuilder:[^:]+:aws:image/([^/]+)/\S+", parent)
    return match[1] if match else None


def custom_parent(parent: str) -> ParentImage:
    """An AMI or SSM parameter, of which the text is all there is to go by.

    The parameters that AWS and Canonical publish have the architecture and platform in their paths.
    """
    return ParentImage(
        source="CUSTOM",
        platform="Windows" if "windows" in parent.lower() else None,
        architecture="arm64" if re.search(r"arm64|aarch64", parent) else "x86_64",
        root_device_name="/dev/sda1" if re.search(r"ubuntu|windows", parent.lower()) else "/dev/xvda",
    )
