"""Whole answers to DescribeAlarms in the query protocol, which Terraform's AWS provider speaks.

ministack's XML leaves out half of an alarm (description, dimensions, period, statistic, …), so every plan would show
changes; its JSON has all. So the question is passed on in JSON and the answer comes back in XML.
"""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from local_aws.asgi import App, Receive, Scope, Send, answer_of, giving, read_body, respond

_TARGET = b"GraniteServiceVersion20100801.DescribeAlarms"
_DATES = ("StateUpdatedTimestamp", "AlarmConfigurationUpdatedTimestamp")


class WholeAlarms:
    """An ASGI app around another; only for requests to CloudWatch."""

    def __init__(self, *, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Translate DescribeAlarms, and pass everything else on as it is."""
        body = await read_body(receive)
        question = parse_qs(body.decode(errors="replace"))
        if question.get("Action") != ["DescribeAlarms"]:
            await self._app(scope, giving(body), send)
            return
        status, answer = await self._in_json(scope, _members(question))
        await respond(send, status=status, headers={"content-type": "text/xml"}, body=_xml(answer))

    async def _in_json(self, scope: Scope, question: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        replaced = (b"content-type", b"content-length", b"x-amz-target")
        headers = [(name, value) for name, value in scope["headers"] if name.lower() not in replaced]
        body = json.dumps(question).encode()
        headers += [
            (b"content-type", b"application/x-amz-json-1.0"),
            (b"content-length", str(len(body)).encode()),
            (b"x-amz-target", _TARGET),
        ]
        answer = await answer_of(self._app, {**scope, "headers": headers}, giving(body))
        return answer.status, json.loads(answer.body)


def _members(question: dict[str, list[str]]) -> dict[str, Any]:
    """The parameters of the query form, its lists (`AlarmNames.member.1`) put together."""
    members: dict[str, Any] = {}
    for key, (value, *_) in question.items():
        name, _, number = key.partition(".member.")
        if number:
            members.setdefault(name, []).append(value)
        elif name not in ("Action", "Version"):
            members[name] = int(value) if name == "MaxRecords" else value
    return members


def _xml(answer: dict[str, Any]) -> bytes:
    result = f"<DescribeAlarmsResult>{_elements(answer)}</DescribeAlarmsResult>"
    return f"<DescribeAlarmsResponse>{result}</DescribeAlarmsResponse>".encode()


def _elements(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(
            f"<{name}>{_date(each) if name in _DATES else _elements(each)}</{name}>"
            for name, each in value.items()
            if each is not None
        )
    if isinstance(value, list):
        return "".join(f"<member>{_elements(each)}</member>" for each in value)
    return escape(str(value).lower() if isinstance(value, bool) else str(value))


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
