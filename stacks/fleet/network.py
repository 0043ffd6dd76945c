"""Subnets and security groups of a fleet: configured, looked up, or made by the stack."""

import json
from dataclasses import dataclass

from cdktf import TerraformResourceLifecycle, TerraformStack
from cdktf_cdktf_provider_aws.data_aws_subnet import DataAwsSubnet
from cdktf_cdktf_provider_aws.data_aws_subnets import DataAwsSubnets, DataAwsSubnetsFilter
from cdktf_cdktf_provider_aws.security_group import SecurityGroup, SecurityGroupTimeouts
from cdktf_cdktf_provider_aws.vpc_security_group_egress_rule import VpcSecurityGroupEgressRule

from estate.estate import EstateFleet
from estate.models.fleet import Fleet
from stacks.terraform import literal, stopping

_SUBNETS = "data.aws_subnets.subnets"


@dataclass(frozen=True)
class Network:
    """IDs of the subnets and security groups of the instances."""

    subnets: list[str]
    security_groups: list[str]


def add_network(stack: TerraformStack, declared: EstateFleet) -> Network:
    """Subnets by ID or by tags, looked up at each plan; the configured security groups, or one that is made."""
    fleet = declared.fleet
    given = list(fleet.security_group_ids)
    if fleet.subnets.ids and given:
        return Network(list(fleet.subnets.ids), given)
    if fleet.subnets.ids:
        _, vpc_id = _look_up(stack, _named(fleet))
        subnets = list(fleet.subnets.ids)
    else:
        subnets, vpc_id = _look_up(stack, _tagged(fleet))
    return Network(subnets, given or [_add_security_group(stack, declared, vpc_id)])


@dataclass(frozen=True)
class _Wanted:
    """The subnets that a fleet needs, and messages when they are missing or in several VPCs."""

    filters: list[DataAwsSubnetsFilter]
    are_there: tuple[str, str]
    several_vpcs: str


def _named(fleet: Fleet) -> _Wanted:
    ids = fleet.subnets.ids
    missing = f'${{join(", ", setsubtract({json.dumps(ids)}, self.ids))}}'
    return _Wanted(
        filters=[DataAwsSubnetsFilter(name="subnet-id", values=list(ids))],
        are_there=(
            f"length(self.ids) == {len(ids)}",
            f"Fleet {fleet.name}: subnets that do not exist in this account and {fleet.region}: {missing}. "
            "Name subnets that exist.",
        ),
        several_vpcs=f"Fleet {fleet.name}: the subnets {', '.join(ids)} are in several VPCs. Name subnets of one VPC.",
    )


def _tagged(fleet: Fleet) -> _Wanted:
    tags = literal(", ".join(f"{key}={value}" for key, value in fleet.subnets.tags.items()))
    return _Wanted(
        filters=[
            DataAwsSubnetsFilter(name=literal(f"tag:{key}"), values=[literal(value)])
            for key, value in fleet.subnets.tags.items()
        ],
        are_there=(
            "length(self.ids) > 0",
            f"Fleet {fleet.name}: no subnet in {fleet.region} has the tags {tags}. Tag subnets, or name them by ID.",
        ),
        several_vpcs=f"Fleet {fleet.name}: the subnets in {fleet.region} with the tags {tags} are in several VPCs. "
        "Add a tag that only the subnets of one VPC have, or name subnets by ID.",
    )


def _look_up(stack: TerraformStack, wanted: _Wanted) -> tuple[list[str], str]:
    """The subnets and their VPC. The plan stops when they are missing, or in several VPCs.

    No lookup fails when it finds nothing, because that would also stop a destroy.
    """
    DataAwsSubnets(stack, "subnets", filter=wanted.filters, lifecycle=stopping(wanted.are_there))
    first = DataAwsSubnet(stack, "first_subnet", id=f"${{{_SUBNETS}.ids[count.index]}}")
    # this data source fails when it finds nothing, so it reads only a subnet that is in the list
    first.add_override("count", f"${{min(length({_SUBNETS}.ids), 1)}}")
    vpc_id = "one(data.aws_subnet.first_subnet[*].vpc_id)"
    all_of_them = f"length(self.ids) == length({_SUBNETS}.ids)"
    of_one_vpc = DataAwsSubnets(
        stack,
        "subnets_of_one_vpc",
        filter=[*wanted.filters, DataAwsSubnetsFilter(name="vpc-id", values=[f'${{coalesce({vpc_id}, "none")}}'])],
        lifecycle=stopping((all_of_them, wanted.several_vpcs)),
    )
    return of_one_vpc.ids, f"${{{vpc_id}}}"


def _add_security_group(stack: TerraformStack, declared: EstateFleet, vpc_id: str) -> str:
    """A group that allows no inbound traffic, and only HTTPS outbound."""
    group = SecurityGroup(
        stack,
        "security_group",
        # A group cannot be deleted while instances use it. So a new one, with another name, is made before the old one
        # is destroyed, and the destroy waits for the end of the instance refresh, which the apply does not wait for.
        name_prefix=f"{declared.names.group}-",
        lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        timeouts=SecurityGroupTimeouts(delete="60m"),
        description=f"Instances of fleet {declared.names.label}",
        vpc_id=vpc_id,
    )
    VpcSecurityGroupEgressRule(
        stack,
        "https_out",
        security_group_id=group.id,
        description="AWS's endpoints, Systems Manager's among them",
        ip_protocol="tcp",
        from_port=443,
        to_port=443,
        # AWS's endpoints have no fixed addresses; a fleet with VPC endpoints can name its own groups
        cidr_ipv4="0.0.0.0/0",
    )
    return group.id
