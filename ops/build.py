"""Builds: start one, follow one, and print the result. `ops.commands.build` lists the members of its JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from estate import names
from estate.estate import EstateImage
from estate.models.images import Image
from estate.recipes import recipe_of
from estate.references import BuildReference
from lambda_src.handoff.builds import list_builds, version_of
from ops.accounts import Accounts
from ops.aws import Aws, asking
from ops.commit import COMMIT_TAG, Commit, commit_of
from ops.ends import ENDED, UNFINISHED
from ops.errors import Interrupted, OpsError
from ops.follow import Arrival, Outcome, follow
from ops.named_build import find_build
from ops.pipeline import Pipeline, check_deployed
from ops.screen import duration, open_console, short


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the command; `handoff_timeout` is in seconds, `configuration` a file or folder.

    `command` completes `build web` to a command line with the same configuration.
    """

    as_json: bool
    handoff_timeout: float
    configuration: Path
    command: Callable[[str], str]

    def attach_command(self, image: str, arn: str) -> str:
        """The command line that follows this build."""
        return self.command(f"build {image} --attach {version_of(arn)}")


class NoBuild(OpsError):
    """The pipeline does not have the build."""


@dataclass(frozen=True, kw_only=True)
class RunningBuild:
    """A build that was started, by this command or before."""

    declared: EstateImage[Image]
    pipeline: Pipeline
    aws: Aws
    arn: str
    commit: Commit | None = None
    """The commit that this command has tagged it with; None for a build that was started before."""

    @property
    def label(self) -> str:
        """`web 1.0.912/3`."""
        return f"{self.pipeline.image.name} {version_of(self.arn)}"


def start(image: EstateImage[Image], *, follows: bool, options: Options) -> int:
    """Start a build of the image's pipeline, and follow it if `follows`; the exit status."""
    console = open_console(to_stderr=options.as_json)
    build = start_build(image, aws=Accounts().of_image(image), console=console, options=options)
    if follows:
        return _follow(build, console=console, options=options)
    if options.as_json:
        _print_json(build, commit=build.commit or Commit(), outcome=None)
    else:
        console.print(build.arn, style="dim", soft_wrap=True)
        console.print(f"follow it with: {options.attach_command(image.image.name, build.arn)}", soft_wrap=True)
    return 0


def start_build(image: EstateImage[Image], *, aws: Aws, console: Console, options: Options) -> RunningBuild:
    """Start a build, and say so. Raises `OpsError`.

    A build that is running already may lack the latest changes. So it is shown, and a new one is started anyway.
    """
    name, home = image.names.image, image.image.home
    pipeline = Pipeline(declared=image, account=aws.account)
    deployed, declared = check_deployed(pipeline, aws=aws), recipe_of(image).version
    if deployed != declared:
        deploy = f"goldsmith plan {image.names.stack} and apply it"
        difference = f"{name} is deployed as {deployed} and declared as {declared}"
        remedy = f"this builds {deployed}; to build {declared}, run {deploy} first"
        console.print(f"{difference}: {remedy}", style="yellow", soft_wrap=True)
        commit = Commit(lack=f"the configuration declares {declared}, and this builds {deployed}")
    else:
        commit = commit_of(options.configuration)
    with asking(home):
        imagebuilder = aws.imagebuilder(home)
        others = [build for build in list_builds(imagebuilder, pipeline_arn=pipeline.arn) if build.status not in ENDED]
        tags: dict[str, Any] = {"tags": commit.tags} if commit.tags else {}  # AWS refuses an empty mapping
        started = imagebuilder.start_image_pipeline_execution(
            imagePipelineArn=pipeline.arn, clientToken=str(uuid4()), **tags
        )
    build = RunningBuild(declared=image, pipeline=pipeline, aws=aws, arn=started["imageBuildVersionArn"], commit=commit)
    for other in others:
        console.print(f"{name} {version_of(other.arn)} is {other.status} and continues in parallel", style="dim")
    console.print(f"{build.label} started in {home}")
    tag = f"tagged {COMMIT_TAG}={commit.sha}" if commit.sha else f"not tagged with {COMMIT_TAG}: {commit.lack}"
    console.print(tag, style="dim", soft_wrap=True)
    return build


def attach(image: EstateImage[Image], *, build: BuildReference | None, options: Options) -> int:
    """Follow a build that was started before; the exit status.

    `build` is None for the newest build.
    """
    running = find_running(image, build=build, aws=Accounts().of_image(image), options=options)
    console = open_console(to_stderr=options.as_json)
    if console.is_interactive:
        console.print(f"{running.label} in {image.image.home}")
    return _follow(running, console=console, options=options)


def find_running(
    image: EstateImage[Image], *, build: BuildReference | None, aws: Aws, options: Options
) -> RunningBuild:
    """A build that was started before; `build` is None for the newest one. Raises `OpsError`."""
    name, home = image.names.image, image.image.home
    pipeline = Pipeline(declared=image, account=aws.account)
    check_deployed(pipeline, aws=aws)
    if build and build.is_whole:
        arn = pipeline.build_arn(f"{build.version}/{build.number}")  # the list may not have it yet
    else:
        with asking(home):
            builds = list_builds(aws.imagebuilder(home), pipeline_arn=pipeline.arn)
        if not builds:
            raise OpsError(f"{name} has no build yet: {options.command(f'build {name}')}")
        arn = (find_build(build, builds) if build else builds[0]).arn
    return RunningBuild(declared=image, pipeline=pipeline, aws=aws, arn=arn)


def follow_build(
    build: RunningBuild, *, console: Console, options: Options, pause: Callable[[float], object] = time.sleep
) -> Outcome:
    """Follow a build to its end, and until `latest` has moved. Raises `OpsError` when that cannot be seen.

    `pause` waits for some seconds between two looks.
    """
    outcome = follow(
        build.declared,
        arn=build.arn,
        aws=build.aws,
        console=console,
        just_started=build.commit is not None,
        handoff_timeout=options.handoff_timeout,
        pause=pause,
    )
    if outcome is None:
        raise NoBuild(f"{build.pipeline.image.name} has no build {version_of(build.arn)}")
    return outcome


def _follow(build: RunningBuild, *, console: Console, options: Options) -> int:
    label, again = build.label, options.attach_command(build.pipeline.image.name, build.arn)
    try:
        outcome = follow_build(build, console=console, options=options)
    except KeyboardInterrupt:
        raise Interrupted(f"\n{label} continues; follow it again with: {again}") from None
    except NoBuild:
        raise
    except OpsError as error:
        raise OpsError(f"{error}\n{label} may still be running; follow it again with: {again}") from None
    if options.as_json:
        _print_json(build, commit=build.commit or Commit(sha=outcome.commit), outcome=outcome)
    else:
        _print_arrivals(outcome.arrivals, noun=build.pipeline.noun, console=console)
    check_outcome(outcome, build=build, options=options)
    return 0


def check_outcome(outcome: Outcome, *, build: RunningBuild, options: Options) -> None:
    """Raises `OpsError` when a person has to do something."""
    pipeline, label = build.pipeline, build.label
    if not outcome.is_good and outcome.status not in UNFINISHED:
        raise OpsError(f"{label} {outcome.status}: it was built, and withdrawn later")
    if not outcome.is_good:
        where = f" while {outcome.failed_in}" if outcome.failed_in else ""
        reason = outcome.failure.reason or "Image Builder gave no reason"
        logs = f"\nits log is in {outcome.failure.logs}" if outcome.failure.logs else ""
        raise OpsError(f"{label} {outcome.status}{where}: {reason}{logs}")
    behind = [arrival.region for arrival in outcome.arrivals if not arrival.handed_off]
    absent = [arrival.region for arrival in outcome.arrivals if not arrival.handed_off and not arrival.value]
    if absent:
        stack = pipeline.declared.names.stack
        raise OpsError(
            f"{label} has no {pipeline.noun} in {', '.join(absent)}: run goldsmith plan {stack} and apply it, so "
            "that the pipeline distributes there, and build again"
        )
    if obstacle := outcome.obstacle:
        again = f", or go on with: {options.attach_command(pipeline.image.name, build.arn)}"
        raise OpsError(f"{label} {obstacle.reason}; {obstacle.remedy}{again if obstacle.ends_by_itself else ''}")
    if behind:
        raise OpsError(
            f"latest did not move to {label} in {', '.join(behind)} within {duration(options.handoff_timeout)}: "
            f"look at the function's log {names.function_log(pipeline.handoff)} and at the dead letters in the queue "
            f"{names.dead_letters(pipeline.handoff)}, both in {pipeline.image.home}"
        )


def _print_arrivals(arrivals: tuple[Arrival, ...], *, noun: str, console: Console) -> None:
    if not arrivals:
        return
    table = Table.grid(padding=(0, 2 if console.is_terminal else 1))
    for arrival in arrivals:
        position = Text(_position(arrival), "" if arrival.handed_off else "yellow")
        shown = Text(short(arrival.value, console=console) if arrival.value else f"no {noun}")
        shown.stylize("bold" if arrival.value else "")
        table.add_row(arrival.region, shown, position)
    console.print(Padding(table, (1, 0, 1, 2)) if console.is_terminal else table)


def _position(arrival: Arrival) -> str:
    shown = arrival.latest_build or arrival.latest
    if shown is None:
        return "latest does not exist yet"
    if arrival.latest == arrival.value:
        return "latest points to it"
    return f"latest points to a newer build, {shown}" if arrival.handed_off else f"latest still points to {shown}"


def _print_json(build: RunningBuild, *, commit: Commit, outcome: Outcome | None) -> None:
    pipeline, arn = build.pipeline, build.arn
    answer = {
        "image": pipeline.image.name,
        "region": pipeline.image.home,
        "build": version_of(arn),
        "arn": arn,
        "commit": commit.sha,
        "no_commit": commit.lack,
        "status": outcome.status if outcome else None,
        "failed_in": outcome.failed_in if outcome else None,
        "reason": (outcome.obstacle.reason if outcome.obstacle else outcome.failure.reason) if outcome else None,
        "logs": outcome.failure.logs if outcome else None,
        "regions": [asdict(arrival) for arrival in outcome.arrivals] if outcome else [],
    }
    open_console().print(json.dumps(answer, indent=2), soft_wrap=True)
