"""Subnets and security groups of a fleet, given or made."""

from cdktf import Postcondition, TerraformResourceLifecycle, TerraformStack
from cdktf_cdktf_provider_aws.data_aws_subnet import DataAwsSubnet
from cdktf_cdktf_provider_aws.data_aws_subnets import DataAwsSubnets, DataAwsSubnetsFilter
from cdktf_cdktf_provider_aws.security_group import SecurityGroup
from cdktf_cdktf_provider_aws.vpc_security_group_egress_rule import VpcSecurityGroupEgressRule

from estate import names
from estate.estate import Estate
from estate.fleet import Fleet
from stacks.terraform import literal


def add_subnets(stack: TerraformStack, *, fleet: Fleet) -> list[str]:
    """The IDs of the subnets; those named by tags are looked up at each plan, which stops when there are none."""
    if fleet.subnets.ids:
        return list(fleet.subnets.ids)
    shown = ", ".join(f"{key}={value}" for key, value in fleet.subnets.tags.items())
    subnets = DataAwsSubnets(
        stack,
        "subnets",
        filter=[
            DataAwsSubnetsFilter(name=literal(f"tag:{key}"), values=[literal(value)])
            for key, value in fleet.subnets.tags.items()
        ],
        lifecycle=TerraformResourceLifecycle(
            postcondition=[
                Postcondition(
                    condition="${length(self.ids) > 0}",
                    error_message=literal(
                        f"Fleet {fleet.name}: no subnet in {fleet.region} has the tags {shown}. "
                        "Tag subnets, or name them by ID."
                    ),
                )
            ]
        ),
    )
    return subnets.ids


def add_security_groups(stack: TerraformStack, *, estate: Estate, fleet: Fleet, subnets: list[str]) -> list[str]:
    """The IDs of the security groups: the fleet's own, or one made that lets nothing in and only HTTPS out."""
    if fleet.security_group_ids:
        return list(fleet.security_group_ids)
    first = DataAwsSubnet(
        stack,
        "first_subnet",
        id=fleet.subnets.ids[0] if fleet.subnets.ids else "${data.aws_subnets.subnets.ids[0]}",
    )
    group = SecurityGroup(
        stack,
        "security_group",
        name=names.fleet(estate.settings.namespace, fleet.name),
        description=f"Instances of fleet {estate.settings.namespace}/{fleet.name}",
        vpc_id=first.vpc_id,
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
    return [group.id]
