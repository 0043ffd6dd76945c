"""The role with which fleets of other accounts read what the image's account knows: channels, AMIs, builds."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy

from estate.arns import Arn
from estate.models.ami_image import AmiImage
from estate.sharing import external_accounts
from stacks.image.ami.keys import AmiKeys
from stacks.image.components import component_arns
from stacks.image.scope import ImageScope
from stacks.policy import Statement, any_of, only_in, policy

_LONGEST_TRUST = 2_048
"""The characters of a trust policy at most ("IAM and AWS STS quotas" in IAM's user guide)."""


def add_reader_role(stack: TerraformStack, scope: ImageScope, *, image: AmiImage, keys: AmiKeys) -> None:
    """The role and its policy. It changes nothing. Of other images it sees the lists of AMIs and findings only."""
    role = IamRole(
        stack,
        "reader_role",
        name=scope.role_name("reader"),
        description=f"Fleets of other accounts read the channels of image {scope.names.label}",
        path=scope.settings.iam.path,
        permissions_boundary=scope.declared.iam.permissions_boundary,
        assume_role_policy=_trust(scope, image),
    )
    IamRolePolicy(stack, "reader_policy", name="reader", role=role.name, policy=policy(*_statements(scope, keys)))


def _trust(scope: ImageScope, image: AmiImage) -> str:
    """Trusts the accounts of these fleets, and in each only the roles with which Terraform works there, and those of
    functions that roll out; and, with `external_fleets`, everybody in the accounts and organizations that may launch
    the AMIs."""
    others = list(_of_other_estates(scope, image))
    own = _of_own_fleets(scope, trusted=external_accounts(image))
    limited = policy(*own, *others)
    if len(limited) <= _LONGEST_TRUST:
        return limited
    # with too many names of roles, the accounts alone, whose own policies decide who may assume it
    return policy(*({key: value for key, value in each.items() if key != "Condition"} for each in own), *others)


def _of_own_fleets(scope: ImageScope, *, trusted: Collection[str]) -> list[Statement]:
    """Without accounts that are `trusted` anyway.

    The principal is the account, not the role: AWS refuses a policy that names a role which does not exist, and a role
    that was deleted and made again would not be the one that is named. The condition compares names.
    """
    accounts: dict[str, None] = {}
    callers: dict[str, None] = {}
    for fleet in scope.declared.fleets_elsewhere:
        account, role = fleet.account or "", fleet.provider.assume_role
        if account in trusted:
            continue
        accounts[account] = None
        # without a role in the configuration, anybody in the account whose own policies allow it
        callers[role.role_arn if role else scope.arn("iam", "*", account=account, region="")] = None
        if role:  # the functions of all fleets, so that `updates` of a fleet changes nothing here
            functions = f"role{fleet.iam.path}{fleet.names.namespace}_*_rollout_*"
            callers[scope.arn("iam", functions, account=account, region="")] = None
    condition = {"ArnLike": {"aws:PrincipalArn": list(callers)}}
    statement = _trusting("FleetsOfOtherAccounts", {"AWS": _roots(scope, accounts)})
    return [{**statement, "Condition": condition}] if accounts else []


def _of_other_estates(scope: ImageScope, image: AmiImage) -> Iterator[Statement]:
    """Who in these accounts may assume it, their own policies decide: this estate does not know their roles."""
    if accounts := external_accounts(image):
        yield _trusting("FleetsOfOtherEstates", {"AWS": _roots(scope, accounts)})
    permitted = image.launch_permissions if image.external_fleets else None
    if permitted and permitted.organizations:
        organizations = [Arn.parse(arn).resource.rpartition("/")[2] for arn in permitted.organizations]
        condition = {"StringEquals": {"aws:PrincipalOrgID": organizations}}
        yield {**_trusting("FleetsOfOrganizations", {"AWS": "*"}), "Condition": condition}
    if permitted and permitted.organizational_units:
        # a path is o-…/r-…/ou-…/ou-…/, and a unit may be anywhere below the root
        units = [Arn.parse(arn).resource.split("/")[1:] for arn in permitted.organizational_units]
        paths = [f"{organization}/*/{unit}/*" for organization, unit in units]
        condition = {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": paths}}
        yield {**_trusting("FleetsOfUnits", {"AWS": "*"}), "Condition": condition}


def _trusting(sid: str, principal: dict[str, Any]) -> Statement:
    return {"Sid": sid, "Principal": principal, "Action": "sts:AssumeRole"}


def _roots(scope: ImageScope, accounts: Iterable[str]) -> list[str]:
    return [scope.arn("iam", "root", account=account, region="") for account in accounts]


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
        "Action": ["imagebuilder:GetImage", "imagebuilder:ListImagePackages"],
        "Resource": f"{scope.image_builder_arn('image')}/*",
    }
    yield {"Sid": "ReadComponents", "Action": "imagebuilder:GetComponent", "Resource": component_arns(scope)}
    if scope.image.image_scanning.image_scanning_enabled:
        # this list has no resource types, either
        yield {
            "Sid": "ReadFindings",
            "Action": "imagebuilder:ListImageScanFindings",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:RequestedRegion": [scope.image.home]}},
        }
    if keys.arns:
        yield {"Sid": "DescribeAmiKeys", "Action": "kms:DescribeKey", "Resource": list(keys.arns)}
