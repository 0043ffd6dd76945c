"""The operating systems that an image can name: data.

Managed images are named as AWS's own construct library does (`aws-imagebuilder-alpha`, AMI names); the version
`x.x.x` lets Image Builder resolve the newest one when it builds, so no plan moves when AWS publishes one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from estate import names

Platform = Literal["Linux", "Windows"]
Architecture = Literal["x86_64", "arm64"]

DEFAULT_INSTANCE_TYPES: Mapping[Architecture, tuple[str, ...]] = MappingProxyType(
    {"x86_64": ("t3.medium", "t3a.medium"), "arm64": ("t4g.medium", "m7g.medium")}
)
"""Where builds run without `instance_types`: AWS takes one that it has."""


def architecture_of(instance_type: str) -> Architecture:
    """The architecture of an instance type: a `g` after the generation is Graviton, which is arm64.

    Source: "Amazon EC2 instance type naming conventions" in AWS's guide to instance types.
    """
    family = instance_type.partition(".")[0]
    return "arm64" if re.fullmatch(r"a1|[a-z]+[0-9]+g.*|p6e-gb[0-9]+", family) else "x86_64"


_SUFFIX: Mapping[Architecture, str] = MappingProxyType({"x86_64": "x86", "arm64": "arm64"})


@dataclass(frozen=True)
class OperatingSystem:
    """One row of the catalogue."""

    name: str
    platform: Platform
    managed_image: str
    """The name of AWS's managed image, without the architecture."""
    root_device: str
    architectures: tuple[Architecture, ...] = ("x86_64", "arm64")

    def parent(self, *, region: str, architecture: Architecture) -> str:
        """The ARN of the managed image in a region, as a reference to its newest version."""
        partition = names.partition(region)
        return f"arn:{partition}:imagebuilder:{region}:aws:image/{self.managed_image}-{_SUFFIX[architecture]}/x.x.x"


def _windows(year: int, edition: str) -> OperatingSystem:
    return OperatingSystem(
        name=f"windows-server-{year}-{edition}",
        platform="Windows",
        managed_image=f"windows-server-{year}-english-{edition}-base",
        root_device="/dev/sda1",
        architectures=("x86_64",),
    )


CATALOGUE: Mapping[str, OperatingSystem] = MappingProxyType(
    {
        system.name: system
        for system in (
            OperatingSystem("amazon-linux-2", "Linux", "amazon-linux-2", "/dev/xvda"),
            OperatingSystem("amazon-linux-2023", "Linux", "amazon-linux-2023", "/dev/xvda"),
            OperatingSystem("ubuntu-server-22.04", "Linux", "ubuntu-server-22-lts", "/dev/sda1"),
            OperatingSystem("ubuntu-server-24.04", "Linux", "ubuntu-server-24-lts", "/dev/sda1"),
            _windows(2022, "core"),
            _windows(2022, "full"),
            _windows(2025, "core"),
            _windows(2025, "full"),
        )
    }
)
