"""Every channel of every image: what it holds, that build's age, and whether a newer one exists.

`--json` writes one object; times are ISO 8601 with their offset, unknown values null:

    images            one object an image, in the configuration's order
      image           its name
      region          its home, where the pipeline is
      deployed        whether the pipeline exists
      newest          the newest build in any state: build ("1.0.912/3"), arn, status, created
      newest_good     the newest AVAILABLE one, likewise
      channels        one object for each region and channel:
        region, channel
        value         the AMI ID, or a container image's URI by digest; null when the channel has no build yet
        build, arn    the build it points to
        created       when that build was made
        moved         when the channel was moved to it
        newer_build   the newest good build of the region when the channel does not point to it
      errors          what could not be read, in words; the rest of the image is shown nevertheless
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TypeVar

from rich.console import Console
from rich.table import Table
from rich.text import Text

from estate import names
from estate.any_image import AnyImage
from estate.estate import Estate
from lambda_src.ami_handoff.builds import Build, list_builds, newest_good
from lambda_src.ami_handoff.channels import LATEST, Channel, read_channels
from ops.aws import Aws, OpsError, asking
from ops.follow import ENDED, GOOD
from ops.pipeline import Pipeline, created_in, deployed_recipe, pipeline_of, version_of
from ops.screen import age, open_console, short

_AT_ONCE = 8
"""Requests; a client's pool has ten connections."""

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class BuildStatus:
    """One build of an image."""

    build: str
    arn: str
    status: str
    created: datetime | None


@dataclass(frozen=True, kw_only=True)
class ChannelStatus:
    """One channel in one region."""

    region: str
    channel: str
    value: str | None = None
    build: str | None = None
    arn: str | None = None
    created: datetime | None = None
    moved: datetime | None = None
    newer_build: str | None = None


@dataclass(frozen=True, kw_only=True)
class ImageStatus:
    """One image."""

    image: str
    region: str
    deployed: bool | None
    newest: BuildStatus | None
    newest_good: BuildStatus | None
    channels: tuple[ChannelStatus, ...]
    errors: tuple[str, ...]


def run_status(estate: Estate, *, images: Sequence[AnyImage], as_json: bool, command: Callable[[str], str]) -> int:
    """`ops status`: read and print; the exit status, 1 when something could not be read. `command` makes a whole
    command line of `follow web 1.0.912/3`."""
    console = open_console(to_stderr=as_json)
    with console.status("Reading Image Builder and Parameter Store"):
        statuses = read_status(estate, images=images)
    if as_json:
        answer = {"images": [asdict(status) for status in statuses]}
        text = json.dumps(answer, indent=2, default=datetime.isoformat)
        open_console().print(text, soft_wrap=True)
    else:
        _print_table(statuses, console=console)
        for status in statuses:
            _print_remarks(status, console=console, command=command)
    return 1 if any(status.errors for status in statuses) else 0


def read_status(estate: Estate, *, images: Sequence[AnyImage]) -> list[ImageStatus]:
    """The images' builds and channels, read several at a time.

    Raises `OpsError` when AWS does not know the operator; what fails later is in each image's `errors`.
    """
    if not images:
        return []
    aws = Aws(settings=estate.settings, home=images[0].home)
    pipelines = [pipeline_of(image, estate=estate, aws=aws) for image in images]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        builds = [pool.submit(_read_builds, pipeline, aws) for pipeline in pipelines]
        channels = [
            {region: pool.submit(_read_channels, pipeline, aws, region) for region in pipeline.image.regions}
            for pipeline in pipelines
        ]
    parts = zip(images, builds, channels, strict=True)
    return [_status(image, estate=estate, builds=each, channels=by_region) for image, each, by_region in parts]


def _read_builds(pipeline: Pipeline, aws: Aws) -> tuple[bool, list[Build]]:
    """Whether the pipeline is deployed, and its builds."""
    deployed = deployed_recipe(pipeline, aws=aws) is not None
    with asking(pipeline.image.home):
        imagebuilder = aws.imagebuilder(pipeline.image.home)
        return deployed, list_builds(imagebuilder, pipeline_arn=pipeline.arn) if deployed else []


def _read_channels(pipeline: Pipeline, aws: Aws, region: str) -> dict[str, Channel]:
    with asking(region):
        return read_channels(aws.ssm(region), path=pipeline.channels)


def _result(future: Future[_T], errors: list[str]) -> _T | None:
    try:
        return future.result()
    except OpsError as error:
        errors.append(str(error))
        return None


def _status(
    image: AnyImage,
    *,
    estate: Estate,
    builds: Future[tuple[bool, list[Build]]],
    channels: Mapping[str, Future[dict[str, Channel]]],
) -> ImageStatus:
    errors: list[str] = []
    deployed, known = _result(builds, errors) or (None, [])
    rows = []
    for region, future in channels.items():
        found = _result(future, errors)
        if found is not None:
            rows += [
                _channel_status(found.get(name), name=name, region=region, builds=known)
                for name in estate.parameters(image)
            ]
    good = newest_good(known)
    return ImageStatus(
        image=image.name,
        region=image.home,
        deployed=deployed,
        newest=_build_status(known[0]) if known else None,
        newest_good=_build_status(good) if good else None,
        channels=tuple(rows),
        errors=tuple(errors),
    )


def _build_status(build: Build) -> BuildStatus:
    return BuildStatus(build=version_of(build.arn), arn=build.arn, status=build.status, created=build.created)


def _channel_status(channel: Channel | None, *, name: str, region: str, builds: Sequence[Build]) -> ChannelStatus:
    newest = newest_good(build for build in builds if region in build.outputs)
    newer = version_of(newest.arn) if newest else None
    if channel is None:
        return ChannelStatus(region=region, channel=name, newer_build=newer)
    # A value that somebody wrote by hand has no record; Image Builder may know the AMI nevertheless.
    made = next((build for build in builds if build.outputs.get(region) == channel.value), None)
    arn = channel.record.get("build") or (made.arn if made else "")
    created = created_in(channel.record) or (made.created if made else None)
    # The list of builds may lag behind the channel.
    behind = (
        newest
        and newest.arn != arn
        and newest.outputs[region] != channel.value
        and (not created or newest.order[0] > created)
    )
    return ChannelStatus(
        region=region,
        channel=name,
        value=channel.value,
        build=version_of(arn) or None,
        arn=arn or None,
        created=created,
        moved=channel.modified,
        newer_build=newer if behind else None,
    )


def _print_table(statuses: Sequence[ImageStatus], *, console: Console) -> None:
    """On a terminal a table to look at: image and region once. In a pipe one to search: every cell in every line."""
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for title in ("IMAGE", "REGION", "CHANNEL", "VALUE", "AGE", "BUILD"):
        table.add_column(title, overflow="fold", no_wrap=title in ("REGION", "CHANNEL", "VALUE", "AGE"))
    now = datetime.now(UTC)
    for status in statuses:
        above: tuple[str, str] = "", ""
        for row in status.channels:
            image, region = status.image, row.region
            if console.is_terminal:
                image, region = ("" if image == above[0] else image), ("" if region == above[1] else region)
            above = status.image, row.region
            table.add_row(Text(image, "bold"), region, row.channel, *_cells(row, now=now, console=console))
    if table.row_count:
        console.print(table)


def _cells(row: ChannelStatus, *, now: datetime, console: Console) -> tuple[Text, Text, Text]:
    if row.value is None:
        return Text("no build yet", "dim"), Text("-", "dim"), Text("-", "dim")
    behind = "yellow" if row.newer_build else ""
    return (
        Text(short(row.value, console=console)),
        Text(age(now - row.created) if row.created else "unknown"),
        Text(row.build or "unknown", behind),
    )


def _print_remarks(status: ImageStatus, *, console: Console, command: Callable[[str], str]) -> None:
    """What a table of channels cannot say: no pipeline, no build, a newest build that is not good, a newer one."""
    stack = names.image_stack(status.image)
    if status.deployed is False:
        _remark(f"{stack} is not deployed: run make deploy STACK={stack}", status=status, console=console)
    elif status.deployed and status.newest is None:
        _remark(f"no build yet: {command(f'build {status.image}')}", status=status, console=console)
    for newer, behind in _behind(status).items():
        verb = "are" if len(behind) > 1 else "is"
        _remark(f"{', '.join(behind)} {verb} behind {newer}", status=status, console=console)
    newest = status.newest
    if newest and newest.status != GOOD:
        verb, why = ("", "why:") if newest.status in ENDED else ("is ", "follow it:")
        since = f", started {age(datetime.now(UTC) - newest.created)} ago" if newest.created else ""
        see = command(f"follow {status.image} {newest.build}")
        _remark(f"{newest.build} {verb}{newest.status}{since}; {why} {see}", status=status, console=console)
    for error in status.errors:
        print(f"{status.image}: {error}", file=sys.stderr)


def _behind(status: ImageStatus) -> dict[str, list[str]]:
    """The channels that could point to a newer build, by that build; an operator's empty channel is no news."""
    regions: dict[tuple[str, str], list[str]] = {}
    for row in status.channels:
        if row.newer_build and (row.value or row.channel == LATEST):
            regions.setdefault((row.newer_build, row.channel), []).append(row.region)
    behind: dict[str, list[str]] = {}
    for (newer, channel), where in regions.items():
        behind.setdefault(newer, []).append(f"{channel} in {' and '.join(where)}")
    return behind


def _remark(text: str, *, status: ImageStatus, console: Console) -> None:
    console.print(f"{status.image}: {text}", style="yellow", soft_wrap=True)
