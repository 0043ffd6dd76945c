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

_CREDENTIAL_SCOPE = re.compile(rb"Credential=[^/]*/[0-9]{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")


@dataclass(frozen=True)
class Answer:
    """A whole HTTP response."""

    status: int
    headers: Mapping[str, str]
    """By names in lower case. The length of the body is added when the answer is sent."""
    body: bytes


def region_and_service(scope: Scope) -> tuple[str, str]:
    """What the request's signature is for; both are empty for a request without a signature in its headers."""
    for name, value in scope.get("headers", ()):
        if name == b"authorization" and (match := _CREDENTIAL_SCOPE.search(value)):
            return match["region"].decode(), match["service"].decode()
    return "", ""


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
