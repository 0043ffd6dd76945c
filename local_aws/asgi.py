"""The parts of the ASGI interface that the local AWS uses."""

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_CREDENTIAL = re.compile(
    rb"Credential=(?P<key>[^/]*)/(?P<day>[0-9]{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request"
)


@dataclass(frozen=True)
class Answer:
    """A whole HTTP response."""

    status: int
    headers: Mapping[str, str]
    """By names in lower case. The length of the body is added when the answer is sent."""
    body: bytes


def region_and_service(scope: Scope) -> tuple[str, str]:
    """What the request's signature is for; both are empty for a request without a signature in its headers."""
    credential = _credential(scope)
    return (credential["region"].decode(), credential["service"].decode()) if credential else ("", "")


def access_key(scope: Scope) -> str:
    """The access key ID of the request's signature; empty for a request without a signature in its headers."""
    credential = _credential(scope)
    return credential["key"].decode() if credential else ""


def _credential(scope: Scope) -> re.Match[bytes] | None:
    for name, value in scope.get("headers", ()):
        if name == b"authorization" and (match := _CREDENTIAL.search(value)):
            return match
    return None


def signed(scope: Scope, *, service: str = "", account: str = "") -> Scope:
    """The request as if it were signed for another service, or by an administrator of another account."""

    def credential(match: re.Match[bytes]) -> bytes:
        key, name = account.encode() or match["key"], service.encode() or match["service"]
        return b"Credential=" + b"/".join((key, match["day"], match["region"], name, b"aws4_request"))

    headers = scope["headers"]
    return {**scope, "headers": [(name, _CREDENTIAL.sub(credential, value)) for name, value in headers]}


def with_headers(scope: Scope, headers: Mapping[str, str]) -> Scope:
    """The request with these headers, by names in lower case, in place of its own. An empty one is left out."""
    replaced = {name.encode(): value.encode() for name, value in headers.items()}
    kept = [(name, value) for name, value in scope["headers"] if name.lower() not in replaced]
    return {**scope, "headers": [*kept, *((name, value) for name, value in replaced.items() if value)]}


async def read_body(receive: Receive) -> bytes:
    """The whole body of an HTTP request."""
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


def with_body(body: bytes) -> Receive:
    """A `Receive` for a request whose body is known."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def answer_of(app: App, scope: Scope, receive: Receive) -> Answer:
    """What an app answers."""
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, keep)
    start, *parts = messages
    headers = {name.decode().lower(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], headers, b"".join(part.get("body", b"") for part in parts))


async def send_answer(send: Send, answer: Answer) -> None:
    """Send an answer."""
    headers = {**answer.headers, "content-length": str(len(answer.body))}
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
    await send({"type": "http.response.body", "body": answer.body})
