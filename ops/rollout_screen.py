"""What `goldsmith rollout` shows: what it will do, how far it is, and how it ended."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lambda_src.rollout.decisions import Decision, Done, Ended, Follow, Refused, Sight, Start, Wait
from lambda_src.rollout.record import Attempt, how_it_ended, time_of
from lambda_src.rollout.run import Fleet
from ops.rollout_progress import Progress, about, counts, expected_end, seconds_needed
from ops.rollout_result import Result, build_of, now_holds, remedies
from ops.screen import moment, moment_in_zone, open_console, who

_LOST = "the version that the group launches does not exist any more"
_STYLES = {"done": "green", "queued": "yellow"}


def print_plan(
    fleets: Mapping[str, Fleet],
    sights: Mapping[str, Sight],
    decisions: Mapping[str, Decision],
    *,
    waiting: Mapping[str, str],
    aborts: bool,
    console: Console,
) -> None:
    """One line for each fleet: what it runs, what it will run, and what happens. `waiting` is why fleets that could be
    started are not."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for title in ("FLEET", "ACCOUNT", "REGION", "INSTANCES", "RUNS", "WILL RUN", "WHAT HAPPENS"):
        table.add_column(title, overflow="fold")
    waves = {fleets[name].rules.wave for name in sights}
    for name, sight in sights.items():
        fleet = fleets[name]
        waits = waiting.get(name)
        what = f"waits: {waits}" if waits else _what(fleet, sight, decisions[name], aborts=aborts)
        if len(waves) > 1 and not aborts:
            what = f"wave {fleet.rules.wave}: {what}"
        decision = decisions[name]
        will_run = decision.version if isinstance(decision, Start) else sight.newest
        table.add_row(
            name,
            fleet.place.account,
            fleet.rules.region,
            str(len(sight.group.in_service)) if sight.group else "-",
            build_of(sight, sight.current.ami) if sight.current else "-",
            build_of(sight, will_run.ami) if will_run else "-",
            what,
        )
    if sights:
        console.print(table)


def _what(fleet: Fleet, sight: Sight, decision: Decision, *, aborts: bool) -> str:
    match decision:
        case Follow(refresh=refresh) if aborts:
            if refresh.has_configuration:
                return "goes back"
            if fleet.rules.is_by_goldsmith:  # somebody has started it in AWS
                return "stops, because it was started without a version to go back to"
            return "stops, because Terraform's refreshes cannot go back"
        case Follow(refresh=refresh):
            return f"a rollout runs: {refresh.status}"
        case Done():
            is_empty = sight.group and not sight.group.in_service
            return "nothing: no instance is in service" if is_empty else "nothing: all instances run it"
        case Wait(reasons=reasons, until=until):
            return f"queued for {moment_in_zone(until)}: {'; '.join(reasons)}"
        case Refused(reasons=reasons):
            return f"refused: {'; '.join(reasons)}"
        case Ended(attempt=attempt):
            return _last_rollout(attempt)
        case Start(skipped=skipped) if sight.group:
            needed = about(seconds_needed(fleet.rules.preferences, sight.group))
            needed = needed if sight.group.in_service else "no instance is in service"
            warnings = [f"; WARNING: {fault}" for fault in sight.faults if fleet.rules.warns_only]
            if sight.current is None:
                warnings.append(f"; WARNING: AWS cannot go back, because {_LOST}")
            return "".join([f"rollout, {needed}", *warnings, *(f"; SKIPPED: {rule}" for rule in skipped)])
    return ""


def _last_rollout(attempt: Attempt) -> str:
    ended = time_of(attempt.ended)
    when = f" on {moment(ended)}" if ended else ""
    return f"nothing: the last rollout {attempt.ended_how}{when}; --retry tries again"


@dataclass(frozen=True, kw_only=True)
class _Row:
    """The last look at a rollout."""

    progress: Progress | None = None
    note: str = ""
    end: datetime | None = None
    """About when it ends."""


class Board:
    """Shows the rollouts that run: a live table on a terminal, a line for each change in a pipe. A context manager, and
    safe to use in several threads."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._rows: dict[str, _Row] = {}
        self._live: Live | None = None
        self._is_open = False

    def __enter__(self) -> Self:
        self._rows.clear()
        self._is_open = True
        if self._console.is_interactive:
            self._live = Live(console=self._console, get_renderable=self._table, refresh_per_second=4)
            self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            self._is_open = False  # after Ctrl-C, a thread may still write
        if self._live:
            self._live.stop()
            self._live = None

    def show(self, fleet: str, progress: Progress) -> None:
        """How far the rollout of a fleet is."""
        with self._lock:
            before = self._rows.get(fleet, _Row())
            if before.progress and _line(before.progress) == _line(progress):
                self._rows[fleet] = replace(before, note="")  # its end is that of the first look
                return
            self._rows[fleet] = _Row(progress=progress, end=expected_end(progress, datetime.now(UTC)))
            if self._is_open and not self._live:
                left = f", {about(progress.seconds_left)} left" if progress.seconds_left else ""
                self._console.print(f"{fleet}: {_line(progress)}{left}", soft_wrap=True)

    def note(self, fleet: str, text: str) -> None:
        """Something else that a person should see."""
        with self._lock:
            before = self._rows.get(fleet, _Row())
            self._rows[fleet] = replace(before, note=text)
            if self._is_open and not self._live and before.note != text:
                self._console.print(f"{fleet}: {text}", soft_wrap=True)

    def _table(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        with self._lock:
            rows = dict(self._rows)
        for fleet, row in rows.items():
            progress = row.progress
            if progress is None:
                table.add_row(Text(fleet, "bold"), row.note)
                continue
            # rich gives an empty cell a column that it does not count, and then breaks the line
            left = f"until about {moment(row.end)} UTC" if row.end else " "
            style = {"Successful": "bold green"}.get(progress.refresh.status, "cyan")
            table.add_row(
                Text(fleet, "bold"),
                Text(row.note or progress.phase, style),
                Text(f"new {counts(progress.new)}"),
                Text(f"old {counts(progress.old)}"),
                Text(left, "dim"),
            )
        # narrower than the terminal: after a full line, the ^C that it prints would begin a new line
        return Padding(table, (0, 0, 0, 2), expand=False)


def _line(progress: Progress) -> str:
    return f"{progress.phase}; new {counts(progress.new)}, old {counts(progress.old)}"


def print_results(
    results: Sequence[Result], fleets: Mapping[str, Fleet], *, again: Callable[[str], str], console: Console
) -> None:
    """How each fleet ended, and for those that did not end well, what is the case now and what to do."""
    for result in results:
        console.print(Text(_ending(result), _STYLES.get(result.state, "red")), soft_wrap=True)
        fleet = fleets.get(result.fleet)
        if fleet is None or result.attempt is None or result.state == "done":
            continue
        if result.activity:
            # AWS repeats the reason at the end
            what = result.activity.removesuffix(result.attempt.reason).rstrip(": ").removesuffix("Status Reason")
            console.print(f"  failed: {what.rstrip('. ')}", soft_wrap=True)
        for line in now_holds(result, fleet):
            console.print(f"  now: {line}", soft_wrap=True)
        for remedy in remedies(result, fleet, again=again):
            console.print(f"  {remedy.purpose}:", soft_wrap=True)
            for command in remedy.commands:
                console.print(f"    {command}", soft_wrap=True)


def _ending(result: Result) -> str:
    why = "; ".join(result.reasons)
    sight = result.sight
    match result.state:
        case "done" if sight and sight.newest:
            notes = f"; {why}" if why else ""
            build = build_of(sight, (sight.current or sight.newest).ami)
            count = len(sight.group.in_service) if sight.group else 0
            runs = "its instance runs" if count == 1 else f"all {count} instances run"
            runs = runs if count else "no instance is in service, and the group launches"
            return f"{result.fleet}: {runs} {build}{notes}"
        case "queued":
            return f"{result.fleet}: queued{f' for {moment_in_zone(result.until)}' if result.until else ''}: {why}"
        case "refused" | "unknown":
            return f"{result.fleet}: {why}"
    attempt = result.attempt
    reason = f": {attempt.reason}" if attempt and attempt.reason else f": {why}" if why else ""
    return f"{result.fleet}: the rollout {how_it_ended(result.state)}{reason}"


def print_json(results: Sequence[Result], fleets: Mapping[str, Fleet]) -> None:
    """One object; `ops.commands.rollout` describes its members."""
    members = {"fleets": [_members(result, fleets.get(result.fleet)) for result in results]}
    open_console().print(json.dumps(members, indent=2), soft_wrap=True)


def _members(result: Result, fleet: Fleet | None) -> dict[str, Any]:
    sight, attempt = result.sight, result.attempt
    newest = sight.newest if sight else None
    runs: dict[str, int] = {}
    for instance in sight.group.in_service if sight and sight.group else ():
        is_other = newest is not None and instance.template != newest.template
        version = "none" if is_other else instance.version or "none"
        runs[version] = runs.get(version, 0) + 1
    return {
        "fleet": result.fleet,
        "account": fleet.place.account if fleet else None,
        "region": fleet.rules.region if fleet else None,
        "wave": fleet.rules.wave if fleet else None,
        "state": result.state,
        "reasons": list(result.reasons),
        "until": result.until.isoformat() if result.until else None,
        "build": (sight.builds.get(newest.ami) if sight and newest else None),
        "ami": newest.ami if newest else None,
        "version": newest.number or None if newest else None,
        "instances": runs,
        "refresh": attempt.refresh if attempt else None,
        "by": who(attempt.by) if attempt and attempt.by else None,
        "started": attempt.started or None if attempt else None,
        "ended": attempt.ended or None if attempt else None,
        "reason": attempt.reason or None if attempt else None,
        "activity": result.activity or None,
    }
