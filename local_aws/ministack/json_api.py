"""The JSON protocol, which KMS and Parameter Store speak: the operation in a header, parameters and answers in JSON."""

import json
from collections.abc import Mapping
from typing import Any

from local_aws.asgi import Answer, App, Scope, answer_of, with_body, with_headers
from local_aws.errors import AwsError

_TARGET = "x-amz-target"


def operation_of(scope: Scope) -> str:
    """The operation of a request: `PutParameter`."""
    return _target(scope)[1]


async def ask(app: App, scope: Scope, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What an app answers to another operation of the service that a request is for, asked by the same client."""
    asked = with_headers(scope, {_TARGET: f"{_target(scope)[0]}.{operation}", "content-length": ""})
    answer: dict[str, Any] = json.loads((await answer_of(app, asked, with_body(json.dumps(parameters).encode()))).body)
    return answer


def _target(scope: Scope) -> tuple[str, str]:
    """The service as the protocol names it, and the operation: `AmazonSSM` and `PutParameter`."""
    target = next((value.decode() for name, value in scope["headers"] if name == _TARGET.encode()), "")
    service, _, operation = target.rpartition(".")
    return service, operation


def refusal(error: AwsError) -> Answer:
    """The refusal of a request."""
    headers = {"content-type": "application/x-amz-json-1.1", "x-amzn-errortype": error.code}
    return Answer(400, headers, json.dumps({"__type": error.code, "message": error.message}).encode())
