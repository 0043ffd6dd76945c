"""Messages of SNS, for the log. Nothing is decided from them: after every event the function asks Image Builder."""

from __future__ import annotations

import json
from typing import Any

_LONGEST_QUOTATION = 300
"""Characters of a message that are logged; anybody could have written it."""


def read_messages(event: Any, *, pipeline_arn: str) -> list[dict[str, str]]:
    """One entry for each record of SNS: the image and its status, or why the message is ignored."""
    records = event.get("Records") if isinstance(event, dict) else None
    return [_message(record, pipeline_arn) for record in records] if isinstance(records, list) else []


def _message(record: Any, pipeline_arn: str) -> dict[str, str]:
    body = image = status = None
    try:
        body = record["Sns"]["Message"]
        message = json.loads(body)
        image, status = message["arn"], message["state"]["status"]
    except (ValueError, KeyError, TypeError, RecursionError):
        pass  # image and status are not both known then
    if not isinstance(image, str) or not isinstance(status, str):
        return {"ignored": "not from Image Builder", "body": body[:_LONGEST_QUOTATION] if isinstance(body, str) else ""}
    # a build that no pipeline started has no sourcePipelineArn, and can still be published to this topic
    if message.get("sourcePipelineArn", pipeline_arn) != pipeline_arn:
        return {"ignored": "from another pipeline", "image": image[:_LONGEST_QUOTATION]}
    return {"image": image[:_LONGEST_QUOTATION], "status": status[:_LONGEST_QUOTATION]}
