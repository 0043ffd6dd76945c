"""Where instances run: the `infrastructure:` of an image, and the `placement:` of images and fleets."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, StrictBool, StrictInt, model_validator

from estate.models.types import (
    FROZEN,
    AvailabilityZone,
    Distinct,
    HostId,
    HostResourceGroupArn,
    InstanceType,
    KeyPairName,
    SecurityGroupId,
    SubnetId,
)
from estate.problems import RuleError, shown


class Placement(BaseModel):
    """On whose hardware instances run. Macs need a dedicated host, which you allocate yourself.

    The fields are those of the provider's `placement` blocks.
    """

    model_config = FROZEN

    tenancy: Literal["default", "dedicated", "host"] = "default"
    """`default` shares hardware with other accounts, `dedicated` does not, `host` is a dedicated host. Without it:
    default."""
    host_id: HostId | None = None
    """The dedicated host, for `tenancy: host`. Without it: one of the group, or any that places automatically."""
    host_resource_group_arn: HostResourceGroupArn | None = None
    """The host resource group that provides the dedicated host, for `tenancy: host`. Without it: the host named by ID,
    or any that places automatically."""
    availability_zone: AvailabilityZone | None = None
    """The Availability Zone of builds and tests. Without it: the subnet's, or one of AWS's choice."""

    @model_validator(mode="after")
    def _one_host(self) -> Self:
        if self.host_id and self.host_resource_group_arn:
            remedy = "delete one of them"
            raise RuleError("AWS takes host_id or host_resource_group_arn, not both", got="both", remedy=remedy)
        for field in ("host_id", "host_resource_group_arn"):
            if self.tenancy != "host" and (value := getattr(self, field)):
                raise RuleError(
                    "is only for tenancy: host", got=shown(value), remedy="write tenancy: host", key=(field,)
                )
        return self

    @property
    def names_host(self) -> bool:
        """Whether it says which dedicated host, or of which group."""
        return self.tenancy == "host" and bool(self.host_id or self.host_resource_group_arn)


HopLimit = Annotated[StrictInt, Field(ge=1, le=64)]
"""How many hops an answer of the metadata service goes."""


class InstanceMetadataOptions(BaseModel):
    """How build and test instances reach their metadata, and with it the credentials of their role.

    The fields are those of the provider's `instance_metadata_options`. Instances of the finished image are not meant.
    """

    model_config = FROZEN

    http_tokens: Literal["required", "optional"] = "required"
    """`required` is version 2 only; `optional` answers requests without a token, too. Without it: required."""
    http_put_response_hop_limit: HopLimit | None = None
    """How many hops an answer goes: a container on the instance needs 2. Without it: 1, and 2 for a container image,
    which is built in one."""


class Infrastructure(BaseModel):
    """Where build and test instances run."""

    model_config = FROZEN

    instance_types: Annotated[tuple[InstanceType, ...], Distinct()] = ()
    """The instance types, of which AWS takes one that it has: no build costs more than the dearest of them. Without it:
    small ones that fit system and architecture."""
    subnet_id: SubnetId | None = None
    """The subnet. Without it: the default VPC's."""
    security_group_ids: Annotated[tuple[SecurityGroupId, ...], Field(max_length=16), Distinct()] = ()
    """The security groups. Without it: the default VPC's, and then there must be no subnet either."""
    placement: Placement | None = None
    """Dedicated hardware; macOS needs a dedicated host. Without it: hardware shared with other accounts."""
    key_pair: KeyPairName | None = None
    """The key pair with which you log on to build and test instances, in the image's home. Without it: none; Session
    Manager reaches them, too."""
    instance_metadata_options: InstanceMetadataOptions = InstanceMetadataOptions()
    """How the instances reach their metadata. Without it: by version 2 only."""
    terminate_instance_on_failure: StrictBool = True
    """Whether the instance of a failed build ends. `false` keeps it for you to look at, and you pay for it until you
    terminate it. Without it: it ends."""

    @model_validator(mode="after")
    def _subnet_with_groups(self) -> Self:
        if (self.subnet_id is None) != (not self.security_group_ids):
            raise RuleError(
                "subnet_id and security_group_ids go together: AWS refuses one without the other",
                got=f"only {'security_group_ids' if self.subnet_id is None else 'subnet_id'}",
                remedy="write both, or neither",
            )
        return self
