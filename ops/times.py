"""Times on the command line: a duration from now, or a time with its offset."""

from __future__ import annotations

from datetime import datetime, timedelta

from estate.models.durations import Duration
from ops.errors import UsageError

WHEN = "in '2 days', or at 2026-12-01T09:00+09:00"
"""How a time is written, for the help."""
_REMEDY = "write a duration from now, such as '2 days', or a time with its offset, such as 2026-12-01T09:00+09:00"


def time_from(text: str, *, now: datetime, option: str) -> datetime:
    """The time of an option. Raises `UsageError`.

    `2 days` and `15 minutes` are durations as in the configuration. A time is in ISO 8601 with its offset: without one,
    two people may read two times.
    """
    words = " ".join(text.split()).removeprefix("in ")
    try:
        if duration := Duration.parse(words):
            return now + timedelta(seconds=duration.seconds)
        time = datetime.fromisoformat(words)
    except (ValueError, OverflowError):
        raise UsageError(f"argument {option}: must be a time, got {text!r}; {_REMEDY}") from None
    if time.tzinfo is None:
        raise UsageError(f"argument {option}: must have an offset, got {text!r}; {_REMEDY}")
    return time
