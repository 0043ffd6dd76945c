"""Roles with the path and permissions boundary of the settings. Each has an inline policy, and managed policies for
statements that do not fit into it."""

from collections.abc import Iterable
from typing import Literal

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.iam_instance_profile import IamInstanceProfile
from cdktf_cdktf_provider_aws.iam_policy import IamPolicy
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.iam_role_policy_attachment import IamRolePolicyAttachment

from estate.models.settings import Iam
from stacks.policy import Condition, Statement, in_policies, policy, trust


def add_role(
    stack: TerraformStack,
    part: Literal["instance", "function", "lifecycle", "export", "import", "execution"],
    *,
    name: str,
    service: str,
    statements: Iterable[Statement],
    iam: Iam,
    trust_condition: Condition | None = None,
) -> tuple[IamRole, IamRolePolicy]:
    """The role `<part>_role`, which `service` assumes, and its inline policy.

    Statements that do not fit into the inline policy are in managed policies, `<part>_policy_2` and so on. The inline
    policy depends on these, so that a resource which depends on it depends on all.
    """
    role = IamRole(
        stack,
        f"{part}_role",
        name=name,
        path=iam.path,
        permissions_boundary=iam.permissions_boundary,
        assume_role_policy=trust(service, condition=trust_condition),
    )
    inline, *others = in_policies(statements)
    attached = [
        _attach(stack, f"{part}_policy_{number}", role=role, name=f"{name}_{number}", statements=each, iam=iam)
        for number, each in enumerate(others, start=2)
    ]
    role_policy = IamRolePolicy(
        stack, f"{part}_policy", name=part, role=role.name, policy=policy(*inline), depends_on=attached or None
    )
    return role, role_policy


def _attach(
    stack: TerraformStack, id: str, *, role: IamRole, name: str, statements: Iterable[Statement], iam: Iam
) -> IamRolePolicyAttachment:
    more = IamPolicy(stack, id, name=name, path=iam.path, policy=policy(*statements))
    return IamRolePolicyAttachment(stack, f"{id}_attachment", role=role.name, policy_arn=more.arn)


def add_instance_profile(
    stack: TerraformStack, *, name: str, statements: Iterable[Statement], iam: Iam
) -> IamInstanceProfile:
    """An instance profile whose role has these statements."""
    role, _ = add_role(stack, "instance", name=name, service="ec2.amazonaws.com", statements=statements, iam=iam)
    return IamInstanceProfile(stack, "instance_profile", name=name, path=iam.path, role=role.name)
