"""`goldsmith rollback`: points a channel to where it was before, by its own history.

The way back is the history without its detours: what was rolled back itself is left out, so that a second rollback goes
one build further back, and does not return. Builds that are revoked or cannot be used are skipped, and named.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from estate.references import BuildReference
from lambda_src.handoff.builds import Build, time_in, version_of
from lambda_src.handoff.outputs import Usable
from lambda_src.handoff.run import Region
from ops.aws import Aws, asking
from ops.confirmed_move import Options, run_move
from ops.errors import UsageError
from ops.moving import Mover, Plan, Refused
from ops.past_moves import read_moves
from ops.pipeline import Pipeline
from ops.sight import Sight, reason_in
from ops.values import read_outputs

ROLLED_BACK = "rolled back"


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """What a person wants."""

    pipeline: Pipeline
    channel: str
    to: BuildReference | None = None
    """The build; None for the nearest one before that can be used."""
    why: str = ""
    regions: tuple[str, ...] | None = None
    """Where the channel is moved; None for all regions in which it is set."""

    @property
    def target(self) -> str:
        """The channel as a reference."""
        return f"{self.pipeline.image.name}@{self.channel}"

    def label(self, place: Place) -> str:
        """A place for people."""
        return f"{self.pipeline.image.name}@{version_of(place.arn)}" if place.arn else place.value

    def again(self, plan: Plan) -> str:
        """What finishes a rollback: it names the build, so that it does not go further back."""
        words = ["rollback", self.target]
        words += ["--to", version_of(plan.build.arn)] if plan.build.arn else []
        words += ["--regions", ",".join(self.regions)] if self.regions else []
        return shlex.join([*words, *(("--why", self.why) if self.why else ())])


@dataclass(frozen=True)
class Place:
    """Where a channel is or was, in one region."""

    arn: str
    """The ARN of the build; empty for what no build made."""
    value: str
    move: int
    """The number of the move; 0 for what was written by hand, or before there was a history."""

    @property
    def key(self) -> str:
        """The same for the same place at every time."""
        return self.arn or (f"move {self.move}" if self.move else self.value)


def run_rollback(mover: Mover, wish: Rollback, *, options: Options) -> int:
    """Show, ask and move; the exit status.

    Raises `OpsError`, and `HomeDown` when nothing can be decided because the home region does not answer.
    """
    chosen: list[tuple[Place, list[str]]] = []

    def decide(sight: Sight) -> Plan:
        # what was shown is moved, also when somebody else rolls back meanwhile
        chosen[:] = chosen or [place_to_return_to(wish, sight, aws=mover.aws)]
        place, notes = chosen[0]
        return plan_rollback(wish, place, sight, aws=mover.aws, notes=notes)

    return run_move(mover, decide, channel=wish.channel, options=options)


def place_to_return_to(wish: Rollback, sight: Sight, *, aws: Aws) -> tuple[Place, list[str]]:
    """Where the channel goes, and what else a person should know. Raises `Refused` when there is nowhere to go."""
    regions = _regions(wish, sight)
    if wish.to:
        return _named(wish, wish.to, _pasts(wish, sight, regions[0])), []
    if place := _stopped(wish, regions):
        return place, [f"an earlier rollback to {wish.label(place)} was stopped, and this finishes it"]
    skipped: list[str] = []
    for past in _pasts(wish, sight, regions[0]):
        skipped = []
        for place in way_back(past):
            _, fault = _outputs(wish, place, sight, regions, aws=aws)
            if not fault:
                return place, [f"skips {line}" for line in skipped]
            skipped.append(f"{wish.label(place)}: {fault}")
    rule = "must have been at a build before that can still be used"
    got = "; ".join(skipped) or "no other one"
    raise Refused(
        [f"{wish.target}: {rule}, got {got}; goldsmith promote {wish.pipeline.image.name}@BUILD {wish.channel}"]
    )


def way_back(past: Sequence[Place]) -> list[Place]:
    """The places before the last one, which is the present one, without detours; the nearest first."""
    way: list[Place] = []
    for place in past:
        keys = [each.key for each in way]
        if place.key in keys:
            del way[keys.index(place.key) :]
        way.append(place)
    return way[-2::-1]


def plan_rollback(wish: Rollback, place: Place, sight: Sight, *, aws: Aws, notes: Sequence[str]) -> Plan:
    """The move of a channel to a place. Raises `Refused` with everything that is wrong."""
    wanted, fault = _outputs(wish, place, sight, _regions(wish, sight), aws=aws)
    lines = list(sight.holds_of(wish.channel))
    if fault:
        lines.append(f"{wish.label(place)}: must be a build to go back to, and is not: {fault}")
    if lines:
        raise Refused(lines)
    return Plan(channel=wish.channel, how=ROLLED_BACK, why=wish.why, wanted=wanted, notes=tuple(notes))


def _regions(wish: Rollback, sight: Sight) -> list[Region]:
    """Where the channel is moved. Raises `Refused` when a region cannot be read, or there is nothing to move."""
    run = sight.run
    named = [region for region in run.regions if wish.regions is None or region.name in wish.regions]
    readable = ",".join(region.name for region in named if not region.failed)
    elsewhere = f", or elsewhere only: --regions {readable}" if readable else ""
    lines = [
        f"{region.name}: must be readable, and is not: {reason_in(region, run)}; try again{elsewhere}"
        for region in named
        if region.failed
    ]
    is_set = [region for region in named if region.points_to(wish.channel)]
    if not lines and not is_set:
        first = f"goldsmith promote {wish.pipeline.image.name} {wish.channel}"
        lines = [f"{wish.target}: must point to something, and is empty; {first}"]
    if lines:
        raise Refused(lines)
    return is_set


def _stopped(wish: Rollback, regions: Sequence[Region]) -> Place | None:
    """Where a rollback should have gone that was stopped before all regions were there."""
    for region in regions:
        move = region.pending.get(wish.channel)
        if move and move.how == ROLLED_BACK:
            change = move.changes[region.name]
            return Place(change.build, change.value, move.number)
    return None


def _pasts(wish: Rollback, sight: Sight, region: Region) -> Iterator[list[Place]]:
    """Where the channel was in a region: what Parameter Store shows, and then, if that is not all, with what is in the
    history bucket, which takes a request for each move."""
    places = _places(wish, sight, region)
    yield places
    channel = region.channels.get(wish.channel)
    if channel and channel.versions[0].version > 1:
        home, first = sight.run.home.name, channel.versions[0].modified
        moves, _ = read_moves(sight.run.history, region=home)
        changes = [(move, move.changes[region.name]) for move in moves if region.name in move.changes]
        older = [
            Place(change.build, change.value, 0 if move.noted else move.number)
            for move, change in changes
            if move.channel == wish.channel and (at := time_in(move.at)) and at < first
        ]
        yield [*older, *places]


def _places(wish: Rollback, sight: Sight, region: Region) -> list[Place]:
    channel, move = region.channels.get(wish.channel), region.pending.get(wish.channel)
    places = []
    for version in channel.versions if channel else ():
        build = sight.known.of_version(version, region=region.name)
        places.append(Place(build.arn if build else version.build, version.value, version.move))
    if move:
        change = move.changes[region.name]
        places.append(Place(change.build, change.value, move.number))
    return places


def _named(wish: Rollback, to: BuildReference, pasts: Iterator[list[Place]]) -> Place:
    """The place with the build that is named. Raises `Refused` and `UsageError`."""
    for past in pasts:
        found = {place.arn: place for place in past if place.arn and to.matches(version_of(place.arn))}
        versions = {version_of(arn).partition("/")[0] for arn in found}
        if len(versions) > 1:
            choices = ", ".join(sorted(version_of(arn) for arn in found))
            raise UsageError(f"argument --to: {to} means several builds; write one of {choices}")
        if found:
            return found[max(found, key=lambda arn: int(arn.rpartition("/")[2]))]
    rule = f"must have been in {wish.target} before, and never was"
    raise Refused([f"{to}: {rule}; goldsmith history {wish.target} shows where it was"])


def _outputs(
    wish: Rollback, place: Place, sight: Sight, regions: Sequence[Region], *, aws: Aws
) -> tuple[dict[str, Usable], str]:
    """What the channel holds at a place, by region, or why it cannot go there."""
    if place.arn:
        return _outputs_of_build(wish, place, sight, regions)
    if not place.move:
        return {}, f"it was written by hand, and is no build of {wish.pipeline.image.name}"
    with asking(sight.run.home.name):
        move = sight.run.history.find(place.move)
    wanted: dict[str, Usable] = {}
    for region in regions:
        change = move.changes.get(region.name) if move else None
        if change is None:
            return {}, f"it is not an AMI in {region.name}"
        output = read_outputs(wish.pipeline, [change.value], aws=aws, region=region.name)[change.value]
        if output.problem:
            return {}, output.problem
        build = Build(arn="", status="AVAILABLE", created=output.created, outputs={}, tags={})
        wanted[region.name] = Usable(build, change.value)
    return wanted, ""


def _outputs_of_build(
    wish: Rollback, place: Place, sight: Sight, regions: Sequence[Region]
) -> tuple[dict[str, Usable], str]:
    build = sight.build(place.arn)
    if build is None:
        return {}, "Image Builder does not have it any more"
    if build.revocation and build.is_revoked(sight.run.now):
        return {}, f"it is revoked: {build.revocation.why}"
    if build.status != "AVAILABLE" or not build.created:
        return {}, f"it is {build.status}"
    for region in regions:
        present = sight.build_in(region, wish.channel)
        if present and present.order < build.order:
            other = f"it is newer than {version_of(present.arn)}, which {region.name} has"
            return {}, f"{other}; goldsmith promote moves a channel to a newer build"
    usability = sight.usability(build, [region.name for region in regions], noun=wish.pipeline.noun)
    if usability.unread:
        rest = "try again, or name the other regions with --regions"
        raise Refused(
            [f"{region}: must be readable, and is not: {why}; {rest}" for region, why in usability.unread.items()]
        )
    faults = [f"{fault} ({region})" for region, fault in usability.faults.items()]
    return dict(usability.usable), "; ".join(faults)
