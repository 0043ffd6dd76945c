"""`goldsmith rollout`: brings fleets to the newest version of their launch template, and follows them to the end.

Fleets go in waves, those of one wave side by side. What was started goes on in AWS when this program ends, so a second
run joins what it finds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from rich.console import Console

from estate.estate import Estate
from lambda_src.handoff.failures import is_retryable
from lambda_src.rollout.decisions import Decision, Done, Ended, Follow, Refused, Sight, Start, Wait, Wish, decide
from lambda_src.rollout.group import Refresh, TemplateVersion, read_failed_activity
from lambda_src.rollout.look import FAILURES
from lambda_src.rollout.record import Attempt, time_of
from lambda_src.rollout.refreshes import abort
from lambda_src.rollout.run import Fleet, run, see
from ops.aws import asking
from ops.errors import Interrupted, OpsError
from ops.question import check_terminal, confirm
from ops.rollout_fleets import reach_fleets
from ops.rollout_progress import read_progress
from ops.rollout_result import Result
from ops.rollout_screen import Board, print_json, print_plan, print_results
from ops.screen import open_console

_AT_ONCE = 8
_PATIENCE_SECONDS = 600.0
"""How long a fleet is followed although AWS does not answer."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 15.0


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the command."""

    wish: Wish
    why: str = ""
    aborts: bool = False
    as_json: bool = False
    asks: bool = True
    again: Callable[[str], str] = str
    """Completes `rollout web-prod` to a command line with the same configuration."""


@dataclass(kw_only=True)
class _Rollout:
    """One run of the command."""

    fleets: Mapping[str, Fleet]
    options: Options
    console: Console
    board: Board
    stopped: threading.Event = field(default_factory=threading.Event)


def run_rollout(estate: Estate, names: Sequence[str], options: Options) -> int:
    """Look, show, ask, start and follow; the exit status. Raises `OpsError`."""
    console = open_console(to_stderr=options.as_json)
    reading = console.status("Reading Auto Scaling, the launch templates and the channels")
    with reading, ThreadPoolExecutor(_AT_ONCE) as pool:
        reached = reach_fleets(estate, names, pool=pool)
        fleets = {name: found for name, found in reached.items() if isinstance(found, Fleet)}
        looks = dict(zip(fleets, pool.map(_look, fleets.values()), strict=True))
    sights = {name: found for name, found in looks.items() if isinstance(found, Sight)}
    failed = [
        Result(fleet=name, state="unknown", reasons=tuple(str(error).splitlines()))
        for name, error in (*reached.items(), *looks.items())
        if isinstance(error, OpsError)
    ]
    decisions = {name: _first(fleets[name], sight, options) for name, sight in sights.items()}
    print_plan(fleets, sights, decisions, aborts=options.aborts, console=console)
    changes = [name for name, decision in decisions.items() if isinstance(decision, Start) or _ends(decision, options)]
    if changes and options.asks:
        listed = ", ".join(changes)
        check_terminal(listed)
        verb = "Roll back" if options.aborts else "Roll out"
        confirm(f"{verb} {listed}?", otherwise=f"{listed}: nothing was changed")
    board = Board(console)
    rollout = _Rollout(fleets={name: fleets[name] for name in sights}, options=options, console=console, board=board)
    results = [*failed, *_in_waves(rollout, is_stopped=bool(failed))]
    results.sort(key=lambda result: list(names).index(result.fleet))
    if options.as_json:
        print_json(results, fleets)
    print_results(results, fleets, again=options.again, console=console)
    return 0 if all(result.is_well for result in results) else 1


def _ends(decision: Decision, options: Options) -> bool:
    return options.aborts and isinstance(decision, Follow)


def _look(fleet: Fleet) -> Sight | OpsError:
    try:
        with asking(fleet.rules.region):
            return see(fleet, now=datetime.now(UTC))
    except OpsError as error:
        return error


def _first(fleet: Fleet, sight: Sight, options: Options) -> Decision:
    decision = decide(fleet.rules, sight, options.wish)
    if options.aborts and not isinstance(decision, Follow):
        return Refused(reasons=("no rollout runs, so there is nothing to abort",))
    return decision


def _in_waves(rollout: _Rollout, *, is_stopped: bool) -> list[Result]:
    """The results of all fleets. A wave begins when all fleets of the ones before run their build."""
    waves: dict[int, list[str]] = {}
    for name, fleet in rollout.fleets.items():
        waves.setdefault(1 if rollout.options.aborts else fleet.rules.wave, []).append(name)
    results: list[Result] = []
    before = ""
    for wave in sorted(waves):
        if before:
            results += [_held_back(rollout, name, before, results) for name in waves[wave]]
            continue
        results += _wave(rollout, waves[wave])
        ended = [result for result in results if result.state != "done"]
        if ended:
            before = f"wave {wave}: {', '.join(result.fleet for result in ended)}"
    return results


def _held_back(rollout: _Rollout, name: str, before: str, results: Sequence[Result]) -> Result:
    """A fleet whose wave does not begin: it is queued when the wave before is queued, too."""
    queued = all(result.is_well for result in results)
    until = max((result.until for result in results if result.until), default=None)
    return Result(
        fleet=name,
        state="queued" if queued else "refused",
        reasons=(f"{before} has to end well first",),
        until=until if queued else None,
    )


def _wave(rollout: _Rollout, names: Sequence[str]) -> list[Result]:
    """Fleets side by side. Raises `Interrupted` after Ctrl-C; the refreshes go on in AWS."""
    again = rollout.options.again
    with rollout.board, ThreadPoolExecutor(len(names)) as pool:
        futures = [pool.submit(_one, rollout, name) for name in names]
        try:
            while not all(future.done() for future in futures):
                time.sleep(0.05)
        except KeyboardInterrupt:
            rollout.stopped.set()
            listed = " ".join(names)
            raise Interrupted(
                f"\nwhat was started goes on in AWS; to follow it: {again(f'rollout {listed}')}; "
                f"to go back: {again(f'rollout {listed} --abort')}"
            ) from None
    return [future.result() for future in futures]


def _one(rollout: _Rollout, name: str) -> Result:
    """One fleet to its end."""
    fleet, options = rollout.fleets[name], rollout.options
    try:
        with asking(fleet.rules.region):
            if options.aborts:
                return _abort(rollout, name, fleet)
            sight, decision = run(fleet, options.wish, why=options.why)
            while isinstance(decision, Follow):
                version = _version_of(decision.refresh, sight)
                result = _follow(rollout, name, fleet, decision.refresh, version)
                if not result.is_well or version is None or version == sight.newest:
                    return result
                # it was a rollout of an older version: now the newest
                sight, decision = run(fleet, options.wish, why=options.why)
            return _result(name, fleet, sight, decision)
    except OpsError as error:
        return Result(fleet=name, state="unknown", reasons=tuple(str(error).splitlines()))


def _result(name: str, fleet: Fleet, sight: Sight, decision: Decision) -> Result:
    """What a decision without a refresh means."""
    match decision:
        case Done():
            return Result(fleet=name, state="done", sight=sight)
        case Wait(reasons=reasons, until=until):
            return Result(fleet=name, state="queued", reasons=reasons, until=until, sight=sight)
        case Refused(reasons=reasons):
            return Result(fleet=name, state="refused", reasons=reasons, sight=sight)
        case Ended(attempt=attempt):
            return _ended(name, fleet, sight, attempt)
    reason = "others start and end rollouts of this fleet at this moment; try again"
    return Result(fleet=name, state="refused", reasons=(reason,), sight=sight)


def _ended(name: str, fleet: Fleet, sight: Sight, attempt: Attempt) -> Result:
    since = time_of(attempt.started)
    activity = read_failed_activity(fleet.place.autoscaling, fleet.rules.group, since=since) if since else ""
    return Result(fleet=name, state=attempt.end, sight=sight, attempt=attempt, activity=activity)


def _version_of(refresh: Refresh, sight: Sight) -> TemplateVersion | None:
    """The version that a refresh brings. One without a desired configuration brings the group's."""
    known = [version for version in (sight.newest, sight.current) if version]
    if not refresh.has_configuration:
        return sight.current
    return next(
        (each for each in known if (each.template, str(each.number)) == (refresh.template, refresh.version)), None
    )


def _follow(rollout: _Rollout, name: str, fleet: Fleet, refresh: Refresh, version: TemplateVersion | None) -> Result:
    """Show a refresh until it has ended; how it ended."""
    pause = _FIRST_PAUSE
    silent_since: float | None = None
    while True:
        try:
            progress = read_progress(fleet, refresh.id, version)
        except FAILURES as error:
            silent_since = silent_since or time.monotonic()
            if not is_retryable(error) or time.monotonic() - silent_since > _PATIENCE_SECONDS:
                raise
            rollout.board.note(name, "AWS does not answer; trying again")
        else:
            silent_since = None
            if progress is None:
                raise OpsError(f"instance refresh {refresh.id} does not exist any more: the group was deleted")
            rollout.board.show(name, progress)
            if not progress.refresh.is_running:
                break
        if rollout.stopped.wait(pause):
            raise OpsError("not followed to the end")
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    sight = see(fleet, now=datetime.now(UTC))
    attempt = next((each for each in sight.record.attempts if each.refresh == refresh.id), None)
    if attempt is None or attempt.has_failed:
        missing = Attempt(refresh=refresh.id, template=refresh.template, version=refresh.version, end="failed")
        return _ended(name, fleet, sight, attempt or missing)
    return _succeeded(name, sight, attempt, version)


def _succeeded(name: str, sight: Sight, attempt: Attempt, version: TemplateVersion | None) -> Result:
    """AWS has ended it well: whether all instances in service run the version."""
    group = sight.group
    left = [each for each in group.in_service if not each.runs(version)] if group and version else []
    if not left:
        newer = sight.newest if sight.newest and version and sight.newest.number > version.number else None
        notes = (f"version {newer.number} of the launch template was made meanwhile",) if newer else ()
        return Result(fleet=name, state="done", reasons=notes, sight=sight, attempt=attempt)
    kept = sum(each.is_protected for each in left)
    why = f"{kept} of them are protected from scale-in" if kept else "AWS does not say why"
    text = (
        f"the refresh ended well, and {len(left)} of {len(group.in_service) if group else 0} instances were kept: {why}"
    )
    return Result(fleet=name, state="failed", reasons=(text,), sight=sight, attempt=attempt)


def _abort(rollout: _Rollout, name: str, fleet: Fleet) -> Result:
    """Go back, or stop where there is no way back, and follow that."""
    sight = see(fleet, now=datetime.now(UTC))
    refresh = sight.refresh
    if refresh is None or not refresh.is_running:
        return Result(fleet=name, state="refused", reasons=("no rollout runs, so there is nothing to abort",))
    if refresh.status not in ("Cancelling", "RollbackInProgress"):
        abort(fleet.place.autoscaling, fleet.rules.group, refresh)
    result = _follow(rollout, name, fleet, refresh, _version_of(refresh, sight))
    return replace(result, is_wanted=result.state in ("rolled back", "cancelled"))
