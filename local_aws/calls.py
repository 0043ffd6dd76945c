"""The calls that the local AWS has received, for tests of what a program needs to be allowed.

Nothing is kept until somebody asks for it (`Calls.record`). The names of operations and parameters are AWS's, from the
request itself, or from botocore's service model where the protocol has them in the path.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

from local_aws.asgi import Receive, Scope, access_key, read_body, region_and_service, with_body
from local_aws.ministack.callers import Callers
from local_aws.ministack.query_api import parameters_of, tree_of

_REST = ("imagebuilder", "lambda", "s3")
"""The services whose operations are in the method and the path."""
_LONGEST_VALUE = 300
"""The archive of a function and the text of a component are not what anybody looks for here."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request to AWS."""

    service: str
    """As requests are signed for it: `monitoring`."""
    operation: str
    """As AWS's API reference names it: `PutMetricAlarm`."""
    region: str
    caller: str
    """The ARN of who made it, as GetCallerIdentity shows it."""
    agent: str
    """The user agent."""
    parameters: Mapping[str, Any]
    """By their names in the request; long values are cut."""


class Calls:
    """Keeps each different call of some user agents, from `record` on."""

    def __init__(self, *, callers: Callers) -> None:
        self._callers = callers
        self._agent: str | None = None
        self._kept: dict[str, tuple[Scope, dict[str, Any]]] = {}

    def record(self, agent: str | None) -> None:
        """Forget everything, and keep the calls whose user agent contains a text from now on; None: keep none."""
        self._agent = agent
        self._kept.clear()

    async def note(self, scope: Scope, receive: Receive) -> Receive:
        """Keep a call, if it is one of those that are recorded; gives a `Receive` that still has its body."""
        agent = _header(scope, "user-agent")
        region, service = region_and_service(scope)
        if self._agent is None or self._agent not in agent or not service:
            return receive
        body = await read_body(receive)
        operation, parameters = _understood(scope, service, body)
        call = {
            "service": service,
            "operation": operation,
            "region": region,
            "agent": agent,
            "parameters": _shortened(parameters),
        }
        self._kept.setdefault(json.dumps([access_key(scope), call], sort_keys=True), (scope, call))
        return with_body(body)

    async def recorded(self) -> list[dict[str, Any]]:
        """The calls that are kept, as `Call` has them, in the order in which they came."""
        arns: dict[str, str] = {}
        for scope, _ in [*self._kept.values()]:
            if access_key(scope) not in arns:
                arns[access_key(scope)] = (await self._callers.of(scope)).arn
        return [asdict(Call(caller=arns[access_key(scope)], **call)) for scope, call in self._kept.values()]


def _header(scope: Scope, name: str) -> str:
    return next((value.decode() for key, value in scope["headers"] if key == name.encode()), "")


def _understood(scope: Scope, service: str, body: bytes) -> tuple[str, Mapping[str, Any]]:
    """The operation of a request and its parameters."""
    if target := _header(scope, "x-amz-target"):
        return target.rpartition(".")[2], json.loads(body or b"{}")
    if service in _REST:
        return _routed(scope, service, body)
    asked = parameters_of(body)
    return asked.get("Action", ""), {name: value for name, value in tree_of(asked).items() if name != "Action"}


def _routed(scope: Scope, service: str, body: bytes) -> tuple[str, Mapping[str, Any]]:
    path = scope["raw_path"].decode().partition("?")[0]
    query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
    for route in _routes(service):
        found = route.path.fullmatch(path.rstrip("/")) if route.operation.http["method"] == scope["method"] else None
        if (
            found
            and all(name in query and value in ("", query[name]) for name, value in route.query.items())
            and all(_header(scope, name) for name in route.headers)
        ):
            labels = {name: unquote(value) for name, value in found.groupdict().items()}
            members = json.loads(body or b"{}") if service != "s3" else {}
            return route.operation.name, {**query, **members, **labels}
    return f"{scope['method']} {path}", {}


@dataclass(frozen=True)
class _Route:
    """An operation, and the requests that are for it."""

    operation: OperationModel
    path: re.Pattern[str]
    query: Mapping[str, str]
    """What the query must have; an empty value stands for any."""
    headers: Sequence[str]


@cache
def _routes(service: str) -> list[_Route]:
    """Those of a service; of two that fit, the one that asks for more comes first."""
    model = ServiceModel(Loader().load_service_model(service, "service-2"), service)
    return sorted(map(_route, _operations(model)), key=lambda route: -len(route.query) - len(route.headers))


def _operations(model: ServiceModel) -> Iterator[OperationModel]:
    for name in model.operation_names:
        operation = model.operation_model(name)
        if not operation.deprecated:  # S3 has newer ones with the same path
            yield operation


def _route(operation: OperationModel) -> _Route:
    path, _, query = operation.http["requestUri"].partition("?")
    literal = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", re.sub(r"\{(\w+)\+\}", r"(?P<\1>.+)", path.rstrip("/")))
    shape = operation.input_shape
    required = [shape.members[name].serialization for name in shape.required_members] if shape else []
    return _Route(
        operation,
        path=re.compile(literal),
        query=dict(parse_qsl(query, keep_blank_values=True))
        | {each["name"]: "" for each in required if each.get("location") == "querystring"},
        headers=[each["name"].lower() for each in required if each.get("location") == "header"],
    )


def _shortened(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _shortened(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_shortened(inner) for inner in value]
    return value[:_LONGEST_VALUE] if isinstance(value, str) else value
