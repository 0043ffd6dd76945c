"""Reading what was written until AWS shows it: an answer to a write does not mean that a read has it already."""

from __future__ import annotations

import time
from collections.abc import Callable

from ops.errors import OpsError

_WITHIN_SECONDS = 5.0


def read_back(read: Callable[[], str | None], wanted: str | None, *, what: str) -> None:
    """Read until it is as wanted. Raises `OpsError`, which begins with `what` was written, and what `read` raises."""
    until, wait = time.monotonic() + _WITHIN_SECONDS, 0.1
    while read() != wanted:
        if time.monotonic() + wait > until:
            raise OpsError(f"{what} was written, and shows another value; run the command again")
        time.sleep(wait)
        wait *= 2
