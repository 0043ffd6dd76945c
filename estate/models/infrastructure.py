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
    """The hardware on which instances run. Macs need a dedicated host, which you allocate yourself.

    The fields are those of the provider's `placement` blocks.
    """

    model_config = FROZEN

    tenancy: Literal["default", "dedicated", "host"] = "default"
    """`default` is hardware shared with other accounts, `dedicated` is not shared, `host` is a dedicated host. Default:
    default."""
    host_id: HostId | None = None
    """The dedicated host, for `tenancy: host`. Default: a host of the group, or any host with automatic placement."""
    host_resource_group_arn: HostResourceGroupArn | None = None
    """The host resource group that provides the dedicated host, for `tenancy: host`. Default: the host of `host_id`, or
    any host with automatic placement."""
    availability_zone: AvailabilityZone | None = None
    """The Availability Zone of builds and tests. Default: the subnet's, or one that AWS chooses."""

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
        """Whether it names a dedicated host or a host resource group."""
        return self.tenancy == "host" and bool(self.host_id or self.host_resource_group_arn)


HopLimit = Annotated[StrictInt, Field(ge=1, le=64)]
"""How many network hops an answer of the metadata service may travel."""


class InstanceMetadataOptions(BaseModel):
    """How build and test instances reach their metadata, which includes the credentials of their role.

    The fields are those of the provider's `instance_metadata_options`. They do not apply to instances of the finished
    image.
    """

    model_config = FROZEN

    http_tokens: Literal["required", "optional"] = "required"
    """`required` allows only version 2 (IMDSv2); `optional` also answers requests without a token. Default:
    required."""
    http_put_response_hop_limit: HopLimit | None = None
    """How many network hops the metadata may travel; a container on the instance needs 2. Default: 1; for a container
    image, which is built in a container, 2."""


class Infrastructure(BaseModel):
    """Where build and test instances run."""

    model_config = FROZEN

    instance_types: Annotated[tuple[InstanceType, ...], Distinct()] = ()
    """The instance types, of which AWS takes one that is available: expect the costs of the most expensive one.
    Default: small ones that fit system and architecture."""
    subnet_id: SubnetId | None = None
    """The subnet. Default: one of the default VPC."""
    security_group_ids: Annotated[tuple[SecurityGroupId, ...], Field(max_length=16), Distinct()] = ()
    """The security groups; required with `subnet_id`. Default: the default VPC's."""
    placement: Placement | None = None
    """Dedicated hardware; macOS needs a dedicated host. Default: hardware shared with other accounts."""
    key_pair: KeyPairName | None = None
    """The key pair, of the home region, with which you log on to build and test instances. Default: none; Session
    Manager works without one."""
    instance_metadata_options: InstanceMetadataOptions = InstanceMetadataOptions()
    """How the instances reach their metadata. Default: version 2 (IMDSv2) only."""
    terminate_instance_on_failure: StrictBool = True
    """Whether the instance of a failed build is terminated. With `false` you can examine it, and you pay for it until
    you terminate it. Default: enabled."""

    @model_validator(mode="after")
    def _subnet_with_groups(self) -> Self:
        if (self.subnet_id is None) != (not self.security_group_ids):
            raise RuleError(
                "subnet_id and security_group_ids belong together: AWS refuses one without the other",
                got=f"only {'security_group_ids' if self.subnet_id is None else 'subnet_id'}",
                remedy="write both, or neither",
            )
        return self
