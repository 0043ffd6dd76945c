"""The instance profile of a fleet, given or made."""

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.iam_instance_profile import IamInstanceProfile
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy

from estate import names
from estate.estate import Estate
from estate.fleet import Fleet
from stacks.policy import MANAGED_BY_SYSTEMS_MANAGER, policy, trust


def add_instance_profile(stack: TerraformStack, *, estate: Estate, fleet: Fleet) -> str:
    """The ARN of the instance profile: the fleet's own, or one made that lets Systems Manager in and no more."""
    if fleet.instance_profile_arn:
        return fleet.instance_profile_arn
    iam = estate.settings.iam
    name = names.global_name(estate.settings.namespace, fleet.name, "fleet", fleet.region)
    role = IamRole(
        stack,
        "instance_role",
        name=name,
        path=iam.path,
        permissions_boundary=iam.permissions_boundary,
        assume_role_policy=trust("ec2.amazonaws.com"),
    )
    IamRolePolicy(stack, "instance_policy", name="fleet", role=role.name, policy=policy(MANAGED_BY_SYSTEMS_MANAGER))
    return IamInstanceProfile(stack, "instance_profile", name=name, path=iam.path, role=role.name).arn
