"""What a look at an image has found: its channels in every region, holds, moves that are not completed, and builds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from botocore.exceptions import ClientError

from lambda_src.handoff.builds import Build, get_build, time_in
from lambda_src.handoff.failures import Failure, Failures, code_of
from lambda_src.handoff.holds import Hold
from lambda_src.handoff.known_builds import KnownBuilds
from lambda_src.handoff.outputs import Usable
from lambda_src.handoff.run import Region, Run
from ops.aws import asking, message_of
from ops.screen import moment


@dataclass(frozen=True)
class Usability:
    """Where a build can be used."""

    usable: Mapping[str, Usable]
    """By region."""
    faults: Mapping[str, str]
    """By region, why it cannot be used there."""
    unread: Mapping[str, str]
    """By region, why that is not known."""


@dataclass(frozen=True)
class Sight:
    """What a look has found."""

    run: Run
    known: KnownBuilds

    def build(self, arn: str) -> Build | None:
        """A build of the image. Image Builder's list can lack a new one for two minutes. Raises `OpsError`."""
        with asking(self.run.home.name):
            pipeline = self.run.image.pipeline_arn
            return self.known.get(arn) or get_build(self.run.imagebuilder, arn=arn, pipeline_arn=pipeline)

    def is_by_hand(self, region: Region, channel: str) -> bool:
        """Whether the value of a channel, which is not empty, has no record of its own."""
        found = region.channels.get(channel)
        return channel not in region.pending and found is not None and found.present.is_by_hand

    def build_in(self, region: Region, channel: str) -> Build | None:
        """The build that a channel points to in a region: the value decides, not the record. None when the channel is
        empty, or holds something else than a build of the image."""
        present = region.points_to(channel)
        if present is None:
            return None
        build = self.known.of_value(present.value, region=region.name) or self.known.get(present.build)
        if build or not self.is_by_hand(region, channel):
            return build
        named: set[str] = set()
        with self.run.attempt_in(region):
            named = region.target.outputs.named([present.value])  # a container image, whose value has its digest
        return next((build for build in self.known.builds if build.outputs.get(region.name) in named), None)

    def builds_in(self, region: Region, channel: str) -> list[Build]:
        """The build that a channel points to in a region, and the one that its parameter has until a move is completed
        there, which fleets read."""
        found, build = region.channels.get(channel), self.build_in(region, channel)
        written = self.known.of_version(found.present, region=region.name) if found else None
        return [each for each in (build, written if written != build else None) if each]

    def usability(self, build: Build, regions: Collection[str], *, noun: str) -> Usability:
        """Where a build can be used, of these regions: each is asked. `noun` is what builds of the image make."""
        usable: dict[str, Usable] = {}
        faults: dict[str, str] = {}
        unread: dict[str, str] = {}
        for region in self.run.regions:
            if region.name not in regions:
                continue
            if region.failed:
                unread[region.name] = reason_in(region, self.run)
                continue
            failures = Failures()
            with failures.collected(region.name) as attempt:
                if found := region.target.outputs.newest_usable([build], failures=failures):
                    usable[region.name] = found
            texts = (_without_place(line, region) for line in reasons(self.run, failures.collection))
            fault = "; ".join(text.removeprefix(f"{build.arn} cannot be used: ") for text in texts)
            if attempt.failed:
                unread[region.name] = fault
            elif region.name not in usable:
                faults[region.name] = fault or f"it has no {noun} in this region"
        return Usability(usable, faults, unread)

    def holds_of(self, channel: str) -> Iterator[str]:
        """What holds a channel, as messages with the command that ends it."""
        return holds_of(self.run.image.image, channel, self.run.holds, now=self.run.now)


def holds_of(image: str, channel: str, holds: Mapping[str, Hold], *, now: datetime) -> Iterator[str]:
    """What holds a channel of an image, as messages with the command that ends it. `holds` are by channel, and of the
    image by the empty text."""
    for key, place in (("", image), (channel, f"{image}@{channel}")):
        hold = holds.get(key)
        if hold and hold.holds_at(now):
            end = time_in(hold.until)
            until, by = (f" until {moment(end)}" if end else ""), (f" by {hold.by}" if hold.by else "")
            yield f"{place}: must not be held, and is held{until}{by}: {hold.why}; goldsmith hold {place} --undo"


def reasons(run: Run, failures: Sequence[Failure]) -> list[str]:
    """Failures as messages, each with its place. What belongs to no region was asked in the home region."""
    regions = {region.name for region in run.regions}
    lines = []
    for failure in failures:
        error, place = failure.error, failure.place
        if isinstance(error, ClientError) and code_of(error) == "NoSuchBucket":
            continue  # the look says which stack has to be applied
        region = place if place in regions else run.home.name
        lines.append(f"{place}: {message_of(error, region) if error else failure.reason}")
    return lines


def reason_in(region: Region, run: Run) -> str:
    """Why a region has failed."""
    found = [failure for failure in run.failures.collection if failure.place == region.name]
    return "; ".join(_without_place(line, region) for line in reasons(run, found))


def _without_place(line: str, region: Region) -> str:
    return line.removeprefix(f"{region.name}: ")
