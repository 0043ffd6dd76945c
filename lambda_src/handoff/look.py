"""The look at an image's channels before something is decided: parameters, holds, and moves that are not completed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from botocore.exceptions import ClientError

from .builds import time_in
from .channels import LATEST, MOST_VERSIONS, Channel, read_folder
from .failures import code_of
from .history import MOST_READ, NOT_COMPLETED, Move
from .holds import Hold
from .run import Region, Run

MOST_VERSIONS_ABROAD = 100
"""How many versions of a channel are known at most outside the home region, where nothing is decided by them."""


def look(run: Run) -> bool:
    """Read the channels of all regions, the holds, and the moves that a region does not show yet.

    False when holds or moves could not be read: nothing can be decided then. Parameters are read before the history:
    an object comes before its parameters, so the history explains all that was read.
    """
    for region in run.working_regions:
        region.noted |= run.cache.noted.get(region.name, set())
        with run.attempt_in(region):
            run.check_time()
            known = region.channels or run.cache.channels.get(region.name, {})
            most = MOST_VERSIONS if region is run.home else MOST_VERSIONS_ABROAD
            folder = read_folder(region.target.ssm, path=run.channels_path, known=known, most_versions=most)
            region.channels, region.is_noted = folder.channels, False
            if region is run.home:
                run.holds.clear()
                run.holds.update({channel: Hold.from_json(value) for channel, value in folder.holds.items()})
    with run.failures.collected("history") as attempt:
        _read_moves(run)
    return not (attempt.failed or run.home.failed)


def _read_moves(run: Run) -> None:
    """Read the new moves, and those that a region may not show."""
    try:
        numbers = run.history.numbers(after=min(run.cache.read, run.cache.announced))
        _read(run, numbers[-MOST_READ:])
    except ClientError as error:
        if code_of(error) != "NoSuchBucket":
            raise
        remedy = f"apply the stack history-{run.home.name}, and nothing moves before that"
        run.failures.add_problem("history", f"bucket {run.history.bucket} does not exist: {remedy}")
        raise
    for number in numbers:
        if number > run.cache.read and number in run.seen:
            take_move(run, run.seen[number])
    for region in run.working_regions:
        unfinished = run.cache.unfinished.setdefault(region.name, {})
        for name, channel in region.channels.items():
            if channel.move < channel.newest_move and channel.move:
                unfinished[name] = max(channel.newest_move, unfinished.get(name, 0))
        _read(run, unfinished.values())
        region.pending = _pending(run, region, unfinished)
        run.cache.unfinished[region.name] = {name: move.number for name, move in region.pending.items()}
    shown = [channel.move for region in run.working_regions for channel in region.channels.values()]
    run.cache.read = max([run.cache.read, *numbers])
    run.cache.last = max([run.cache.last, run.cache.read, *shown])


def _read(run: Run, numbers: Iterable[int]) -> None:
    """Read these moves, unless this run knows them, or they are gone: a record may outlive the history."""
    for number in numbers:
        if number not in run.seen and (move := run.history.find(number)):
            run.seen[number] = move


def take_move(run: Run, move: Move) -> None:
    """Note that a move is the last one of its channel in its regions, or what it says about a channel."""
    for region in run.regions:
        unfinished = run.cache.unfinished.setdefault(region.name, {})
        if region.name not in move.changes:
            continue
        if move.noted:
            region.noted |= {(move.channel, time) for time in (time_in(move.at),) if time}
        elif move.how == NOT_COMPLETED:
            unfinished.pop(move.channel, None)
        else:
            unfinished[move.channel] = move.number


def _pending(run: Run, region: Region, unfinished: dict[str, int]) -> dict[str, Move]:
    """The moves by channel that a region's parameters do not show."""
    moves = {name: run.seen.get(unfinished.get(name, 0)) for name in (LATEST, *run.image.channels)}
    return {
        name: move
        for name, move in moves.items()
        if move
        and move.channel == name
        and region.name in move.changes
        and is_pending(move, region.channels.get(name), region.name)
    }


def is_pending(move: Move, channel: Channel | None, region: str) -> bool:
    """Whether a move, the last one of the channel in the region, is still to be written there.

    It is when the parameter is as it was when the move was decided, and when a slower writer has put the value of an
    earlier move over it. What somebody wrote by hand afterwards stands.
    """
    if channel is None:
        return move.changes[region].version == 0
    if channel.move:
        return channel.move < move.number
    return channel.version <= move.changes[region].version


def remember(run: Run, *, before: str) -> None:
    """Write the cache for the next run, unless it is as it was `before`, in its written form.

    What it has of a channel counts as noted, so it gets no channels about which the history could not be written.
    """
    channels = {**run.cache.channels, **{region.name: region.channels for region in run.regions if region.is_noted}}
    noted = {
        region.name: {
            (name, time)
            for name, time in region.noted
            if name not in (known := channels.get(region.name, {})) or time > known[name].modified
        }
        for region in run.regions
    }
    now = replace(run.cache, channels=channels, noted={**run.cache.noted, **noted})
    if (written := now.to_json()) != before:
        with run.failures.collected("history"):
            run.history.write_cache(written)
