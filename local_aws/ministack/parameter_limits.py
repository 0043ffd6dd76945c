"""The limits of Parameter Store that ministack does not have: sizes, data types and the number of versions.

Limits and refusals are those of PutParameter in AWS's API reference. What AWS answers to another data type is not
documented; that message is our own.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from local_aws.asgi import Answer, App, Receive, Scope, Send, answer_of, read_body, send_answer, with_body
from local_aws.errors import AwsError
from local_aws.ministack.json_api import ask, operation_of, refusal

DESCRIPTION_LIMIT = 1024
VALUE_LIMITS = {"Standard": 4096, "Advanced": 8192, "Intelligent-Tiering": 8192}
VERSIONS_KEPT = 100


class ParameterLimits:
    """An ASGI app in front of ministack, for requests to Parameter Store."""

    def __init__(self, *, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what AWS refuses, show only the versions that AWS keeps, and pass everything else on."""
        body = await read_body(receive)
        operation = operation_of(scope)
        if operation == "GetParameterHistory":
            answer = await answer_of(self._app, scope, with_body(body))
            await send_answer(send, await self._kept(scope, json.loads(body), answer))
            return
        if operation == "PutParameter":
            request = json.loads(body)
            versions = await self._versions(scope, request.get("Name"))
            try:
                _check(request, versions)
            except AwsError as error:
                await send_answer(send, refusal(error))
                return
            if versions:  # without a data type in the request, the parameter keeps its own
                body = json.dumps({"DataType": versions[-1]["DataType"], **request}).encode()
        await self._app(scope, with_body(body), send)

    async def _kept(self, scope: Scope, request: Mapping[str, Any], answer: Answer) -> Answer:
        """A page of a parameter's history, without the versions that AWS would have deleted."""
        page = json.loads(answer.body)
        if "Parameters" not in page:
            return answer
        newest = (await self._versions(scope, request["Name"]))[-1]["Version"]
        page["Parameters"] = [each for each in page["Parameters"] if each["Version"] > newest - VERSIONS_KEPT]
        return replace(answer, body=json.dumps(page).encode())

    async def _versions(self, scope: Scope, name: str | None) -> list[dict[str, Any]]:
        """All versions of a parameter, oldest first; empty for a parameter that does not exist."""
        versions: list[dict[str, Any]] = []
        token: dict[str, str] = {}
        while True:
            page = await ask(self._app, scope, "GetParameterHistory", {"Name": name, **token})
            versions += page.get("Parameters", ())
            if "NextToken" not in page:
                return versions
            token = {"NextToken": page["NextToken"]}


def _check(request: Mapping[str, Any], versions: list[dict[str, Any]]) -> None:
    """Raises `AwsError` for a PutParameter request that Parameter Store refuses."""
    if len(description := request.get("Description", "")) > DESCRIPTION_LIMIT:
        raise _invalid(
            f"1 validation error detected: Value '{description}' at 'description' failed to satisfy constraint: "
            f"Member must have length less than or equal to {DESCRIPTION_LIMIT}"
        )
    now = versions[-1] if versions and request.get("Overwrite") else None
    tier = request.get("Tier") or (now["Tier"] if now else "Standard")
    if len(request.get("Value", "")) > (limit := VALUE_LIMITS.get(tier, 4096)):
        upgrade = "To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. "
        raise _invalid(
            f"{tier} tier parameters support a maximum parameter value of {limit} characters. "
            + (upgrade if tier == "Standard" else "")
            + "For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/"
            "parameter-store-advanced-parameters.html"
        )
    if now and request.get("DataType", now["DataType"]) != now["DataType"]:
        raise _invalid(f"The parameter {request['Name']} has the data type {now['DataType']}, which cannot be changed.")
    if now and len(versions) >= VERSIONS_KEPT and (oldest := versions[-VERSIONS_KEPT])["Labels"]:
        raise AwsError(
            code="ParameterMaxVersionLimitExceeded",
            message=f"You attempted to create a new version of {request['Name']} by calling the PutParameter API with "
            f"the overwrite flag. Version {oldest['Version']}, the oldest version, can't be deleted because it has a "
            "label associated with it. Move the label to another version of the parameter, and try again.",
        )


def _invalid(message: str) -> AwsError:
    return AwsError(code="ValidationException", message=message)
