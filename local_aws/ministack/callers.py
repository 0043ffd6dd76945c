"""Who makes a request to the local AWS: ministack knows it by the access key.

A key of twelve digits is that of an administrator of the account with this number, the key of an assumed role's session
is the session's, and every other key is that of an administrator of account 000000000000. ministack shows
administrators as the root users of their accounts. Unlike AWS's, these can assume roles.
"""

import re

from local_aws.asgi import App, Scope, access_key, signed
from local_aws.callers import Caller
from local_aws.errors import AwsError
from local_aws.ministack.query_api import parsed, query_like


class Callers:
    """Finds out who made a request."""

    def __init__(self, *, app: App) -> None:
        self._app = app

    async def account(self, scope: Scope) -> str:
        """The account of the caller."""
        key = access_key(scope)
        return key if re.fullmatch(r"\d{12}", key) else (await self._arn(scope)).split(":")[4]

    async def of(self, scope: Scope) -> Caller:
        """The caller. Raises `AwsError` for a session that has expired."""
        arn = await self._arn(scope)
        account, resource = arn.split(":")[4:6]
        principal = arn
        if resource.startswith("assumed-role/"):
            role = query_like(
                self._app,
                signed(scope, service="iam", account=account),
                {"Action": "GetRole", "RoleName": resource.split("/")[1]},
            )
            principal = parsed(await role.answer()).findtext(".//{*}Arn") or arn
        return Caller(account=account, arn=arn, principal=principal)

    async def _arn(self, scope: Scope) -> str:
        identity = query_like(self._app, signed(scope, service="sts"), {"Action": "GetCallerIdentity"})
        root = parsed(await identity.answer())
        if error := root.findtext(".//{*}Error/{*}Code"):
            raise AwsError(code=error, message=root.findtext(".//{*}Error/{*}Message", ""))
        return root.findtext(".//{*}Arn", "")
