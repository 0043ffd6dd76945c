"""`goldsmith revoke`: shows what a revocation affects, asks, writes it, and says what is left to do.

`ops.commands.revoke` lists the members of its JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from estate.names import LATEST
from lambda_src.handoff.builds import REVOKED_TAG, Revocation, version_of
from ops.accounts import Accounts
from ops.affected import AffectedChannel
from ops.errors import Interrupted, OpsError
from ops.handoff_start import HandoffStart, start_handoff
from ops.moves_away import MovedAway, move_away
from ops.question import check_terminal, confirm
from ops.revocation import Change, Revoking, Wish, carry_out, comes_back, prepare
from ops.screen import build_label, moment, new_table, open_console

_AT_ONCE = 8
"""Requests at the same time; a client's pool has ten connections."""


def run_revoke(wish: Wish, *, accounts: Accounts, as_json: bool, asks: bool, command: Callable[[str], str]) -> int:
    """Show, ask and write; the exit status. `command` completes `revoke web@6718 …` to a whole command line.

    Raises `OpsError`.
    """
    console = open_console(to_stderr=as_json)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        with console.status("Reading builds, channels, fleets and the ancestors of AMIs"):
            revoking = prepare(wish, accounts=accounts, pool=pool)
        _show(revoking, wish, console=console, command=command)
        label = revoking.subject.label
        if any(change.state == "to write" for change in revoking.changes) and asks:
            check_terminal(label)
            verb = "Undo the revocation of" if wish.undo else "Revoke"
            confirm(f"{verb} {_counted(revoking.changes)}?", otherwise=f"{label}: nothing was changed")
        changes: list[Change] = []
        moved: list[MovedAway] = []
        try:
            changes += carry_out(revoking, accounts)
            started = list(pool.map(lambda image: start_handoff(image, accounts), revoking.images))
            if wish.rolls_back:
                moved += move_away(_channels(revoking), _reason(wish, label), estate=wish.estate, accounts=accounts)
        except KeyboardInterrupt:
            raise Interrupted(f"\n{label}: not everything may be written; the same command does the rest") from None
    if as_json:
        open_console().print(json.dumps(_members(revoking, changes, started, moved), indent=2), soft_wrap=True)
    _report(revoking, changes, started, wish, console=console)
    for each in moved:
        if each.reason is None:
            console.print(each.text, style="green", soft_wrap=True)
    failures = [f"{change.label}: {change.reason}" for change in changes if change.state == "failed"]
    failures += [each.text for each in started if each.failed]
    failures += [each.text for each in moved if each.reason]
    if failures:
        raise OpsError("\n".join(failures))
    may_miss_some = (wish.children and revoking.errors) or (wish.rolls_back and revoking.may_miss_channels)
    return 1 if may_miss_some else 0


def _reason(wish: Wish, label: str) -> str:
    """Why channels are rolled back."""
    return f"{label} is revoked: {wish.why}"


def _counted(changes: Sequence[Change]) -> str:
    others = len(changes) - 1
    return changes[0].label + (f" and {others} build{'s' if others > 1 else ''} made on it" if others else "")


# --- Before


def _show(revoking: Revoking, wish: Wish, *, console: Console, command: Callable[[str], str]) -> None:
    subject = revoking.subject
    label = Text(build_label(subject.label, subject.build.created), "bold")
    console.print(label.append(f": {_what(subject)}", "not bold"), soft_wrap=True)
    _show_channels(revoking, wish, console=console)
    _show_fleets(revoking, console=console)
    _show_builds(revoking, console=console)
    for line in _notes(revoking, wish, command=command):
        console.print(line, style="yellow", soft_wrap=True)


def _what(change: Change) -> str:
    """What is to be written for a build."""
    present, wanted = change.build.revocation, Revocation.from_tag(change.after) if change.after else None
    if wanted is None:
        return f"is revoked{_since(present)}" if present else "is not revoked"
    if change.state == "unchanged":
        return f"is revoked already{_since(wanted)}"
    if present is None and wanted.since <= datetime.now(UTC):
        return f"to be revoked: {wanted.why}"
    return f"to be revoked{_since(wanted)}" + (f" (now revoked{_since(present)})" if present else "")


def _since(revocation: Revocation | None) -> str:
    if revocation is None:
        return ""
    if revocation.is_since_ever:
        return f": {revocation.why}"
    verb = "from" if revocation.since > datetime.now(UTC) else "since"
    return f" {verb} {moment(revocation.since)} UTC: {revocation.why}"


def _show_channels(revoking: Revoking, wish: Wish, *, console: Console) -> None:
    channels = _channels(revoking)
    if not channels:
        return
    table = new_table("CHANNEL", "BUILD", "REGIONS", "" if wish.undo else "WHAT HAPPENS")
    for channel in channels:
        what = "" if wish.undo else _what_happens(channel, wish)
        table.add_row(channel.reference, channel.build, ", ".join(channel.regions), what)
    console.print(table)


def _what_happens(channel: AffectedChannel, wish: Wish) -> str:
    if channel.held:
        return "stays as long as it is held"
    if wish.rolls_back and not channel.moves_by_itself:
        return "is rolled back by this command"
    if channel.moves_by_itself:
        return f"moves to another good build by itself{'' if channel.channel == LATEST else ', of its history'}"
    return f"stays: goldsmith rollback {channel.reference}"


def _show_fleets(revoking: Revoking, *, console: Console) -> None:
    fleets = [fleet for affected in revoking.affected for fleet in affected.fleets]
    if not fleets:
        return
    table = new_table("FLEET", "CHANNEL", "POINTS TO IT", "INSTANCES")
    for fleet in fleets:
        count = str(fleet.instances) if fleet.instances else "none"
        source = "its pin" if fleet.pinned else f"{fleet.image}@{fleet.channel}"
        table.add_row(fleet.fleet, source, "yes" if fleet.follows else "no", count)
    console.print(table)


def _show_builds(revoking: Revoking, *, console: Console) -> None:
    if len(revoking.changes) > 1:
        table = new_table("BUILD MADE ON IT", "")
        for change in revoking.changes[1:]:
            table.add_row(build_label(change.label, change.build.created), _what(change))
        console.print(table)


def _notes(revoking: Revoking, wish: Wish, *, command: Callable[[str], str]) -> Iterator[str]:
    """What a person should know besides."""
    if not wish.undo:
        yield from _where_it_runs(revoking)
    if wish.undo and revoking.subject.state == "to write":
        yield from comes_back(revoking)
    if revoking.left:
        made = f"{len(revoking.left)} build{'s' if len(revoking.left) > 1 else ''} of other images"
        names = ", ".join(revoking.left)
        if wish.undo:
            yield f"{made} stay revoked that were revoked with it: {names}; to undo that, too, add --children"
        else:
            yield f"{made} made on it, and stay good: {names}; to revoke them, too, add --children"
    yield from revoking.errors
    for affected in revoking.affected:
        yield from affected.errors


def _where_it_runs(revoking: Revoking) -> Iterator[str]:
    for affected in revoking.affected:
        for region, count in affected.others.items():
            yield f"{region}: {count} running instance{'s' if count > 1 else ''} of no fleet of this configuration"
        for fleet in affected.fleets:
            if fleet.pinned and fleet.follows:
                command = f"goldsmith pin {fleet.fleet}"
                yield f"fleet {fleet.fleet} is pinned to it: {command} when its channel has another build"
            if fleet.automatic and fleet.follows:
                what = "because of updates: automatic, when its channel has another build"
                yield f"fleet {fleet.fleet} is rolled out by its function, {what}"
    if not _channels(revoking):
        yield "no channel points to it"


def _channels(revoking: Revoking) -> list[AffectedChannel]:
    return [channel for affected in revoking.affected for channel in affected.channels]


# --- After


def _report(
    revoking: Revoking, changes: Sequence[Change], started: Sequence[HandoffStart], wish: Wish, *, console: Console
) -> None:
    for change in changes:
        if change.state == "failed":
            continue
        if change.after is None:
            console.print(f"{change.label} is not revoked any more", style="green", soft_wrap=True)
        else:
            text = f"{change.label} is revoked{_since(Revocation.from_tag(change.after))}"
            console.print(text, style="green", soft_wrap=True)
    for each in started:
        if not each.failed:
            console.print(each.text, soft_wrap=True)
    if not (wish.undo or wish.rolls_back):
        for channel in _channels(revoking):
            if not channel.moves_by_itself:
                where = ", ".join(channel.regions)
                text = f"{channel.reference} still points to {channel.build} in {where}: goldsmith rollback "
                console.print(f"{text}{channel.reference}", style="yellow", soft_wrap=True)


def _members(
    revoking: Revoking, changes: Sequence[Change], started: Sequence[HandoffStart], moved: Sequence[MovedAway]
) -> dict[str, Any]:
    return {
        "builds": [
            {
                "image": change.image.image.name,
                "build": version_of(change.build.arn),
                "arn": change.build.arn,
                "before": change.build.tags.get(REVOKED_TAG),
                "after": change.after,
                "state": change.state,
                "reason": change.reason,
            }
            for change in changes
        ],
        "made_on_it": revoking.left,
        "channels": [asdict(channel) for channel in _channels(revoking)],
        "fleets": [asdict(fleet) for affected in revoking.affected for fleet in affected.fleets],
        "other_instances": [
            {"image": image.image.name, "region": region, "instances": count}
            for image, affected in zip(revoking.images, revoking.affected, strict=False)
            for region, count in affected.others.items()
        ],
        "handoff": [{"image": each.image, "started": each.started, "reason": each.reason} for each in started],
        "rolled_back": [asdict(each) for each in moved],
        "errors": [*revoking.errors, *(error for affected in revoking.affected for error in affected.errors)],
    }
