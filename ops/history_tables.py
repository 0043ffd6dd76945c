"""What `goldsmith history` prints: a line for each move, or in CSV for each move and region."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lambda_src.handoff.builds import version_of
from lambda_src.handoff.moves import BY_HAND
from ops.history import Entry, ImageHistory
from ops.screen import open_console, short, who

TITLES = (
    *("at", "moves", "image", "channel", "region", "previous", "previous_build", "value", "build", "how", "by", "why"),
    *("skipped", "written"),
)
_FORMULA = tuple("=+-@\t")
"""What a spreadsheet takes for the beginning of a formula."""


def print_history(history: ImageHistory, *, regions: Sequence[str], console: Console) -> None:
    """A table for people; `regions` are those of the image."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for title in ("WHEN (UTC)", "CHANNEL", "FROM", "TO", "REGIONS", "HOW", "WHO", "WHY"):
        table.add_column(title, overflow="fold", no_wrap=title.startswith(("WHEN", "CHANNEL")))
    for entry in history.entries:
        table.add_row(
            f"{entry.at.astimezone(UTC):%Y-%m-%d %H:%M}",
            entry.channel,
            _each(_build(each.previous_build, each.previous, console=console) for each in entry.regions.values()),
            Text(_each(_build(each.build, each.value, console=console) for each in entry.regions.values()), "bold"),
            _regions(entry, regions),
            _how(entry),
            who(entry.by),
            entry.why,
        )
    if table.row_count:
        console.print(table)
    else:
        console.print("nothing was ever moved")


def print_json(history: ImageHistory) -> None:
    """For programs and auditors; `ops.commands.history` lists the members."""
    answer = {"image": history.image, "entries": [*map(_entry, history.entries)], "errors": history.errors}
    open_console().print(json.dumps(answer, indent=2, default=datetime.isoformat), soft_wrap=True)


def write_csv(history: ImageHistory) -> None:
    """For spreadsheets."""
    written = csv.writer(sys.stdout, lineterminator="\n")
    written.writerow(TITLES)
    for entry in history.entries:
        for region, moved in entry.regions.items():
            moves, skipped = " ".join(map(str, entry.moves)), " ".join(entry.skipped)
            cells = [entry.at.isoformat(), moves, history.image, entry.channel, region, moved.previous]
            cells += [moved.previous_build, moved.value, moved.build, entry.how, entry.by, entry.why, skipped]
            written.writerow([*map(_cell, cells), moved.is_written])


def _entry(entry: Entry) -> dict[str, Any]:
    members = asdict(entry)
    del members["is_decided"]
    return {**members, "regions": [{"region": name, **asdict(moved)} for name, moved in entry.regions.items()]}


def _cell(text: str | None) -> str | None:
    return f"'{text}" if text and text.startswith(_FORMULA) else text


def _each(texts: Iterable[str]) -> str:
    return " / ".join(dict.fromkeys(texts))


def _build(arn: str | None, value: str | None, *, console: Console) -> str:
    return version_of(arn or "") or (short(value, console=console) if value else "empty")


def _regions(entry: Entry, regions: Sequence[str]) -> str:
    there = "all" if set(regions) <= entry.regions.keys() else ", ".join(entry.regions)
    left = [name for name, moved in entry.regions.items() if not moved.is_written]
    return f"{there}; not yet {', '.join(left)}" if left else there


def _how(entry: Entry) -> Text:
    if entry.skipped:
        return Text(f"{entry.how}, SKIPPED {' and '.join(entry.skipped)}", "bold red")
    return Text(entry.how, "yellow" if entry.how == BY_HAND else "")
