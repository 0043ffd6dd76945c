"""Answers that got lost on their way: a request that is repeated gets the answer of the first time.

AWS's SDKs give each call an `amz-sdk-invocation-id`, which all its attempts share. On a busy machine Terraform's AWS
provider was seen to leave a connection while its answer came, and to ask again: then the role that it had just made was
there already, or the dashboard that it had deleted was gone.
"""

from collections import OrderedDict

from local_aws.asgi import App, Message, Receive, Scope, Send, read_body

_CALLS = 256
_LONGEST_BODY = 100_000  # bytes; what is longer is read, and can be read again


class Replays:
    """An ASGI app around another."""

    def __init__(self, *, app: App) -> None:
        self._app = app
        self._answers: OrderedDict[bytes, list[Message]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Repeat an answer that was good; pass on everything else."""
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
        if answer and answer[0]["status"] < 300 and sum(len(each.get("body", b"")) for each in answer) < _LONGEST_BODY:
            self._answers[call] = answer
            if len(self._answers) > _CALLS:
                self._answers.popitem(last=False)


def _invocation(scope: Scope) -> bytes:
    """The call that a request is an attempt of; empty if it does not say."""
    headers = scope["headers"] if scope["type"] == "http" else ()
    return next((value for name, value in headers if name == b"amz-sdk-invocation-id"), b"")
