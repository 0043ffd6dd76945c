"""Subnets and security groups of a fleet, given or found or made."""

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
    """Where the instances run, and what guards them: IDs."""

    subnets: list[str]
    security_groups: list[str]


def add_network(stack: TerraformStack, declared: EstateFleet) -> Network:
    """Subnets by ID or by tags, looked up at each plan; security groups given, or one made in the subnets' VPC."""
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
    """The subnets that a fleet asks for, and what a reviewer reads when they are not as they should be."""

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
            "Name subnets that are there.",
        ),
        several_vpcs=f"Fleet {fleet.name}: the subnets {', '.join(ids)} lie in several VPCs. Name subnets of one.",
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
        several_vpcs=f"Fleet {fleet.name}: the subnets in {fleet.region} with the tags {tags} lie in several VPCs. "
        "Add a tag that tells them apart, or name subnets by ID.",
    )


def _look_up(stack: TerraformStack, wanted: _Wanted) -> tuple[list[str], str]:
    """The subnets and their VPC. The plan stops when they are missing, or lie in several VPCs.

    No lookup fails when it finds nothing, because that would stop a destroy, too.
    """
    DataAwsSubnets(stack, "subnets", filter=wanted.filters, lifecycle=stopping(wanted.are_there))
    first = DataAwsSubnet(stack, "first_subnet", id=f"${{{_SUBNETS}.ids[count.index]}}")
    # this data source fails when it finds nothing, so it looks only for what the list has found
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
    """A group that lets nothing in and only HTTPS out."""
    group = SecurityGroup(
        stack,
        "security_group",
        # Instances hold a group until they are replaced. So a new one comes before the old one goes, under another
        # name, and the old one waits for the instance refresh to end, which the apply does not wait for.
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
        # AWS's endpoints have no fixed addresses; a fleet with VPC endpoints names groups of its own
        cidr_ipv4="0.0.0.0/0",
    )
    return group.id
