"""Roles of IAM, in any account."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from local_aws.ministack.query_api import Query, parsed


@dataclass(frozen=True)
class Role:
    """A role, as GetRole shows it."""

    arn: str
    trust_policy: str
    """In JSON."""
    longest_session: int
    """Seconds."""


async def find_role(query: Query, arn: str) -> Role | None:
    """The role with an ARN, or None. It is looked up beside `query`, by an administrator of the role's account."""
    match = re.fullmatch(r"arn:aws[a-z-]*:iam::(\d{12}):role/(?:.*/)?([^/]+)", arn)
    role = await role_named(query, match[2], account=match[1]) if match else None
    return role if role and role.arn == arn else None


async def role_named(query: Query, name: str, *, account: str) -> Role | None:
    """The role of an account with a name, or None."""
    answer = await query.asking({"Action": "GetRole", "RoleName": name}, service="iam", account=account).answer()
    found = parsed(answer).find(".//{*}Role")
    if found is None:
        return None
    return Role(
        found.findtext("{*}Arn", ""),
        unquote(found.findtext("{*}AssumeRolePolicyDocument", "")),
        int(found.findtext("{*}MaxSessionDuration", "3600")),
    )
