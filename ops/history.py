"""`goldsmith history`: who moved which channel, when, why, and from which build to which; all regions together.

The history bucket has an object for each move. What is in Parameter Store only is added: what was written by hand since
the hand-off function ran last, and what is older than the bucket. Where either cannot be read, that is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from estate.references import BuildReference, ChannelReference
from lambda_src.handoff.builds import list_builds, time_in, version_of
from lambda_src.handoff.cache import read_cache
from lambda_src.handoff.channels import Version, read_folder
from lambda_src.handoff.failures import Failures
from lambda_src.handoff.history import NOT_COMPLETED, Change, Move
from lambda_src.handoff.known_builds import KnownBuilds
from lambda_src.handoff.latest import NEW_BUILD
from lambda_src.handoff.look import is_pending
from lambda_src.handoff.moves import BY_HAND
from lambda_src.handoff.run import Region, Run
from ops.errors import OpsError
from ops.moving import Mover
from ops.past_moves import read_moves
from ops.selection import OfImage
from ops.sight import reason_in, reasons

_AT_ONCE = 8
"""Requests at the same time; a client's pool has ten connections."""
_TOGETHER = timedelta(hours=1)
"""What was written within so much time into several regions, without a move in the history, is one line."""
_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class RegionMoved:
    """What a move changed in one region."""

    previous: str | None
    """The value before; None when the channel was empty."""
    previous_build: str | None
    """The ARN of its build, if that is known."""
    value: str
    build: str | None
    """The ARN of the build; None for what no build made, or if that is not known."""
    created: datetime | None
    """When the build was made."""
    is_written: bool = True
    """Whether the region's parameter got it; false for one that is to be completed."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One move of a channel, in one or more regions."""

    moves: tuple[int, ...]
    """Its numbers in the history bucket: one, or one a region for what was found in parameters; none for what is in
    Parameter Store only."""
    at: datetime
    channel: str
    how: str
    by: str
    """The ARN of who did it."""
    why: str
    skipped: tuple[str, ...]
    regions: Mapping[str, RegionMoved]
    is_decided: bool
    """Whether it came before the parameters; otherwise it was found in them."""

    def is_same(self, other: Entry) -> bool:
        """Whether both are what one person did in different regions, found in their parameters."""
        mine, its = (next(iter(each.regions.values())).build for each in (self, other))
        both = [(each.channel, each.how, each.by, each.why, each.skipped, each.is_decided) for each in (self, other)]
        return mine is not None and mine == its and both[0] == both[1] and not self.is_decided

    def has_build(self, reference: BuildReference) -> bool:
        """Whether it moved the channel to a build, or away from it."""
        arns = {arn for each in self.regions.values() for arn in (each.build, each.previous_build) if arn}
        return any(reference.matches(version_of(arn)) for arn in arns)


@dataclass(frozen=True, kw_only=True)
class ImageHistory:
    """The history of an image."""

    image: str
    entries: Sequence[Entry]
    """In their order, the oldest first."""
    errors: Sequence[str]
    """What could not be read, as messages."""


def read_history(mover: Mover, reference: OfImage) -> ImageHistory:
    """The history of an image, or the part of it that is about one channel or build. Raises `OpsError`."""
    run = mover.open_run()
    if cached := read_cache(run.history, run.failures):
        run.cache.take(cached)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda region: _read(region, run), run.regions))
    try:
        moves, errors = read_moves(run.history, region=run.home.name)
    except OpsError as error:
        moves, errors = [], [f"history: {error}"]
    errors += [f"{region.name}: {reason_in(region, run)}" for region in run.regions if region.failed]
    entries = _with_builds([*_of_moves(moves, run), *_of_versions(moves, run)], run, errors)
    entries = _together(_in_order(entries))
    if isinstance(reference, ChannelReference):
        entries = [entry for entry in entries if entry.channel == reference.channel]
    if isinstance(reference, BuildReference):
        entries = [entry for entry in entries if entry.has_build(reference)]
    return ImageHistory(image=mover.pipeline.image.name, entries=entries, errors=errors)


def _read(region: Region, run: Run) -> None:
    with run.attempt_in(region):
        known = run.cache.channels.get(region.name, {})
        region.channels = read_folder(region.target.ssm, path=run.channels_path, known=known).channels


def _of_moves(moves: Sequence[Move], run: Run) -> Iterator[Entry]:
    left = _left(moves, run)
    for move in moves:
        yield Entry(
            moves=(move.number,),
            at=time_in(move.at) or _EVER,
            channel=move.channel,
            how=move.how,
            by=move.by,
            why=move.why,
            skipped=move.skipped,
            regions={
                region: replace(_moved(change), is_written=(move.number, region) not in left)
                for region, change in move.changes.items()
            },
            is_decided=not move.noted,
        )


def _left(moves: Sequence[Move], run: Run) -> set[tuple[int, str]]:
    """The moves, with the regions, that a parameter does not show yet."""
    last = {(move.channel, region): move for move in moves if not move.noted for region in move.changes}
    regions = {region.name: region for region in run.regions if not region.failed}
    return {
        (move.number, name)
        for (channel, name), move in last.items()
        if name in regions and move.how != NOT_COMPLETED and is_pending(move, regions[name].channels.get(channel), name)
    }


def _moved(change: Change) -> RegionMoved:
    return RegionMoved(
        previous=change.previous,
        previous_build=None,
        value=change.value,
        build=change.build or None,
        created=time_in(change.created),
    )


def _of_versions(moves: Sequence[Move], run: Run) -> Iterator[Entry]:
    """What Parameter Store has that no object of the history explains."""
    numbers = {move.number for move in moves}
    noted = {
        (region, move.channel, change.version + 1, change.value)
        for move in moves
        if move.noted
        for region, change in move.changes.items()
    }
    for region in run.regions:
        for name, channel in region.channels.items():
            unexplained = {version.version for _, version in channel.without_moves}
            before: Version | None = None
            for version in channel.versions:
                is_new = version.version in unexplained or version.move not in numbers
                if is_new and (region.name, name, version.version, version.value) not in noted:
                    yield _entry(name, region, before, version)
                before = version


def _entry(channel: str, region: Region, before: Version | None, version: Version) -> Entry:
    record = version.record
    by_function = ":function:" in record.get("by", "")
    moved = RegionMoved(
        previous=before.value if before else record.get("previous"),
        previous_build=None,
        value=version.value,
        build=version.build or None,
        created=time_in(record.get("created")),
    )
    return Entry(
        moves=(version.move,) if version.move else (),
        at=version.modified,
        channel=channel,
        # the records of the function before there was a history have no `how`
        how=record.get("how") or (NEW_BUILD if by_function else BY_HAND),
        by=record.get("by", "") if by_function or version.move else version.user or record.get("by", ""),
        why=record.get("why", ""),
        skipped=tuple(filter(None, record.get("skipped", "").split(", "))),
        regions={region.name: moved},
        is_decided=False,
    )


def _with_builds(entries: Sequence[Entry], run: Run, errors: list[str]) -> list[Entry]:
    """With the builds that are not recorded: those of values that were written by hand, and those before each move."""
    arns = {
        (region, moved.value): moved.build
        for entry in entries
        for region, moved in entry.regions.items()
        if moved.build
    }
    known = KnownBuilds((), frozenset(), {})
    values = {(name, value) for entry in entries for name, moved in entry.regions.items() for value in _values(moved)}
    if values - arns.keys():
        failures = Failures()
        with failures.collected("Image Builder"):
            builds = list_builds(run.imagebuilder, pipeline_arn=run.image.pipeline_arn)
            known = KnownBuilds(builds, frozenset(), {})
        errors += reasons(run, failures.collection)

    def arn(region: str, value: str | None) -> str | None:
        build = known.of_value(value, region=region) if value else None
        return build.arn if build else arns.get((region, value or ""))

    def resolved(region: str, moved: RegionMoved) -> RegionMoved:
        build = known.of_value(moved.value, region=region)
        return replace(
            moved,
            previous_build=arn(region, moved.previous),
            build=moved.build or arn(region, moved.value),
            created=moved.created or (build.created if build else None),
        )

    return [
        replace(entry, regions={region: resolved(region, moved) for region, moved in entry.regions.items()})
        for entry in entries
    ]


def _values(moved: RegionMoved) -> Iterator[str]:
    yield moved.value
    if moved.previous:
        yield moved.previous


def _in_order(entries: Sequence[Entry]) -> list[Entry]:
    """Moves that were decided are in the order of their numbers, whatever the clocks of those who decided; the others
    are put between them by their time."""
    latest, placed = _EVER, list[tuple[datetime, int, Entry]]()
    for entry in entries:
        latest = max(latest, entry.at) if entry.is_decided else latest
        number = entry.moves[0] if entry.moves else 0
        placed.append((latest if entry.is_decided else entry.at, number, entry))
    return [entry for _, _, entry in sorted(placed, key=lambda each: each[:2])]


def _together(entries: Sequence[Entry]) -> list[Entry]:
    """With one entry for what was written into several regions at about the same time."""
    found: list[Entry] = []
    for entry in entries:
        index = _partner(found, entry)
        if index is None:
            found.append(entry)
        else:
            other = found[index]
            moves = tuple(dict.fromkeys((*other.moves, *entry.moves)))
            found[index] = replace(other, moves=moves, regions={**other.regions, **entry.regions})
    return found


def _partner(found: Sequence[Entry], entry: Entry) -> int | None:
    """Where the same move of other regions is."""
    for index in range(len(found) - 1, -1, -1):
        other = found[index]
        is_one_move = bool(entry.moves) and entry.moves == other.moves
        if other.channel != entry.channel or (entry.at - other.at > _TOGETHER and not entry.moves):
            continue
        if other.regions.keys() & entry.regions.keys():
            return None
        if is_one_move or (entry.at - other.at <= _TOGETHER and other.is_same(entry)):
            return index
    return None
