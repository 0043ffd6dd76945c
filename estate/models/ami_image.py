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
    StrictInt,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from estate import names
from estate.arns import partition
from estate.catalogue.operating_systems import CATALOGUE, Architecture, OperatingSystem, Platform
from estate.limits import DESCRIPTION
from estate.models.data_volumes import DeviceName, ImageVolume
from estate.models.distribution import LaunchPermission, Permission, RegionalDistribution
from estate.models.export import Export
from estate.models.image_scanning import ImageScanning
from estate.models.infrastructure import Infrastructure
from estate.models.notifications import Notifications
from estate.models.parent import IMAGE_BUILDER_ARN, VERSION, Base, DiskImage, Parent
from estate.models.retention import Retention
from estate.models.root_volume import RootVolume
from estate.models.schedule import Schedule
from estate.models.types import (
    FROZEN,
    AccountId,
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
from estate.problems import Key, RuleError, did_you_mean, shown

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


class ComponentUse(BaseModel):
    """One component of an image, and the values of its parameters.

    In YAML a name alone is enough: `update-os` is `{use: update-os}`.
    """

    model_config = ConfigDict(**FROZEN, validate_by_name=True)

    use: ComponentName
    """A shipped component (`update-os`), a document of your own by its path from the configuration's folder
    (`components/app.yaml`), or the ARN of a component that AWS manages."""
    with_: Annotated[dict[str, ParameterValue], Field(alias="with")] = {}
    """Values of the component's parameters by name. Without it: the document's own defaults."""

    @property
    def is_managed(self) -> bool:
        """Whether it is a component of AWS or of another team, known by its ARN only."""
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
        """Whether it is a document of the configuration's folder."""
        return not self.is_managed and ("/" in self.use or self.use.endswith((".yaml", ".yml")))


def _from_name(value: Any) -> Any:
    if not isinstance(value, str | dict | ComponentUse):
        raise RuleError("must be a component", got=shown(value), remedy="write its name, or {use: …, with: {…}}")
    return {"use": value} if isinstance(value, str) else value


Use = Annotated[ComponentUse, BeforeValidator(_from_name, json_schema_input_type=ComponentName | ComponentUse)]


def _together(regions: tuple[str, ...]) -> tuple[str, ...]:
    for index, region in enumerate(regions):
        if partition(region) != partition(regions[0]):
            rule = f"AWS keeps it apart from {regions[0]}: no image can be copied there"
            raise RuleError(rule, got=shown(region), remedy="declare an image of its own for it", key=(index,))
    return regions


def _without_latest(channels: tuple[str, ...]) -> tuple[str, ...]:
    if names.LATEST in channels:
        index = channels.index(names.LATEST)
        raise RuleError("every image has it", got=shown(names.LATEST), remedy="delete it", key=(index,))
    return channels


class ImageTests(BaseModel):
    """Whether and how long a finished image is tested on an instance of its own."""

    model_config = FROZEN

    image_tests_enabled: StrictBool = True
    """Whether finished images are tested: components of `test` and test workflows. Without it: they are."""
    timeout_minutes: Annotated[StrictInt, Field(ge=60, le=1440)] = 720
    """When tests count as failed, in minutes; AWS says that it ignores it at present. Without it: 720."""


class ImageBase(BaseModel):
    """What every golden image has, whatever Image Builder makes of it: an AMI (`AmiImage`) or a container image."""

    model_config = FROZEN

    output: ClassVar[Literal["image", "container"]]
    """What Image Builder makes of it, as the names of its own workflows say it: `build-image`, `test-container`."""
    least_hop_limit: ClassVar[int]
    """The fewest hops that the metadata of the instance must reach for a build."""

    name: SkipJsonSchema[Name]
    """The key under `images:`."""
    version: MajorMinor = "1.0"
    """The recipe's major and minor version; the patch follows from the content. Without it: "1.0"."""
    description: Annotated[Text, DESCRIPTION] | None = None
    """What the image is for. Without it: a line that names the image and what it is built from."""
    build: tuple[Use, ...] = ()
    """Components that build the image, in order. Without it: the parent image is only tested."""
    test: tuple[Use, ...] = ()
    """Components that test the image, in order, after those of `build`. Without it: it is only started."""
    schedule: Schedule | None = None
    """When the pipeline builds by itself. Without it: only when someone starts it."""
    regions: Annotated[tuple[Region, ...], Field(min_length=1, max_length=40), Distinct(), AfterValidator(_together)]
    """Where the image goes. The first is home: the stack, its pipeline and its function live there. Another home is
    another stack with a state of its own: destroy the old one first."""
    channels: Annotated[tuple[Name, ...], Field(max_length=100), Distinct(), AfterValidator(_without_latest)] = ()
    """Channels that operators move, such as `staging` and `prod`. Without it: only `latest`, moved by itself."""
    infrastructure: Infrastructure = Infrastructure()
    """Where builds run. Without it: small instances in the default VPC."""
    image_tests: ImageTests = ImageTests()
    """How tests run. Without it: enabled, 720 minutes."""
    workflows: Workflows = Workflows()
    """What Image Builder does to build, test and distribute. Without it: its own workflows."""
    image_scanning: ImageScanning = ImageScanning()
    """Scans for vulnerabilities. Without it: none."""
    enhanced_image_metadata_enabled: StrictBool = True
    """Whether Image Builder writes down the version of the operating system and the packages of each build. Without it:
    it does."""
    log_retention_in_days: Annotated[StrictInt, Field(ge=1, le=3653)] = 90
    """How long build logs are kept in the stack's bucket. The copies that Image Builder writes to CloudWatch Logs
    (`/aws/imagebuilder/…`) are kept as long, or what CloudWatch has next above it, with `settings.provider_version: 6`;
    otherwise they are AWS's own and stay. Without it: 90 days."""
    notifications: Notifications = Notifications()
    """Who is told of failed builds. Without it: nobody, beside whom the alarms tell (`settings.alarm_actions`)."""
    retention: Retention | None = None
    """What becomes of old builds. Without it: they stay, and their snapshots cost money for ever."""
    tags: Tags = {}
    """Tags of everything in the stack, of the instances and volumes of its builds, of new AMIs, and of the parameter of
    `latest` when it is made, beside those of the settings; 29 at most together. Without it: none."""

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
    """A golden image of EC2, an AMI: what it is made of, when it is built, and where it goes."""

    output: ClassVar[Literal["image", "container"]] = "image"
    least_hop_limit: ClassVar[int] = 1

    os: Annotated[str, Field(json_schema_extra={"enum": list(CATALOGUE)}), AfterValidator(_check_system)]
    """The operating system, one of the catalogue."""
    architecture: Architecture = "x86_64"
    """The processor architecture. Without it: x86_64."""
    parent: Parent | None = None
    """The parent image: an AMI ID, the ARN of an Image Builder image, `ssm:/…`, a disk image in S3, or another image of
    this estate, which must have been built once before this image's first build. Without it: the operating system's
    newest, where its publisher names one that AWS can resolve."""
    root_volume: RootVolume = RootVolume()
    """The root volume. Without it: gp3 of the parent's size, encrypted."""
    volumes: dict[DeviceName, ImageVolume] = {}
    """Volumes beside the root, by their device names. Without it: only those that the parent has."""
    distribution: dict[Region, RegionalDistribution] = {}
    """What is special in one of the regions: the AMI's name, key, tags, and what else follows it there. Without it:
    the AMIs of all regions are named and tagged alike and encrypted by AWS's own keys."""
    launch_permission: Permission | None = None
    """Who may launch the AMIs beside the image's own account: accounts, organizations and organizational units, or
    `public` for everybody. Without it: nobody."""
    target_accounts: Annotated[tuple[AccountId, ...], Field(max_length=1535), Distinct()] = ()
    """Accounts that get copies of their own in every region, which they own, pay and keep. Each needs the role
    `EC2ImageBuilderDistributionCrossAccountRole`, which trusts the image's account, has AWS's policy
    `Ec2ImageBuilderCrossAccountDistributionAccess` and may use the keys of the regions ("Set up cross-account AMI
    distribution" in Image Builder's user guide). Channels stay in the image's account. Without it: no copies."""
    export: Export | None = None
    """A disk image of each build for machines on premises. Without it: none."""

    @property
    def system(self) -> OperatingSystem:
        """The catalogue's row."""
        return CATALOGUE[self.os]

    @property
    def platform(self) -> Platform:
        """What its components are made for."""
        return self.system.platform

    @property
    def instance_types(self) -> tuple[str, ...]:
        """Where builds run: as written, or those that fit system and architecture."""
        return self.infrastructure.instance_types or self.system.instance_types(self.architecture)

    @property
    def ami_architecture(self) -> str:
        """The architecture as EC2 says it of an AMI: a Mac's are `x86_64_mac` and `arm64_mac`."""
        return f"{self.architecture}_mac" if self.system.platform == "macOS" else self.architecture

    @property
    def is_public(self) -> bool:
        """Whether everybody may launch the AMIs."""
        return self.launch_permission == "public"

    @property
    def launch_permissions(self) -> LaunchPermission | None:
        """Who in particular may launch the AMIs."""
        return self.launch_permission if isinstance(self.launch_permission, LaunchPermission) else None

    def distribution_in(self, region: str) -> RegionalDistribution:
        """What is special in a region."""
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
        the system has none and none is written."""
        if isinstance(self.parent, Base):
            return f"ssm:{ImageNames(namespace, self.parent.image).parameter(self.parent.channel)}"
        if isinstance(self.parent, DiskImage):
            # an AMI of the stack takes its place; this says when it is another one
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
