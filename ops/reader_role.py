"""The role of an image's stack with which fleets of other accounts read its channels: whether they can assume it.

Terraform cannot explain a role that it cannot assume: the provider fails before any guard.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from estate.estate import EstateFleet
from estate.models.provider import AssumeRole
from ops.accounts import Accounts, Unreachable, lines_of
from ops.aws import DENIED, Aws, asking, assume, open_session
from ops.errors import OpsError
from ops.precautions import report

_VARIABLE = "TF_VAR_read_images"
"""Whether the stack of a fleet reads the account of its image."""


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


def refusals(fleets: Sequence[EstateFleet], *, action: str) -> Iterator[str]:
    """After Terraform's output, which of these fleets cannot read the account of their image, and what to do."""
    accounts, unreachable = Accounts(), dict[Unreachable, None]()
    for fleet in fleets:
        stack = fleet.names.stack
        try:
            refusal = why_not_assumed(fleet, accounts=accounts)
        except Unreachable as error:
            unreachable[error] = None
            continue
        except OpsError as error:
            yield f"{stack}: {error}"
            continue
        if refusal:
            other = f". goldsmith destroy {stack} does not need it" if action == "destroy" else ""
            yield f"{stack}: {refusal.reason}, which reads the image's account: {refusal.remedy}{other}"
    yield from lines_of(unreachable)


def variables_of_destroy(stack: str, folder: Path, *, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables with which Terraform destroys a stack in its folder, and reports why.

    A fleet whose reader role cannot be assumed is destroyed without it. It is found out with the providers in the
    folder, because the stack may not be declared any more.
    """
    role, own = _providers_in(folder)
    if role is None or _VARIABLE in environ:
        return {}
    try:
        with asking(region := own["region"]):
            session = open_session(profile=own.get("profile"))
            for each in own.get("assume_role", ()):
                session = assume(AssumeRole(**each), source=session, region=region)
        aws = Aws(session, home=region)
        if may_assume(role, aws=aws, region=region):
            return {}
    except OpsError:
        return {}  # Terraform says what is wrong
    report(
        f"{stack}: {aws.caller} cannot assume {role}, so the image's account is not read ({_VARIABLE}=false). The "
        "fleet can be destroyed without it"
    )
    return {_VARIABLE: "false"}


def _providers_in(folder: Path) -> tuple[str | None, dict[str, Any]]:
    """The reader role that a stack assumes, if it does, and its own provider; see `stacks.fleet.image_account`."""
    try:
        stack = json.loads((folder / "cdk.tf.json").read_text())
        providers = {each.get("alias"): each for each in stack["provider"]["aws"]}
        roles = providers["images"]["dynamic"]["assume_role"]["for_each"]
        reader = re.search(r"var\.read_images \? (\[.*?\]) : \[\]", roles)
        return (json.loads(reader[1])[0]["role_arn"], providers[None]) if reader else (None, {})
    except (OSError, ValueError, LookupError, TypeError):
        return None, {}


def _remedy(fleet: EstateFleet, who: str, *, accounts: Accounts) -> str:
    """What is missing, as far as the image's account shows it."""
    image = fleet.image
    if image.is_external:
        return (
            f"the estate {image.names.namespace} has to write external_fleets: true for image {image.names.image}, and "
            f"account {fleet.account} in its launch_permission or target_accounts; {who} needs sts:AssumeRole on it"
        )
    allow = f"allow sts:AssumeRole on it in the policies of {who}"
    deploy = f"run goldsmith plan {image.names.stack} and apply it"
    try:
        own = fleet.estate.image(fleet.fleet.image)
        trusted = _is_trusted(fleet, aws=accounts.of_image(own), region=image.image.home)
    except OpsError:
        return f"{deploy}, which makes the role and lets {who} assume it, and {allow}"
    if trusted is None:
        return f"{deploy} first, which makes the role"
    return allow if trusted else f"{deploy}: the role does not trust {who} yet"


def _is_trusted(fleet: EstateFleet, *, aws: Aws, region: str) -> bool | None:
    """Whether the trust policy of the role, as the image's stack writes it, names the fleet's account and role; None if
    the role does not exist. Raises `OpsError`."""
    with asking(region):
        try:
            role = aws.iam(region).get_role(RoleName=fleet.image.reader_role.rpartition("/")[2])["Role"]
        except ClientError as error:
            if error.response["Error"].get("Code") == "NoSuchEntity":
                return None
            raise
        return any(_trusts(each, fleet) for each in role["AssumeRolePolicyDocument"]["Statement"])


def _trusts(statement: Mapping[str, Any], fleet: EstateFleet) -> bool:
    """Whether a statement, of those that the image's stack writes, names the account of a fleet, and its role."""
    if f":{fleet.account}:root" not in json.dumps(statement["Principal"]):
        return False
    named, roles = fleet.provider.assume_role, statement.get("Condition", {}).get("ArnLike", {}).get("aws:PrincipalArn")
    if named is None or roles is None:
        return True
    return any(fnmatch.fnmatchcase(named.role_arn, each) for each in ([roles] if isinstance(roles, str) else roles))
