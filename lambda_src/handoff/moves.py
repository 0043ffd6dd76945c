"""Moving a channel: the move goes into the history, then into each region's parameter, which is read back."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import uuid4

from .builds import Build, good_builds, parent_of, time_in
from .channels import LATEST, Version, confirm_channel, write_channel
from .history import NOT_COMPLETED, Change, Move
from .known_builds import KnownBuilds
from .look import take_move
from .run import Decision, Moved, Region, Run

GRACE = timedelta(minutes=2)
"""How long a move of somebody else is theirs to complete: they are probably still writing."""

BY_HAND = "by hand"
"""How a channel moved whose parameter somebody wrote without this program."""

_AND = ", "
"""Between what was skipped, in a record."""


def make_move(run: Run, decision: Decision) -> bool:
    """Move a channel as decided. False when another move came between, or the history could not be written: then
    nothing is moved, and everything has to be looked at again."""
    move = _move(run, decision, number=run.cache.last + 1)
    return _record(run, move) and _write(run, move, list(decision.outputs))


def make_move_without_history(run: Run, decision: Decision) -> None:
    """Move a channel while the history cannot be written, because the home region is down.

    The records have no number of a move; `note_moves_by_hand` writes the history later.
    """
    _write(run, _move(run, decision, number=0), list(decision.outputs))


def _move(run: Run, decision: Decision, *, number: int) -> Move:
    return Move(
        number=number,
        channel=decision.channel,
        how=decision.how,
        by=run.by,
        why=decision.why,
        at=run.now.isoformat(),
        run=uuid4().hex,
        changes={
            region.name: _change(region, decision.channel, build=usable.build, value=usable.value)
            for region, usable in decision.outputs.items()
        },
        skipped=decision.skipped,
    )


def complete_moves(run: Run, known: KnownBuilds, *, at_once: bool = False, channel: str | None = None) -> bool:
    """Write what earlier moves should have written, of all channels or of one; whether there was something to do.

    Young moves of others are left to them, unless `at_once`. Where the build of a move cannot be used any more, the
    channel stays where it is, and the history says so. Where that is not known now, a later run decides.
    """
    done = False
    pending = {move.number: move for region in run.working_regions for move in region.pending.values()}
    for number in sorted(number for number, move in pending.items() if channel in (None, move.channel)):
        move = pending[number]
        if not (at_once or _is_ours(run, move)) or run.hold_of(move.channel):
            continue
        regions = [region for region in run.working_regions if region.pending.get(move.channel) == move]
        usable = {region: _is_usable(run, region, move, known) for region in regions}
        stopped = [region for region in regions if usable[region] is False]
        if written := [region for region in regions if usable[region]]:
            done = _write(run, move, written)
        done = _stop(run, move, stopped) or done
    return done


def note_moves_by_hand(run: Run) -> bool:
    """Write into the history what was written into parameters without it since the last run: by hand, or by a command
    while the home region was down. False when something else came between."""
    for region in run.working_regions:
        cached = run.cache.channels.get(region.name)
        # without a cache this may be the first run, and everything is older than the history
        for name, channel in sorted(region.channels.items()) if cached is not None else ():
            for before, version in channel.without_moves:
                # by the time, because a parameter that was deleted and made again counts from 1
                is_known = cached and name in cached and version.modified <= cached[name].modified
                if not is_known and (name, version.modified) not in region.noted:
                    if not _record(run, _note(run, region, name, before, version)):
                        return False
                    region.noted.add((name, version.modified))
        region.is_noted = True
    return True


def _note(run: Run, region: Region, name: str, before: Version | None, version: Version) -> Move:
    """The move that a version of a channel shows. Parameter Store says who wrote it, and the version's own record what
    else is known."""
    own = {} if version.move else version.record
    return Move(
        number=run.cache.last + 1,
        channel=name,
        how=own.get("how", BY_HAND),
        by=version.user or own.get("by", ""),
        why=own.get("why", ""),
        at=version.modified.isoformat(),
        run=uuid4().hex,
        changes={
            region.name: Change(
                build=own.get("build", ""),
                created=own.get("created"),
                value=version.value,
                previous=before.value if before else None,
                version=version.version - 1,
            )
        },
        skipped=tuple(filter(None, own.get("skipped", "").split(_AND))),
        noted=True,
    )


def _is_ours(run: Run, move: Move) -> bool:
    decided = time_in(move.at)
    # in both directions: clocks differ, and a move must not wait for a day that somebody's clock is ahead
    return move.by == run.by or decided is None or abs(run.now - decided) >= GRACE


def _is_usable(run: Run, region: Region, move: Move, known: KnownBuilds) -> bool | None:
    """Whether a channel may still move there; None when that is not known. A region that cannot be asked fails."""
    change = move.changes[region.name]
    if change.build in known.unknown:
        return None  # that failure is collected already
    build = known.get(change.build)
    if build and build.is_unclear_in(region.name) and not build.is_revoked(run.now):
        reason = f"what Image Builder says about {build.arn} is incomplete"
        run.failures.add_problem(region.name, f"{move.channel} is not moved yet: {reason}")
        return None
    with run.attempt_in(region):
        run.check_time()
        if not change.build:
            return region.target.outputs.is_available(change.value)
        good = good_builds([build] if build else [], now=run.now)
        usable = region.target.outputs.newest_usable(good, failures=run.failures)
        return usable is not None and usable.value == change.value
    return None


def _stop(run: Run, move: Move, regions: Sequence[Region]) -> bool:
    """Where a move cannot be completed, the channel stays: the history says so, and nobody tries it again. The
    parameter is not written, because what it points to may not be usable either."""
    if not regions:
        return False
    for region in regions:
        change = move.changes[region.name]
        reason = f"{move.channel} is not moved to {change.build or change.value}, which cannot be used any more"
        run.failures.add_problem(region.name, reason)
    stop = Move(
        number=run.cache.last + 1,
        channel=move.channel,
        how=NOT_COMPLETED,
        by=run.by,
        why=f"the build of move {move.number} cannot be used any more",
        at=run.now.isoformat(),
        run=uuid4().hex,
        changes={region.name: _stay(region, move.channel) for region in regions},
    )
    return _record(run, stop)


def _stay(region: Region, channel: str) -> Change:
    """A change to where a channel is; without a value where it is nowhere."""
    present = region.channels.get(channel)
    return Change(
        build=present.present.build if present else "",
        created=present.record.get("created") if present else None,
        value=present.value if present else "",
        previous=present.value if present else None,
        version=present.version if present else 0,
    )


def _change(region: Region, channel: str, *, build: Build, value: str) -> Change:
    present = region.channels.get(channel)
    return Change(
        build=build.arn,
        created=build.created.isoformat() if build.created else None,
        value=value,
        previous=present.value if present else None,
        version=present.version if present else 0,
    )


def _record(run: Run, move: Move) -> bool:
    """Write a move into the history. False when its number is taken, or the history cannot be written."""
    added = False
    with run.failures.collected("history"):
        run.check_time()
        added = run.history.add(move)
    if added:
        run.cache.last = move.number
        run.seen[move.number] = move
        if move.number == run.cache.read + 1:
            run.cache.read = move.number
            take_move(run, move)
    return added


def _write(run: Run, move: Move, regions: Sequence[Region]) -> bool:
    """Write a move into the parameters of these regions, and wait until Parameter Store shows each, because it accepts
    a write before it validates the AMI. True, also when a region fails: a later run completes the move there."""
    builds = {move.changes[region.name].build for region in regions} - {""}
    parents = _parents(run, builds) if move.number else {}  # which Image Builder knows, in the home region
    versions: dict[Region, int] = {}
    for region in regions:
        region.pending[move.channel] = move
        with run.attempt_in(region):
            run.check_time()
            versions[region] = _put(run, region, move, parent=parents.get(move.changes[region.name].build))
            change = move.changes[region.name]
            region.written |= {change.value, change.previous or change.value}
    until = time.monotonic() + min(run.confirm_within_seconds, run.seconds_left())
    for region, version in versions.items():
        change, name = move.changes[region.name], f"{run.channels_path}/{move.channel}"
        with run.attempt_in(region):
            confirm_channel(region.target.ssm, name=name, value=change.value, version=version, until=until)
            run.report.moves.append(
                Moved(region.name, move.channel, move.how, change.previous, change.value, change.build, version)
            )
    return True


def _put(run: Run, region: Region, move: Move, *, parent: str | None) -> int:
    change = move.changes[region.name]
    return write_channel(
        region.target.ssm,
        name=f"{run.channels_path}/{move.channel}",
        value=change.value,
        data_type=region.target.outputs.data_type,
        record=record_of(move, change, parent=parent),
        tags=run.image.tags,
        exists=move.channel in region.channels,
    )


def record_of(move: Move, change: Change, *, parent: str | None) -> Mapping[str, str | int | None]:
    """The record in the description of a parameter's version; it names no move that is not in the history."""
    said = {"how": move.how, "why": move.why} if move.channel != LATEST or move.why else {"how": move.how}
    if move.skipped:
        said["skipped"] = _AND.join(move.skipped)
    return {
        **({"move": move.number} if move.number else {}),
        "build": change.build,
        "created": change.created,
        "parent": parent,
        "previous": change.previous,
        "by": move.by,
        **said,
    }


def _parents(run: Run, arns: set[str]) -> dict[str, str]:
    """The parent image of each build. A move does not wait for it: without an answer the record has no parent."""
    parents = {}
    for arn in sorted(arns):
        with run.failures.collected(f"parent of {arn}"):
            parents[arn] = parent_of(run.imagebuilder, arn=arn) or ""
    return parents
