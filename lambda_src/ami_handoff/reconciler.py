"""The rules of the hand-off: find the newest usable build, verify, move `latest`, confirm, look again, tag.

Decided from what Image Builder and Parameter Store say now, never from a message, and written only on
change: so it may run at any time, any number of times, and twice at once. Parameter Store has no
conditional write; of two runs at once, the one that wrote from the older view looks again after writing and
puts it right.

`latest` is the newest usable build, so it moves backwards only when the build that it points to is gone:
its output cannot be used any more, or Image Builder has no such build, or has it in another state than
AVAILABLE.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .builds import Build, get_build, good_builds, list_builds, newest_good, parent_of, tag_builds
from .channels import LATEST, Channel, channel_path, confirm_channel, in_use, read_channels, write_channel
from .failures import Failures
from .outputs import Outputs, Usable

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


def reconcile(
    image: Image,
    *,
    imagebuilder: ImagebuilderClient,
    targets: Sequence[Target],
    by: str,
    confirm_within_seconds: float = 10.0,
) -> Report:
    """Point `latest` of every target to the newest usable build of the image's pipeline, then tag the builds.

    All targets are validated before the first is written, all are attempted, and one that fails is left
    alone for the rest of the run. `by` says in the record who moved it.
    """
    report = Report()
    path = channel_path(namespace=image.namespace, image=image.name)
    used: dict[str, set[str]] = {}
    builds: list[Build] = []
    everywhere, regions = targets, {target.region for target in targets}
    for _ in range(ROUNDS):
        latest: dict[Target, Channel | None] = {}
        for target in targets:
            with report.failures.collected(target.region):
                channels = read_channels(target.ssm, path=path)
                used[target.region] = in_use(channels)
                latest[target] = channels.get(LATEST)
        with report.failures.collected("Image Builder"):
            builds = _builds(image, imagebuilder=imagebuilder, channels=latest.values(), failures=report.failures)
        if "Image Builder" in report.failures.stopped:
            return report
        report.newest = newest_good(builds)
        chosen = _choose(latest=latest, builds=builds, report=report)
        moves = _write(image, chosen=chosen, latest=latest, imagebuilder=imagebuilder, by=by, failures=report.failures)
        for move in moves.values():
            used[move.region].update({move.value, move.previous or move.value})
        _confirm(moves, name=f"{path}/{LATEST}", until=time.monotonic() + confirm_within_seconds, report=report)
        if not moves:
            break
        targets = [target for target in targets if target.region not in report.failures.stopped]
    outputs = _named(used, targets=everywhere, failures=report.failures)
    label = f"{image.namespace}/{image.name}"
    tag_builds(
        imagebuilder,
        builds=builds,
        image=label,
        used=outputs,
        keep_newest=image.keep_newest,
        regions=regions - report.failures.stopped,
        failures=report.failures,
    )
    return report


def _named(used: Mapping[str, set[str]], *, targets: Sequence[Target], failures: Failures) -> set[str]:
    """The outputs, as Image Builder names them, that are in use somewhere."""
    named: set[str] = set()
    for target in targets:
        with failures.collected(target.region):
            named |= target.outputs.named(used.get(target.region, ()))
    return named


def _builds(
    image: Image, *, imagebuilder: ImagebuilderClient, channels: Iterable[Channel | None], failures: Failures
) -> list[Build]:
    """The pipeline's builds, and those that the channels name and the list does not have."""
    builds = list_builds(imagebuilder, pipeline_arn=image.pipeline_arn)
    named = {channel.record.get("build", "") for channel in channels if channel}
    for arn in sorted(named.difference(build.arn for build in builds)):
        if build := get_build(imagebuilder, arn=arn, pipeline_arn=image.pipeline_arn):
            builds.append(build)
    for build in builds:
        if build.status == "AVAILABLE" and not build.created:
            failures.problem("Image Builder", f"{build.arn} has no creation time that can be read")
    return builds


def _choose(
    *, latest: Mapping[Target, Channel | None], builds: Sequence[Build], report: Report
) -> dict[Target, Usable]:
    """The build for each target whose channel has to move; the others' go to `report.latest` as they are."""
    chosen, good = {}, good_builds(builds)
    for target, channel in latest.items():
        with report.failures.collected(target.region):
            usable = target.outputs.newest_usable(good, failures=report.failures)
            if usable and (not channel or channel.value != usable.value):
                chosen[target] = usable
            elif channel:
                report.latest[target.region] = channel.value
    return chosen


def _write(
    image: Image,
    *,
    chosen: Mapping[Target, Usable],
    latest: Mapping[Target, Channel | None],
    imagebuilder: ImagebuilderClient,
    by: str,
    failures: Failures,
) -> dict[Target, Move]:
    """Write each target's `latest`, with its record; what comes back still has to be confirmed."""
    name = f"{channel_path(namespace=image.namespace, image=image.name)}/{LATEST}"
    parents: dict[str, str] = {}
    for arn in sorted({usable.build.arn for usable in chosen.values()}):
        with failures.collected(f"parent of {arn}"):  # a record without it is better than a release that waits
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
        with failures.collected(target.region):
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
