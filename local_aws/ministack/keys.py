"""Keys of KMS that other accounts use, as far as the keys' policies and grants let them.

ministack knows the keys of the caller's account only, and lets everybody there use them. Here the policy of a key
decides about each request that names the key, as do the key's grants. What policies of users and roles say is not
evaluated, so a statement for an account lets everybody in that account in. Requests come from clients, never through
another service: `kms:ViaService` is absent, and `kms:GrantIsForAWSResource` is false.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from local_aws.asgi import (
    Answer,
    App,
    Receive,
    Scope,
    Send,
    answer_of,
    read_body,
    send_answer,
    signed,
    with_body,
    with_headers,
)
from local_aws.callers import Caller
from local_aws.errors import AwsError
from local_aws.ministack.callers import Callers
from local_aws.ministack.json_api import ask, operation_of, refusal
from local_aws.ministack.principals import missing_principal, principal_exists
from local_aws.ministack.query_api import query_like
from local_aws.policies import Keys as ConditionKeys
from local_aws.policies import Request, allows

_FROM_OTHER_ACCOUNTS = (
    *("CreateGrant", "ListGrants", "RetireGrant", "RevokeGrant", "DescribeKey", "GetKeyRotationStatus"),
    *("Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"),
    *("GenerateDataKeyWithoutPlaintext", "GenerateMac", "GetPublicKey", "ReEncrypt", "Sign", "Verify", "VerifyMac"),
)
"""The operations with "Cross-account use: Yes" in the API reference."""
_WITH_ALIASES = ("CreateAlias", "UpdateAlias", "DeleteAlias", "ListAliases")
"""These have an alias as their resource too; they are not evaluated."""


@dataclass(frozen=True)
class _Key:
    """A key, as its own account sees it."""

    account: str
    arn: str
    policy: str
    grants: list[dict[str, Any]]


class Keys:
    """An ASGI app in front of ministack, for requests to KMS."""

    def __init__(self, *, app: App, callers: Callers) -> None:
        self._app = app
        self._callers = callers
        self._issuers: dict[str, str] = {}
        """The account that created a grant, by the ID of the grant."""
        self._owners: dict[str, str] = {}
        """The account of a grant's key, by each token of the grant."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        body = await read_body(receive)
        try:
            answer = await self._answer(scope, json.loads(body or b"{}"))
        except AwsError as error:
            answer = refusal(error)
        await send_answer(send, answer)

    async def lets(self, scope: Scope, role: str, *, use: str, operations: Sequence[str]) -> bool:
        """Whether a role may do all of these operations with the key that has the ARN `use`, through EC2.

        Either a grant says so, or the policy of a key of the role's own account, if it names the role rather than the
        account: service-linked roles have no policies that allow the use of keys. `scope` is that of any request to the
        key's region. A key that does not exist is not checked.
        """
        account, owner = role.split(":")[4], use.split(":")[4]
        headers = {"x-amz-target": "TrentService.DescribeKey", "content-type": "application/x-amz-json-1.1"}
        key = await self._find(with_headers(signed(scope, service="kms", account=owner), headers), use, owner)
        if key is None:
            return True
        if any(grant["GranteePrincipal"] == role and {*operations} <= {*grant["Operations"]} for grant in key.grants):
            return True
        conditions = {
            "aws:principalaccount": account,
            "kms:calleraccount": account,
            "kms:viaservice": f"ec2.{use.split(':')[3]}.amazonaws.com",
            "kms:grantisforawsresource": "true",
        }
        named = Caller(account="", arn=role, principal=role)
        requests = [
            Request(action=f"kms:{each}", resource=key.arn, caller=named, keys=conditions) for each in operations
        ]
        return account == owner and all(allows(key.policy, request) for request in requests)

    async def _answer(self, scope: Scope, request: dict[str, Any]) -> Answer:
        operation = operation_of(scope)
        caller = await self._callers.of(scope)
        account = caller.account
        if operation in ("CreateKey", "PutKeyPolicy") and "Policy" in request:
            await self._check_new_policy(scope, request, caller)
        if operation == "RetireGrant" and "GrantToken" in request:
            account = self._owners.get(request["GrantToken"], account)
        elif "KeyId" in request and operation not in _WITH_ALIASES:
            account = await self._account_for(scope, operation, request, caller)
        if operation == "CreateGrant":
            await self._check_principals(scope, request)
        answer = await answer_of(self._app, signed(scope, account=account), with_body(json.dumps(request).encode()))
        return self._complete(operation, answer, caller=caller, owner=account)

    async def _account_for(self, scope: Scope, operation: str, request: Mapping[str, Any], caller: Caller) -> str:
        """The account of the key that is named, which answers the request.

        Raises AccessDeniedException if its policy does not let the caller do this.
        """
        named = str(request["KeyId"])
        account = named.split(":")[4] if named.startswith("arn:") else caller.account
        key = await self._find(signed(scope, account=account), named, account)
        if account == caller.account:
            if key and not _may(key, operation, request, caller):
                raise _denied(operation, key.arn, caller, f"no resource-based policy allows the kms:{operation} action")
        elif key is None or operation not in _FROM_OTHER_ACCOUNTS or not _may(key, operation, request, caller):
            reason = (
                "the resource does not exist in this Region, no resource-based policies allow access, or a "
                "resource-based policy explicitly denies access"
            )
            raise _denied(operation, named, caller, reason)
        return account

    async def _find(self, scope: Scope, named: str, account: str) -> _Key | None:
        described = await ask(self._app, scope, "DescribeKey", {"KeyId": named})
        if "KeyMetadata" not in described:
            return None
        asked = {"KeyId": described["KeyMetadata"]["KeyId"]}
        policy = await ask(self._app, scope, "GetKeyPolicy", asked)
        grants = await ask(self._app, scope, "ListGrants", {**asked, "Limit": 100})
        listed = [self._with_issuer(grant) for grant in grants["Grants"]]
        return _Key(account, described["KeyMetadata"]["Arn"], policy["Policy"], listed)

    def _with_issuer(self, grant: Mapping[str, Any]) -> dict[str, Any]:
        """A grant with the account that created it, where ministack has that of the key."""
        issuer = self._issuers.get(grant["GrantId"])
        return {**grant, **({"IssuingAccount": f"arn:aws:iam::{issuer}:root"} if issuer else {})}

    def _complete(self, operation: str, answer: Answer, *, caller: Caller, owner: str) -> Answer:
        if answer.status != 200 or operation not in ("CreateGrant", "ListGrants"):
            return answer
        content = json.loads(answer.body)
        if operation == "CreateGrant":
            self._issuers.setdefault(content["GrantId"], caller.account)
            self._owners[content["GrantToken"]] = owner
            return answer
        content["Grants"] = [self._with_issuer(grant) for grant in content["Grants"]]
        return replace(answer, body=json.dumps(content).encode())

    async def _check_principals(self, scope: Scope, request: Mapping[str, Any]) -> None:
        """Raises InvalidArnException for a grant to somebody who does not exist. The message is our own."""
        query = query_like(self._app, scope, {})
        for member in ("GranteePrincipal", "RetiringPrincipal"):
            if member in request and not await principal_exists(query, request[member]):
                message = f"ARN does not refer to a valid principal: {request[member]}"
                raise AwsError(code="InvalidArnException", message=message)

    async def _check_new_policy(self, scope: Scope, request: Mapping[str, Any], caller: Caller) -> None:
        """Raises MalformedPolicyDocumentException for a policy that AWS does not take."""
        code = "MalformedPolicyDocumentException"
        try:
            missing = await missing_principal(query_like(self._app, scope, {}), request["Policy"])
        except ValueError:
            raise AwsError(code=code, message="Policy is not a JSON object.") from None
        if missing:
            raise AwsError(code=code, message="Policy contains a statement with one or more invalid principals.")
        # the key's ARN is not known before it is made
        put = Request(action="kms:PutKeyPolicy", resource="*", caller=caller, keys=_condition_keys("", {}, caller))
        if not request.get("BypassPolicyLockoutSafetyCheck") and not allows(request["Policy"], put):
            message = "The new key policy will not allow you to update the key policy in the future."
            raise AwsError(code=code, message=message)


def _denied(operation: str, key: str, caller: Caller, reason: str) -> AwsError:
    return AwsError(
        code="AccessDeniedException",
        message=f"User: {caller.arn} is not authorized to perform: kms:{operation} on resource: {key} because {reason}",
    )


def _may(key: _Key, operation: str, request: Mapping[str, Any], caller: Caller) -> bool:
    """Whether the key's policy or one of its grants lets the caller do something."""
    own = (caller.principal, caller.arn, f"arn:aws:iam::{caller.account}:root")
    if operation == "RetireGrant":  # the grant alone decides
        return all(_may_retire(grant, own) for grant in key.grants if grant["GrantId"] == request.get("GrantId"))
    if any(grant["GranteePrincipal"] in own and operation in grant["Operations"] for grant in key.grants):
        return True
    keys = _condition_keys(operation, request, caller)
    return allows(key.policy, Request(action=f"kms:{operation}", resource=key.arn, caller=caller, keys=keys))


def _may_retire(grant: Mapping[str, Any], caller: Sequence[str]) -> bool:
    """Whether one of the caller's ARNs can retire a grant: as it says, or because its account created it."""
    if grant.get("RetiringPrincipal") in caller or grant["IssuingAccount"] in caller:
        return True
    return grant["GranteePrincipal"] in caller and "RetireGrant" in grant["Operations"]


def _condition_keys(operation: str, request: Mapping[str, Any], caller: Caller) -> ConditionKeys:
    about_grants = operation in ("CreateGrant", "ListGrants", "RevokeGrant")
    return {
        "kms:calleraccount": caller.account,
        "kms:viaservice": None,
        "kms:granteeprincipal": request.get("GranteePrincipal") if operation == "CreateGrant" else None,
        "kms:retiringprincipal": request.get("RetiringPrincipal") if operation == "CreateGrant" else None,
        "kms:grantoperations": request.get("Operations") if operation == "CreateGrant" else None,
        "kms:grantisforawsresource": "false" if about_grants else None,
    }
