"""The query protocol, which EC2, Auto Scaling and CloudWatch speak: parameters as a form, answers in XML."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, urlencode
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from local_aws.asgi import Answer, App, Scope, answer_of, region_and_service, signed, with_body, with_headers
from local_aws.errors import AwsError


@dataclass(frozen=True)
class Query:
    """A request, and the app behind that can answer it."""

    app: App
    scope: Scope
    body: bytes

    @cached_property
    def parameters(self) -> Mapping[str, str]:
        """As they were sent, with names like `Filter.1.Value.2`."""
        return parameters_of(self.body)

    @cached_property
    def tree(self) -> Mapping[str, Any]:
        """The parameters as mappings and lists: `{"Filter": [{"Name": …, "Value": […]}]}`."""
        return tree_of(self.parameters)

    @property
    def action(self) -> str:
        """The name of the operation."""
        return self.parameters.get("Action", "")

    @property
    def region(self) -> str:
        """The region that is asked."""
        return region_and_service(self.scope)[0]

    async def answer(self) -> Answer:
        """What the app behind answers."""
        return await answer_of(self.app, self.scope, with_body(self.body))

    def asking(self, parameters: Mapping[str, str], *, service: str = "", account: str = "") -> Query:
        """Another request to the app behind. Default: to the same service, by the same client.

        With an account, an administrator of that account is the client.
        """
        return query_like(self.app, signed(self.scope, service=service, account=account), parameters)


def query_like(app: App, scope: Scope, parameters: Mapping[str, str]) -> Query:
    """A request with these parameters, signed like another, which may be in another protocol."""
    headers = {"content-type": "application/x-www-form-urlencoded", "x-amz-target": "", "content-length": ""}
    asked = {**with_headers(scope, headers), "method": "POST", "path": "/", "raw_path": b"/", "query_string": b""}
    return Query(app, asked, urlencode(parameters).encode())


def parameters_of(body: bytes) -> Mapping[str, str]:
    """The parameters in a body, with names like `Filter.1.Value.2`."""
    return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))


def tree_of(parameters: Mapping[str, str]) -> Mapping[str, Any]:
    """Such parameters as mappings and lists: `{"Filter": [{"Name": …, "Value": […]}]}`."""
    tree: dict[str, Any] = {}
    for name, value in parameters.items():
        *path, last = name.split(".")
        inner = tree
        for step in path:
            inner = inner.setdefault(step, {})
        inner[last] = value
    return {name: _with_lists(value) for name, value in tree.items()}


def _with_lists(value: Any) -> Any:
    """Numbered parameters as lists: `X.1` in EC2, `X.member.1` in other services."""
    if not isinstance(value, dict):
        return value
    if value.keys() == {"member"}:
        return _with_lists(value["member"])
    if all(name.isdecimal() for name in value):
        return [_with_lists(value[name]) for name in sorted(value, key=int)]
    return {name: _with_lists(inner) for name, inner in value.items()}


def add(parent: Element, name: str, value: Any = "", *, entry: str = "item") -> Element:
    """Add an element in the namespace of its parent; gives the new element.

    It contains an element for each value of a mapping that is not None, or an element named `entry` for each value of a
    sequence.
    """
    namespace, bracket, _ = parent.tag.rpartition("}")
    element = ElementTree.SubElement(parent, f"{namespace}{bracket}{name}")
    if isinstance(value, Mapping):
        add_all(element, value, entry=entry)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            add(element, entry, inner, entry=entry)
    else:
        element.text = str(value).lower() if isinstance(value, bool) else str(value)
    return element


def add_all(parent: Element, values: Mapping[str, Any], *, entry: str = "item") -> None:
    """Add an element for each of the values that is not None."""
    for name, value in values.items():
        if value is not None:
            add(parent, name, value, entry=entry)


def xml_answer(
    name: str, values: Mapping[str, Any], *, namespace: str = "", entry: str = "item", status: int = 200
) -> Answer:
    """An answer with these values; `name` is that of the outermost element."""
    root = Element(f"{{{namespace}}}{name}" if namespace else name)
    add_all(root, values, entry=entry)
    return Answer(status, {"content-type": "text/xml"}, _written(root))


def refusal(error: AwsError) -> Answer:
    """The refusal of a request, as all services but EC2 write it."""
    content = {"Error": {"Type": "Sender", "Code": error.code, "Message": error.message}, "RequestId": uuid.uuid4()}
    return xml_answer("ErrorResponse", content, status=403 if error.code == "AccessDenied" else 400)


def changed(answer: Answer, change: Callable[[Element], None]) -> Answer:
    """An answer with a change, parsed and written once; a refusal unchanged."""
    if answer.status != 200:
        return answer
    root = parsed(answer)
    change(root)
    return replace(answer, body=_written(root))


def parsed(answer: Answer) -> Element:
    """The outermost element of an answer."""
    return ElementTree.fromstring(answer.body)


def _written(root: Element) -> bytes:
    namespace = root.tag[1:].partition("}")[0] if root.tag.startswith("{") else None
    text: bytes = ElementTree.tostring(root, "utf-8", xml_declaration=True, default_namespace=namespace)
    return text
