"""One build as `goldsmith status` shows it: how it ended, its outputs, and which channels and fleets have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from estate.references import AmiReference, BuildReference
from lambda_src.handoff.builds import Build, version_of
from ops.accounts import Unreachable
from ops.commit import COMMIT_TAG
from ops.ends import ENDED, UNFINISHED
from ops.errors import OpsError
from ops.fleet_status import FleetStatus
from ops.image_status import ImageReading, ImageStatus
from ops.named_build import find_build
from ops.screen import age, short


@dataclass(frozen=True, kw_only=True)
class Output:
    """What a build made in one region, and the channels that point to it there."""

    region: str
    value: str
    channels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Use:
    """A fleet that has a build: whether its channel points to it or its pin says it, and how many of its instances run
    it."""

    fleet: str
    wanted: bool
    instances: int
    pinned: bool = False
    """Whether a pin says what it wants."""


@dataclass(frozen=True, kw_only=True)
class BuildReport:
    """One build."""

    image: str
    build: str
    arn: str
    status: str
    created: datetime | None
    commit: str | None
    reason: str | None
    logs: str | None
    outputs: tuple[Output, ...]
    fleets: tuple[Use, ...]


def report(
    reference: BuildReference | AmiReference,
    *,
    readings: Mapping[str, ImageReading | Unreachable],
    images: Mapping[str, ImageStatus],
    fleets: Sequence[FleetStatus],
) -> BuildReport:
    """The report of a build that is named by itself or by one of its AMIs.

    Raises `OpsError` when there is none, and `UsageError` when it could be several.
    """
    if isinstance(reference, BuildReference) and isinstance(error := readings[reference.image], Unreachable):
        raise error
    readable = {name: each for name, each in readings.items() if isinstance(each, ImageReading)}
    image, build = _find(reference, readable)
    failure = readable[image].failure_of(build)
    version = version_of(build.arn)
    rows = [row for row in images[image].channels if row.arn == build.arn]
    pointed = {row.region: row.value for row in rows if row.value}
    uses = [_use(fleet, version) for fleet in fleets if fleet.image == image]
    return BuildReport(
        image=image,
        build=version,
        arn=build.arn,
        status=build.status,
        created=build.created,
        commit=build.tags.get(COMMIT_TAG),
        reason=failure.reason,
        logs=failure.logs,
        outputs=tuple(
            Output(
                region=region,
                value=pointed.get(region, value),
                channels=tuple(row.channel for row in rows if row.region == region),
            )
            for region, value in build.outputs.items()
        ),
        fleets=tuple(use for use in uses if use.wanted or use.instances),
    )


def _find(reference: BuildReference | AmiReference, readings: Mapping[str, ImageReading]) -> tuple[str, Build]:
    if isinstance(reference, BuildReference):
        return reference.image, find_build(reference, readings[reference.image].builds)
    for image, reading in readings.items():
        for build in reading.builds:
            if reference.ami in build.outputs.values():
                return image, build
    raise OpsError(f"{reference.ami} was made by no build of this configuration that can be read")


def _use(fleet: FleetStatus, build: str) -> Use:
    instances = sum(running["count"] for running in fleet.instances if running["build"] == build)
    return Use(fleet=fleet.fleet, wanted=fleet.wanted["build"] == build, instances=instances, pinned=fleet.pinned)


def print_build(found: BuildReport, *, console: Console) -> None:
    """One build in lines."""
    since = f", started {age(datetime.now(UTC) - found.created)} ago" if found.created else ""
    verb = "" if found.status in ENDED else "is "
    why = f": {found.reason or 'Image Builder gave no reason'}" if found.status in UNFINISHED else ""
    console.print(f"{found.image} {found.build} {verb}{found.status}{since}{why}", soft_wrap=True)
    if found.commit:
        console.print(f"configuration of commit {found.commit}", soft_wrap=True)
    if found.logs:
        console.print(f"its log is in {found.logs}", soft_wrap=True)
    table = Table.grid(padding=(0, 2 if console.is_terminal else 1))
    for output in found.outputs:
        channels = ", ".join(output.channels)
        table.add_row(output.region, short(output.value, console=console), channels or "no channel points to it")
    if found.outputs:
        console.print(table)
    for use in found.fleets:
        runs = "1 instance runs it" if use.instances == 1 else f"{use.instances or 'no'} instances run it"
        subject = "its pin says" if use.pinned else "its channel points to"
        wanted = f"{subject} {'it' if use.wanted else 'another build'}"
        console.print(f"fleet {use.fleet}: {wanted}, {runs}", soft_wrap=True)
