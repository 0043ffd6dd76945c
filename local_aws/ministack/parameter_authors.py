"""Who wrote each version of a parameter; ministack says of all of them that the account's root user did.

GetParameterHistory and DescribeParameters show the ARN as GetCallerIdentity has it: of a user, or of a role's session
(`arn:aws:sts::111122223333:assumed-role/ROLE/SESSION`).
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from local_aws.asgi import (
    Answer,
    App,
    Receive,
    Scope,
    Send,
    answer_of,
    read_body,
    region_and_service,
    send_answer,
    with_body,
)
from local_aws.ministack.callers import Callers
from local_aws.ministack.json_api import operation_of


class ParameterAuthors:
    """An ASGI app in front of another, for requests to Parameter Store."""

    def __init__(self, *, app: App, callers: Callers) -> None:
        self._app = app
        self._callers = callers
        self._authors: dict[tuple[str, str, str, int], str] = {}
        """By account, region, name and version. A new parameter with an old name has its versions written again."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; remember who wrote, and show it."""
        body = await read_body(receive)
        operation, (region, _) = operation_of(scope), region_and_service(scope)
        if operation not in ("PutParameter", "GetParameterHistory", "DescribeParameters"):
            await self._app(scope, with_body(body), send)
            return
        answer = await answer_of(self._app, scope, with_body(body))
        if answer.status == 200 and operation == "PutParameter":
            caller = await self._callers.of(scope)
            name, version = json.loads(body)["Name"], json.loads(answer.body)["Version"]
            self._authors[caller.account, region, name, version] = caller.arn
        elif answer.status == 200:
            answer = self._shown(answer, account=await self._callers.account(scope), region=region)
        await send_answer(send, answer)

    def _shown(self, answer: Answer, *, account: str, region: str) -> Answer:
        page = json.loads(answer.body)

        def author(version: Mapping[str, Any]) -> str:
            key = (account, region, version["Name"], version["Version"])
            return self._authors.get(key) or str(version["LastModifiedUser"])

        page["Parameters"] = [{**each, "LastModifiedUser": author(each)} for each in page["Parameters"]]
        return replace(answer, body=json.dumps(page).encode())
