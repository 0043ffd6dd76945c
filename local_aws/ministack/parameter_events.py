"""The events of Parameter Store, which ministack does not send.

Their members are those of AWS's examples ("Reference: Amazon EventBridge event patterns and types for Systems Manager"
and "Native parameter support for Amazon Machine Image IDs" in the user guide of Systems Manager). Labels and parameter
policies have events on AWS, and none here.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal

from local_aws.asgi import App, Receive, Scope, Send, answer_of, read_body, region_and_service, send_answer, with_body
from local_aws.ministack.callers import Callers
from local_aws.ministack.event_rules import EventRules
from local_aws.ministack.json_api import ask, operation_of

_NAMES = {"PutParameter": "Name", "DeleteParameter": "Name", "DeleteParameters": "Names"}
"""The operations that have events, and the member of their requests with the names."""


class ParameterEvents:
    """An ASGI app in front of another, for requests to Parameter Store."""

    def __init__(self, *, app: App, callers: Callers, rules: EventRules) -> None:
        self._app = app
        self._callers = callers
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and send the events of what it changed if rules are on."""
        operation = operation_of(scope)
        if not self._rules.are_on or operation not in _NAMES:
            await self._app(scope, receive, send)
            return
        body = await read_body(receive)
        names = json.loads(body).get(_NAMES[operation], [])
        names = names if isinstance(names, list) else [names]
        before = await self._parameters(scope, names)
        answer = await answer_of(self._app, scope, with_body(body))
        after = await self._parameters(scope, names)
        await send_answer(send, answer)
        if answer.status == 200:
            account, (region, _) = await self._callers.account(scope), region_and_service(scope)
            for name in {**before, **after}:
                what = _operation(before.get(name), after.get(name))
                self._send(what, after.get(name) or before[name], account=account, region=region)

    async def _parameters(self, scope: Scope, names: list[str]) -> dict[str, dict[str, Any]]:
        """What there is of some parameters, by their names."""
        filters = [{"Key": "Name", "Option": "Equals", "Values": names}]
        page = await ask(self._app, scope, "DescribeParameters", {"ParameterFilters": filters})
        return {each["Name"]: each for each in page.get("Parameters", [])}

    def _send(self, operation: str, parameter: Mapping[str, Any], *, account: str, region: str) -> None:
        detail = {
            "operation": operation,
            "name": parameter["Name"],
            "type": parameter["Type"],
            "description": parameter.get("Description"),
            # not for text, in AWS's examples
            "dataType": parameter["DataType"] if parameter["DataType"] != "text" else None,
        }
        self._rules.send(
            "Parameter Store Change",
            {member: value for member, value in detail.items() if value},
            source="aws.ssm",
            resources=[parameter["ARN"]],
            account=account,
            region=region,
        )


def _operation(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> Literal["Create", "Update", "Delete"]:
    if not after:
        return "Delete"
    return "Update" if before else "Create"
