"""Instances that run one image: the `fleets:` of an estate."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, StrictBool, StrictInt, model_validator
from pydantic.json_schema import SkipJsonSchema

from estate.limits import TAG_KEY, TAG_VALUE, USER_DATA
from estate.models.data_volumes import DeviceName, FleetVolume
from estate.models.durations import Counted, Duration
from estate.models.infrastructure import HopLimit, Placement
from estate.models.notifications import FleetNotifications
from estate.models.provider import FleetProvider
from estate.models.rollout import After, Rollout
from estate.models.salvage import StandIn
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
from estate.models.windows import WrittenWindows
from estate.problems import RuleError, shown
from lambda_src.rollout.windows import Window, parse_window

_NO_SUBNETS = "must name subnets, either by ids or by tags"
_SUBNETS = "write [subnet-…, subnet-…] or {tags: {tier: private}}"


_SubnetIds = Annotated[tuple[SubnetId, ...], Field(min_length=1)]


class Subnets(BaseModel):
    """The subnets of a fleet: by ID, or all that have certain tags. In YAML a list of IDs is enough."""

    model_config = exactly_one("ids", "tags")

    ids: Annotated[tuple[SubnetId, ...], Distinct()] = ()
    """The subnets by ID. Default: those found by `tags`."""
    tags: dict[Annotated[Text, TAG_KEY], Annotated[str, TAG_VALUE]] = {}
    """The tags that all of the subnets have; the subnets are looked up at each plan. Default: none; the subnets are
    named by `ids`."""

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
    """The smallest number of instances."""
    max: Annotated[StrictInt, Field(ge=0, le=LARGEST_INTEGER)]
    """The largest number of instances."""
    desired: Annotated[StrictInt, Field(ge=0, le=LARGEST_INTEGER)] | None = None
    """The desired number of instances. Default: AWS and scaling policies set it, and Terraform ignores it."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.min <= (self.min if self.desired is None else self.desired) <= self.max:
            got = f"min {self.min}, desired {self.desired}, max {self.max}".replace(" desired None,", "")
            raise RuleError("min must be at most desired, and desired at most max", got=got)
        return self


class HealthCheck(BaseModel):
    """When an instance counts as unhealthy and is replaced."""

    model_config = FROZEN

    type: Literal["EC2", "ELB"] | None = None
    """Which health check counts: that of EC2, or that of the load balancer (`ELB`). Default: ELB if there are target
    groups, otherwise EC2."""
    grace_period: Annotated[Duration, Counted("second", least=0, most=LARGEST_INTEGER)] = Duration(5, "minute")
    """How long after its start an instance is not checked. Default: 5 minutes."""


class FleetRootVolume(BaseModel):
    """The root volume of the instances. Always encrypted. The limits are those of EBS and of AWS's provider."""

    model_config = FROZEN

    volume_size: Annotated[StrictInt, Field(ge=1, le=65_536)] | None = None
    """Its size in GiB. Default: the AMI's."""
    volume_type: VolumeType = "gp3"
    """Its type. Default: gp3."""
    iops: Annotated[StrictInt, Field(ge=100, le=256_000)] | None = None
    """I/O operations per second of a gp3 volume, at least 3000, or of an io1 or io2 volume, which require it. Default:
    3000."""
    throughput: Annotated[StrictInt, Field(ge=125, le=1000)] | None = None
    """Throughput of a gp3 volume in MiB per second. Default: 125."""
    kms_key_id: KmsKeyArn | None = None
    """The key that encrypts it; its policy must let the service-linked role of Auto Scaling use the key and create
    grants. Default: the AMI's key, or the account's default key."""

    @model_validator(mode="after")
    def _fits_type(self) -> Self:
        check_volume(
            volume_type=self.volume_type, volume_size=self.volume_size, iops=self.iops, throughput=self.throughput
        )
        return self


class MetadataOptions(BaseModel):
    """How the instances reach their metadata, which includes the credentials of their role. Always by version 2
    (IMDSv2) only."""

    model_config = FROZEN

    http_put_response_hop_limit: HopLimit = 1
    """How many network hops the metadata may travel; a container on the instance needs 2. Default: 1; only the instance
    itself can use its role."""
    instance_metadata_tags: StrictBool | None = None
    """Whether the instance's tags are in its metadata, where everybody who reaches the metadata can read them. To
    switch it off again, write `false`. Default: disabled."""


class Fleet(BaseModel):
    """A fleet: an Auto Scaling group whose launch template has the AMI of an image's channel."""

    model_config = FROZEN

    name: Annotated[SkipJsonSchema[Name], StandIn("stand-in")]
    """The key under `fleets:`."""
    environment: Name | None = None
    """The environment from which it takes the fields that it does not have itself, one of `environments`. Default: it
    takes only those of `defaults.fleets`."""
    image: Annotated[Name, StandIn("stand-in")]
    """The image that the instances run; an image of this estate."""
    channel: Annotated[Name, StandIn("latest")]
    """The channel whose AMI they run: `latest`, or one of the image's channels."""
    region: Annotated[Region, StandIn("us-east-1")]
    """The region, one of the image's. To move the fleet to another region, destroy the stack first: each region has a
    stack and a state of its own."""
    account: Name | None = None
    """The account in which the instances run, one of `settings.accounts`. Default: the account of the image."""
    provider: FleetProvider | None = None
    """What is special in how this fleet's account is entered. Default: as `settings.accounts` says."""
    instance_type: Annotated[InstanceType, StandIn("t3.small")]
    """The instance type."""
    subnets: Annotated[
        Subnets,
        BeforeValidator(_from_list, json_schema_input_type=_SubnetIds | Subnets),
        StandIn(["subnet-0"]),
    ]
    """Where the instances run."""
    security_group_ids: Annotated[tuple[SecurityGroupId, ...], Field(max_length=16), Distinct()] = ()
    """The security groups. Default: the stack makes one with no inbound rule, and one outbound rule, for HTTPS."""
    placement: Placement | None = None
    """Dedicated hardware, by tenancy and host resource group only; macOS needs a group of dedicated hosts. Default:
    hardware shared with other accounts."""
    license_configuration_arns: Annotated[tuple[LicenseConfigurationArn, ...], Distinct()] = ()
    """License configurations of the instances; a host resource group takes only instances that have one of the group's
    own. Default: those of the AMI."""
    instance_profile_arn: InstanceProfileArn | None = None
    """The instance profile. Default: the stack makes one that only lets Systems Manager manage the instances."""
    user_data: Annotated[Text, USER_DATA] | None = None
    """A script that runs when an instance starts. Default: none."""
    capacity: Annotated[Capacity, StandIn({"min": 0, "max": 0})]
    """How many instances."""
    target_group_arns: Annotated[tuple[TargetGroupArn, ...], Field(max_length=50), Distinct()] = ()
    """All target groups of the load balancer to which the group is attached: the next apply detaches any others.
    Default: none."""
    health_check: HealthCheck = HealthCheck()
    """When an instance is replaced. Default: when it fails the health check of EC2 or of its target groups."""
    updates: Literal["automatic", "plan", "pull-request"] = "plan"
    """How it follows its channel. `automatic`: a function in the fleet's account and region looks every five minutes,
    gives the launch template the AMI of the build that the channel points to, and rolls it out; no plan shows or
    changes the AMI. `plan`: each plan takes the build that the channel points to. `pull-request`: a plan takes the
    build in `pins.yaml`, which `goldsmith pin` writes, so a pull request that changes the file promotes a build, and
    two plans of one commit are equal. Default: plan."""
    rollout: Rollout = Rollout()
    """How instances are replaced when their AMI changes. Default: a tenth of them at a time."""
    window: WrittenWindows = ()
    """When a rollout may start: `mon-thu 10:00-16:00 Asia/Tokyo`, or a list of windows. One that has started is not
    stopped by the end of its window. Needs `rollout.by: goldsmith`; with `updates: automatic`, ten minutes or longer.
    Default: at any time."""
    after: After | None = None
    """Which fleets must have run a build before this one may; with `updates: automatic`, fleets of the same account and
    region. Needs `rollout.by: goldsmith`. Default: none."""
    notifications: FleetNotifications = FleetNotifications()
    """Who is notified of rollouts that failed, were cancelled or were rolled back; with `updates: automatic` also of
    those that succeeded, and when a person is needed. Default: nobody."""
    root_volume: FleetRootVolume = FleetRootVolume()
    """The root volume. Default: gp3, encrypted, as large as the AMI's."""
    volumes: dict[DeviceName, FleetVolume] = {}
    """Volumes in addition to the root volume, by device name. Default: those of the AMI."""
    metadata_options: MetadataOptions = MetadataOptions()
    """How the instances reach their metadata. Default: version 2 (IMDSv2) only, one hop, without tags."""
    max_age: Annotated[Duration, Counted("hour", least=1, most=876_000)] = Duration(60, "day")
    """From which age of the AMI plans warn. Default: 60 days."""
    guards: Literal["stop", "warn"] = "stop"
    """Whether a plan stops or only warns when the AMI is not a build of the image, is revoked or has the wrong
    architecture: `warn` is for emergencies. Plans of fleets with `updates: automatic` only warn in any case, because
    they launch nothing, and what is written here counts for their function. Default: stop."""
    tags: Tags = {}
    """Tags of everything in the stack, of the instances and of their volumes, in addition to those of the settings.
    They are in the launch template, so changing them replaces the instances. Default: none."""

    @model_validator(mode="before")
    @classmethod
    def _rolled_out_by(cls, fields: Any) -> Any:
        """No apply can start the rollouts of a fleet whose AMI no plan changes."""
        rollout = fields.get("rollout", {}) if isinstance(fields, dict) else None
        if isinstance(rollout, dict) and fields.get("updates") == "automatic":
            return {**fields, "rollout": {"by": "goldsmith", **rollout}}
        return fields

    @model_validator(mode="after")
    def _spreads(self) -> Self:
        for field, place, instead in (
            ("host_id", "on one host", "host_resource_group_arn"),
            ("availability_zone", "in one Availability Zone", "subnets"),
        ):
            if self.placement and (value := getattr(self.placement, field)):
                rule = f"would put all instances of the fleet {place}"
                raise RuleError(rule, got=shown(value), remedy=f"write {instead}", key=("placement", field))
        return self

    @property
    def is_pinned(self) -> bool:
        """Whether it runs what its pin says, and not what its channel points to."""
        return self.updates == "pull-request"

    @property
    def is_automatic(self) -> bool:
        """Whether a function gives it the builds that its channel points to, and no plan does."""
        return self.updates == "automatic"

    @property
    def windows(self) -> tuple[Window, ...]:
        """When a rollout may start; none means at any time."""
        return tuple(map(parse_window, self.window))

    @property
    def health_check_type(self) -> str:
        """The health check that counts: EC2's or the load balancer's."""
        return self.health_check.type or ("ELB" if self.target_group_arns else "EC2")
