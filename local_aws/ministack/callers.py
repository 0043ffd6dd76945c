"""Who makes a request to the local AWS: ministack knows it by the access key.

A key of twelve digits is that of an administrator of the account with this number, the key of an assumed role's session
is the session's, and every other key is that of an administrator of account 000000000000. ministack shows
administrators as the root users of their accounts; unlike AWS's root users, they can assume roles.
"""

import re

from local_aws.asgi import App, Scope, access_key, signed
from local_aws.callers import Caller
from local_aws.errors import AwsError
from local_aws.ministack.query_api import Query, parsed, query_like
from local_aws.ministack.roles import role_named
from local_aws.organizations import Organizations


class Callers:
    """Finds out who made a request."""

    def __init__(self, *, app: App, organizations: Organizations) -> None:
        self._app = app
        self._organizations = organizations

    async def account(self, scope: Scope) -> str:
        """The account of the caller."""
        key = access_key(scope)
        return key if re.fullmatch(r"\d{12}", key) else (await _arn(self._who_is(scope))).split(":")[4]

    async def of(self, scope: Scope) -> Caller:
        """The caller. Raises `AwsError` for a session that has expired."""
        who_is = self._who_is(scope)
        principal = arn = await _arn(who_is)
        account, resource = arn.split(":")[4:6]
        if resource.startswith("assumed-role/") and (
            role := await role_named(who_is, resource.split("/")[1], account=account)
        ):
            principal = role.arn
        path = self._organizations.path(account)
        return Caller(account=account, arn=arn, principal=principal, organization_path=path)

    def _who_is(self, scope: Scope) -> Query:
        return query_like(self._app, signed(scope, service="sts"), {"Action": "GetCallerIdentity"})


async def _arn(who_is: Query) -> str:
    root = parsed(await who_is.answer())
    if error := root.findtext(".//{*}Error/{*}Code"):
        raise AwsError(code=error, message=root.findtext(".//{*}Error/{*}Message", ""))
    return root.findtext(".//{*}Arn", "")
