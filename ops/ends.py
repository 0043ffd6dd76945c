"""How builds end: their last statuses, and why one failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GOOD = "AVAILABLE"
UNFINISHED = ("FAILED", "CANCELLED")
"""The last statuses of builds that made nothing; Image Builder gives a reason for them."""
ENDED = (GOOD, *UNFINISHED, "DEPRECATED", "DISABLED", "DELETED")


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a build made nothing."""

    reason: str | None = None
    """Image Builder's reason."""
    logs: str | None = None
    """Where the build's log is, `s3://bucket/prefix`."""


NO_FAILURE = Failure()
"""Of a build that did not fail."""


def failure_of(image: Mapping[str, Any]) -> Failure:
    """The failure in GetImage's answer about a build."""
    logs = image.get("infrastructureConfiguration", {}).get("logging", {}).get("s3Logs", {})
    place = "/".join(filter(None, (logs.get("s3BucketName"), logs.get("s3KeyPrefix"))))
    return Failure(
        reason=" ".join(image["state"].get("reason", "").split()) or None,
        logs=f"s3://{place}" if place else None,
    )
