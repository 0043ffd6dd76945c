"""The look of output: colours on a terminal, and in a pipe plain text with one item on each line."""

import sys
from datetime import UTC, datetime, timedelta

from rich.console import Console
from rich.table import Table

_WIDER_THAN_ANY_LINE = 10_000


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Rich would end the program without a message; `entry` prints one."""
        raise


def open_console(*, to_stderr: bool = False, is_live: bool = True) -> Console:
    """A console for standard output or error. In a pipe it writes no colours and no control characters, whatever the
    environment variables say, and does not break lines. Without `is_live`, lines that are written are never changed."""
    stream = sys.stderr if to_stderr else sys.stdout
    terminal = stream.isatty()
    return _Console(
        file=stream,
        force_terminal=terminal,
        force_interactive=None if terminal and is_live else False,
        width=None if terminal else _WIDER_THAN_ANY_LINE,
        # square brackets in AWS's messages are not markup
        markup=False,
        emoji=False,
        highlight=False,
    )


def new_table(*titles: str) -> Table:
    """A table for people, whose cells are broken into lines where they do not fit."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    return table


def duration(seconds: float) -> str:
    """`0:07`, `12:40`, `1:02:09`."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def age(time: timedelta) -> str:
    """`3 days`, `1 hour`, `seconds`: the largest unit, rounded down; `seconds` also where AWS's clock is ahead."""
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if (count := int(time.total_seconds() // length)) > 0:
            return f"{count} {unit}" + ("s" if count != 1 else "")
    return "seconds"


def moment(time: datetime, *, now: datetime | None = None) -> str:
    """`24 Nov 03:12` in UTC, with the year if it is not that of `now`: `24 Nov 2025 03:12`."""
    here = time.astimezone(UTC)
    is_this_year = here.year == (now or datetime.now(UTC)).astimezone(UTC).year
    return f"{here:%d %b %H:%M}" if is_this_year else f"{here:%d %b %Y %H:%M}"


def moment_in_zone(time: datetime) -> str:
    """`Mon 30 Nov 10:00 Asia/Tokyo`, in the time zone of the time."""
    return f"{time:%a} {time.day} {time:%b %H:%M} {time.tzinfo or 'UTC'}"


def build_label(version: str, created: datetime | None) -> str:
    """A build as people read it, with its date first: `24 Nov 03:12, 1.0.671820532/3`."""
    return f"{moment(created)}, {version}" if created else version


def who(arn: str) -> str:
    """Who an ARN means: `anna`, `anna (role admin)`, `the hand-off function`; a service or a text that is no ARN as it
    is."""
    kind, _, rest = arn.rpartition(":")[2].partition("/")
    if ":function:" in arn:
        return "the hand-off function"
    if kind == "assumed-role" and "/" in rest:
        role, _, session = rest.rpartition("/")
        return f"{session} (role {role})"
    return rest.rpartition("/")[2] if kind == "user" else kind or arn


def short(value: str, *, console: Console) -> str:
    """A channel's value on a terminal: the URI of a container image is shown without its registry and most of its
    digest.

    In a pipe, for programs, the whole value.
    """
    name, at, digest = value.partition("@sha256:")
    if not at or not console.is_terminal:
        return value
    return f"{name.partition('/')[2]}{at}{digest[:12]}"
