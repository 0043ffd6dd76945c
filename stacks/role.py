"""Roles, all under the path and the permissions boundary of the settings, each with one policy of its own."""

from collections.abc import Iterable
from typing import Literal

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.iam_instance_profile import IamInstanceProfile
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy

from estate.settings import Iam
from stacks.policy import Condition, Statement, policy, trust


def add_role(
    stack: TerraformStack,
    whose: Literal["instance", "function", "lifecycle", "export", "import", "execution"],
    *,
    name: str,
    service: str,
    statements: Iterable[Statement],
    iam: Iam,
    trust_condition: Condition | None = None,
) -> tuple[IamRole, IamRolePolicy]:
    """The role `<whose>_role`, which `service` assumes, and the policy that says what it may do."""
    role = IamRole(
        stack,
        f"{whose}_role",
        name=name,
        path=iam.path,
        permissions_boundary=iam.permissions_boundary,
        assume_role_policy=trust(service, condition=trust_condition),
    )
    role_policy = IamRolePolicy(stack, f"{whose}_policy", name=whose, role=role.name, policy=policy(*statements))
    return role, role_policy


def add_instance_profile(
    stack: TerraformStack, *, name: str, statements: Iterable[Statement], iam: Iam
) -> IamInstanceProfile:
    """The instance profile of EC2 instances that may do what `statements` say."""
    role, _ = add_role(stack, "instance", name=name, service="ec2.amazonaws.com", statements=statements, iam=iam)
    return IamInstanceProfile(stack, "instance_profile", name=name, path=iam.path, role=role.name)
