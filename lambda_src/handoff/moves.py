"""Moving a channel: write its value with a record, and wait until Parameter Store shows it."""

from __future__ import annotations

import time
from collections.abc import Mapping

from .builds import parent_of
from .channels import LATEST, confirm_channel, write_channel
from .outputs import Usable
from .run import Move, Region, Run


def write_moves(run: Run, chosen: Mapping[Region, Usable]) -> dict[Region, Move]:
    """Point `latest` in each region to the build that was chosen for it. `confirm_moves` has to follow."""
    parents = _parents(run, {usable.build.arn for usable in chosen.values()})
    moves = {}
    for region, usable in chosen.items():
        with run.attempt_in(region):
            run.check_time()
            run.report.latest.pop(region.name, None)  # not known until the write is confirmed
            move = _write(run, region, usable, parent=parents.get(usable.build.arn))
            moves[region] = move
            region.moved = frozenset({move.value, move.previous or move.value})
    return moves


def confirm_moves(run: Run, moves: Mapping[Region, Move]) -> None:
    """Wait until Parameter Store shows each move, because it accepts a write before it validates the AMI."""
    name = f"{run.channels_path}/{LATEST}"
    until = time.monotonic() + min(run.confirm_within_seconds, run.seconds_left())
    for region, move in moves.items():
        with run.attempt_in(region):
            confirm_channel(region.target.ssm, name=name, value=move.value, version=move.version, until=until)
            run.report.moves.append(move)
            run.report.latest[region.name] = move.value


def _write(run: Run, region: Region, usable: Usable, *, parent: str | None) -> Move:
    build, latest = usable.build, region.channels.get(LATEST)
    previous = latest.value if latest else None
    record = {
        "build": build.arn,
        "created": build.created.isoformat() if build.created else None,
        "parent": parent,
        "previous": previous,
        "by": run.by,
    }
    version = write_channel(
        region.target.ssm,
        name=f"{run.channels_path}/{LATEST}",
        value=usable.value,
        data_type=region.target.outputs.data_type,
        record=record,
        tags=run.image.tags,
        exists=latest is not None,
    )
    return Move(region.name, previous, usable.value, build.arn, version)


def _parents(run: Run, arns: set[str]) -> dict[str, str]:
    """The parent image of each build. A move does not wait for it: without an answer the record has no parent."""
    parents = {}
    for arn in sorted(arns):
        with run.failures.collected(f"parent of {arn}"):
            parents[arn] = parent_of(run.imagebuilder, arn=arn) or ""
    return parents
