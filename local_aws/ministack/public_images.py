"""AMIs that their publishers offer to everybody: the ones that images are built from.

Names and accounts are those that the publishers use: Amazon (137112412989 for Amazon Linux, 801119661308 for Windows,
628277914472 for macOS, as DescribeImages answers for the alias `amazon`), Canonical, Red Hat, CentOS and SUSE. The
names of managed images are those of AWS's own construct library (aws-cdk `aws-imagebuilder-alpha`), the paths of public
parameters those of the publishers' documentation. One version of each is enough here. Its ID follows from its name and
the region, so it differs between regions.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

_OPENED_LATE = ("ap-east-2", "ap-southeast-6", "ap-southeast-7", "ca-west-1", "mx-central-1")
"""Regions that opened after 2023: AMIs that were no longer supported then are not available there."""

_RELEASED = "2026-01-14"
"""The day of all managed images: AWS uses days as their versions."""


@dataclass(frozen=True, kw_only=True)
class PublicImage:
    """One AMI, the same in every region."""

    name: str
    os_version: str
    """As Image Builder names it in `osVersion`."""
    platform: str
    """Linux, Windows or macOS."""
    architecture: str
    """As EC2 names it: x86_64, arm64, x86_64_mac, arm64_mac."""
    owner: str
    root_device_name: str = "/dev/sda1"
    managed_name: str | None = None
    """In `arn:aws:imagebuilder:REGION:aws:image/NAME/x.x.x`, if it is a managed image of Image Builder."""
    parameters: tuple[str, ...] = ()
    """The public parameters that hold its ID."""
    supported: bool = True
    """Whether its publisher still releases newer ones."""
    day: str = _RELEASED
    """When it was made, if its name does not say so."""

    @property
    def owner_alias(self) -> str | None:
        """What EC2 shows beside the account: `amazon` for Amazon's own accounts."""
        return "amazon" if self.owner in (_AMAZON_LINUX, _WINDOWS, _MACOS) else None

    @property
    def created(self) -> str:
        """When it was made, in the API's form."""
        day = re.search(r"(?<!\d)(20[12]\d)[.]?([01]\d)[.]?([0-3]\d)(?!\d)", self.name)
        return ("-".join(day.groups()) if day else self.day) + "T04:05:06.000Z"

    def ami(self, region: str) -> str:
        """Its ID in a region."""
        return "ami-" + sha256(f"{region} {self.name}".encode()).hexdigest()[:17]

    def is_in(self, region: str) -> bool:
        """Whether it is available in a region."""
        return self.supported or region not in _OPENED_LATE


def by_ami(ami: str, *, region: str) -> PublicImage | None:
    """The public image with this ID in the region."""
    return next((image for image in public_images(region) if image.ami(region) == ami), None)


def by_parameter(path: str, *, region: str) -> PublicImage | None:
    """The public image whose ID a public parameter holds."""
    return next((image for image in public_images(region) if path in image.parameters), None)


def public_images(region: str) -> Iterator[PublicImage]:
    """All that are available in a region."""
    return (image for image in _PUBLIC_IMAGES if image.is_in(region))


def managed_images() -> Mapping[str, PublicImage]:
    """Image Builder's managed images, by the name in their ARN."""
    return {image.managed_name: image for image in _PUBLIC_IMAGES if image.managed_name}


def managed_version() -> str:
    """The one version of all managed images here: `2026.1.14`."""
    return ".".join(str(int(part)) for part in _RELEASED.split("-"))


_AMAZON_LINUX, _WINDOWS, _MACOS = "137112412989", "801119661308", "628277914472"
_CANONICAL, _RED_HAT, _CENTOS, _SUSE = "099720109477", "309956199498", "125523088429", "013907871322"
_BOTH = ("x86_64", "arm64")


def _linux(
    name: str,
    *,
    os_version: str,
    owner: str,
    architectures: Iterable[str] = _BOTH,
    managed: str | None = None,
    parameters: Iterable[str] = (),
    root_device_name: str = "/dev/sda1",
    supported: bool = True,
    day: str = _RELEASED,
) -> Iterator[PublicImage]:
    """The AMIs of one version of a Linux distribution.

    `{ec2}`, `{debian}` and `{kernel}` in name and parameters stand for what these call the architecture.
    """
    for architecture in architectures:
        arm = architecture == "arm64"
        names = {"ec2": architecture, "debian": "arm64" if arm else "amd64", "kernel": "aarch64" if arm else "x86_64"}
        yield PublicImage(
            name=name.format_map(names),
            os_version=os_version,
            platform="Linux",
            architecture=architecture,
            owner=owner,
            root_device_name=root_device_name,
            managed_name=f"{managed}-{'arm64' if arm else 'x86'}" if managed else None,
            parameters=tuple(parameter.format_map(names) for parameter in parameters),
            supported=supported,
            day=day,
        )


def _amazon_linux(version: str, name: str, parameter: str) -> Iterator[PublicImage]:
    return _linux(
        name,
        os_version=f"Amazon Linux {version}",
        owner=_AMAZON_LINUX,
        root_device_name="/dev/xvda",
        managed=f"amazon-linux-{version}",
        parameters=(f"/aws/service/ami-amazon-linux-latest/{parameter}",),
    )


def _ubuntu(
    version: str, codename: str, *, day: str, volume: str = "gp2", managed: bool = False
) -> Iterator[PublicImage]:
    ssd = "hvm-ssd" if volume == "gp2" else f"hvm-ssd-{volume}"
    path = "/aws/service/canonical/ubuntu/server/%s/stable/current/{debian}/hvm/ebs-%s/ami-id"
    return _linux(
        f"ubuntu/images/{ssd}/ubuntu-{codename}-{version}-{{debian}}-server-{day}",
        os_version=f"Ubuntu {version}",
        owner=_CANONICAL,
        managed=f"ubuntu-server-{version[:2]}-lts" if managed else None,
        parameters=(path % (version, volume), path % (codename, volume)),
    )


def _red_hat(
    name: str, *, architectures: Iterable[str] = _BOTH, managed: bool = False, supported: bool = True
) -> Iterator[PublicImage]:
    release = name.partition("-")[2].partition(".")[0]
    return _linux(
        name,
        os_version=f"Red Hat Enterprise Linux {release}",
        owner=_RED_HAT,
        architectures=architectures,
        managed=f"red-hat-enterprise-linux-{release}" if managed else None,
        supported=supported,
    )


def _suse(
    release: int, pack: int, day: str, *, architectures: Iterable[str] = _BOTH, supported: bool = True
) -> Iterator[PublicImage]:
    return _linux(
        f"suse-sles-{release}-sp{pack}-v{day}-hvm-ssd-{{ec2}}",
        os_version=f"SUSE Linux Enterprise Server {release}",
        owner=_SUSE,
        architectures=architectures,
        managed=f"suse-linux-enterprise-server-{release}" if supported else None,
        parameters=(f"/aws/service/suse/sles/{release}-sp{pack}/{{ec2}}/latest",),
        supported=supported,
    )


def _windows(year: int) -> Iterator[PublicImage]:
    for edition in ("Core", "Full"):
        name = f"Windows_Server-{year}-English-{edition}-Base"
        yield PublicImage(
            name=f"{name}-{_RELEASED.replace('-', '.')}",
            os_version=f"Microsoft Windows Server {year}",
            platform="Windows",
            architecture="x86_64",
            owner=_WINDOWS,
            managed_name=f"windows-server-{year}-english-{edition.lower()}-base-x86",
            parameters=(f"/aws/service/ami-windows-latest/{name}",),
        )


def _windows_2012(release: str) -> Iterator[PublicImage]:
    for edition in ("Core", "Base"):
        yield PublicImage(
            name=f"Windows_Server-2012-{release}RTM-English-64Bit-{edition}-2023.10.11",
            os_version=f"Microsoft Windows Server 2012 {release.strip('_')}".strip(),
            platform="Windows",
            architecture="x86_64",
            owner=_WINDOWS,
            supported=False,
        )


def _macos(codename: str, version: str) -> Iterator[PublicImage]:
    for architecture, suffix in (("x86_64", "x86"), ("arm64", "arm64")):
        yield PublicImage(
            name=f"amzn-ec2-macos-{version}-{architecture}".removesuffix("-x86_64"),
            os_version=f"macOS {version.partition('.')[0]}",
            platform="macOS",
            architecture=f"{architecture}_mac",
            owner=_MACOS,
            managed_name=f"macos-{codename}-{suffix}",
        )


_INTEL = ("x86_64",)
_PUBLIC_IMAGES: tuple[PublicImage, ...] = (
    *_amazon_linux("2", "amzn2-ami-hvm-2.0.20260109.0-{ec2}-gp2", "amzn2-ami-hvm-{ec2}-gp2"),
    *_amazon_linux("2023", "al2023-ami-2023.10.20260112.0-kernel-6.1-{ec2}", "al2023-ami-kernel-default-{ec2}"),
    *(image for year in (2016, 2019, 2022, 2025) for image in _windows(year)),
    *_windows_2012(""),
    *_windows_2012("R2_"),
    *_ubuntu("16.04", "xenial", day="20210928"),
    *_ubuntu("18.04", "bionic", day="20230607"),
    *_ubuntu("20.04", "focal", day="20250603"),
    *_ubuntu("22.04", "jammy", day="20260110", managed=True),
    *_ubuntu("24.04", "noble", day="20260108", volume="gp3", managed=True),
    *_red_hat("RHEL-7.9_HVM-20221027-{ec2}-0-Hourly2-GP2", architectures=_INTEL, supported=False),
    *_red_hat("RHEL-8.10.0_HVM-20251103-{ec2}-0-Hourly2-GP3"),
    *_red_hat("RHEL-9.4.0_HVM-20251204-{ec2}-0-Hourly2-GP3"),
    *_red_hat("RHEL-9.7.0_HVM_GA-20251104-{ec2}-0-Hourly2-GP3"),
    *_red_hat("RHEL-10.1.0_HVM_GA-20251031-{ec2}-0-Hourly2-GP3", managed=True),
    *_linux(
        "CentOS Linux 7 {kernel} - 2211",
        os_version="CentOS Linux 7",
        owner=_CENTOS,
        day="2022-11-03",
        supported=False,
    ),
    *_linux(
        "CentOS 8.4.2105 {kernel}",
        os_version="CentOS Linux 8",
        owner=_CENTOS,
        day="2021-06-03",
        supported=False,
    ),
    *_linux("CentOS Stream 9 {kernel} 20260105", os_version="CentOS Stream 9", owner=_CENTOS),
    *_suse(12, 5, "20241031", architectures=_INTEL, supported=False),
    *_suse(15, 7, "20260112"),
    *_macos("sonoma", "14.8.3-20260112-171529"),
    *_macos("sequoia", "15.7.3-20260112-171532"),
)
