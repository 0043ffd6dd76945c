"""The builds that a run decides from: those in Image Builder's list, and those that a channel points to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from .builds import Build, get_build, is_build_of, list_builds
from .channels import Version
from .run import Run


@dataclass(frozen=True)
class KnownBuilds:
    """The pipeline's builds, newest first."""

    builds: Sequence[Build]
    unknown: frozenset[str]
    """The ARNs of builds that a channel points to and about which Image Builder's answer could not be read."""
    recorded: Mapping[tuple[str, str], str]
    """The ARNs of builds by region and value, as records of channels say."""

    def get(self, arn: str) -> Build | None:
        """The build with this ARN; None when it is unknown or does not exist."""
        return self._by_arn.get(arn)

    def of_value(self, value: str, *, region: str) -> Build | None:
        """The build that a value means in a region. That of a container image is known by a channel's record only,
        because the value is its digest."""
        return self._by_output.get((region, value)) or self._by_arn.get(self.recorded.get((region, value), ""))

    def of_version(self, version: Version, *, region: str) -> Build | None:
        """The build of a channel's version: by its value, because it may be written by hand, then by its record."""
        return self.of_value(version.value, region=region) or self.get(version.build)

    @cached_property
    def _by_arn(self) -> dict[str, Build]:
        return {build.arn: build for build in self.builds}

    @cached_property
    def _by_output(self) -> dict[tuple[str, str], Build]:
        return {output: build for build in self.builds for output in build.outputs.items()}


def read_builds(run: Run) -> KnownBuilds:
    """Read the builds. Raises GarbledAnswer, and what boto3 raises, when Image Builder's list cannot be read.

    A new build can be missing from the list for two minutes, so a build that a channel points to is read by its ARN. If
    that fails, it is a failure of the regions whose channel points to it.
    """
    image, failures = run.image, run.failures
    builds = list_builds(run.imagebuilder, pipeline_arn=image.pipeline_arn, failures=failures)
    listed, unknown = {build.arn for build in builds}, set()
    for arn, regions in sorted(_builds_in_channels(run).items()):
        if arn in listed:
            continue
        with failures.collected(*regions) as attempt:
            build = get_build(run.imagebuilder, arn=arn, pipeline_arn=image.pipeline_arn)
            builds += [build] if build else []
        if attempt.failed:
            unknown.add(arn)
    for build in builds:
        if build.status == "AVAILABLE" and not build.created:
            failures.add_problem("Image Builder", f"{build.arn} has no creation time that can be read")
    recorded = {
        (region.name, version.value): version.build
        for region in run.regions
        for channel in region.channels.values()
        for version in channel.versions
        if "how" in version.record  # the older ones have no seal
    }
    return KnownBuilds(sorted(builds, key=lambda build: build.order, reverse=True), frozenset(unknown), recorded)


def _builds_in_channels(run: Run) -> dict[str, list[str]]:
    """The ARNs of this image's builds in the records of channels, each with the regions that have it."""
    regions_by_arn: dict[str, list[str]] = {}
    for region in run.working_regions:
        for channel in sorted(region.channels.keys() | region.pending.keys()):
            present = region.points_to(channel)
            if present and is_build_of(run.image.pipeline_arn, arn=present.build):
                regions = regions_by_arn.setdefault(present.build, [])
                regions += [] if region.name in regions else [region.name]
    return regions_by_arn
