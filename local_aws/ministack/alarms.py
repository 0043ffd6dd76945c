"""Whole answers to DescribeAlarms in the query protocol, which Terraform's AWS provider speaks.

ministack's XML lacks half of an alarm (description, dimensions, period, statistic, …), so every plan would show
changes. Its JSON has everything: the request is passed on in JSON, and the answer is translated to XML.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from local_aws.asgi import Answer, App, Receive, Scope, Send, answer_of, read_body, send_answer, with_body, with_headers
from local_aws.ministack.query_api import Query, xml_answer

_JSON = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "GraniteServiceVersion20100801.DescribeAlarms"}
_DATES = ("StateUpdatedTimestamp", "AlarmConfigurationUpdatedTimestamp")


class WholeAlarms:
    """An ASGI app in front of ministack, for requests to CloudWatch."""

    def __init__(self, *, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Translate DescribeAlarms, and pass everything else on as it is."""
        query = Query(self._app, scope, await read_body(receive))
        if query.action != "DescribeAlarms":
            await send_answer(send, await query.answer())
            return
        answer = await self._in_json(query)
        result = _with_dates(json.loads(answer.body))
        content = {"DescribeAlarmsResult": result}
        await send_answer(send, xml_answer("DescribeAlarmsResponse", content, entry="member", status=answer.status))

    async def _in_json(self, query: Query) -> Answer:
        question = {name: value for name, value in query.tree.items() if name not in ("Action", "Version")}
        if "MaxRecords" in question:
            question["MaxRecords"] = int(question["MaxRecords"])
        scope = with_headers(query.scope, _JSON)
        return await answer_of(self._app, scope, with_body(json.dumps(question).encode()))


def _with_dates(value: Any) -> Any:
    """Times as XML has them: JSON has seconds since 1970."""
    if isinstance(value, Mapping):
        return {
            name: datetime.fromtimestamp(inner, UTC).isoformat() if name in _DATES and inner else _with_dates(inner)
            for name, inner in value.items()
        }
    return [_with_dates(inner) for inner in value] if isinstance(value, list) else value
