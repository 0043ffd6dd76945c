"""Where instances run: the `infrastructure:` of an image, and the `placement:` of images and fleets."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, model_validator

from estate.problems import RuleError, shown
from estate.text import (
    FROZEN,
    AvailabilityZone,
    Distinct,
    HostId,
    HostResourceGroupArn,
    InstanceType,
    SecurityGroupId,
    SubnetId,
)


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


class Infrastructure(BaseModel):
    """Where build and test instances run."""

    model_config = FROZEN

    instance_types: Annotated[tuple[InstanceType, ...], Distinct()] = ()
    """The instance types, of which AWS takes one that it has. Without it: small ones that fit system and
    architecture."""
    subnet_id: SubnetId | None = None
    """The subnet. Without it: the default VPC's."""
    security_group_ids: Annotated[tuple[SecurityGroupId, ...], Distinct()] = ()
    """The security groups. Without it: the default VPC's, and then there must be no subnet either."""
    placement: Placement | None = None
    """Dedicated hardware; macOS needs a dedicated host. Without it: hardware shared with other accounts."""

    @model_validator(mode="after")
    def _subnet_with_groups(self) -> Self:
        if (self.subnet_id is None) != (not self.security_group_ids):
            raise RuleError(
                "subnet_id and security_group_ids go together: AWS refuses one without the other",
                got=f"only {'security_group_ids' if self.subnet_id is None else 'subnet_id'}",
                remedy="write both, or neither",
            )
        return self
