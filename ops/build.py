"""Builds: start one, follow one, and print the result. `ops.commands.build` lists the members of its JSON."""

from __future__ import annotations

import json
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
from lambda_src.handoff.builds import list_builds
from ops.accounts import Accounts
from ops.aws import Aws, asking
from ops.commit import COMMIT_TAG, Commit, commit_of
from ops.ends import ENDED, UNFINISHED
from ops.errors import Interrupted, OpsError
from ops.follow import Arrival, Outcome, follow
from ops.named_build import find_build
from ops.pipeline import Pipeline, check_deployed, version_of
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


def start(image: EstateImage[Image], *, follows: bool, options: Options) -> int:
    """Start a build of the image's pipeline, and follow it if `follows`; the exit status.

    A build that is running already may lack the latest changes. So it is shown, and a new one is started anyway.
    """
    name, home = image.names.image, image.image.home
    aws = Accounts().of_image(image)
    pipeline = Pipeline(declared=image, account=aws.account)
    deployed, declared = check_deployed(pipeline, aws=aws), recipe_of(image).version
    console = open_console(to_stderr=options.as_json)
    if deployed != declared:
        deploy = f"make deploy STACK={image.names.stack}"
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
        arn = started["imageBuildVersionArn"]
    for build in others:
        console.print(f"{name} {version_of(build.arn)} is {build.status} and continues in parallel", style="dim")
    console.print(f"{name} {version_of(arn)} started in {home}")
    tag = f"tagged {COMMIT_TAG}={commit.sha}" if commit.sha else f"not tagged with {COMMIT_TAG}: {commit.lack}"
    console.print(tag, style="dim", soft_wrap=True)
    if follows:
        return _follow(pipeline, arn=arn, aws=aws, console=console, commit=commit, options=options)
    if options.as_json:
        _print_json(pipeline, arn=arn, commit=commit, outcome=None)
    else:
        console.print(arn, style="dim", soft_wrap=True)
        console.print(f"follow it with: {options.attach_command(name, arn)}", soft_wrap=True)
    return 0


def attach(image: EstateImage[Image], *, build: BuildReference | None, options: Options) -> int:
    """Follow a build that was started before; the exit status.

    `build` is None for the newest build.
    """
    name, home = image.names.image, image.image.home
    aws = Accounts().of_image(image)
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
    console = open_console(to_stderr=options.as_json)
    if console.is_interactive:
        console.print(f"{name} {version_of(arn)} in {home}")
    return _follow(pipeline, arn=arn, aws=aws, console=console, commit=None, options=options)


def _follow(
    pipeline: Pipeline, *, arn: str, aws: Aws, console: Console, commit: Commit | None, options: Options
) -> int:
    """Follow a build; `commit` is None for a build that was started before."""
    again = options.attach_command(pipeline.image.name, arn)
    label = f"{pipeline.image.name} {version_of(arn)}"
    try:
        outcome = follow(
            pipeline,
            arn=arn,
            aws=aws,
            console=console,
            just_started=commit is not None,
            handoff_timeout=options.handoff_timeout,
        )
    except KeyboardInterrupt:
        raise Interrupted(f"\n{label} continues; follow it again with: {again}") from None
    except OpsError as error:
        raise OpsError(f"{error}\n{label} may still be running; follow it again with: {again}") from None
    if outcome is None:
        raise OpsError(f"{pipeline.image.name} has no build {version_of(arn)}")
    if options.as_json:
        _print_json(pipeline, arn=arn, commit=commit or Commit(sha=outcome.commit), outcome=outcome)
    else:
        _print_arrivals(outcome.arrivals, noun=pipeline.noun, console=console)
    _check(outcome, pipeline=pipeline, label=label, options=options)
    return 0


def _check(outcome: Outcome, *, pipeline: Pipeline, label: str, options: Options) -> None:
    """Raises `OpsError` when a person has to do something."""
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
            f"{label} has no {pipeline.noun} in {', '.join(absent)}: run make deploy STACK={stack}, so that the "
            "pipeline distributes there, and build again"
        )
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


def _print_json(pipeline: Pipeline, *, arn: str, commit: Commit, outcome: Outcome | None) -> None:
    answer = {
        "image": pipeline.image.name,
        "region": pipeline.image.home,
        "build": version_of(arn),
        "arn": arn,
        "commit": commit.sha,
        "no_commit": commit.lack,
        "status": outcome.status if outcome else None,
        "failed_in": outcome.failed_in if outcome else None,
        "reason": outcome.failure.reason if outcome else None,
        "logs": outcome.failure.logs if outcome else None,
        "regions": [asdict(arrival) for arrival in outcome.arrivals] if outcome else [],
    }
    open_console().print(json.dumps(answer, indent=2), soft_wrap=True)
