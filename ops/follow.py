"""Following a build from its first status until it fails, or until `latest` points to its outputs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from rich.console import Console

from estate.estate import EstateImage
from estate.models.images import Image
from lambda_src.handoff.builds import Build, get_build, version_of
from lambda_src.handoff.channels import LATEST, Channel, Folder, read_folder
from ops.aws import Aws, asking
from ops.commit import COMMIT_TAG
from ops.ends import ENDED, GOOD, NO_FAILURE, Failure, failure_of
from ops.obstacles import Obstacle, Watch
from ops.pipeline import Pipeline
from ops.progress import Progress
from ops.screen import duration

_Pause = Callable[[float], object]
"""Waits for some seconds."""

APPEARS_WITHIN_SECONDS = 30
"""How long GetImage may not find a build that has just been started."""


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """One region after a good build.

    `value` is what `latest` holds when it points to the build; None when the build has no output in the region.
    `latest` is what it holds now.
    """

    region: str
    value: str | None
    latest: str | None
    latest_build: str | None
    handed_off: bool
    """Whether `latest` points to this build or to a newer one."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a build ended."""

    status: str
    failed_in: str | None = None
    """The last status that was seen before it failed."""
    failure: Failure = NO_FAILURE
    commit: str | None = None
    """The commit that the build is tagged with."""
    arrivals: tuple[Arrival, ...] = ()
    obstacle: Obstacle | None = None
    """What keeps `latest` from moving to a good build, if that is known."""

    @property
    def is_good(self) -> bool:
        """Whether the build's outputs can be used."""
        return self.status == GOOD


def follow(
    declared: EstateImage[Image],
    *,
    arn: str,
    aws: Aws,
    console: Console,
    just_started: bool,
    handoff_timeout: float,
    pause: _Pause = time.sleep,
) -> Outcome | None:
    """Show the build until it has ended; after a good build, until `latest` points to it or to a newer build in every
    region, or something keeps it from that, `handoff_timeout` seconds at most. None when the pipeline does not have the
    build.

    `pause` waits for some seconds between two looks; what it raises ends the following.

    Raises `OpsError` when AWS refuses.
    """
    pipeline = Pipeline(declared=declared, account=aws.account)
    build = _first_look(pipeline, arn=arn, aws=aws, patient=just_started, pause=pause)
    if build is None:
        return None
    age = 0.0 if build.created is None else (datetime.now(UTC) - build.created).total_seconds()
    label = f"{pipeline.image.name} {version_of(arn)}"
    with Progress(console, build=label, age_in_seconds=None if just_started else age) as progress:
        outcome = _walk(pipeline, arn=arn, aws=aws, progress=progress, pause=pause)
        progress.end(outcome.status, good=outcome.is_good)
        if not outcome.is_good:
            return outcome
        build = _build(pipeline, arn=arn, aws=aws)
        if build is None:
            return None
        watch = Watch(declared, build, aws=aws)
        return _hand_off(outcome, pipeline, build, watch, progress=progress, timeout=handoff_timeout, pause=pause)


def _first_look(pipeline: Pipeline, *, arn: str, aws: Aws, patient: bool, pause: _Pause) -> Build | None:
    until = time.monotonic() + (APPEARS_WITHIN_SECONDS if patient else 0.0)
    while True:
        build = _build(pipeline, arn=arn, aws=aws)
        if build or time.monotonic() >= until:
            return build
        pause(1.0)


def _build(pipeline: Pipeline, *, arn: str, aws: Aws) -> Build | None:
    with asking(pipeline.image.home):
        return get_build(aws.imagebuilder(pipeline.image.home), arn=arn, pipeline_arn=pipeline.arn)


def _walk(pipeline: Pipeline, *, arn: str, aws: Aws, progress: Progress, pause: _Pause) -> Outcome:
    """Show each status until the last one."""
    imagebuilder = aws.imagebuilder(pipeline.image.home)
    state: str | None = None
    while True:
        with asking(pipeline.image.home):
            image = imagebuilder.get_image(imageBuildVersionArn=arn)["image"]
            status, commit = image["state"]["status"], image.get("tags", {}).get(COMMIT_TAG)
        if status in ENDED:
            break
        state = status
        progress.step(status)
        # a status that lasts long needs few calls, and each is shown late by at most a tenth of its duration
        pause(min(max(0.25, progress.step_seconds / 10), 10.0))
    if status == GOOD:
        return Outcome(status=status, commit=commit)
    with asking(pipeline.image.home):
        return Outcome(status=status, failed_in=state, failure=failure_of(image), commit=commit)


def _hand_off(
    outcome: Outcome,
    pipeline: Pipeline,
    build: Build,
    watch: Watch,
    *,
    progress: Progress,
    timeout: float,
    pause: _Pause,
) -> Outcome:
    """Wait until `latest` has moved in every region that has an output of the build, until it is known that it will not
    move, or until the timeout."""
    until: float | None = None
    while True:
        folders = {region: _folder(pipeline, region=region, aws=watch.aws) for region in pipeline.image.regions}
        arrivals = tuple(_arrival(pipeline, build, folders[region], region=region, aws=watch.aws) for region in folders)
        if until is None:  # the first look does not count as waiting
            until = time.monotonic() + timeout
        waiting = [arrival.region for arrival in arrivals if arrival.value and not arrival.handed_off]
        home = pipeline.image.home
        obstacle = watch.obstacle(folders[home]) if home in waiting else None
        if not waiting or time.monotonic() >= until or (obstacle and not obstacle.ends_by_itself):
            progress.end_step(good=not waiting)
            return replace(outcome, arrivals=arrivals, obstacle=obstacle)
        if obstacle:
            line = f"{obstacle.reason}; this waits for at most {duration(timeout)}"
            progress.step("gate", line=line, note=obstacle.reason)
        else:
            progress.step("hand-off", line=f"hand-off, which may take {duration(timeout)}")
        pause(min(max(0.25, progress.step_seconds / 10), 5.0, max(0.0, until - time.monotonic())))


def _folder(pipeline: Pipeline, *, region: str, aws: Aws) -> Folder:
    with asking(region):
        return read_folder(aws.ssm(region), path=pipeline.channels)


def _arrival(pipeline: Pipeline, build: Build, folder: Folder, *, region: str, aws: Aws) -> Arrival:
    latest = folder.channels.get(LATEST)
    with asking(region):
        outputs = pipeline.outputs(region, aws=aws)
        value = outputs.value_of(build)
    there = latest is not None and latest.value == value
    named = build if there else _build_in(latest, pipeline, aws=aws) if latest else None
    with asking(region):
        # the record may describe an earlier value, when the present one was written by hand
        points_to = named if latest and named and outputs.value_of(named) == latest.value else None
    newer = points_to is not None and points_to.order > build.order
    return Arrival(
        region=region,
        value=value,
        latest=latest.value if latest else None,
        latest_build=version_of(points_to.arn) if points_to else None,
        handed_off=there or newer,
    )


def _build_in(channel: Channel, pipeline: Pipeline, *, aws: Aws) -> Build | None:
    """The build that a channel's record names, if it is a build of the image."""
    recorded = channel.record.get("build", "")
    return _build(pipeline, arn=recorded, aws=aws) if pipeline.is_of(recorded) else None
