"""`goldsmith status`: every channel of every image, and every fleet: what it is, what it should be, and why it is not.

`ops.commands.status` lists the members of its JSON, and says when the exit status is 1.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import datetime

from estate.estate import EstateFleet, EstateImage
from estate.models.images import Image
from estate.models.provider import Provider
from ops.aws import Aws
from ops.errors import OpsError
from ops.fleet import Facts, read_fleet
from ops.fleet_status import FleetStatus, fleet_status
from ops.image_status import ImageReading, ImageStatus
from ops.screen import open_console
from ops.status_tables import print_fleets, print_images

_AT_ONCE = 8
"""Requests at the same time; a client's pool has ten connections."""


def run_status(
    *,
    images: Sequence[EstateImage[Image]],
    fleets: Sequence[EstateFleet],
    as_json: bool,
    checks: bool,
    command: Callable[[str], str],
) -> int:
    """Read and print; the exit status.

    `checks` is `--check`. `command` completes `build web` to a command line with the same configuration.
    """
    console = open_console(to_stderr=as_json)
    with console.status("Reading Image Builder, Parameter Store and Auto Scaling"):
        image_statuses, fleet_statuses = read_status(images=images, fleets=fleets)
    if as_json:
        answer = {"images": list(map(asdict, image_statuses)), "fleets": list(map(asdict, fleet_statuses))}
        text = json.dumps(answer, indent=2, default=datetime.isoformat)
        open_console().print(text, soft_wrap=True)
    else:
        print_images(image_statuses, console=console, command=command)
        print_fleets(fleet_statuses, console=console)
    unread = any([*(status.errors for status in image_statuses), *(status.errors for status in fleet_statuses)])
    unusable = any(status.problems for status in image_statuses)
    gaps = checks and any(status.gaps for status in fleet_statuses)
    return 1 if unread or unusable or gaps else 0


def read_status(
    *, images: Sequence[EstateImage[Image]], fleets: Sequence[EstateFleet]
) -> tuple[list[ImageStatus], list[FleetStatus]]:
    """Read builds, channels and fleets, several at the same time.

    Raises `OpsError` when AWS does not accept the credentials. What fails later is in the `errors` of that image or
    fleet.
    """
    own: dict[str, EstateImage[Image]] = {image.names.image: image for image in images}
    own |= {fleet.fleet.image: fleet.image for fleet in fleets}
    if not own:
        return [], []
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
    return (
        [readings[image.names.image].status() for image in images],
        [fleet_status(fleet, future.result()) for fleet, future in zip(fleets, facts, strict=True)],
    )


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
