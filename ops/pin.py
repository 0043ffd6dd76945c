"""`goldsmith pin`: writes what fleets with `updates: pull-request` run into `pins.yaml`.

What a channel points to is taken, looked at by the rules of guards and rollouts, and refused with every reason. A pull
request that changes the file is the promotion, and reverting its commit is the way back. `ops.commands.pin` lists the
members of the JSON.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from estate.estate import Estate
from estate.models.pin import Pin
from lambda_src.handoff.builds import time_in
from ops.accounts import Accounts, access_to_fleet, access_to_image_of
from ops.pin_file import PinFile
from ops.pin_proposal import Proposal, Wish, propose
from ops.screen import build_label, new_table, open_console

_AT_ONCE = 8


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run has done."""

    file: str
    written: bool
    deleted: tuple[str, ...]
    """The fleets whose pins were deleted, because nothing reads them."""
    proposals: tuple[Proposal, ...]


def run_pin(file: PinFile, estate: Estate, names: Sequence[str], wish: Wish, *, as_json: bool) -> int:
    """Look, write and print; the exit status. Raises `OpsError`."""
    console = open_console(to_stderr=as_json)
    fleets = [estate.fleet(name) for name in names]
    accounts, now = Accounts(), datetime.now(UTC)
    with console.status("Reading channels, AMIs and records"), ThreadPoolExecutor(_AT_ONCE) as pool:
        accounts.reach_all([*map(access_to_fleet, fleets), *map(access_to_image_of, fleets)], pool=pool)
        proposals = list(pool.map(lambda fleet: propose(fleet, accounts, wish, now), fleets))
    kept = {name: pin for name, pin in estate.pins.items() if name in estate.fleets and estate.fleets[name].is_pinned}
    pins = kept | {each.fleet: each.pin for each in proposals if each.pin and not each.refused}
    outcome = Outcome(
        file=str(file.path),
        written=pins != estate.pins,
        deleted=tuple(sorted(estate.pins.keys() - kept.keys())),
        proposals=tuple(proposals),
    )
    if outcome.written:
        file.write(pins)
    if as_json:
        open_console().print(json.dumps(_members(outcome), indent=2), soft_wrap=True)
    _print(outcome, console=console)
    return 1 if any(each.refused for each in proposals) else 0


def _print(outcome: Outcome, *, console: Console) -> None:
    if not outcome.proposals:
        console.print("no fleet has updates: pull-request")
    else:
        console.print(_table(outcome.proposals))
    for fleet in outcome.deleted:
        console.print(f"{fleet}: the pin is deleted, because nothing reads it", soft_wrap=True)
    if outcome.written:
        console.print(f"{outcome.file} is written: commit it, and open a pull request", soft_wrap=True)


def _table(proposals: Sequence[Proposal]) -> Table:
    table = new_table("FLEET", "CHANNEL", "PINNED", "NOW", "WHAT HAPPENS")
    for each in proposals:
        shown = each.pin or each.before
        style = {"refused": "red", "pinned": "green"}.get(each.state, "")
        what = "; ".join(each.refused or (each.state, *each.notes))
        channel = shown.channel if shown else "-"
        table.add_row(each.fleet, channel, _label(each.before), _label(each.pin), Text(what, style))
    return table


def _label(pin: Pin | None) -> str:
    return build_label(pin.build, time_in(pin.created)) if pin else "-"


def _members(outcome: Outcome) -> dict[str, Any]:
    return {
        "file": outcome.file,
        "written": outcome.written,
        "deleted": [*outcome.deleted],
        "fleets": [
            {
                "fleet": each.fleet,
                "state": each.state,
                "before": each.before.model_dump(mode="json", exclude={"name"}) if each.before else None,
                "pin": each.pin.model_dump(mode="json", exclude={"name"}) if each.pin else None,
                "refused": list(each.refused),
                "notes": list(each.notes),
            }
            for each in outcome.proposals
        ],
    }
