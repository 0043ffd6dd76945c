"""The role of an image's stack with which fleets of other accounts read its channels: whether they can assume it.

Terraform cannot explain a role that it cannot assume: the provider fails before any guard.
"""

from __future__ import annotations

import fnmatch
import json
from dataclasses import dataclass

from botocore.exceptions import ClientError

from estate.estate import EstateFleet
from ops.accounts import Accounts
from ops.aws import DENIED, Aws, asking
from ops.errors import OpsError


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a role cannot be assumed, and what to do."""

    reason: str
    remedy: str


def may_assume(role: str, *, aws: Aws, region: str) -> bool:
    """Whether AWS lets the credentials assume a role. Raises `OpsError` when that cannot be found out."""
    with asking(region):
        try:
            aws.sts(region).assume_role(RoleArn=role, RoleSessionName="goldsmith")
        except ClientError as error:
            if error.response["Error"].get("Code") in DENIED:
                return False
            raise
    return True


def why_not_assumed(fleet: EstateFleet, *, accounts: Accounts) -> Refusal | None:
    """Why a fleet cannot assume the reader role of its image; None if it can.

    Raises `OpsError` when that cannot be found out, for example because its account cannot be reached.
    """
    role, aws, region = fleet.image.reader_role, accounts.of_fleet(fleet), fleet.fleet.region
    if may_assume(role, aws=aws, region=region):
        return None
    who = fleet.provider.assume_role.role_arn if fleet.provider.assume_role else aws.caller
    return Refusal(reason=f"{who} cannot assume {role}", remedy=_remedy(fleet, who, accounts=accounts))


def _remedy(fleet: EstateFleet, who: str, *, accounts: Accounts) -> str:
    """What is missing, as far as the image's account shows it."""
    image = fleet.image
    allow = f"allow sts:AssumeRole on it in the policies of {who}"
    deploy = f"run make deploy STACK={image.names.stack}"
    try:
        trusted = _is_trusted(fleet, aws=accounts.of_image(image), region=image.image.home)
    except OpsError:
        return f"{deploy}, which makes the role and lets {who} assume it, and {allow}"
    if trusted is None:
        return f"{deploy} first, which makes the role"
    return allow if trusted else f"{deploy}: the role does not trust {who} yet"


def _is_trusted(fleet: EstateFleet, *, aws: Aws, region: str) -> bool | None:
    """Whether the trust policy of the role, as the image's stack writes it, names the fleet's account and role; None if
    the role does not exist. Raises `OpsError`."""
    named = fleet.provider.assume_role
    with asking(region):
        try:
            role = aws.iam(region).get_role(RoleName=fleet.image.reader_role.rpartition("/")[2])["Role"]
        except ClientError as error:
            if error.response["Error"].get("Code") == "NoSuchEntity":
                return None
            raise
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        if f":{fleet.account}:root" not in json.dumps(statement["Principal"]):
            return False
        if named is None or "Condition" not in statement:
            return True
        roles = statement["Condition"]["ArnLike"]["aws:PrincipalArn"]
        return any(fnmatch.fnmatchcase(named.role_arn, each) for each in ([roles] if isinstance(roles, str) else roles))
