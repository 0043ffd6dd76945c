"""Instances that run one image: the `fleets:` of an estate."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, StrictBool, StrictInt, model_validator
from pydantic.json_schema import SkipJsonSchema

from estate.limits import TAG_KEY, TAG_VALUE, USER_DATA
from estate.models.data_volumes import DeviceName, FleetVolume
from estate.models.infrastructure import HopLimit, Placement
from estate.models.notifications import FleetNotifications
from estate.models.settings import Provider
from estate.models.types import (
    FROZEN,
    LARGEST_INTEGER,
    Distinct,
    InstanceProfileArn,
    InstanceType,
    KmsKeyArn,
    LicenseConfigurationArn,
    Name,
    Region,
    SecurityGroupId,
    SubnetId,
    Tags,
    TargetGroupArn,
    Text,
    exactly_one,
)
from estate.models.volumes import VolumeType, check_volume
from estate.problems import RuleError, shown

_NO_SUBNETS = "must name subnets, either by ids or by tags"
_SUBNETS = "write [subnet-…, subnet-…] or {tags: {tier: private}}"


_SubnetIds = Annotated[tuple[SubnetId, ...], Field(min_length=1)]


class Subnets(BaseModel):
    """The subnets of a fleet: by ID, or all that carry some tags. In YAML a list of IDs alone is enough."""

    model_config = exactly_one("ids", "tags")

    ids: Annotated[tuple[SubnetId, ...], Distinct()] = ()
    """The subnets by ID. Without it: those that have the tags."""
    tags: dict[Annotated[Text, TAG_KEY], Annotated[str, TAG_VALUE]] = {}
    """The tags that all of the subnets carry, looked up at each plan. Without it: those named by ID."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.ids) == bool(self.tags):
            raise RuleError(
                _NO_SUBNETS,
                got="both" if self.ids else "none",
                remedy=_SUBNETS,
            )
        return self


def _from_list(value: Any) -> Any:
    if not isinstance(value, list | tuple | dict | Subnets):
        raise RuleError(_NO_SUBNETS, got=shown(value), remedy=_SUBNETS)
    return {"ids": value} if isinstance(value, list | tuple) else value


class Capacity(BaseModel):
    """How many instances."""

    model_config = FROZEN

    min: Annotated[StrictInt, Field(ge=0, le=LARGEST_INTEGER)]
    """The least."""
    max: Annotated[StrictInt, Field(ge=0, le=LARGEST_INTEGER)]
    """The most."""
    desired: Annotated[StrictInt, Field(ge=0, le=LARGEST_INTEGER)] | None = None
    """How many there should be. Without it: AWS and scaling policies decide, and Terraform leaves it alone."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.min <= (self.min if self.desired is None else self.desired) <= self.max:
            got = f"min {self.min}, desired {self.desired}, max {self.max}".replace(" desired None,", "")
            raise RuleError("min, desired and max must ascend", got=got)
        return self


class HealthCheck(BaseModel):
    """When an instance counts as broken and is replaced."""

    model_config = FROZEN

    type: Literal["EC2", "ELB"] | None = None
    """Who says so. Without it: the load balancer if there are target groups, else EC2."""
    grace_period_in_seconds: Annotated[StrictInt, Field(ge=0, le=LARGEST_INTEGER)] = 300
    """How long after its start an instance is left alone. Without it: 300."""


class Rollout(BaseModel):
    """How the instances are replaced when the launch template changes, for instance because its AMI did.

    The fields are those of the provider's `instance_refresh` preferences. The apply that changes the launch
    template starts the refresh.
    """

    model_config = FROZEN

    min_healthy_percentage: Annotated[StrictInt, Field(ge=0, le=100)] = 90
    """How much of the group stays healthy meanwhile. Without it: 90."""
    max_healthy_percentage: Annotated[StrictInt, Field(ge=100, le=200)] = 100
    """How far the group may grow meanwhile. Without it: not beyond its size, unless it is so small that both
    percentages cannot hold; then AWS launches a new instance before it ends an old one."""
    instance_warmup: Annotated[StrictInt, Field(ge=0, le=LARGEST_INTEGER)] | None = None
    """Seconds until a new instance counts. Without it: the health check's grace period."""
    skip_matching: StrictBool = True
    """Leave instances alone that run the wanted launch template already. Without it: they are left alone."""

    @model_validator(mode="after")
    def _window(self) -> Self:
        if self.max_healthy_percentage - self.min_healthy_percentage > 100:
            raise RuleError(
                "max_healthy_percentage may be at most 100 above min_healthy_percentage",
                got=f"{self.min_healthy_percentage} and {self.max_healthy_percentage}",
            )
        return self


class FleetRootVolume(BaseModel):
    """The root volume of the instances. Always encrypted. The limits are those of EBS and of AWS's provider."""

    model_config = FROZEN

    volume_size: Annotated[StrictInt, Field(ge=1, le=65_536)] | None = None
    """Its size in GiB. Without it: the AMI's."""
    volume_type: VolumeType = "gp3"
    """Its type. Without it: gp3."""
    iops: Annotated[StrictInt, Field(ge=100, le=256_000)] | None = None
    """Operations a second of a gp3 volume, 3000 or more, or of an io1 or io2 volume, which need it. Without it:
    3000."""
    throughput: Annotated[StrictInt, Field(ge=125, le=1000)] | None = None
    """Throughput of a gp3 volume in MiB a second. Without it: 125."""
    kms_key_id: KmsKeyArn | None = None
    """The key that encrypts it; its policy must let the service-linked role of Auto Scaling use and grant it.
    Without it: the AMI's key, or the account's default."""

    @model_validator(mode="after")
    def _fits_type(self) -> Self:
        check_volume(
            volume_type=self.volume_type, volume_size=self.volume_size, iops=self.iops, throughput=self.throughput
        )
        return self


class Metadata(BaseModel):
    """How the instances reach their metadata, and with it the credentials of their role. Always by version 2 only."""

    model_config = FROZEN

    hop_limit: HopLimit = 1
    """How many hops an answer goes: a container on the instance needs 2. Without it: 1, so that only the instance
    itself reaches its role."""
    instance_tags: StrictBool | None = None
    """Whether the instance's tags are in its metadata, for everybody who reaches it. `false` takes them away again.
    Without it: they are not."""


class Fleet(BaseModel):
    """A fleet: an Auto Scaling group whose launch template carries the AMI of an image's channel."""

    model_config = FROZEN

    name: SkipJsonSchema[Name]
    """The key under `fleets:`."""
    image: Name
    """The image that the instances run, one of this estate."""
    channel: Name
    """The channel whose AMI they run: `latest`, or one of the image's channels."""
    region: Region
    """The region, one of the image's. Another region is another stack with a state of its own: destroy the old one
    first."""
    provider: Provider | None = None
    """How Terraform reaches AWS for this fleet, in the account in which its image is made. Without it: as the settings
    say."""
    instance_type: InstanceType
    """The instance type."""
    subnets: Annotated[Subnets, BeforeValidator(_from_list, json_schema_input_type=_SubnetIds | Subnets)]
    """Where the instances run."""
    security_group_ids: Annotated[tuple[SecurityGroupId, ...], Field(max_length=16), Distinct()] = ()
    """The security groups. Without it: one is made that lets nothing in, and out only HTTPS."""
    placement: Placement | None = None
    """Dedicated hardware, by tenancy and host resource group only; macOS needs a group of dedicated hosts. Without it:
    hardware shared with other accounts."""
    license_configuration_arns: Annotated[tuple[LicenseConfigurationArn, ...], Distinct()] = ()
    """License configurations of the instances; a host resource group takes only instances that have one of its own.
    Without it: those of the AMI."""
    instance_profile_arn: InstanceProfileArn | None = None
    """The instance profile. Without it: one is made that lets Systems Manager reach the instances, no more."""
    user_data: Annotated[Text, USER_DATA] | None = None
    """A script that runs when an instance starts. Without it: none."""
    capacity: Capacity
    """How many instances."""
    target_group_arns: Annotated[tuple[TargetGroupArn, ...], Field(max_length=50), Distinct()] = ()
    """The load balancer's target groups, all of them: what else attaches some to the group is undone by the next apply.
    Without it: none."""
    health_check: HealthCheck = HealthCheck()
    """When an instance is replaced. Without it: when it fails the checks of EC2 or of the target groups."""
    rollout: Rollout = Rollout()
    """How instances are replaced when their AMI changes. Without it: a tenth at a time."""
    notifications: FleetNotifications = FleetNotifications()
    """Who hears of rollouts that did not end well. Without it: nobody."""
    root_volume: FleetRootVolume = FleetRootVolume()
    """The root volume. Without it: gp3 of the AMI's size, encrypted."""
    volumes: dict[DeviceName, FleetVolume] = {}
    """Volumes beside the root, by their device names. Without it: those of the AMI."""
    metadata: Metadata = Metadata()
    """How the instances reach their metadata. Without it: by version 2 only, one hop, without tags."""
    max_age_in_days: Annotated[StrictInt, Field(ge=1, le=36_500)] = 60
    """From which age of the AMI on plans warn. Without it: 60 days."""
    guards: Literal["stop", "warn"] = "stop"
    """Whether a foreign AMI or one of the wrong architecture stops the plan or only warns: `warn` is for
    emergencies. Without it: it stops."""
    tags: Tags = {}
    """Tags of everything in the stack, of the instances and of their volumes, beside those of the settings. The launch
    template carries them, so that a change replaces the instances. Without it: none."""

    @model_validator(mode="after")
    def _spreads(self) -> Self:
        for field, instead in (("host_id", "host_resource_group_arn"), ("availability_zone", "subnets")):
            if self.placement and (value := getattr(self.placement, field)):
                rule = "would put all instances of a fleet in one place"
                raise RuleError(rule, got=shown(value), remedy=f"write {instead}", key=("placement", field))
        return self

    @property
    def health_check_type(self) -> str:
        """Who says that an instance is broken."""
        return self.health_check.type or ("ELB" if self.target_group_arns else "EC2")
