"""`goldsmith status`: every channel of every image, and every fleet: what it is, what it should be, and why it is not.

`ops.commands.status` lists the members of its JSON, and says when the exit status is 1.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime

from estate.estate import Estate, EstateFleet, EstateImage
from estate.models.images import Image
from estate.models.provider import Provider
from estate.references import BuildReference
from ops.aws import Aws
from ops.build_status import BuildReport, print_build, report
from ops.errors import OpsError
from ops.fleet import Facts, read_fleet
from ops.fleet_status import FleetStatus, fleet_status
from ops.image_status import ImageReading, ImageStatus
from ops.screen import open_console
from ops.selection import Selection
from ops.status_tables import print_fleets, print_images

_AT_ONCE = 8
"""Requests at the same time; a client's pool has ten connections."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """What was read."""

    images: Sequence[ImageStatus]
    fleets: Sequence[FleetStatus]
    builds: Sequence[BuildReport]


def run_status(
    estate: Estate, selection: Selection, *, as_json: bool, checks: bool, command: Callable[[str], str]
) -> int:
    """Read and print; the exit status.

    `checks` is `--check`. `command` completes `build web` to a command line with the same configuration.
    """
    console = open_console(to_stderr=as_json)
    with console.status("Reading Image Builder, Parameter Store and Auto Scaling"):
        status = read_status(estate, selection)
    if as_json:
        open_console().print(json.dumps(asdict(status), indent=2, default=datetime.isoformat), soft_wrap=True)
    else:
        print_images(status.images, console=console, command=command)
        print_fleets(status.fleets, console=console)
        for build in status.builds:
            print_build(build, console=console)
    unread = any([*(image.errors for image in status.images), *(fleet.errors for fleet in status.fleets)])
    unusable = any(image.problems for image in status.images)
    gaps = checks and any(fleet.gaps for fleet in status.fleets)
    return 1 if unread or unusable or gaps else 0


def read_status(estate: Estate, selection: Selection) -> Status:
    """Read builds, channels and fleets, several at the same time.

    Raises `OpsError` when AWS does not accept the credentials, or when there is no build that is named. What fails
    later is in the `errors` of that image or fleet.
    """
    images, fleets = _read(estate, selection)
    own: dict[str, EstateImage[Image]] = {name: estate.image(name) for name in images}
    own |= {fleet.fleet.image: fleet.image for fleet in fleets}
    if not own:
        return Status(images=(), fleets=(), builds=())
    first = next(iter(own.values()))
    provider = first.settings.provider
    identities = {provider: Aws(provider=provider, home=first.image.home)}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        readings = {name: ImageReading(image, aws=identities[provider], pool=pool) for name, image in own.items()}
        facts = [
            # after the images, because each fleet waits for the builds of its image
            pool.submit(_read_fleet, fleet, _identity(fleet, identities), readings[fleet.fleet.image])
            for fleet in fleets
        ]
    image_statuses = {name: readings[name].status(selection.channels.get(name)) for name in images}
    fleet_statuses = {
        fleet.fleet.name: fleet_status(fleet, future.result()) for fleet, future in zip(fleets, facts, strict=True)
    }
    return Status(
        images=[image_statuses[name] for name in selection.images],
        fleets=[fleet_statuses[name] for name in selection.fleets],
        builds=[
            report(reference, readings=readings, images=image_statuses, fleets=[*fleet_statuses.values()])
            for reference in selection.builds
        ],
    )


def _read(estate: Estate, selection: Selection) -> tuple[list[str], list[EstateFleet]]:
    """The images and fleets to read: also those that may have a build that is named."""
    may_have: set[str] = set()
    for reference in selection.builds:
        may_have |= {reference.image} if isinstance(reference, BuildReference) else set(estate.images)
    images = [name for name in estate.images if name in selection.images or name in may_have]
    return images, [
        estate.fleet(name)
        for name, fleet in estate.fleets.items()
        if name in selection.fleets or fleet.image in may_have
    ]


def _identity(fleet: EstateFleet, identities: dict[Provider, Aws]) -> Aws | OpsError:
    """The credentials of the fleet's provider, one `Aws` for each provider; or why there are none."""
    provider = fleet.provider
    try:
        if provider not in identities:
            identities[provider] = Aws(provider=provider, home=fleet.fleet.region)
        return identities[provider]
    except OpsError as error:
        return error


def _read_fleet(fleet: EstateFleet, aws: Aws | OpsError, image: ImageReading) -> Facts:
    if isinstance(aws, OpsError):
        return Facts(group_name=fleet.names.group, errors=[str(aws)])
    return read_fleet(fleet, aws=aws, builds=image.builds)
