"""`goldsmith rollout`: brings fleets to the newest version of their launch template, and follows them to the end.

Fleets go in waves, those of one wave side by side. What was started goes on in AWS when this program ends, so a second
run joins what it finds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeVar

from botocore.exceptions import ClientError
from rich.console import Console

from estate.estate import Estate
from lambda_src.handoff.failures import is_retryable
from lambda_src.rollout.decisions import Decision, Done, Ended, Follow, Refused, Sight, Start, Wait, Wish, decide
from lambda_src.rollout.group import GOING_BACK, Refresh, TemplateVersion, read_failed_activity
from lambda_src.rollout.look import FAILURES
from lambda_src.rollout.record import CANCELLED, WENT_BACK, Attempt, time_of
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

_T = TypeVar("_T")
_AT_ONCE = 8
_PATIENCE_SECONDS = 600.0
"""How long a fleet is followed although AWS does not answer."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 15.0
_NOTHING_TO_ABORT = "no rollout runs, so there is nothing to abort"


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the command."""

    wish: Wish
    why: str = ""
    aborts: bool = False
    only_due: bool = False
    """Whether fleets are left alone that cannot start now."""
    as_json: bool = False
    asks: bool = True
    again: Callable[[str], str] = str
    """Completes `rollout web-prod` to a command line with the same configuration."""


@dataclass(kw_only=True)
class _Rollout:
    """One run of the command."""

    waves: Mapping[str, int]
    """All fleets of the command, in its order, with their waves."""
    fleets: Mapping[str, Fleet]
    """Those that can be looked at."""
    agreed: frozenset[str]
    """Those whose rollout may be started: a person has agreed, or does not want to be asked."""
    options: Options
    console: Console
    board: Board
    before: Result | None = None
    """What becomes of fleets that could be started, after a wave that did not end well."""
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
    waves = {name: 1 if options.aborts else estate.fleets[name].rollout.wave for name in names}
    waiting = _waiting(waves, decisions)
    print_plan(fleets, sights, decisions, waiting=waiting, aborts=options.aborts, console=console)
    changes = [
        name
        for name, decision in decisions.items()
        if (isinstance(decision, Start) and name not in waiting) or _ends(decision, options)
    ]
    if options.only_due:
        names = _due(names, changes, decisions)
        if not changes:
            console.print("no rollout can start now")
    if changes and options.asks:
        listed = ", ".join(changes)
        check_terminal(listed)
        verb = "End the rollout of" if options.aborts else "Roll out"
        confirm(f"{verb} {listed}?", otherwise=f"{listed}: nothing was changed")
    rollout = _Rollout(
        waves={name: waves[name] for name in names},
        fleets={name: fleets[name] for name in sights if name in names},
        agreed=frozenset(changes if options.asks else names),
        options=options,
        console=console,
        board=Board(console),
    )
    results = sorted(_in_waves(rollout, failed), key=lambda result: names.index(result.fleet))
    if options.as_json:
        print_json(results, fleets)
    print_results(results, fleets, again=options.again, console=console)
    return 0 if all(result.is_well for result in results) else 1


def _due(names: Sequence[str], changes: Sequence[str], decisions: Mapping[str, Decision]) -> list[str]:
    """The fleets whose rollout can start, then also those whose rollout runs, for which a later wave waits; and those
    that cannot be looked at."""
    wanted = {name for name, each in decisions.items() if name in changes or (changes and isinstance(each, Follow))}
    return [name for name in names if name in wanted or name not in decisions]


def _ends(decision: Decision, options: Options) -> bool:
    return options.aborts and isinstance(decision, Follow)


def _waiting(waves: Mapping[str, int], decisions: Mapping[str, Decision]) -> dict[str, str]:
    """Why fleets could be started but for a wave before theirs, of which a fleet has to wait, needs a person, or cannot
    be looked at: by name."""
    stopping = [name for name in waves if not isinstance(decisions.get(name), Start | Follow | Done)]
    if not stopping:
        return {}
    first = min(waves[name] for name in stopping)
    reason = f"wave {first} has to end well first"
    return {name: reason for name, each in decisions.items() if isinstance(each, Start) and waves[name] > first}


def _look(fleet: Fleet) -> Sight | OpsError:
    try:
        with asking(fleet.rules.region):
            return see(fleet, now=datetime.now(UTC))
    except OpsError as error:
        return error


def _first(fleet: Fleet, sight: Sight, options: Options) -> Decision:
    if not options.aborts:
        return decide(fleet.rules, sight, options.wish)
    if sight.refresh and sight.refresh.is_running:
        return Follow(refresh=sight.refresh)
    if aborted := _aborted(sight):
        return Ended(attempt=aborted)
    return Refused(reasons=(_NOTHING_TO_ABORT,))


def _aborted(sight: Sight) -> Attempt | None:
    """The last rollout, if it went back or was stopped: so a second `--abort` ends like the first one."""
    last = next(iter(sight.record.attempts), None)
    return last if last and last.end in (WENT_BACK, CANCELLED) else None


def _in_waves(rollout: _Rollout, failed: Sequence[Result]) -> list[Result]:
    """The results of all fleets. A wave begins when all fleets of the ones before run their build. `failed` are the
    results of fleets that cannot be looked at."""
    results: list[Result] = []
    for wave in sorted(set(rollout.waves.values())):
        results += [result for result in failed if rollout.waves[result.fleet] == wave]
        results += _wave(rollout, [name for name in rollout.fleets if rollout.waves[name] == wave])
        rollout.before = rollout.before or _held_back(wave, results)
    return results


def _held_back(wave: int, results: Sequence[Result]) -> Result | None:
    """What becomes of fleets whose turn does not come: they are queued when the wave before is queued, too."""
    ended = [result for result in results if result.state != "done"]
    if not ended:
        return None
    is_queued = all(result.is_well for result in ended)
    return Result(
        fleet="",
        state="queued" if is_queued else "refused",
        reasons=(f"wave {wave} has to end well first: {', '.join(result.fleet for result in ended)}",),
        until=max((result.until for result in ended if result.until), default=None) if is_queued else None,
    )


def _wave(rollout: _Rollout, names: Sequence[str]) -> list[Result]:
    """Fleets side by side. Raises `Interrupted` after Ctrl-C; the refreshes go on in AWS."""
    pool = ThreadPoolExecutor(max(1, len(names)))
    with rollout.board:
        futures = {name: pool.submit(_one, rollout, name) for name in names}
        try:
            while not all(future.done() for future in futures.values()):
                time.sleep(0.05)
        except KeyboardInterrupt:
            rollout.stopped.set()
            raise Interrupted(_interrupted(rollout, futures)) from None
        finally:
            pool.shutdown(wait=False)  # after Ctrl-C, one of them may wait for AWS
    return [future.result() for future in futures.values()]


def _interrupted(rollout: _Rollout, futures: Mapping[str, Future[Result]]) -> str:
    """What goes on in AWS after Ctrl-C, and how to go on here."""
    running = [name for name, future in futures.items() if not future.done()] or [*futures]
    later = [name for name, wave in rollout.waves.items() if wave > rollout.waves[running[0]]]
    abort = rollout.options.again(f"rollout {' '.join(running)} --abort")
    if rollout.options.aborts:
        return f"\nwhat was ended goes back in AWS; to follow it: {abort}"
    follow = rollout.options.again(f"rollout {' '.join([*running, *later])}")
    return f"\nwhat was started goes on in AWS; to follow it: {follow}; to go back: {abort}"


def _one(rollout: _Rollout, name: str) -> Result:
    """One fleet to its end."""
    fleet = rollout.fleets[name]
    try:
        with asking(fleet.rules.region):
            if rollout.options.aborts:
                return _abort(rollout, name, fleet)
            sight, decision = _next(rollout, name, fleet)
            while isinstance(decision, Follow):
                version = _version_of(decision.refresh, sight)
                result = _follow(rollout, name, fleet, decision.refresh, version)
                if not result.is_well or version == sight.newest:
                    return result
                # it was a rollout of an older version: now the newest
                sight, decision = _next(rollout, name, fleet)
            return _result(rollout, name, sight, decision)
    except OpsError as error:
        is_refused = _is_refusal(error.__cause__)
        reasons = str(error).splitlines()
        if is_refused and "AlarmSpecification" in fleet.rules.preferences:
            reasons.append("goldsmith doctor says which alarms exist, and their states")
        return Result(fleet=name, state="refused" if is_refused else "unknown", reasons=tuple(reasons))


def _is_refusal(error: BaseException | None) -> bool:
    """Whether AWS does not accept a refresh as it is declared, for example because an alarm does not exist."""
    return isinstance(error, ClientError) and error.operation_name == "StartInstanceRefresh" and not is_retryable(error)


def _next(rollout: _Rollout, name: str, fleet: Fleet) -> tuple[Sight, Decision]:
    """Look and decide; and start, if it is the fleet's turn, and a person was not asked about other fleets only."""
    options = rollout.options
    if name in rollout.agreed and rollout.before is None:
        return run(fleet, options.wish, why=options.why)
    sight = see(fleet, now=datetime.now(UTC))
    return sight, decide(fleet.rules, sight, options.wish)


def _result(rollout: _Rollout, name: str, sight: Sight, decision: Decision) -> Result:
    """What a decision without a refresh means."""
    match decision:
        case Done():
            return Result(fleet=name, state="done", sight=sight)
        case Wait(reasons=reasons, until=until):
            return Result(fleet=name, state="queued", reasons=reasons, until=until, sight=sight)
        case Refused(reasons=reasons):
            return Result(fleet=name, state="refused", reasons=reasons, sight=sight)
        case Ended(attempt=attempt):
            return _ended(name, rollout.fleets[name], sight, attempt)
        case Start() if rollout.before:
            return replace(rollout.before, fleet=name, sight=sight)
        case Start() if name not in rollout.agreed:
            reason = f"it can be started now: {rollout.options.again(f'rollout {name}')}"
            return Result(fleet=name, state="refused", reasons=(reason,), sight=sight)
    reason = "others start and end rollouts of this fleet at this moment; try again"
    return Result(fleet=name, state="refused", reasons=(reason,), sight=sight)


def _ended(name: str, fleet: Fleet, sight: Sight, attempt: Attempt) -> Result:
    """A rollout that did not end well, with the activity that failed."""
    since, activity = time_of(attempt.started), ""
    if since and attempt.end != CANCELLED:
        with suppress(*FAILURES):  # how it ended is known without it
            activity = read_failed_activity(fleet.place.autoscaling, fleet.rules.group, since=since)
    return Result(fleet=name, state=attempt.end, sight=sight, attempt=attempt, activity=activity)


def _version_of(refresh: Refresh, sight: Sight) -> TemplateVersion | None:
    """The version that a refresh brings; None if it does not exist. One without a desired configuration brings the
    group's."""
    if not refresh.has_configuration:
        return sight.current
    return next((each for each in sight.versions if each.key == refresh.key), None)


def _follow(rollout: _Rollout, name: str, fleet: Fleet, refresh: Refresh, version: TemplateVersion | None) -> Result:
    """Show a refresh until it has ended; how it ended."""
    pause = _FIRST_PAUSE
    while True:
        progress = _patiently(rollout, name, lambda: read_progress(fleet, refresh.id, version))
        if progress is None:
            gone = f"group {fleet.rules.group} was deleted meanwhile: run {fleet.rules.deploy}"
            return Result(fleet=name, state="refused", reasons=(gone,))
        rollout.board.show(name, progress)
        if not progress.refresh.is_running:
            break
        _wait(rollout, pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    sight = _patiently(rollout, name, lambda: see(fleet, now=datetime.now(UTC)))
    attempt = next((each for each in sight.record.attempts if each.refresh == refresh.id), None)
    if attempt is None or attempt.has_failed:
        missing = Attempt(refresh=refresh.id, template=refresh.template, version=refresh.version, end="failed")
        return _ended(name, fleet, sight, attempt or missing)
    return _succeeded(name, sight, attempt, version)


def _patiently(rollout: _Rollout, name: str, look: Callable[[], _T]) -> _T:
    """Look again while AWS fails in a way that passes: the rollout goes on meanwhile."""
    pause, end = _FIRST_PAUSE, time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return look()
        except FAILURES as error:
            if not is_retryable(error) or time.monotonic() > end:
                raise
        rollout.board.note(name, "AWS does not answer; trying again")
        _wait(rollout, pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _wait(rollout: _Rollout, seconds: float) -> None:
    """Raises `OpsError` after Ctrl-C."""
    if rollout.stopped.wait(seconds):
        raise OpsError("not followed to the end")


def _succeeded(name: str, sight: Sight, attempt: Attempt, version: TemplateVersion | None) -> Result:
    """AWS has ended it well: whether all instances in service run the version."""
    group = sight.group
    left = [each for each in group.in_service if not each.runs(version)] if group and version else []
    if not left:
        newer = sight.newest if sight.newest and version and sight.newest.number > version.number else None
        notes = (f"version {newer.number} of the launch template was made meanwhile",) if newer else ()
        return Result(fleet=name, state="done", reasons=notes, sight=sight, attempt=attempt)
    kept = sum(each.is_protected for each in left)
    why = "AWS does not say why"
    if kept:
        protected = f"{kept} of them {'is' if kept == 1 else 'are'} protected from scale-in"
        why = f"{protected}; end the protection, or write rollout: {{protected_instances: refresh}}"
    text = (
        f"the refresh ended well, and {len(left)} of {len(group.in_service) if group else 0} instances were kept: {why}"
    )
    return Result(fleet=name, state="failed", reasons=(text,), sight=sight, attempt=attempt)


def _abort(rollout: _Rollout, name: str, fleet: Fleet) -> Result:
    """Go back, or stop where there is no way back, and follow that."""
    sight = see(fleet, now=datetime.now(UTC))
    refresh = sight.refresh
    if refresh is None or not refresh.is_running or name not in rollout.agreed:
        if aborted := _aborted(sight):
            return replace(_ended(name, fleet, sight, aborted), is_wanted=True)
        return Result(fleet=name, state="refused", reasons=(_NOTHING_TO_ABORT,))
    if refresh.status not in GOING_BACK:
        abort(fleet.place.autoscaling, fleet.rules.group, refresh)
    result = _follow(rollout, name, fleet, refresh, _version_of(refresh, sight))
    return replace(result, is_wanted=result.state in (WENT_BACK, CANCELLED))
