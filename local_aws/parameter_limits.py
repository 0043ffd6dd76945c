"""What Parameter Store refuses, or keeps, and ministack does not: sizes, data types and the number of versions.

Between clients and ministack. Limits and refusals are those of PutParameter in AWS's API reference; what AWS says about
another data type is not documented, so these words are our own.
"""

import json
from collections.abc import Mapping
from typing import Any

from local_aws.asgi import Answer, App, Receive, Scope, Send, answer_of, giving, read_body, respond, send_answer

DESCRIPTION_LIMIT = 1024
VALUE_LIMITS = {"Standard": 4096, "Advanced": 8192, "Intelligent-Tiering": 8192}
VERSIONS_KEPT = 100
_TARGET = b"x-amz-target"
_VALIDATION = "ValidationException"


class ParameterLimits:
    """An ASGI app around another; only for requests to Parameter Store."""

    def __init__(self, *, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        body = await read_body(receive)
        operation = dict(scope["headers"]).get(_TARGET, b"").decode().rpartition(".")[2]
        if operation == "GetParameterHistory":
            answer = await answer_of(self._app, scope, giving(body))
            await send_answer(send, answer, body=await self._newest(scope, json.loads(body), answer))
            return
        if operation == "PutParameter":
            request = json.loads(body)
            versions = await self._versions(scope, request.get("Name"))
            if refusal := _refusal(request, versions):
                code, message = refusal
                content = json.dumps({"__type": code, "message": message}).encode()
                headers = {"content-type": "application/x-amz-json-1.1", "x-amzn-errortype": code}
                await respond(send, status=400, headers=headers, body=content)
                return
            if versions:  # a request that does not say keeps what there is
                body = json.dumps({"DataType": versions[-1]["DataType"], **request}).encode()
        await self._app(scope, giving(body), send)

    async def _newest(self, scope: Scope, request: Mapping[str, Any], answer: Answer) -> bytes:
        """A page of a history without the versions that Parameter Store no longer has."""
        page = json.loads(answer.body)
        if "Parameters" not in page:
            return answer.body
        newest = (await self._versions(scope, request["Name"]))[-1]["Version"]
        page["Parameters"] = [each for each in page["Parameters"] if each["Version"] > newest - VERSIONS_KEPT]
        return json.dumps(page).encode()

    async def _versions(self, scope: Scope, name: str | None) -> list[dict[str, Any]]:
        """Every version of a parameter, oldest first; none of one that is not there."""
        headers = [(key, value) for key, value in scope["headers"] if key not in (_TARGET, b"content-length")]
        asking = {**scope, "headers": [*headers, (_TARGET, b"AmazonSSM.GetParameterHistory")]}
        found: list[dict[str, Any]] = []
        token: dict[str, str] = {}
        while True:
            body = json.dumps({"Name": name, **token}).encode()
            page = json.loads((await answer_of(self._app, asking, giving(body))).body)
            found += page.get("Parameters", ())
            if "NextToken" not in page:
                return found
            token = {"NextToken": page["NextToken"]}


def _refusal(request: Mapping[str, Any], versions: list[dict[str, Any]]) -> tuple[str, str] | None:
    """The code and the words with which Parameter Store refuses to write."""
    if len(description := request.get("Description", "")) > DESCRIPTION_LIMIT:
        return _VALIDATION, (
            f"1 validation error detected: Value '{description}' at 'description' failed to satisfy constraint: "
            f"Member must have length less than or equal to {DESCRIPTION_LIMIT}"
        )
    now = versions[-1] if versions and request.get("Overwrite") else None
    tier = request.get("Tier") or (now["Tier"] if now else "Standard")
    if len(request.get("Value", "")) > (limit := VALUE_LIMITS.get(tier, 4096)):
        upgrade = "To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. "
        return _VALIDATION, (
            f"{tier} tier parameters support a maximum parameter value of {limit} characters. "
            + (upgrade if tier == "Standard" else "")
            + "For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/"
            "parameter-store-advanced-parameters.html"
        )
    if now and request.get("DataType", now["DataType"]) != now["DataType"]:
        words = f"The parameter {request['Name']} has the data type {now['DataType']}, which cannot be changed."
        return _VALIDATION, words
    if now and len(versions) >= VERSIONS_KEPT and (oldest := versions[-VERSIONS_KEPT])["Labels"]:
        return "ParameterMaxVersionLimitExceeded", (
            f"You attempted to create a new version of {request['Name']} by calling the PutParameter API with the "
            f"overwrite flag. Version {oldest['Version']}, the oldest version, can't be deleted because it has a label "
            "associated with it. Move the label to another version of the parameter, and try again."
        )
    return None
