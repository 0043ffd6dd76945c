"""One image as `goldsmith status` shows it: its builds, and the values of its channels in each region."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from estate.estate import EstateImage
from estate.models.images import Image
from estate.recipes.handoff import handoff_of
from lambda_src.handoff.builds import Build, list_builds, newest_good, version_of
from lambda_src.handoff.channels import LATEST, Channel, read_folder
from lambda_src.handoff.configuration import Gate
from lambda_src.handoff.failures import Failures
from lambda_src.handoff.gate import Verdict, judge
from lambda_src.handoff.holds import Hold
from ops.aws import Aws, asking
from ops.channel_gaps import ChannelFacts, ChannelGap, channel_gaps
from ops.ends import NO_FAILURE, UNFINISHED, Failure, failure_of
from ops.errors import OpsError
from ops.kept_builds import KeptBuild, kept_builds
from ops.pipeline import Pipeline, deployed_recipe
from ops.values import Meaning, Output, meaning_of, read_outputs

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class BuildStatus:
    """One build of an image."""

    build: str
    arn: str
    status: str
    created: datetime | None
    reason: str | None = None
    logs: str | None = None
    revoked: str | None = None
    """Why nothing may use it, or will not be allowed to."""


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
    by_hand: bool = False
    problem: str | None = None
    newer_build: str | None = None


@dataclass(frozen=True, kw_only=True)
class ImageStatus:
    """One image."""

    image: str
    account: str | None
    region: str
    deployed: bool | None
    newest: BuildStatus | None
    newest_good: BuildStatus | None
    channels: tuple[ChannelStatus, ...]
    gaps: tuple[ChannelGap, ...] = ()
    kept: tuple[KeptBuild, ...] | None = None
    """The builds that are kept, where they were asked for."""
    errors: tuple[str, ...]

    @property
    def problems(self) -> tuple[ChannelStatus, ...]:
        """The channels whose value is not a build of the image, or not a usable one."""
        return tuple(channel for channel in self.channels if channel.problem)


@dataclass(frozen=True, kw_only=True)
class _Builds:
    """The pipeline's builds, and why the newest failed, if it did; `error` if that could not be read."""

    deployed: bool
    builds: Sequence[Build] = ()
    failure: Failure = NO_FAILURE
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Region:
    """One region: its channels, and what is known about their values; `error` if that could not be read."""

    channels: Mapping[str, Channel]
    holds: Mapping[str, Hold]
    outputs: Mapping[str, Output]
    error: str | None = None


class ImageReading:
    """An image that is being read, in several threads."""

    def __init__(self, image: EstateImage[Image], *, aws: Aws, pool: Executor) -> None:
        """Raises `OpsError` when AWS does not accept the credentials."""
        self._declared, self._aws = image, aws
        self._pipeline = pipeline = Pipeline(declared=image, account=aws.account)
        self._builds = pool.submit(_read_builds, pipeline, aws)
        self._regions = {region: pool.submit(_read_region, pipeline, aws, region) for region in image.image.regions}

    @property
    def builds(self) -> Sequence[Build]:
        """Waits for the builds; empty if they could not be read."""
        return () if self._builds.exception() else self._builds.result().builds

    def failure_of(self, build: Build) -> Failure:
        """Why one of its builds made nothing. Raises `OpsError`."""
        return _failure(build, self._pipeline, self._aws) if build.status in UNFINISHED else NO_FAILURE

    def status(
        self, channels: Collection[str] | None = None, *, with_kept: bool = False, failed: Mapping[str, str]
    ) -> ImageStatus:
        """Waits until everything is read. What could not be read is in `errors`. Default: with all channels, without
        the builds that are kept. `failed` is what fleets say, as `ChannelFacts` has it."""
        pipeline = self._pipeline
        errors: list[str] = []
        read = _result(self._builds, errors)
        builds = read.builds if read else ()
        errors += [read.error] if read and read.error else []
        rows: list[ChannelStatus] = []
        for region, future in self._regions.items():
            if found := _result(future, errors):
                rows += [
                    self._channel(name, found, region=region, builds=builds)
                    for name in pipeline.declared.parameters
                    if channels is None or name in channels
                ]
                errors += [found.error] if found.error else []
        good = newest_good(builds)
        gaps = self._gaps(builds, failed, errors) if read else ()
        return ImageStatus(
            image=pipeline.image.name,
            account=pipeline.account,
            region=pipeline.image.home,
            deployed=read.deployed if read else None,
            newest=_build_status(builds[0], read.failure) if read and builds else None,
            newest_good=_build_status(good) if good else None,
            channels=tuple(rows),
            gaps=tuple(gap for gap in gaps if channels is None or gap.channel in channels),
            kept=self._kept(builds, errors) if read and with_kept else None,
            errors=tuple(dict.fromkeys(errors)),
        )

    def _gaps(self, builds: Sequence[Build], failed: Mapping[str, str], errors: list[str]) -> tuple[ChannelGap, ...]:
        """Why channels are where they are; empty when the home region could not be read."""
        pipeline, now = self._pipeline, datetime.now(UTC)
        if (home := _result(self._regions[pipeline.image.home], errors)) is None:
            return ()
        configuration = handoff_of(self._declared)
        return channel_gaps(
            ChannelFacts(
                image=pipeline.image.name,
                pipeline_arn=pipeline.arn,
                region=pipeline.image.home,
                channels=home.channels,
                rules=configuration.channels,
                holds=home.holds,
                builds=builds,
                verdict=self._verdict(configuration.gate, home, builds, errors, now=now),
                failed=failed,
                now=now,
            )
        )

    def _verdict(
        self, gate: Gate | None, home: _Region, builds: Sequence[Build], errors: list[str], *, now: datetime
    ) -> Verdict | None:
        """What the gate says about the newest good build; None when `latest` pointed to it, or it cannot be judged."""
        newest, latest = newest_good(builds), home.channels.get(LATEST)
        if gate is None or newest is None or (latest and newest.arn in {version.build for version in latest.versions}):
            return None
        region = self._pipeline.image.home
        try:
            with asking(region):
                return judge(self._aws.imagebuilder(region), newest, gate, now=now, failures=Failures())
        except OpsError as error:
            errors.append(str(error))
            return None

    def _kept(self, builds: Sequence[Build], errors: list[str]) -> tuple[KeptBuild, ...] | None:
        try:
            return tuple(kept_builds(self._pipeline, builds, aws=self._aws, now=datetime.now(UTC)))
        except OpsError as error:
            errors.append(str(error))
            return None

    def _channel(self, name: str, found: _Region, *, region: str, builds: Sequence[Build]) -> ChannelStatus:
        newest = newest_good(build for build in builds if region in build.outputs)
        channel = found.channels.get(name)
        if channel is None:
            return ChannelStatus(region=region, channel=name, newer_build=version_of(newest.arn) if newest else None)
        meaning = meaning_of(channel, pipeline=self._pipeline, builds=builds, outputs=found.outputs, region=region)
        behind = newest and _is_behind(channel, meaning, newest, region=region)
        return ChannelStatus(
            region=region,
            channel=name,
            value=channel.value,
            build=meaning.build,
            arn=meaning.arn,
            created=meaning.created,
            moved=channel.modified,
            by_hand=meaning.by_hand,
            problem=meaning.problem,
            newer_build=version_of(newest.arn) if newest and behind else None,
        )


def unread_image(declared: EstateImage[Image], error: OpsError) -> ImageStatus:
    """The status of an image of which nothing could be read."""
    return ImageStatus(
        image=declared.image.name,
        account=declared.account,
        region=declared.image.home,
        deployed=None,
        newest=None,
        newest_good=None,
        channels=(),
        errors=(str(error),),
    )


def _is_behind(channel: Channel, meaning: Meaning, newest: Build, *, region: str) -> bool:
    """Whether the newest build is newer than the channel's. Image Builder's list may lack the channel's build, so
    another build is not newer for that alone."""
    if newest.arn == meaning.arn or newest.outputs[region] == channel.value:
        return False
    return not meaning.created or newest.order[0] > meaning.created


def _read_builds(pipeline: Pipeline, aws: Aws) -> _Builds:
    if deployed_recipe(pipeline, aws=aws) is None:
        return _Builds(deployed=False)
    with asking(pipeline.image.home):
        builds = list_builds(aws.imagebuilder(pipeline.image.home), pipeline_arn=pipeline.arn)
    if not builds or builds[0].status not in UNFINISHED:
        return _Builds(deployed=True, builds=builds)
    try:
        return _Builds(deployed=True, builds=builds, failure=_failure(builds[0], pipeline, aws))
    except OpsError as error:
        return _Builds(deployed=True, builds=builds, error=str(error))


def _failure(build: Build, pipeline: Pipeline, aws: Aws) -> Failure:
    with asking(pipeline.image.home):
        return failure_of(aws.imagebuilder(pipeline.image.home).get_image(imageBuildVersionArn=build.arn)["image"])


def _read_region(pipeline: Pipeline, aws: Aws, region: str) -> _Region:
    with asking(region):
        folder = read_folder(aws.ssm(region), path=pipeline.channels)
    channels = folder.channels
    holds = {channel: Hold.from_json(value) for channel, value in folder.holds.items()}
    try:
        outputs = read_outputs(pipeline, (channel.value for channel in channels.values()), aws=aws, region=region)
    except OpsError as error:
        return _Region(channels=channels, holds=holds, outputs={}, error=str(error))
    return _Region(channels=channels, holds=holds, outputs=outputs)


def _result(future: Future[_T], errors: list[str]) -> _T | None:
    try:
        return future.result()
    except OpsError as error:
        errors.append(str(error))
        return None


def _build_status(build: Build, failure: Failure = NO_FAILURE) -> BuildStatus:
    return BuildStatus(
        build=version_of(build.arn),
        arn=build.arn,
        status=build.status,
        created=build.created,
        reason=failure.reason,
        logs=failure.logs,
        revoked=build.revocation.why if build.revocation else None,
    )
