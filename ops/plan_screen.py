"""What `goldsmith plan` and `apply` show: the stacks in progress, a table at the end, and what a person should read."""

from __future__ import annotations

import json
import shlex
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ops.plan_result import Planned
from ops.screen import duration, new_table, open_console

_STYLES = {"changes": "yellow", "empty": "green", "failed": "red"}


class Board:
    """Shows the stacks that are planned or applied: a live table on a terminal, a line for each stack in a pipe.

    A context manager, and safe to use in several threads.
    """

    def __init__(self, console: Console, *, total: int) -> None:
        self._console, self._total = console, total
        self._lock = threading.Lock()
        self._note = ""
        self._running: dict[str, tuple[str, float]] = {}
        self._done = 0
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_interactive:
            self._live = Live(console=self._console, get_renderable=self._table, refresh_per_second=4, transient=True)
            self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def note(self, text: str) -> None:
        """What is done before the stacks."""
        with self._lock:
            self._note = text

    def begin(self, stack: str, step: str) -> None:
        """A step of a stack begins."""
        with self._lock:
            _, began = self._running.get(stack, ("", time.monotonic()))
            self._running[stack] = (step, began)

    def end(self, stack: str, how: str) -> None:
        """A stack is done, or has failed."""
        with self._lock:
            self._running.pop(stack, None)
            self._done += 1
            if not self._live:
                self._console.print(f"{self._done}/{self._total} {stack}: {how}", soft_wrap=True)

    def _table(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        with self._lock:
            running, done, note = dict(self._running), self._done, self._note
        if not running and not done:
            table.add_row(Text(note, "dim"))
        for stack, (step, began) in running.items():
            table.add_row(Text(stack, "bold"), Text(step, "cyan"), Text(duration(time.monotonic() - began), "dim"))
        table.add_row(Text(f"{done} of {self._total} stacks", "dim"))
        # narrower than the terminal: after a full line, the ^C that it prints would begin a new line
        return Padding(table, (0, 0, 0, 2), expand=False)


def what_is_planned(planned: Planned) -> str:
    """In a few words."""
    return {"changes": planned.counts, "empty": "no changes", "failed": "failed"}[planned.entry.status]


def print_planned(
    planned: Sequence[Planned], folder: Path, *, shows_drift: bool, again: Callable[[str], str], console: Console
) -> None:
    """A table, and then what a person should read: warnings, drift and failures."""
    table = new_table("STACK", "ACCOUNT", "REGION", "PLAN", "ADD", "CHANGE", "DESTROY", "WARNINGS")
    for each in planned:
        entry = each.entry
        counts = ("-",) * 3 if entry.status == "failed" else (each.add, each.change, each.destroy)
        status = Text(entry.status, _STYLES[entry.status])
        cells = (*map(str, counts), str(len(each.warnings)))
        table.add_row(entry.stack, entry.account or "-", entry.region, status, *cells)
    if planned:
        console.print(table)
    for each in planned:
        stack = each.entry.stack
        for message in each.warnings:
            console.print(Text(f"{stack}: warning: {message}", "yellow"), soft_wrap=True)
        for address in each.drift if shows_drift else ():
            console.print(Text(f"{stack}: changed outside Terraform: {address}", "yellow"), soft_wrap=True)
        if each.entry.status == "failed":
            console.print(Text(f"{stack}: failed: {each.entry.error}", "red"), soft_wrap=True)
    changes = [each for each in planned if each.entry.status == "changes"]
    if shows_drift and planned and not any(each.drift for each in planned):
        console.print("nothing was changed outside Terraform", soft_wrap=True)
    if changes and not any(each.entry.status == "failed" for each in planned):
        console.print(f"the plans are in {folder}: {again(f'apply {shlex.quote(str(folder))}')}", soft_wrap=True)


def print_json(planned: Sequence[Planned], folder: Path) -> None:
    """One object; `ops.commands.plan` describes its members."""
    members = {"out": str(folder), "stacks": [_members(each) for each in planned]}
    open_console().print(json.dumps(members, indent=2, ensure_ascii=False), soft_wrap=True)


def _members(planned: Planned) -> dict[str, Any]:
    entry = planned.entry
    return {
        "stack": entry.stack,
        "account": entry.account,
        "region": entry.region,
        "status": entry.status,
        "error": entry.error,
        "add": planned.add,
        "change": planned.change,
        "destroy": planned.destroy,
        "warnings": list(planned.warnings),
        "drift": list(planned.drift),
    }
