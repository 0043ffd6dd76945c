"""A golden image and the pipeline that builds it: the `images:` of an estate."""

from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from estate.arns import partition
from estate.catalogue.operating_systems import CATALOGUE, Architecture, OperatingSystem, Platform
from estate.limits import DESCRIPTION
from estate.models.channels import Channels
from estate.models.data_volumes import DeviceName, ImageVolume
from estate.models.distribution import LaunchPermission, Permission, RegionalDistribution
from estate.models.durations import Counted, Duration
from estate.models.export import Export
from estate.models.gate import Gate
from estate.models.image_scanning import ImageScanning
from estate.models.infrastructure import Infrastructure
from estate.models.notifications import Notifications
from estate.models.parent import IMAGE_BUILDER_ARN, VERSION, Base, DiskImage, Parent
from estate.models.retention import Retention
from estate.models.root_volume import RootVolume
from estate.models.salvage import Guess, StandIn
from estate.models.schedule import Schedule
from estate.models.types import (
    FROZEN,
    AccountReference,
    AmiId,
    Distinct,
    MajorMinor,
    Matching,
    Name,
    ParameterValue,
    Region,
    Tags,
    Text,
)
from estate.models.workflows import Workflows
from estate.names import ImageNames
from estate.problems import Key, RuleError, did_you_mean, nearest, shown

MOST_ACCEPTED = 100

ComponentName = Annotated[
    Text,
    Matching(
        rf"(?!arn:)[\s\S]+|{IMAGE_BUILDER_ARN}component/{VERSION}",
        "must be a component",
        "write its name, its path or its ARN with a version, such as …:component/update-linux/x.x.x",
    ),
]


def _check_system(name: str) -> str:
    if name not in CATALOGUE:
        raise RuleError("unknown operating system", got=shown(name), remedy=did_you_mean(name, CATALOGUE))
    return name


def _nearest_system(written: Any) -> Guess | None:
    near = nearest(written, CATALOGUE) if isinstance(written, str) else None
    # a guess is no reason to ask for a parent
    return Guess(near, is_valid=not CATALOGUE[near].needs_parent) if near else None


class ComponentUse(BaseModel):
    """One component of an image, and the values of its parameters.

    In YAML a name alone is enough: `update-os` is `{use: update-os}`.
    """

    model_config = ConfigDict(**FROZEN, validate_by_name=True)

    use: ComponentName
    """The name of a shipped component (`update-os`), the path of a document of your own from the configuration's folder
    (`components/app.yaml`), or the ARN of a component that AWS manages."""
    with_: Annotated[dict[str, ParameterValue], Field(alias="with")] = {}
    """Values of the component's parameters, by name. Default: the defaults of the document."""

    @property
    def is_managed(self) -> bool:
        """Whether it is a component of AWS or of another team, of which only the ARN is known."""
        return self.use.startswith("arn:")

    @property
    def short_name(self) -> str:
        """The name of a shipped component, or of the file of a document of your own."""
        return PurePosixPath(self.use).stem if self.is_own else self.use

    @property
    def without_version(self) -> str:
        """Its name, its path, or its ARN without the version."""
        return "/".join(self.use.split("/")[:2]) if self.is_managed else self.use

    @property
    def is_own(self) -> bool:
        """Whether it is a document in the configuration's folder."""
        return not self.is_managed and ("/" in self.use or self.use.endswith((".yaml", ".yml")))


def _from_name(value: Any) -> Any:
    if not isinstance(value, str | dict | ComponentUse):
        raise RuleError("must be a component", got=shown(value), remedy="write its name, or {use: …, with: {…}}")
    return {"use": value} if isinstance(value, str) else value


Use = Annotated[ComponentUse, BeforeValidator(_from_name, json_schema_input_type=ComponentName | ComponentUse)]


def _together(regions: tuple[str, ...]) -> tuple[str, ...]:
    for index, region in enumerate(regions):
        if partition(region) != partition(regions[0]):
            rule = f"is in another partition of AWS than {regions[0]}: no image can be copied there"
            raise RuleError(rule, got=shown(region), remedy="declare another image for it", key=(index,))
    return regions


Regions = Annotated[
    tuple[Region, ...],
    Field(min_length=1, max_length=40),
    Distinct(),
    AfterValidator(_together),
    StandIn(["us-east-1"]),
]
"""Regions of one partition."""


class ImageTests(BaseModel):
    """Whether finished images are tested, and for how long. Tests run on an instance of their own."""

    model_config = FROZEN

    image_tests_enabled: StrictBool = True
    """Whether finished images are tested: the components under `test`, and test workflows. Default: enabled."""
    timeout: Annotated[Duration, Counted("minute", least=60, most=1440)] = Duration(12, "hour")
    """When tests count as failed. AWS says that it ignores this at present. Default: 12 hours."""


class ImageBase(BaseModel):
    """What every golden image has, whether Image Builder makes an AMI (`AmiImage`) or a container image of it."""

    model_config = FROZEN

    output: ClassVar[Literal["image", "container"]]
    """What Image Builder makes of it, as in the names of Image Builder's own workflows: `build-image`,
    `test-container`."""
    least_hop_limit: ClassVar[int]
    """The smallest hop limit of the build instance's metadata with which a build works."""

    name: Annotated[SkipJsonSchema[Name], StandIn("stand-in")]
    """The key under `images:`."""
    account: Name | None = None
    """The account in which the image is made, one of `settings.accounts`. Default: the only one of `settings.accounts`;
    required if there are several. In Python it is written in either case."""
    version: MajorMinor = "1.0"
    """The recipe's major and minor version; the patch version follows from the content. Default: "1.0"."""
    description: Annotated[Text, DESCRIPTION] | None = None
    """What the image is for. Default: a line that names the image and what it is built from."""
    build: Annotated[tuple[Use, ...], StandIn(item="update-os")] = ()
    """Components that build the image, in order. Default: none; the parent image is only tested."""
    test: Annotated[tuple[Use, ...], StandIn(item="update-os")] = ()
    """Components that test the image, in order, after those of `build`. Default: none; the image is only started."""
    schedule: Schedule | None = None
    """When the pipeline builds automatically. Default: never; somebody starts each build."""
    regions: Regions
    """The regions to which the image is distributed. The first is the home region, which has the stack with its
    pipeline and its function. To move the image to another home region, destroy the stack first: each home region has a
    stack and a state of its own."""
    channels: Channels = ()
    """Channels beside `latest`, such as `staging` and `prod`: a list of names, or a mapping that says from which
    channel each takes its builds. Default: only `latest`, which the hand-off function moves."""
    infrastructure: Infrastructure = Infrastructure()
    """Where builds run. Default: small instances in the default VPC."""
    image_tests: ImageTests = ImageTests()
    """Whether and how long the finished image is tested. Default: enabled, for 12 hours."""
    workflows: Workflows = Workflows()
    """How Image Builder builds, tests and distributes the image. Default: Image Builder's own workflows."""
    image_scanning: ImageScanning = ImageScanning()
    """Vulnerability scans of each build. Default: disabled."""
    gate: Gate | None = None
    """What a build must satisfy to become `latest`. It needs scans. Default: every build that has passed its tests."""
    enhanced_image_metadata_enabled: StrictBool = True
    """Whether Image Builder records the version of the operating system and the packages of each build. Default:
    enabled."""
    log_retention: Annotated[Duration, Counted("day", least=1, most=3653)] = Duration(90, "day")
    """How long build logs are kept in the stack's bucket. With version 6 in `settings.providers`, the copies in
    CloudWatch Logs (`/aws/imagebuilder/…`) are kept as long, or for the next longer period that CloudWatch offers;
    otherwise AWS makes these log groups, and the copies are never deleted. Default: 90 days."""
    notifications: Notifications = Notifications()
    """Who is notified of failed builds. Default: nobody, except those notified by `settings.alarm_actions`."""
    retention: Retention | None = None
    """What happens to old builds. Default: old builds are kept, and their snapshots cost money until you delete
    them."""
    tags: Tags = {}
    """Tags of everything in the stack, of the instances and volumes of its builds, of new AMIs, and of the parameter of
    `latest` when it is created, in addition to those of the settings; at most 29 together. Default: none."""

    @property
    def own_dockerfile(self) -> str | None:
        """The path of a Dockerfile template of the configuration's folder, if it has one."""
        return None

    def repository_name(self, *, namespace: str) -> str | None:
        """The ECR repository that a container image is pushed to."""
        return None

    @property
    def home(self) -> str:
        """The region of the stack."""
        return self.regions[0]

    @property
    def uses(self) -> tuple[ComponentUse, ...]:
        """All components in the order of the recipe."""
        return self.build + self.test

    @property
    def placed_uses(self) -> tuple[tuple[Key, ComponentUse], ...]:
        """All components with their places in the configuration."""
        return tuple(
            (("images", self.name, field, index), use)
            for field, uses in (("build", self.build), ("test", self.test))
            for index, use in enumerate(uses)
        )


class AmiImage(ImageBase):
    """A golden image for EC2, an AMI: what it is built from, when it is built, and where it is distributed."""

    output: ClassVar[Literal["image", "container"]] = "image"
    least_hop_limit: ClassVar[int] = 1

    os: Annotated[
        str,
        Field(json_schema_extra={"enum": list(CATALOGUE)}),
        AfterValidator(_check_system),
        StandIn("amazon-linux-2023", guess=_nearest_system),
    ]
    """The operating system: one of the catalogue. In YAML, an image that is built on another one of the estate has its
    operating system and architecture if it does not say an `os`. In Python, write `os=base.os`: a model is complete by
    itself, before there is an estate in which a base could be looked up."""
    architecture: Architecture = "x86_64"
    """The processor architecture. Default: x86_64."""
    parent: Parent | None = None
    """The parent image: an AMI ID, the ARN of an Image Builder image, a parameter (`ssm:/…`), a disk image in S3, or
    another image of this estate, which must have been built once before the first build of this one. Default: the
    operating system's newest AMI, where its publisher offers a reference that AWS can resolve; otherwise `parent` is
    required."""
    root_volume: RootVolume = RootVolume()
    """The root volume. Default: gp3, encrypted, as large as the parent's."""
    volumes: dict[DeviceName, ImageVolume] = {}
    """Volumes in addition to the root volume, by device name. Default: only those of the parent."""
    distribution: dict[Region, RegionalDistribution] = {}
    """Settings for single regions: the AMI's name, key and tags, and what else is distributed with it. Default: the
    AMIs of all regions have the same name and tags and are encrypted with AWS's own keys."""
    launch_permission: Permission | None = None
    """Who may launch the AMIs, in addition to the account that owns the image and the accounts of the fleets that run
    it: accounts, organizations and organizational units, or `public` for everybody. Default: nobody else."""
    target_accounts: Annotated[tuple[AccountReference, ...], Field(max_length=1535), Distinct()] = ()
    """Accounts that get copies of their own in every region; they own them and pay for them. Each needs the role
    `EC2ImageBuilderDistributionCrossAccountRole`, which trusts the image's account, has AWS's policy
    `Ec2ImageBuilderCrossAccountDistributionAccess` and may use the keys of the regions ("Set up cross-account AMI
    distribution" in Image Builder's user guide). Channels stay in the image's account. Default: none."""
    external_fleets: StrictBool = False
    """Whether fleets of other estates may run the image, in the accounts, organizations and units of
    `launch_permission` and the accounts of `target_accounts`: these may then assume the role that reads its channels,
    builds and findings. Needs `account`. Default: disabled; they can launch or copy the AMIs, but not read channels."""
    accept: Annotated[tuple[AmiId, ...], Field(max_length=MOST_ACCEPTED), Distinct()] = ()
    """AMIs of the image's account that Image Builder did not make, and that fleets may run: those to which
    `goldsmith promote --ami` points an empty channel, one for each region. They must have the image's architecture.
    Default: fleets run builds of the image only."""
    export: Export | None = None
    """A disk image of each build, for machines on premises. Default: none."""

    @property
    def system(self) -> OperatingSystem:
        """The row of the catalogue."""
        return CATALOGUE[self.os]

    @property
    def platform(self) -> Platform:
        """The platform that its components must support."""
        return self.system.platform

    @property
    def system_name(self) -> str:
        """The operating system as problems name it."""
        return self.os

    @property
    def instance_types(self) -> tuple[str, ...]:
        """Where builds run: the declared instance types, or those that fit system and architecture."""
        return self.infrastructure.instance_types or self.system.instance_types(self.architecture)

    @property
    def ami_architecture(self) -> str:
        """The architecture of the AMI as EC2 names it: a Mac's is `x86_64_mac` or `arm64_mac`."""
        return f"{self.architecture}_mac" if self.system.platform == "macOS" else self.architecture

    @property
    def is_public(self) -> bool:
        """Whether everybody may launch the AMIs."""
        return self.launch_permission == "public"

    @property
    def launch_permissions(self) -> LaunchPermission | None:
        """The accounts, organizations and units that may launch the AMIs, unless everybody may."""
        return self.launch_permission if isinstance(self.launch_permission, LaunchPermission) else None

    def distribution_in(self, region: str) -> RegionalDistribution:
        """The settings for one region."""
        return self.distribution.get(region, RegionalDistribution())

    @property
    def base(self) -> Base | None:
        """The image of the estate that it is built from, if it is one."""
        return self.parent if isinstance(self.parent, Base) else None

    @property
    def disk_image(self) -> DiskImage | None:
        """The disk image that it is built from, if it is one."""
        return self.parent if isinstance(self.parent, DiskImage) else None

    def parent_reference(self, *, namespace: str) -> str | None:
        """The parent image as Image Builder takes it: a stable reference, resolved when an image is built. None when
        the system has no default parent and none is declared."""
        if isinstance(self.parent, Base):
            return f"ssm:{ImageNames(namespace, self.parent.image).parameter(self.parent.channel)}"
        if isinstance(self.parent, DiskImage):
            # the stack registers an AMI from it; this text changes when the AMI must be another one
            how = [self.parent.format, self.architecture, self.parent.boot_mode]
            return " ".join([self.parent.disk_image, *filter(None, how)])
        return self.parent or self.system.parent(region=self.home, architecture=self.architecture)

    @model_validator(mode="after")
    def _exists(self) -> Self:
        if self.architecture not in self.system.architectures:
            raise RuleError(
                f"{self.os} does not exist for this architecture",
                got=shown(self.architecture),
                remedy=f"write {' or '.join(self.system.architectures)}",
                key=("architecture",),
            )
        return self
