"""The principals that policies and grants name: AWS refuses those that do not exist."""

import json
import re
from collections.abc import Iterator

from local_aws.ministack.query_api import Query
from local_aws.ministack.roles import find_role, role_named
from local_aws.policies import listed

_ACCOUNT = re.compile(r"\d{12}|arn:aws[a-z-]*:iam::\d{12}:root")
_SESSION = re.compile(r"arn:aws[a-z-]*:sts::(\d{12}):assumed-role/([^/]+)/.+")
_USER = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):user/(?:.*/)?([^/]+)")


async def principal_exists(query: Query, principal: str) -> bool:
    """Whether an account, role, session or user exists. All accounts do. It is looked up beside `query`."""
    if _ACCOUNT.fullmatch(principal):
        return True
    if session := _SESSION.fullmatch(principal):
        return await role_named(query, session[2], account=session[1]) is not None
    if user := _USER.fullmatch(principal):
        asked = query.asking({"Action": "GetUser", "UserName": user[2]}, service="iam", account=user[1])
        return (await asked.answer()).status == 200
    return await find_role(query, principal) is not None


async def missing_principal(query: Query, policy: str) -> str | None:
    """The first principal in a policy that does not exist, or None. Raises ValueError if it is not a JSON object."""
    for principal in _principals(policy):
        if principal != "*" and not await principal_exists(query, principal):
            return principal
    return None


def _principals(policy: str) -> Iterator[str]:
    document = json.loads(policy)
    if not isinstance(document, dict):
        raise ValueError(f"a policy is an object, got {policy}")
    for statement in listed(document.get("Statement", [])):
        for element in ("Principal", "NotPrincipal"):
            named = statement.get(element, {})
            yield from listed(named.get("AWS", [])) if isinstance(named, dict) else ()
