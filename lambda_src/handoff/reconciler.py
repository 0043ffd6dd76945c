"""The rules of the hand-off: find the newest usable build, verify, move `latest`, confirm, look again, tag.

Decided from what Image Builder and Parameter Store say now, never from a message, and written only on
change: so it may run at any time, any number of times, and twice at once. Parameter Store has no
conditional write; of two runs at once, the one that wrote from the older view looks again after writing and
puts it right.

`latest` is the newest usable build, so it moves backwards only when the build that it points to is gone:
its output cannot be used any more, or Image Builder has no such build, or has it in another state than
AVAILABLE. While Image Builder does not say what became of that build, `latest` moves only to one that is
newer. Which build that is says the channel's record; a record that names anything else than a build of the
same image says nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .builds import Build, get_build, good_builds, is_build_of, list_builds, newest_good, parent_of, time_in
from .channels import LATEST, Channel, channel_path, confirm_channel, in_use, read_channels, write_channel
from .failures import FAILURES, Failures, NotYet
from .outputs import Outputs, Usable
from .tags import Sight, tag_builds

if TYPE_CHECKING:  # the Lambda runtime has no type stubs
    from mypy_boto3_imagebuilder import ImagebuilderClient
    from mypy_boto3_ssm import SSMClient

ROUNDS = 3  # looks in one run: the one after the last write normally finds nothing left to do


@dataclass(frozen=True, eq=False)
class Target:
    """A place that has the image's channels: a region, its outputs, and its Parameter Store."""

    region: str
    outputs: Outputs
    ssm: SSMClient


@dataclass(frozen=True)
class Image:
    """Whose `latest` is moved. `tags` are for new parameters.

    `keep_newest` is how many builds a lifecycle policy spares as the newest, 0 where there is none; after
    `overdue_after_days` a new build is missed, never if 0.
    """

    namespace: str
    name: str
    pipeline_arn: str
    tags: Mapping[str, str]
    keep_newest: int = 0
    overdue_after_days: int = 0

    @property
    def label(self) -> str:
        """What people, tags and metrics call it."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class Move:
    """One region's way from one value (None: the channel is new) to another, and the version that it got."""

    region: str
    previous: str | None
    value: str
    build: str
    version: int


@dataclass
class Report:
    """What a run found and did. It raises nothing: the caller decides what `failures.unfinished` means."""

    newest: Build | None = None
    latest: dict[str, str] = field(default_factory=dict)  # region -> value, as far as it is known
    moves: list[Move] = field(default_factory=list)
    failures: Failures = field(default_factory=Failures)
    untagged: int = 0  # builds whose tags are left for the next run


@dataclass(frozen=True)
class Sighting:
    """The pipeline's builds, newest first, and the ARNs of those that channels name and Image Builder did not show."""

    builds: Sequence[Build]
    unknown: frozenset[str]

    def may_move(self, channel: Channel, usable: Usable, *, region: str) -> bool:
        """Whether a channel may move to a build: not back from one of which it is not clear what became there."""
        arn = channel.record.get("build", "")
        now = next((build for build in self.builds if build.arn == arn), None)
        unclear = now and now.unclear and not (now.status and now.created and region in now.outputs)
        if now == usable.build or not (unclear or arn in self.unknown):
            return True
        created = (now and now.created) or time_in(channel.record.get("created"))
        return bool(created and usable.build.created and usable.build.created > created)


def reconcile(
    image: Image,
    *,
    imagebuilder: ImagebuilderClient,
    targets: Sequence[Target],
    by: str,
    report: Report,
    confirm_within_seconds: float = 10.0,
    seconds_left: Callable[[], float] = lambda: math.inf,
) -> None:
    """Point `latest` of every target to the newest usable build of the image's pipeline, then tag the builds.

    All targets are validated before the first is written, all are attempted, and one that fails is left
    alone for the rest of the run. `by` says in the record who moved it. When no `seconds_left`, what is not done
    is left for the next run. `report` says what was found and done, whatever is raised.
    """
    path = channel_path(namespace=image.namespace, image=image.name)
    channels: dict[Target, dict[str, Channel]] = {}
    moved: dict[Target, set[str]] = {}  # since its channels were read
    builds: Sequence[Build] = ()
    active = targets
    for _ in range(ROUNDS):
        _read(active, path=path, channels=channels, report=report, seconds_left=seconds_left)
        active = [target for target in active if target.region not in report.failures.stopped]
        latest = {target: channels[target].get(LATEST) for target in active}
        moved = {target: values for target, values in moved.items() if target not in active}
        with report.failures.collected("Image Builder"):
            sighting = _look(image, imagebuilder=imagebuilder, latest=latest, failures=report.failures)
        if "Image Builder" in report.failures.stopped:
            return
        builds, report.newest = sighting.builds, newest_good(sighting.builds)
        chosen = _choose(latest=latest, sighting=sighting, report=report, seconds_left=seconds_left)
        moves = _write(
            image,
            chosen=chosen,
            latest=latest,
            imagebuilder=imagebuilder,
            by=by,
            report=report,
            seconds_left=seconds_left,
        )
        moved |= {target: {move.value, move.previous or move.value} for target, move in moves.items()}
        until = time.monotonic() + min(confirm_within_seconds, seconds_left())
        _confirm(moves, name=f"{path}/{LATEST}", until=until, report=report)
        if not moves:
            break
        active = [target for target in active if target.region not in report.failures.stopped]
    used = {target: in_use(each) | moved.get(target, set()) for target, each in channels.items()}
    report.untagged = tag_builds(
        imagebuilder,
        builds=builds,
        sight=_sight(image, used=used, targets=targets, failures=report.failures),
        failures=report.failures,
        seconds_left=seconds_left,
    )


def _in_time(seconds_left: Callable[[], float]) -> None:
    if seconds_left() <= 0:
        raise NotYet("no time was left for this region")


def _read(
    targets: Sequence[Target],
    *,
    path: str,
    channels: dict[Target, dict[str, Channel]],
    report: Report,
    seconds_left: Callable[[], float],
) -> None:
    """Each target's channels, into `channels`, which has what an earlier round read."""
    for target in targets:
        with report.failures.collected(target.region):
            _in_time(seconds_left)
            channels[target] = read_channels(target.ssm, path=path, known=channels.get(target))
            if latest := channels[target].get(LATEST):
                report.latest[target.region] = latest.value


def _look(
    image: Image,
    *,
    imagebuilder: ImagebuilderClient,
    latest: Mapping[Target, Channel | None],
    failures: Failures,
) -> Sighting:
    """The pipeline's builds, and those that the channels name and the list does not have.

    One of these that Image Builder does not show is the matter of the regions whose channels name it.
    """
    builds = list_builds(imagebuilder, pipeline_arn=image.pipeline_arn, failures=failures)
    named: dict[str, list[str]] = {}
    for target, channel in latest.items():
        arn = channel.record.get("build", "") if channel else ""
        if is_build_of(image.pipeline_arn, arn=arn) and not any(build.arn == arn for build in builds):
            named.setdefault(arn, []).append(target.region)
    unknown = set()
    for arn, regions in sorted(named.items()):
        try:
            build = get_build(imagebuilder, arn=arn, pipeline_arn=image.pipeline_arn)
        except FAILURES as error:
            unknown.add(arn)
            for region in regions:
                failures.note(region, error)
        else:
            builds += [build] if build else []
    for build in builds:
        if build.status == "AVAILABLE" and not build.created:
            failures.problem("Image Builder", f"{build.arn} has no creation time that can be read")
    return Sighting(sorted(builds, key=lambda build: build.order, reverse=True), frozenset(unknown))


def _choose(
    *,
    latest: Mapping[Target, Channel | None],
    sighting: Sighting,
    report: Report,
    seconds_left: Callable[[], float],
) -> dict[Target, Usable]:
    """The build for each target whose channel has to move."""
    chosen, good = {}, good_builds(sighting.builds)
    for target, channel in latest.items():
        with report.failures.collected(target.region):
            _in_time(seconds_left)
            usable = target.outputs.newest_usable(good, failures=report.failures)
            if not usable or (channel and channel.value == usable.value):
                continue
            if not channel or sighting.may_move(channel, usable, region=target.region):
                chosen[target] = usable
            elif (arn := channel.record["build"]) not in sighting.unknown:  # of which the failure is noted already
                what = f"what Image Builder says about {arn} is incomplete"
                report.failures.problem(target.region, f"latest does not move back to {usable.build.arn}: {what}")
    return chosen


def _write(
    image: Image,
    *,
    chosen: Mapping[Target, Usable],
    latest: Mapping[Target, Channel | None],
    imagebuilder: ImagebuilderClient,
    by: str,
    report: Report,
    seconds_left: Callable[[], float],
) -> dict[Target, Move]:
    """Write each target's `latest`, with its record; what comes back still has to be confirmed."""
    name = f"{channel_path(namespace=image.namespace, image=image.name)}/{LATEST}"
    parents: dict[str, str] = {}
    for arn in sorted({usable.build.arn for usable in chosen.values()}):
        with report.failures.collected(f"parent of {arn}"):  # a record without it is better than a release that waits
            parents[arn] = parent_of(imagebuilder, arn=arn) or ""
    moves = {}
    for target, usable in chosen.items():
        channel, build = latest[target], usable.build
        move_from = channel.value if channel else None
        record = {
            "build": build.arn,
            "created": build.created.isoformat() if build.created else None,
            "parent": parents.get(build.arn),
            "previous": move_from,
            "by": by,
        }
        with report.failures.collected(target.region):
            _in_time(seconds_left)
            report.latest.pop(target.region, None)
            version = write_channel(
                target.ssm,
                name=name,
                value=usable.value,
                data_type=target.outputs.data_type,
                record=record,
                tags=image.tags,
                exists=channel is not None,
            )
            moves[target] = Move(target.region, move_from, usable.value, build.arn, version)
    return moves


def _confirm(moves: Mapping[Target, Move], *, name: str, until: float, report: Report) -> None:
    for target, move in moves.items():
        with report.failures.collected(target.region):
            confirm_channel(target.ssm, name=name, value=move.value, version=move.version, until=until)
            report.moves.append(move)
            report.latest[target.region] = move.value


def _sight(
    image: Image, *, used: Mapping[Target, Collection[str]], targets: Sequence[Target], failures: Failures
) -> Sight:
    """What the tags follow from, with the outputs in use as Image Builder names them."""
    named: set[str] = set()
    for target in targets:
        with failures.collected(target.region):
            named |= target.outputs.named(used.get(target, ()))
    regions = {target.region for target in targets}
    return Sight(
        image=image.label,
        used=named,
        keep_newest=image.keep_newest,
        read=regions - failures.stopped,
        unread=regions & failures.stopped,
    )
