"""The role with which fleets of other accounts read what the image's account knows: channels, AMIs, builds."""

from collections.abc import Iterator

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy

from stacks.image.ami.keys import AmiKeys
from stacks.image.scope import ImageScope
from stacks.policy import Statement, any_of, only_in, policy

_LONGEST_TRUST = 2_048
"""The characters of a trust policy at most ("IAM and AWS STS quotas" in IAM's user guide)."""


def add_reader_role(stack: TerraformStack, scope: ImageScope, *, keys: AmiKeys) -> None:
    """The role and its policy. It changes nothing, and reads nothing of other images but the list of AMIs."""
    role = IamRole(
        stack,
        "reader_role",
        name=scope.role_name("reader"),
        description=f"Fleets of other accounts read the channels of image {scope.names.label}",
        path=scope.settings.iam.path,
        permissions_boundary=scope.settings.iam.permissions_boundary,
        assume_role_policy=_trust(scope),
    )
    IamRolePolicy(stack, "reader_policy", name="reader", role=role.name, policy=policy(*_statements(scope, keys)))


def _trust(scope: ImageScope) -> str:
    """Trusts the accounts of these fleets, and in each only the roles with which Terraform works there.

    The principal is the account, not the role: AWS refuses a policy that names a role which does not exist, and a role
    that was deleted and made again would not be the one that is named. The condition compares names.
    """
    accounts: dict[str, None] = {}
    callers: dict[str, None] = {}
    for fleet in scope.declared.fleets_elsewhere:
        account, role = fleet.account or "", fleet.provider.assume_role
        accounts[scope.arn("iam", "root", account=account, region="")] = None
        # without a role in the configuration, anybody in the account whose own policies allow it
        callers[role.role_arn if role else scope.arn("iam", "*", account=account, region="")] = None
    trusted: Statement = {
        "Sid": "FleetsOfOtherAccounts",
        "Principal": {"AWS": list(accounts)},
        "Action": "sts:AssumeRole",
    }
    limited = policy({**trusted, "Condition": {"ArnLike": {"aws:PrincipalArn": list(callers)}}})
    # with too many names, the accounts alone, whose own policies decide who may assume it
    return limited if len(limited) <= _LONGEST_TRUST else policy(trusted)


def _statements(scope: ImageScope, keys: AmiKeys) -> Iterator[Statement]:
    regions = scope.image.regions
    path = scope.arn("ssm", f"parameter{scope.names.path}", region=any_of(regions))
    yield only_in(
        regions,
        {
            "Sid": "ReadChannels",
            "Action": [
                "ssm:GetParameter",
                "ssm:GetParameterHistory",
                "ssm:GetParameters",
                "ssm:GetParametersByPath",
            ],
            "Resource": [path, f"{path}/*"],
        },
    )
    # DescribeImages has no resource types
    yield {
        "Sid": "DescribeAmis",
        "Action": "ec2:DescribeImages",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:RequestedRegion": list(regions)}},
    }
    yield {
        "Sid": "ReadBuilds",
        "Action": ["imagebuilder:GetImage", "imagebuilder:ListImagePackages", "imagebuilder:ListImageScanFindings"],
        "Resource": f"{scope.image_builder_arn('image')}/*",
    }
    if keys.arns:
        yield {"Sid": "DescribeAmiKeys", "Action": "kms:DescribeKey", "Resource": list(keys.arns)}
