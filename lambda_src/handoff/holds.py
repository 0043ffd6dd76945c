"""Holds: while an image or one of its channels is held, nothing moves it.

A hold is a parameter in the home region: `_hold` beside the channels holds all of them, `_hold-<channel>` one. It is
ended by writing, not by deleting, so that Parameter Store's history shows who held what, and why.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime

from .builds import time_in


@dataclass(frozen=True, kw_only=True)
class Hold:
    """The value of a hold's parameter."""

    held: bool
    by: str = ""
    why: str = ""
    until: str | None = None
    """When it ends by itself, in ISO 8601; None when somebody has to end it."""

    def holds_at(self, time: datetime) -> bool:
        """Whether it holds at a time."""
        end = time_in(self.until)
        return self.held and (end is None or time < end)

    @property
    def text(self) -> str:
        """Why, who and until when, for the log."""
        by, until = (f", by {self.by}" if self.by else ""), (f", until {self.until}" if self.until else "")
        return f"{self.why}{by}{until}"

    def to_json(self) -> str:
        """The parameter's value."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @staticmethod
    def from_json(written: str) -> Hold:
        """From the parameter's value. One that cannot be read holds: somebody wanted to stop something."""
        try:
            members = json.loads(written)
            held, until = members["held"], members.get("until")
            if isinstance(held, bool) and (until is None or time_in(until)):
                by, why = str(members.get("by") or ""), str(members.get("why") or "")
                return Hold(held=held, by=by, why=why, until=until)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            pass
        return Hold(held=True, why="the value of the hold's parameter cannot be read")
