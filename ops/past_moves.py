"""The moves in the history bucket, read several at a time: there is an object for each."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import ClientError

from lambda_src.handoff.answers import GarbledAnswer
from lambda_src.handoff.failures import code_of
from lambda_src.handoff.history import History, Move
from ops.aws import asking

_AT_ONCE = 8
"""Requests at the same time; a client's pool has ten connections."""


def read_moves(history: History, *, region: str) -> tuple[list[Move], list[str]]:
    """All moves of an image in their order, and what cannot be read of them, as messages. `region` is its home.

    Raises `OpsError` when the bucket cannot be read. Without the bucket there are no moves.
    """
    with asking(region):
        try:
            numbers = history.numbers()
        except ClientError as error:
            if code_of(error) != "NoSuchBucket":
                raise
            remedy = f"apply the stack history-{region}"
            return [], [f"history: bucket {history.bucket} does not exist; {remedy}"]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = list(pool.map(lambda number: _read(history, number), numbers))
    moves = [each for each in found if isinstance(each, Move)]
    return moves, [f"history: {each}" for each in found if isinstance(each, GarbledAnswer)]


def _read(history: History, number: int) -> Move | GarbledAnswer | None:
    """None for one that S3 has deleted meanwhile."""
    try:
        return history.find(number)
    except GarbledAnswer as error:
        return error
