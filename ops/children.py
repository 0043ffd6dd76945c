"""Builds an image and then the images that are built on it: the way of an urgent change of a base into all of them.

The base is built and followed until `latest` points to it. The channel that its children name as their parent is moved
to it. Then the children are built, at the same time, and after them their own children in the same way. Everything that
can be known to stop this is looked for before the first build. What fails stops its own children only.
"""

from __future__ import annotations

import json
import shlex
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from rich.console import Console

from estate.estate import EstateImage
from estate.models.channels import channels_of
from estate.models.images import Image
from estate.names import LATEST
from estate.recipes import recipe_of
from estate.references import BuildReference
from lambda_src.handoff.builds import version_of
from lambda_src.handoff.channels import read_folder
from lambda_src.handoff.history import SOAK
from lambda_src.handoff.holds import Hold
from ops.accounts import Accounts
from ops.aws import Aws, asking
from ops.build import Options, RunningBuild, check_outcome, find_running, follow_build, start_build
from ops.errors import Interrupted, OpsError, UsageError
from ops.moving import Mover, Refused
from ops.pipeline import Pipeline, deployed_recipe
from ops.promote import Promotion, promote_build
from ops.question import check_terminal, confirm
from ops.screen import new_table, open_console
from ops.sight import holds_of

_AT_THE_SAME_TIME = 20
"""Builds that are followed at once; further ones of a level start when one of these has ended."""

State = Literal["not started", "running", "done", "failed"]


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a person wants."""

    attached: BuildReference | None = None
    """A build of the base that was started before, which is followed instead of a new one."""
    skips_soak: bool = False
    why: str = ""
    asks: bool = True

    @property
    def skips(self) -> frozenset[str]:
        """What may be skipped, as in `lambda_src.handoff.history`."""
        return frozenset({SOAK}) if self.skips_soak else frozenset()


@dataclass(kw_only=True)
class Part:
    """One image, and what has become of it. It changes in the thread that builds it."""

    declared: EstateImage[Image]
    parent: Part | None
    channel: str = ""
    """The channel of the parent that it is built on."""
    children: list[Part] = field(default_factory=list)
    deployed: str | None = None
    """The version of the recipe that its pipeline builds; None as long as it is not known."""
    build: RunningBuild | None = None
    state: State = "not started"
    reason: str | None = None
    is_worth_following: bool = True
    """Whether its build runs, or can become `latest`: otherwise going on takes a new build."""

    @property
    def name(self) -> str:
        """The image's."""
        return self.declared.image.name

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels beside `latest` that children are built on, each after the one it takes its builds from."""
        named = {child.channel for child in self.children} - {LATEST}
        rules = channels_of(self.declared.image.channels)

        def depth(channel: str) -> int:
            return 1 + depth(rules[channel].from_) if channel in rules else 0

        return tuple(sorted(named, key=lambda channel: (depth(channel), channel)))

    @property
    def version(self) -> str | None:
        """`1.0.912/3`; None before there is a build."""
        return version_of(self.build.arn) if self.build else None

    @property
    def label(self) -> str:
        """`web 1.0.912/3`."""
        return self.build.label if self.build else self.name


def build_with_children(image: EstateImage[Image], wish: Wish, options: Options, *, accounts: Accounts) -> int:
    """Show, ask, and build an image with its children; the exit status.

    Raises `UsageError` for an image without children, `Refused` with everything that is known to stop this, and
    `OpsError` when something fails.
    """
    base = _part(image, None)
    if not base.children:
        remedy = f"goldsmith build {base.name}"
        raise UsageError(f"argument --children: no image of the configuration is built on {base.name}; {remedy}")
    console = open_console(to_stderr=options.as_json, is_live=False)
    aws = accounts.of_image(image)
    if lines := list(_refusals(base, wish, aws=aws)):
        raise Refused(lines)
    if wish.attached:
        base.build = find_running(image, build=wish.attached, aws=aws, options=options)
    _show(base, wish, console=console)
    if wish.asks:
        check_terminal(base.name)
        confirm(f"Build {base.name} and its children?", otherwise=f"{base.name}: nothing was built")
    lane = _Lane(wish=wish, aws=aws, console=console, options=options)
    is_interrupted = lane.run(base)
    if options.as_json:
        _print_json(base, lane)
    if is_interrupted:
        raise Interrupted("\n".join(["", *_lines(base, lane)]))
    if any(part.state != "done" for part in _all(base)):
        raise OpsError("\n".join(_lines(base, lane)))
    for line in _lines(base, lane):
        console.print(line, style="green", soft_wrap=True)
    return 0


def _part(declared: EstateImage[Image], parent: Part | None) -> Part:
    part = Part(declared=declared, parent=parent)
    for image in declared.children:
        child = _part(declared.estate.image(image.name), part)
        child.channel = (child.declared.parent or "").rpartition("/")[2]
        part.children.append(child)
    return part


def _all(base: Part) -> Iterator[Part]:
    """Level by level."""
    level = [base]
    while level:
        yield from level
        level = [child for part in level for child in part.children]


def _refusals(base: Part, wish: Wish, *, aws: Aws) -> Iterator[str]:
    """What is known to stop this, before anything is built. Raises `OpsError`."""
    for part in _all(base):
        image, declared = part.declared.image, part.declared
        pipeline = Pipeline(declared=declared, account=aws.account)
        if part.declared.account != base.declared.account:  # a parent that is written as a parameter
            rule = f"must be made in the account of {base.name}, got {image.account}"
            yield f"{part.name}: {rule}; goldsmith build {part.name}"
            continue
        part.deployed = deployed_recipe(pipeline, aws=aws)
        if part.deployed is None:
            yield pipeline.not_deployed
        with asking(image.home):
            folder = read_folder(aws.ssm(image.home), path=pipeline.channels)
        holds = {channel: Hold.from_json(value) for channel, value in folder.holds.items()}
        held = (line for name in (LATEST, *part.channels) for line in holds_of(part.name, name, holds, now=_now()))
        yield from dict.fromkeys(held)  # a hold of the image holds each channel
        yield from _not_to_move(part, wish)


def _now() -> datetime:
    return datetime.now(UTC)


def _not_to_move(part: Part, wish: Wish) -> Iterator[str]:
    """Why channels cannot get a new build at once."""
    rules = channels_of(part.declared.image.channels)
    for channel in part.channels:
        if channel not in rules:
            children = " and ".join(child.name for child in part.children if child.channel == channel)
            rule = f"must be a channel of {part.name}, because {children} is built on it"
            yield f"{part.name}@{channel}: {rule}; write another parent"
    if not wish.skips_soak:
        for place, rule in _soaks(part):
            yield f"{place}: {rule}, and a new build was not; in an emergency --skip-soak --why REASON"


def _soaks(part: Part) -> Iterator[tuple[str, str]]:
    """The channels that a new build reaches only if soak times are skipped, each with its rule."""
    rules, reached = channels_of(part.declared.image.channels), {LATEST}
    for channel in part.channels:
        if rule := rules.get(channel):
            if rule.soak or rule.from_ not in reached:
                time = f" for {rule.soak}" if rule.soak else ""
                yield f"{part.name}@{channel}", f"takes builds that were in {rule.from_}{time}"
            reached.add(channel)


def _show(base: Part, wish: Wish, *, console: Console) -> None:
    table = new_table("STEP", "IMAGE", "BUILDS", "ON", "THEN MOVES")
    level, step = [base], 1
    while level:
        for part in level:
            what = f"follows {part.version}" if part.build else part.deployed
            on = f"{part.parent.name}@{part.channel}" if part.parent else "its parent"
            moves = ", ".join(f"{part.name}@{channel}" for channel in part.channels)
            table.add_row(str(step), part.name, what, on, moves or "nothing")
        level, step = [child for part in level for child in part.children], step + 1
    console.print(table)
    for part in _all(base):
        if part.deployed != (declared := recipe_of(part.declared).version):
            deploy = f"goldsmith plan {part.declared.names.stack} and apply it"
            text = f"{part.name} is declared as {declared}: to build that, run {deploy} first"
            console.print(text, style="yellow", soft_wrap=True)
    if soaks := [place for part in _all(base) for place, _ in _soaks(part)]:
        console.print(f"SKIPS the soak time of {', '.join(soaks)}: {wish.why}", style="bold red", soft_wrap=True)


class _Stopped(Exception):
    """The command ends while a build runs."""


@dataclass(kw_only=True)
class _Lane:
    """Builds the parts, each in a thread."""

    wish: Wish
    aws: Aws
    console: Console
    options: Options
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self, base: Part) -> bool:
        """Build everything that does not depend on what failed. Whether Ctrl-C has ended it."""
        level = [base]
        with ThreadPoolExecutor(_AT_THE_SAME_TIME) as pool:
            try:
                while level:
                    list(pool.map(self._build, level))
                    level = [child for part in level if part.state == "done" for child in part.children]
            except KeyboardInterrupt:
                self._stop.set()
        return self._stop.is_set()

    def next_command(self, part: Part) -> str | None:
        """The command line that goes on with a part and its children; None if there is nothing to do, or its parent has
        to come first."""
        if part.state == "done" or (part.parent and part.parent.state != "done"):
            return None
        words = ["build", part.name]
        words += ["--children"] if part.children else []
        words += ["--attach", part.version] if part.version and part.is_worth_following else []
        if part.children and self.wish.skips_soak:
            words.append("--skip-soak")
        if part.children and self.wish.why:
            words += ["--why", self.wish.why]
        return self.options.command(shlex.join(words))

    def _build(self, part: Part) -> None:
        if self._stop.is_set():
            return
        part.state = "running"
        try:
            self._follow(part)
            for channel in part.channels:
                self._promote(part, channel)
            part.state = "done"
        except _Stopped:
            pass
        except OpsError as error:
            part.state, part.reason = "failed", str(error)
            self.console.print(f"{part.label} failed, see below", style="bold red", soft_wrap=True)

    def _follow(self, part: Part) -> None:
        """Raises `OpsError` when the build does not become `latest`."""
        console, options = self.console, self.options
        part.build = build = part.build or start_build(part.declared, aws=self.aws, console=console, options=options)
        outcome = follow_build(build, console=console, options=options, pause=self._pause)
        is_refused = outcome.obstacle is not None and outcome.obstacle.is_of_build
        is_everywhere = all(arrival.value for arrival in outcome.arrivals)
        part.is_worth_following = outcome.is_good and is_everywhere and not is_refused
        check_outcome(outcome, build=build, options=options)
        where = ", ".join(arrival.region for arrival in outcome.arrivals)
        console.print(f"{part.name}@{LATEST} points to {part.version} or a newer build in {where}", soft_wrap=True)

    def _promote(self, part: Part, channel: str) -> None:
        build = part.build
        if build is None:
            return
        promotion = Promotion(
            pipeline=build.pipeline,
            source=BuildReference(part.name, *_split(part.version or "")),
            channel=channel,
            why=self.wish.why,
            regions=part.declared.image.regions,
            skips=self.wish.skips,
        )
        mover = Mover(declared=part.declared, pipeline=build.pipeline, aws=self.aws)
        promote_build(mover, promotion, build.arn, console=self.console, command=self.options.command)

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise _Stopped


def _split(build: str) -> tuple[str, int]:
    version, _, number = build.partition("/")
    return version, int(number)


def _lines(base: Part, lane: _Lane) -> list[str]:
    """What is done, what is not, and what goes on with it."""
    by_state: dict[State, list[Part]] = {}
    for part in _all(base):
        by_state.setdefault(part.state, []).append(part)
    lines = [f"done: {', '.join(part.label for part in by_state['done'])}"] if "done" in by_state else []
    for state in ("running", "failed", "not started"):
        for part in by_state.get(state, ()):
            lines.append(_line(part))
            if command := lane.next_command(part):
                lines.append(f"go on with: {command}")
    return lines


def _line(part: Part) -> str:
    match part.state:
        case "running":
            what = f"{part.label} continues in AWS"
        case "failed":
            reason = part.reason or ""
            what = f"failed: {reason if reason.startswith(part.name) else f'{part.label}: {reason}'}"
        case _:
            what = f"not started: {part.label}, which is built on {part.parent.name if part.parent else 'its parent'}"
    return what


def _print_json(base: Part, lane: _Lane) -> None:
    parts: Sequence[Part] = list(_all(base))
    answer = {
        "image": base.name,
        "why": lane.wish.why or None,
        "images": [
            {
                "image": part.name,
                "parent": f"{part.parent.name}@{part.channel}" if part.parent else None,
                "build": part.version,
                "arn": part.build.arn if part.build else None,
                "state": part.state,
                "channels": [LATEST, *part.channels],
                "reason": part.reason,
                "next": lane.next_command(part),
            }
            for part in parts
        ],
    }
    open_console().print(json.dumps(answer, indent=2), soft_wrap=True)
