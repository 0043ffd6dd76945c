"""Image Builder's wire format, driven by the service model that botocore ships.

The model has every operation's method, path, members, patterns and errors, so they are not written again here.
botocore has only the client's half of the protocol (it writes requests and reads responses); this is the server's half
for rest-json, the one protocol of Image Builder. Patterns, enums and maximum lengths, which botocore's `ParamValidator`
does not check, are checked here, because AWS checks them.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, OperationModel, Shape, StringShape, StructureShape
from botocore.model import ServiceModel as BotocoreModel
from botocore.validate import ParamValidator

from local_aws.asgi import Answer
from local_aws.errors import AwsError

NOT_IMPLEMENTED = "NotImplementedException"
"""The only exception here that AWS does not have: for operations that this server does not implement."""

_JSON = {"content-type": "application/json"}


class ServiceModel:
    """Translates requests to operations and parameters, and results and refusals to answers."""

    def __init__(self, *, service: str = "imagebuilder") -> None:
        self._model = BotocoreModel(Loader().load_service_model(service, "service-2"), service)
        self._routes = [_route(self._model.operation_model(name)) for name in self._model.operation_names]

    def parse(self, *, method: str, path: str, query: str, body: bytes) -> tuple[str, dict[str, Any]]:
        """The operation's name and its parameters, by member name, checked against the model.

        Raises `AwsError`: InvalidRequestException for a wrong shape (unknown operation, broken JSON, missing or
        unknown members, wrong types), InvalidParameterValueException for a value that the model does not allow.
        """
        for route_method, pattern, operation in self._routes:
            if route_method == method and (match := pattern.fullmatch(path)):
                params = _parameters(operation, path_values=match.groupdict(), query=query, body=body)
                _check(operation, params)
                return operation.name, params
        raise AwsError(code="InvalidRequestException", message=f"there is no operation {method} {path}")

    def answer(self, *, operation: str, result: Mapping[str, Any]) -> Answer:
        """The answer with a result; members that the model does not have are left out."""
        shape = self._model.operation_model(operation).output_shape
        return Answer(200, _JSON, json.dumps(_shaped(result, shape) if shape else {}).encode())

    def refusal(self, error: AwsError) -> Answer:
        """The answer with a refusal."""
        if error.code == NOT_IMPLEMENTED:
            status = 501
        else:
            status = self._model.shape_for(error.code).metadata["error"]["httpStatusCode"]
        headers = {**_JSON, "x-amzn-errortype": error.code}
        return Answer(status, headers, json.dumps({"message": error.message}).encode())


def _route(operation: OperationModel) -> tuple[str, re.Pattern[str], OperationModel]:
    # the only label in Image Builder's paths is an ARN at the end, which has slashes
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>.+)", operation.http["requestUri"])
    return operation.http["method"], re.compile(pattern), operation


def _parameters(
    operation: OperationModel, *, path_values: Mapping[str, str], query: str, body: bytes
) -> dict[str, Any]:
    try:
        params = json.loads(body or b"{}")
    except ValueError as error:
        raise AwsError(code="InvalidRequestException", message=f"the body is not JSON: {error}") from error
    if not isinstance(params, dict):
        raise AwsError(code="InvalidRequestException", message="the body is not a JSON object")
    params = {name: value for name, value in params.items() if value is not None}
    values = parse_qs(query, keep_blank_values=True)
    for name, shape in operation.input_shape.members.items() if operation.input_shape else ():
        sent_as = shape.serialization.get("name", name)
        if shape.serialization.get("location") == "uri":
            params[name] = path_values[sent_as]
        elif shape.serialization.get("location") == "querystring" and sent_as in values:
            params[name] = _from_query(values[sent_as], shape)
    return params


def _from_query(values: list[str], shape: Shape) -> Any:
    if shape.type_name == "list":
        return values
    if shape.type_name == "boolean":
        return values[0] == "true"
    return int(values[0]) if shape.type_name == "integer" else values[0]


def _check(operation: OperationModel, params: dict[str, Any]) -> None:
    if operation.input_shape is None:
        return
    report = ParamValidator().validate(params, operation.input_shape)
    if report.has_errors():
        message = report.generate_report().replace("\n", "; ")
        raise AwsError(code="InvalidRequestException", message=message)
    for problem in _problems(params, operation.input_shape, name=""):
        # only the tag operations have the older exception
        older = "InvalidParameterException"
        named = any(shape.name == older for shape in operation.error_shapes)
        raise AwsError(code=older if named else "InvalidParameterValueException", message=problem)


def _problems(value: Any, shape: Shape, *, name: str) -> Iterator[str]:
    """Values that the model does not allow, with AWS's messages; types and required members are checked already."""
    if isinstance(shape, StructureShape):
        for member, inner in value.items():
            yield from _problems(inner, shape.members[member], name=f"{name}.{member}" if name else member)
        return
    if isinstance(shape, ListShape):
        for index, inner in enumerate(value):
            yield from _problems(inner, shape.member, name=f"{name}[{index}]")
    elif isinstance(shape, MapShape):
        for key, inner in value.items():
            yield from _problems(key, shape.key, name=f"{name} key")
            yield from _problems(inner, shape.value, name=f"{name}.{key}")
    elif isinstance(shape, StringShape):
        rule = _text_rule(value, shape)
        if rule:
            yield f"The value supplied for parameter '{name}' is not valid. {name} {rule}"
    limit = shape.metadata.get("max")
    size = value if isinstance(value, int) else len(value)
    if limit is not None and size > limit:
        yield f"The value supplied for parameter '{name}' is not valid. {name} must be at most {limit}."


def _text_rule(value: str, shape: StringShape) -> str | None:
    if shape.enum and value not in shape.enum:
        return f"must be one of {', '.join(shape.enum)}."
    pattern = shape.metadata.get("pattern")
    if pattern:
        matches = re.fullmatch if pattern.startswith("^") else re.search
        if not matches(pattern, value):
            return f"must match pattern {pattern}"
    return None


def _shaped(value: Any, shape: Shape) -> Any:
    if isinstance(shape, StructureShape):
        return {
            member: _shaped(value[member], inner)
            for member, inner in shape.members.items()
            if value.get(member) is not None
        }
    if isinstance(shape, ListShape):
        return [_shaped(inner, shape.member) for inner in value]
    if isinstance(shape, MapShape):
        return {key: _shaped(inner, shape.value) for key, inner in value.items()}
    if shape.type_name == "timestamp" and isinstance(value, str):
        return datetime.fromisoformat(value).timestamp()  # most dates of this service are strings, but not all
    return value
