"""Answers that are lost on their way: a request that is repeated gets the answer of its first attempt.

AWS's SDKs give each call an `amz-sdk-invocation-id`, which all its attempts share. On a busy machine Terraform's AWS
provider sometimes closes a connection just before the answer arrives, and repeats the request. Without this module it
would then find that the role which it had just made exists already, or that the dashboard which it had deleted is gone.
"""

from collections import OrderedDict

from local_aws.asgi import App, Message, Receive, Scope, Send, read_body

_CALLS = 256
_LONGEST_BODY = 100_000  # bytes; longer answers are those of requests that read, and these can be repeated


class Replays:
    """An ASGI app in front of another."""

    def __init__(self, *, app: App) -> None:
        self._app = app
        self._answers: OrderedDict[bytes, list[Message]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Repeat an answer that was good, and pass everything else on."""
        call = _invocation(scope)
        if call in self._answers:
            await read_body(receive)
            for message in self._answers[call]:
                await send(message)
            return
        answer: list[Message] = []

        async def remember(message: Message) -> None:
            answer.append(message)
            await send(message)

        await self._app(scope, receive, remember if call else send)
        length = sum(len(message.get("body", b"")) for message in answer)
        if answer and answer[0]["status"] < 300 and length < _LONGEST_BODY:
            self._answers[call] = answer
            if len(self._answers) > _CALLS:
                self._answers.popitem(last=False)


def _invocation(scope: Scope) -> bytes:
    """The ID of the call that a request is an attempt of; empty if it has none."""
    headers = scope["headers"] if scope["type"] == "http" else ()
    return next((value for name, value in headers if name == b"amz-sdk-invocation-id"), b"")
