"""AssumeRole as STS answers it: ministack lets everybody assume every role, whether it exists or not."""

from collections.abc import Mapping

from local_aws.asgi import App, Receive, Scope, Send, read_body, send_answer
from local_aws.callers import Caller
from local_aws.errors import AwsError
from local_aws.ministack.callers import Callers
from local_aws.ministack.query_api import Query, refusal
from local_aws.ministack.roles import Role, find_role
from local_aws.trust import check_trust

_LONGEST_CHAINED_SESSION = 3600  # seconds


class AssumedRoles:
    """An ASGI app in front of ministack, for requests to STS."""

    def __init__(self, *, app: App, callers: Callers) -> None:
        self._app = app
        self._callers = callers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse to assume a role as AWS does, and pass everything else on."""
        query = Query(self._app, scope, await read_body(receive))
        try:
            if query.action == "AssumeRole":
                await self._check(query)
            answer = await query.answer()
        except AwsError as error:
            answer = refusal(error)
        await send_answer(send, answer)

    async def _check(self, query: Query) -> None:
        """Raises `AwsError` for a role that cannot be assumed."""
        asked = query.parameters
        arn = asked.get("RoleArn", "")
        role = await find_role(query, arn)
        caller = await self._callers.of(query.scope)
        keys = {"sts:externalid": asked.get("ExternalId"), "sts:rolesessionname": asked.get("RoleSessionName")}
        actions = ["sts:AssumeRole", *(["sts:TagSession"] if "Tags" in query.tree else [])]
        policy = role.trust_policy if role else None
        for action in actions:
            check_trust(arn, policy=policy, caller=caller, keys=keys, action=action)
        if role:
            _check_duration(asked, role, caller)


def _check_duration(asked: Mapping[str, str], role: Role, caller: Caller) -> None:
    duration = int(asked.get("DurationSeconds") or 3600)
    if caller.is_session and duration > _LONGEST_CHAINED_SESSION:
        limit = "the 1 hour session limit for roles assumed by role chaining"
    elif duration > role.longest_session:
        limit = "the MaxSessionDuration set for this role."
    else:
        return
    raise AwsError(code="ValidationError", message=f"The requested DurationSeconds exceeds {limit}")
