"""Commands that have another name now: refused, with the command to type."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ops.errors import UsageError


def check_name(command: Sequence[str]) -> None:
    """Raises `UsageError` for a command line from before, with the one that does the same now."""
    match command:
        case ["follow", image, *rest] if not image.startswith("-"):
            _refuse("follow", ["build", image, "--attach", *rest])
        case ["follow", *_]:
            _refuse("follow", ["build", "IMAGE", "--attach"])
        case ["parent", *rest]:
            _refuse("parent", ["doctor", "--parent", *(rest or ["OS"])])
        case ["build", *rest] if "--follow" in rest:
            _refuse("build --follow", ["build", *(each for each in rest if each != "--follow")])


def _refuse(before: str, now: Sequence[str]) -> None:
    raise UsageError(f"goldsmith {before} has another name: {shlex.join(['goldsmith', *now])}")
