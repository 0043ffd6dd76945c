"""The look at an image's channels before something is decided: parameters, holds, and moves that are not completed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from botocore.exceptions import ClientError

from .channels import Channel, read_folder
from .failures import code_of
from .history import Move
from .holds import Hold
from .run import Region, Run


def look(run: Run) -> bool:
    """Read the channels of all regions, the holds, and the moves that a region does not show yet.

    False when holds or moves could not be read: nothing can be decided then.
    """
    for region in run.working_regions:
        with run.attempt_in(region):
            run.check_time()
            known = region.channels or run.cache.channels.get(region.name, {})
            folder = read_folder(region.target.ssm, path=run.channels_path, known=known)
            region.channels = folder.channels
            if region is run.home:
                run.holds.clear()
                run.holds.update({channel: Hold.from_json(value) for channel, value in folder.holds.items()})
    with run.failures.collected("history") as attempt:
        moves = _read_moves(run)
    if attempt.failed or run.home.failed:
        return False
    run.seen.update({move.number: move for move in moves})
    for region in run.working_regions:
        region.pending = _pending(region, moves)
        region.noted = {
            (move.channel, move.changes[region.name].version + 1)
            for move in moves
            if move.noted and region.name in move.changes
        }
    settle(run)
    return True


def _read_moves(run: Run) -> list[Move]:
    try:
        moves = list(run.history.moves(after=run.cache.number))
    except ClientError as error:
        if code_of(error) != "NoSuchBucket":
            raise
        remedy = f"apply the stack history-{run.home.name}, and nothing moves before that"
        run.failures.add_problem("history", f"bucket {run.history.bucket} does not exist: {remedy}")
        raise
    numbers = [channel.move for region in run.working_regions for channel in region.channels.values()]
    run.cache.last = max([run.cache.last, *numbers, *(move.number for move in moves)])
    return moves


def _pending(region: Region, moves: Iterable[Move]) -> dict[str, Move]:
    """The last move of each channel in a region, if its parameter does not show it."""
    last = {move.channel: move for move in moves if region.name in move.changes and not move.noted}
    return {name: move for name, move in last.items() if is_pending(move, region.channels.get(name), region.name)}


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


def settle(run: Run) -> None:
    """Set the number up to which no move is pending; a region that could not be read may have pending ones."""
    open_moves = [move.number for region in run.regions for move in region.pending.values()]
    unread = {region.name for region in run.regions if region.failed}
    open_moves += [number for number, move in run.seen.items() if unread & move.changes.keys()]
    run.cache.number = min(open_moves) - 1 if open_moves else run.cache.last


def remember(run: Run, *, before: str) -> None:
    """Write the cache for the next run, unless it is as it was `before`, in its written form."""
    read = {region.name: region.channels for region in run.regions if not region.failed}
    now = replace(run.cache, channels={**run.cache.channels, **read})
    if (written := now.to_json()) != before:
        with run.failures.collected("history"):
            run.history.write_cache(written)
