"""Deprecated, disabled and lately launched AMIs, which ministack does not know: EC2's actions, and what it tells.

A deprecated AMI carries its date and is shown to its owner as before. A disabled one is shown only to who asks for
disabled AMIs (EnableImageDeprecation and DisableImage in EC2's API reference).
"""

from datetime import UTC, datetime
from urllib.parse import parse_qs
from xml.etree import ElementTree

from local_aws.asgi import App, Receive, Scope, Send, answer_of, giving, read_body, send_answer
from local_aws.ministack.ec2_xml import add, response, send_xml, text


class AmiStates:
    """An ASGI app around another; only for requests to EC2."""

    def __init__(self, *, app: App) -> None:
        self._app = app
        self._deprecated: dict[str, str] = {}
        self._disabled: set[str] = set()
        self._launched: dict[str, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the four actions, put DescribeImages right, and pass everything else on as it is."""
        body = await read_body(receive)
        asked = {key: values[0] for key, values in parse_qs(body.decode(errors="replace")).items()}
        match asked.get("Action", ""):
            case "EnableImageDeprecation":
                self._deprecated[asked["ImageId"]] = _iso(asked["DeprecateAt"])
            case "DisableImageDeprecation":
                self._deprecated.pop(asked["ImageId"], None)
            case "DisableImage":
                self._disabled.add(asked["ImageId"])
            case "EnableImage":
                self._disabled.discard(asked["ImageId"])
            case "DescribeImages" if self._deprecated or self._disabled or self._launched:
                answer = await answer_of(self._app, scope, giving(body))
                hide = asked.get("IncludeDisabled") != "true"
                await send_answer(send, answer, body=self._put_right(answer.body, hide=hide))
                return
            case _:
                await self._app(scope, giving(body), send)
                return
        await send_xml(send, response(asked["Action"], "<return>true</return>"))

    def launch(self, ami: str, date: str) -> None:
        """Let an instance of an AMI have been launched, in the API's form of the time."""
        self._launched[ami] = date

    def _put_right(self, body: bytes, *, hide: bool) -> bytes:
        root = ElementTree.fromstring(body)
        images = root.find("{*}imagesSet")
        if images is None:  # a refusal
            return body
        for image in list(images):
            ami = image.findtext("{*}imageId") or ""
            if ami in self._disabled and hide:
                images.remove(image)
            elif ami in self._disabled and (state := image.find("{*}imageState")) is not None:
                state.text = "disabled"
            if ami in self._deprecated:
                add(image, "deprecationTime", self._deprecated[ami])
            if ami in self._launched:
                add(image, "lastLaunchedTime", self._launched[ami])
        return text(root)


def _iso(time: str) -> str:
    """A time as EC2 tells it: to the minute, which it rounds to."""
    moment = datetime.fromisoformat(time).astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:00.000Z")
