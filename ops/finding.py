"""What one check of `goldsmith doctor` found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

OK: Final = "ok"
MISSING: Final = "missing"
UNKNOWN: Final = "unknown"
"""It could not be checked."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the report."""

    subject: str
    state: Literal["ok", "missing", "unknown"] = OK
    text: str
    """What was found, or what is wrong."""
    remedy: str = ""
    """What to do."""
