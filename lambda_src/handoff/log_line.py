"""The one log line of a run, in CloudWatch's embedded metric format.

The namespace is Goldsmith, the dimension Image=<namespace>/<image>, and the metrics are Moved, Problems, Unfinished,
FailedBuilds, IgnoredMessages, Overdue (1 when the newest good build is too old) and Untagged (builds whose tags are
left for the next run).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from .builds import Build
from .configuration import Configuration
from .run import Report

# Lambda cuts a line at 256 KB, and CloudWatch finds no metrics in a line that was cut.
_MOST_TEXTS = 50
_LONGEST_TEXT = 1000


def log_line(
    image: Configuration,
    *,
    messages: Sequence[Mapping[str, str]],
    latest: Mapping[str, str],
    report: Report,
    mistake: str,
) -> dict[str, Any]:
    """The line as JSON; CloudWatch reads in `_aws` which members are metrics. `latest` is where that channel points
    in each region; `mistake` is a bug of this program."""
    failures = report.failures
    metrics = {
        "Moved": len(report.moves),
        "Problems": len(failures.problems),
        "Unfinished": len(failures.unfinished),
        "FailedBuilds": sum(message.get("status") == "FAILED" for message in messages),
        "IgnoredMessages": sum("ignored" in message for message in messages),
        "Overdue": int(_is_overdue(report.newest, after_days=image.overdue_after_days)),
        "Untagged": report.untagged,
    }
    definition = {
        "Namespace": "Goldsmith",
        "Dimensions": [["Image"]],
        # a metric costs money in each hour in which it has a value, and for an alarm no value is as good as 0
        "Metrics": [{"Name": name, "Unit": "Count"} for name, count in metrics.items() if count],
    }
    return {
        "_aws": {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [definition] if definition["Metrics"] else [],
        },
        "Image": image.label,
        **metrics,
        "newest": report.newest.arn if report.newest else None,
        "latest": dict(latest),
        "moves": [asdict(move) for move in report.moves],
        **({"gate": {arn: verdict.reason for arn, verdict in report.gate.items()}} if report.gate else {}),
        **({"held": report.held} if report.held else {}),
        **({"revoked": shortened(report.revoked)} if report.revoked else {}),
        "problems": shortened(failures.problems),
        "unfinished": shortened(failures.unfinished),
        "messages": list(messages),
        **({"mistake": mistake} if mistake else {}),
    }


def shortened(texts: Sequence[str]) -> list[str]:
    """The first texts, each cut where it is very long, and how many there are beyond these."""
    shown = [text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…" for text in texts[:_MOST_TEXTS]]
    return [*shown, f"and {len(texts) - _MOST_TEXTS} more"] if len(texts) > _MOST_TEXTS else shown


def _is_overdue(newest: Build | None, *, after_days: int) -> bool:
    """Whether the newest good build is older than this. An image without a good build is not overdue."""
    if not after_days or not newest or not newest.created:
        return False
    return datetime.now(UTC) - newest.created > timedelta(days=after_days)
