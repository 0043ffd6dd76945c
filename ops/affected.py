"""What is affected when builds of an image are revoked: channels, fleets and running instances."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

from estate.estate import EstateFleet, EstateImage
from estate.models.channels import channels_of
from estate.models.images import Image
from estate.names import LATEST
from lambda_src.handoff.builds import Build, version_of
from ops.accounts import Accounts, access_to_fleet, access_to_image, usable
from ops.aws import Aws, asking
from ops.errors import OpsError
from ops.fleet import Facts, read_fleet
from ops.sight import Sight, reason_in

_GROUP_TAG = "aws:autoscaling:groupName"
_MOST_AT_ONCE = 200
"""Values of one filter of EC2."""
_RUNNING = ["pending", "running", "stopping", "stopped"]


@dataclass(frozen=True, kw_only=True)
class AffectedChannel:
    """A channel that points to a build, in some regions."""

    image: str
    channel: str
    build: str
    regions: tuple[str, ...]
    moves_by_itself: bool
    """Whether the hand-off function moves it away."""
    held: bool

    @property
    def reference(self) -> str:
        """`web@prod`."""
        return f"{self.image}@{self.channel}"


@dataclass(frozen=True, kw_only=True)
class AffectedFleet:
    """A fleet whose channel points to a build, or whose instances run one."""

    fleet: str
    image: str
    channel: str
    follows: bool
    """Whether its channel points to one of the builds in its region, or its pin says one."""
    instances: int
    """How many of its instances run one of the builds."""
    pinned: bool = False
    """Whether its pin says what it runs, and not its channel."""
    automatic: bool = False
    """Whether its function rolls out what its channel points to."""


@dataclass(frozen=True, kw_only=True)
class Affected:
    """What the builds of one image affect."""

    channels: tuple[AffectedChannel, ...] = ()
    fleets: tuple[AffectedFleet, ...] = ()
    others: Mapping[str, int] = field(default_factory=dict)
    """Instances in the image's account that belong to none of its fleets, by region."""
    errors: tuple[str, ...] = ()
    """What could not be read."""


def read_affected(
    declared: EstateImage[Image],
    builds: Sequence[Build],
    *,
    sight: Sight,
    accounts: Accounts,
    pool: Executor,
) -> Affected:
    """What these builds affect. What cannot be read is in `errors`."""
    estate, image = declared.estate, declared.image
    channels = tuple(_channels(declared, builds, sight))
    fleets = [estate.fleet(name) for name, fleet in estate.fleets.items() if fleet.image == image.name]
    own = access_to_image(declared)
    found = accounts.reach_all([own, *map(access_to_fleet, fleets)], pool=pool)

    def read(fleet: EstateFleet) -> Facts:
        return read_fleet(fleet, accounts=accounts, builds=sight.known.builds)

    def count(region: str) -> int | OpsError:
        try:
            return _other_instances(usable(found[own]), builds, region, {fleet.names.group for fleet in fleets})
        except OpsError as error:
            return error

    facts, regions = pool.map(read, fleets), () if declared.repository else image.regions
    counts = dict(zip(regions, pool.map(count, regions), strict=True))
    failed = [region for region in sight.run.regions if region.failed]
    errors = [f"{region.name}: channels cannot be read: {reason_in(region, sight.run)}" for region in failed]
    rows = [_fleet(fleet, fact, builds, channels, errors) for fleet, fact in zip(fleets, facts, strict=True)]
    for region, counted in counts.items():
        errors += [f"{region}: instances cannot be read: {counted}"] if isinstance(counted, OpsError) else []
    return Affected(
        channels=channels,
        fleets=tuple(row for row in rows if row.follows or row.instances),
        others={region: counted for region, counted in counts.items() if isinstance(counted, int) and counted},
        errors=tuple(dict.fromkeys(errors)),
    )


def _channels(declared: EstateImage[Image], builds: Sequence[Build], sight: Sight) -> Iterator[AffectedChannel]:
    rules, arns = channels_of(declared.image.channels), {build.arn for build in builds}
    found: dict[tuple[str, str], list[str]] = {}
    for channel in (LATEST, *rules):
        for region in sight.run.working_regions:
            for build in sight.builds_in(region, channel):
                if build.arn in arns:
                    found.setdefault((channel, version_of(build.arn)), []).append(region.name)
    for (channel, version), regions in found.items():
        yield AffectedChannel(
            image=declared.image.name,
            channel=channel,
            build=version,
            regions=tuple(regions),
            moves_by_itself=channel == LATEST or rules[channel].soak is not None,
            held=sight.run.hold_of(channel) is not None,
        )


def _fleet(
    fleet: EstateFleet,
    facts: Facts,
    builds: Sequence[Build],
    channels: Sequence[AffectedChannel],
    errors: list[str],
) -> AffectedFleet:
    name, channel, region = fleet.fleet.name, fleet.fleet.channel, fleet.fleet.region
    errors += [f"fleet {name}: {error}" for error in facts.errors]
    versions = {version_of(build.arn) for build in builds}
    pointing = any(each.channel == channel and region in each.regions for each in channels)
    pin = fleet.pin
    return AffectedFleet(
        fleet=name,
        image=fleet.fleet.image,
        channel=channel,
        follows=pointing if not fleet.fleet.is_pinned else bool(pin and pin.build in versions),
        instances=sum(running.count for running in facts.instances if running.build in versions),
        pinned=fleet.fleet.is_pinned,
        automatic=fleet.fleet.is_automatic,
    )


def _other_instances(aws: Aws, builds: Sequence[Build], region: str, groups: Container[str]) -> int:
    """How many instances run these builds in the image's account, and are in none of the groups. Raises `OpsError`."""
    amis = [build.outputs[region] for build in builds if region in build.outputs]
    counts: Counter[bool] = Counter()
    with asking(region):
        pages = aws.ec2(region).get_paginator("describe_instances")
        for start in range(0, len(amis), _MOST_AT_ONCE):
            filters: Any = [
                {"Name": "image-id", "Values": amis[start : start + _MOST_AT_ONCE]},
                {"Name": "instance-state-name", "Values": _RUNNING},
            ]
            for page in pages.paginate(Filters=filters):
                for reservation in page["Reservations"]:
                    counts.update(_group(instance) in groups for instance in reservation["Instances"])
    return counts[False]


def _group(instance: Any) -> str:
    """The group that an instance belongs to; empty for none."""
    return next((str(tag["Value"]) for tag in instance.get("Tags", ()) if tag["Key"] == _GROUP_TAG), "")
