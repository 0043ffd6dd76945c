"""Subnets and security groups of a fleet, given or found or made."""

from dataclasses import dataclass

from cdktf import TerraformResourceLifecycle, TerraformStack
from cdktf_cdktf_provider_aws.data_aws_subnet import DataAwsSubnet
from cdktf_cdktf_provider_aws.data_aws_subnets import DataAwsSubnets, DataAwsSubnetsFilter
from cdktf_cdktf_provider_aws.security_group import SecurityGroup, SecurityGroupTimeouts
from cdktf_cdktf_provider_aws.vpc_security_group_egress_rule import VpcSecurityGroupEgressRule

from estate import names
from estate.estate import Estate
from estate.fleet import Fleet
from stacks.terraform import literal, stopping


@dataclass(frozen=True)
class Network:
    """Where the instances run, and what guards them: IDs."""

    subnets: list[str]
    security_groups: list[str]


def add_network(stack: TerraformStack, *, estate: Estate, fleet: Fleet) -> Network:
    """Subnets by ID or by tags, looked up at each plan; security groups given, or one made in the subnets' VPC."""
    given = list(fleet.security_group_ids)
    if fleet.subnets.ids and given:
        return Network(list(fleet.subnets.ids), given)
    if fleet.subnets.ids:
        first = DataAwsSubnet(stack, "first_subnet", id=fleet.subnets.ids[0])
        return Network(list(fleet.subnets.ids), [_add_security_group(stack, estate, fleet, first.vpc_id)])
    subnets, vpc_id = _add_subnets_by_tags(stack, fleet)
    return Network(subnets, given or [_add_security_group(stack, estate, fleet, vpc_id)])


def _add_subnets_by_tags(stack: TerraformStack, fleet: Fleet) -> tuple[list[str], str]:
    """The subnets and their VPC. The plan stops when there are none, or when they lie in several VPCs."""
    tags = literal(", ".join(f"{key}={value}" for key, value in fleet.subnets.tags.items()))
    by_tags = [
        DataAwsSubnetsFilter(name=literal(f"tag:{key}"), values=[literal(value)])
        for key, value in fleet.subnets.tags.items()
    ]
    none = f"no subnet in {fleet.region} has the tags {tags}. Tag subnets, or name them by ID."
    DataAwsSubnets(
        stack,
        "subnets",
        filter=by_tags,
        lifecycle=stopping(("length(self.ids) > 0", f"Fleet {fleet.name}: {none}")),
    )
    first = DataAwsSubnet(stack, "first_subnet", id="${data.aws_subnets.subnets.ids[0]}")
    several = (
        f"the subnets in {fleet.region} with the tags {tags} lie in several VPCs. Add a tag that tells them apart, "
        "or name subnets by ID."
    )
    all_of_them = "length(self.ids) == length(data.aws_subnets.subnets.ids)"
    of_one_vpc = DataAwsSubnets(
        stack,
        "subnets_of_one_vpc",
        filter=[*by_tags, DataAwsSubnetsFilter(name="vpc-id", values=[first.vpc_id])],
        lifecycle=stopping((all_of_them, f"Fleet {fleet.name}: {several}")),
    )
    return of_one_vpc.ids, first.vpc_id


def _add_security_group(stack: TerraformStack, estate: Estate, fleet: Fleet, vpc_id: str) -> str:
    """A group that lets nothing in and only HTTPS out."""
    group = SecurityGroup(
        stack,
        "security_group",
        # Instances hold a group until they are replaced. So a new one comes before the old one goes, under another
        # name, and the old one waits for the instance refresh to end, which the apply does not wait for.
        name_prefix=f"{names.fleet(estate.settings.namespace, fleet.name)}-",
        lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        timeouts=SecurityGroupTimeouts(delete="60m"),
        description=f"Instances of fleet {estate.settings.namespace}/{fleet.name}",
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
