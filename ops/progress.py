"""Shows a build that runs: a live table of its statuses on a terminal, a line for each status in a pipe."""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from ops.screen import duration


@dataclass
class _Row:
    name: str
    began: float | None
    """None when its beginning was not seen."""
    ended: float | None = None
    at_least: bool = False
    """Whether it had begun before `began`."""
    good: bool | None = None
    """None while it lasts, and when its end was not seen."""
    style: str = ""
    note: str = ""


class Progress:
    """Shows the steps of one build. A context manager; `build` is `web 1.0.912/3`.

    `age_in_seconds` is how long the build was already running; None when it has just been started.
    """

    def __init__(self, console: Console, *, build: str, age_in_seconds: float | None) -> None:
        self._console = console
        self._build = build
        self._joined = age_in_seconds is not None
        self._started = time.monotonic() - (age_in_seconds or 0.0)
        self._rows: list[_Row] = []
        self._spinner = Spinner("line" if console.options.ascii_only else "dots", style="cyan")
        self._live: Live | None = None
        if console.is_interactive:
            self._live = Live(console=console, get_renderable=self._table, refresh_per_second=10)

    def __enter__(self) -> Self:
        if self._live:
            self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._rows and self._rows[-1].ended is None:
            self._rows[-1].ended = time.monotonic()
        if self._live:
            self._live.stop()

    @property
    def step_seconds(self) -> float:
        """How long the present step has lasted since it was first seen."""
        began = self._rows[-1].began if self._rows else None
        return 0.0 if began is None else time.monotonic() - began

    def step(self, name: str, *, line: str = "", note: str = "") -> None:
        """A step begins; nothing changes when it is the present one, with the same note. `line` is printed in a pipe
        (default: the name), and `note` stands beside the step on a terminal."""
        if self._rows and (self._rows[-1].name, self._rows[-1].note) == (name, note):
            return
        first = not self._rows
        self.end_step(good=True)
        self._rows.append(_Row(name, time.monotonic(), at_least=first and self._joined, note=note))
        self._print(line or name, timed=not first and not line)

    def end_step(self, *, good: bool) -> None:
        """The present step is over. `step` calls this for the step before."""
        if self._rows and self._rows[-1].ended is None:
            self._rows[-1].good, self._rows[-1].ended = good, time.monotonic()

    def end(self, status: str, *, good: bool) -> None:
        """Image Builder has finished the build."""
        self.end_step(good=good)
        watched = bool(self._rows) or not self._joined
        style = "bold green" if good else "bold red"
        began = self._started if watched else None
        self._rows.append(
            _Row(status, began, time.monotonic(), good=good, style=style, note="in all" if watched else "")
        )
        self._print(status, timed=watched)

    def _print(self, what: str, *, timed: bool) -> None:
        if not self._live:
            after = f" after {duration(time.monotonic() - self._started)}" if timed else ""
            self._console.print(f"{self._build} {what}{after}")

    def _table(self) -> RenderableType:
        table = Table.grid(padding=(0, 1))
        table.add_column(width=1)
        table.add_column(width=14)
        table.add_column(justify="right", width=9)
        table.add_column(style="dim")
        good, bad, left = "+x-" if self._console.options.ascii_only else "✓✗·"
        marks = {True: Text(good, "green"), False: Text(bad, "red"), None: Text(left, "dim")}
        for row in self._rows:
            lasted = "" if row.began is None else duration((row.ended or time.monotonic()) - row.began)
            table.add_row(
                self._spinner if row.ended is None else marks[row.good],
                Text(row.name, row.style),
                lasted + ("+" if row.at_least else ""),
                row.note,
            )
        # narrower than the terminal: after a full line, the ^C that it prints would begin a new line
        return Padding(table, (0, 0, 0, 2), expand=False)
