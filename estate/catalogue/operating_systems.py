"""The operating systems that an image can name: data, one row for each.

Parents are references that AWS resolves when an image is built, so a new AMI of the publisher changes no plan:

- managed images of Image Builder, named as AWS's own construct library does (`aws-imagebuilder-alpha`);
- public parameters, published by Canonical (Canonical's "Ubuntu on AWS" documentation) and SUSE (as AWS's own tests
  of `aws/eks-hybrid` read them);
- for systems that have neither, the publisher's account and a name pattern, by which `goldsmith doctor --parent` finds
  an AMI ID for the user to write (accounts: Red Hat's article 15356 for all its partitions, the CentOS wiki's page on
  AWS; names as AWS's samples and `test-kitchen/kitchen-ec2` look for them).

Which parents have the Systems Manager agent: "Find AMIs with the SSM Agent preinstalled" in AWS's guide to Systems
Manager. Red Hat's and CentOS's do not have it. The last days of support are from each publisher, see below.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Literal

from estate import names

Platform = Literal["Linux", "Windows", "macOS"]
Architecture = Literal["x86_64", "arm64"]
PackageFamily = Literal["dnf", "yum", "apt", "zypper", "brew", "windows"]


@dataclass(frozen=True)
class ManagedImage:
    """An image that AWS manages in Image Builder, under a name that includes its architecture."""

    name: str


@dataclass(frozen=True)
class PublicParameter:
    """A public SSM parameter with the publisher's newest AMI ID."""

    path: str


@dataclass(frozen=True)
class Published:
    """AMIs that can only be searched: by the publisher's account in each partition, and patterns of their names.

    There is no reference that AWS resolves, so the user writes an AMI ID.
    """

    owners: Mapping[str, str]
    names: tuple[str, ...]


Source = ManagedImage | PublicParameter | Published
"""The source of the parent image of a system."""


@dataclass(frozen=True)
class OperatingSystem:
    """One row of the catalogue."""

    name: str
    title: str
    """Its name in ordinary writing."""
    platform: Platform
    packages: PackageFamily
    """Its package manager, for the documentation. Components detect it themselves."""
    parents: Mapping[Architecture, Source]
    """The source of the parent for each architecture that the system has on EC2."""
    root_device: str
    end_of_support: date | None
    """The last day of security updates from the publisher without an extra contract; None if the publisher names
    none."""
    has_agent: bool = True
    """Whether the parent has the Systems Manager agent. If not, Image Builder installs it, and the image keeps it."""

    @property
    def architectures(self) -> tuple[Architecture, ...]:
        """The architectures of the system."""
        return tuple(self.parents)

    @property
    def needs_parent(self) -> bool:
        """Whether the user must write the parent for some architecture."""
        return any(isinstance(source, Published) for source in self.parents.values())

    def parent(self, *, region: str, architecture: Architecture) -> str | None:
        """The parent image as Image Builder takes it, a reference to the newest one; None if AMIs can only be
        searched."""
        match self.parents[architecture]:
            case ManagedImage(name):
                return names.managed_image(region, name)
            case PublicParameter(path):
                return f"ssm:{path}"
            case Published():
                return None

    def instance_types(self, architecture: Architecture) -> tuple[str, ...]:
        """Where builds run by default; AWS takes one that is available."""
        return instance_types(self.platform, architecture)

    def is_past_support(self, today: date) -> bool:
        """Whether the publisher's support has ended."""
        return self.end_of_support is not None and today > self.end_of_support


def instance_types(platform: Platform, architecture: Architecture) -> tuple[str, ...]:
    """Small instance types for a platform, where builds run by default."""
    return _INSTANCE_TYPES[platform][architecture]


_INSTANCE_TYPES: Mapping[Platform, Mapping[Architecture, tuple[str, ...]]] = MappingProxyType(
    {
        "Linux": {"x86_64": ("t3.medium", "t3a.medium"), "arm64": ("t4g.medium", "m7g.medium")},
        "Windows": {"x86_64": ("t3.large", "t3a.large")},
        "macOS": {"x86_64": ("mac1.metal",), "arm64": ("mac2.metal",)},
    }
)


def _managed(name: str) -> Mapping[Architecture, Source]:
    return {"x86_64": ManagedImage(f"{name}-x86"), "arm64": ManagedImage(f"{name}-arm64")}


def _both(source: Source) -> Mapping[Architecture, Source]:
    return {"x86_64": source, "arm64": source}


def _amazon_linux(version: str, packages: PackageFamily, until: date) -> OperatingSystem:
    name, title = f"amazon-linux-{version}", f"Amazon Linux {version}"
    return OperatingSystem(name, title, "Linux", packages, _managed(name), "/dev/xvda", until)


_AMAZON: Mapping[str, str] = MappingProxyType(dict.fromkeys(("aws", "aws-cn", "aws-us-gov"), "amazon"))


def _windows(version: str, until: date) -> tuple[OperatingSystem, OperatingSystem]:
    """Server Core and the edition with a desktop. Both have the same support, and EC2 has them for x86_64 only."""
    year, _, release = version.partition("-")
    made = []
    for edition in ("core", "full"):
        source: Source = ManagedImage(f"windows-server-{year}-english-{edition}-base-x86")
        if year == "2012":
            kind = {"core": "Core", "full": "Base"}[edition]
            pattern = f"Windows_Server-2012-{'R2_' if release else ''}RTM-English-64Bit-{kind}-*"
            source = Published(_AMAZON, (pattern,))
        name = f"windows-server-{version}-{edition}"
        title = f"Windows Server {version.replace('-', ' ').upper()} {edition.capitalize()}"
        made.append(OperatingSystem(name, title, "Windows", "windows", {"x86_64": source}, "/dev/sda1", until))
    return made[0], made[1]


def _ubuntu(version: str, until: date, managed: str | None = None) -> OperatingSystem:
    path = f"/aws/service/canonical/ubuntu/server/{version}/stable/current/%s/hvm/ebs-gp2/ami-id"
    public: Mapping[Architecture, Source] = {
        "x86_64": PublicParameter(path % "amd64"),
        "arm64": PublicParameter(path % "arm64"),
    }
    parents = _managed(managed) if managed else public
    return OperatingSystem(
        f"ubuntu-server-{version}", f"Ubuntu Server {version} LTS", "Linux", "apt", parents, "/dev/sda1", until
    )


_RED_HAT: Mapping[str, str] = MappingProxyType(
    {"aws": "309956199498", "aws-cn": "841258680906", "aws-us-gov": "219670896067"}
)


def _hourly(version: int) -> Published:
    """`Hourly2` are the AMIs whose price includes the subscription, `GA` a minor version's first; betas are neither."""
    return Published(_RED_HAT, (f"RHEL-{version}.*_HVM-*-Hourly2-*", f"RHEL-{version}.*_HVM_GA-*-Hourly2-*"))


def _red_hat(version: int, until: date, parents: Mapping[Architecture, Source]) -> OperatingSystem:
    return OperatingSystem(
        f"red-hat-enterprise-linux-{version}",
        f"Red Hat Enterprise Linux {version}",
        "Linux",
        "yum" if version == 7 else "dnf",
        parents,
        "/dev/sda1",
        until,
        has_agent=False,
    )


_CENTOS: Mapping[str, str] = MappingProxyType({"aws": "125523088429"})


def _centos(name: str, title: str, pattern: str, packages: PackageFamily, until: date) -> OperatingSystem:
    parents = _both(Published(_CENTOS, (pattern,)))
    return OperatingSystem(name, title, "Linux", packages, parents, "/dev/sda1", until, has_agent=False)


def _suse(version: int, until: date, parents: Mapping[Architecture, Source]) -> OperatingSystem:
    name, title = f"suse-linux-enterprise-server-{version}", f"SUSE Linux Enterprise Server {version}"
    return OperatingSystem(name, title, "Linux", "zypper", parents, "/dev/sda1", until)


def _macos(name: str, version: int) -> OperatingSystem:
    """Apple names no last days; in practice it updates the newest three versions."""
    title = f"macOS {version} {name.removeprefix('macos-').capitalize()}"
    return OperatingSystem(name, title, "macOS", "brew", _managed(name), "/dev/sda1", None)


_SYSTEMS: tuple[OperatingSystem, ...] = (
    # AWS's FAQs of both. Amazon Linux 2023 gets features until 2027-06-30, and security updates after that.
    _amazon_linux("2", "yum", date(2026, 6, 30)),
    _amazon_linux("2023", "dnf", date(2029, 6, 30)),
    # Microsoft's lifecycle pages: the end of extended support. AWS's own AMIs of 2012 ended with it.
    *_windows("2012", date(2023, 10, 10)),
    *_windows("2012-r2", date(2023, 10, 10)),
    *_windows("2016", date(2027, 1, 12)),
    *_windows("2019", date(2029, 1, 9)),
    *_windows("2022", date(2031, 10, 14)),
    *_windows("2025", date(2034, 11, 14)),
    # Canonical's release cycle: the end of standard security maintenance, to the day as in its `distro-info-data`.
    _ubuntu("16.04", date(2021, 4, 30)),
    _ubuntu("18.04", date(2023, 5, 31)),
    _ubuntu("20.04", date(2025, 5, 31)),
    _ubuntu("22.04", date(2027, 6, 1), managed="ubuntu-server-22-lts"),
    _ubuntu("24.04", date(2029, 5, 31), managed="ubuntu-server-24-lts"),
    # Red Hat's life cycle and update policies: the end of maintenance support. 7 for arm64 was a product of its own.
    _red_hat(7, date(2024, 6, 30), {"x86_64": _hourly(7)}),
    _red_hat(8, date(2029, 5, 31), _both(_hourly(8))),
    _red_hat(9, date(2032, 5, 31), _both(_hourly(9))),
    _red_hat(10, date(2035, 5, 31), _managed("red-hat-enterprise-linux-10")),
    # The CentOS project's end-of-life dates.
    _centos("centos-7", "CentOS Linux 7", "CentOS Linux 7 *", "yum", date(2024, 6, 30)),
    _centos("centos-8", "CentOS Linux 8", "CentOS 8.*", "dnf", date(2021, 12, 31)),
    _centos("centos-stream-9", "CentOS Stream 9", "CentOS Stream 9 *", "dnf", date(2027, 5, 31)),
    # SUSE's product lifecycle: the end of general support of the last service pack. 12 is not on EC2 for arm64.
    _suse(12, date(2024, 10, 31), {"x86_64": PublicParameter("/aws/service/suse/sles/12-sp5/x86_64/latest")}),
    _suse(15, date(2031, 7, 31), _managed("suse-linux-enterprise-server-15")),
    _macos("macos-sonoma", 14),
    _macos("macos-sequoia", 15),
)

CATALOGUE: Mapping[str, OperatingSystem] = MappingProxyType({system.name: system for system in _SYSTEMS})
