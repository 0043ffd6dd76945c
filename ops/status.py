"""`ops status`: every channel of every image, and every fleet: what it is, what it should be, and why it is not.

`--json` writes one object; times are ISO 8601 with their offset, unknown values null:

    images            one object for each image, in the order of the configuration
      image           its name
      region          its home, where the pipeline is
      deployed        whether the pipeline exists
      newest          the newest build in any status: build ("1.0.912/3"), arn, status, created
      newest_good     the newest AVAILABLE build, with the same members
      channels        one object for each region and channel:
        region, channel
        value         the AMI ID, or the URI of a container image with digest; null when the channel was never set
        build, arn    the build that made the value
        created       when that build was made
        moved         when the channel was moved to it
        by_hand       whether the parameter's description does not describe this value, because it was written by hand
        problem       what is wrong with the value: not an AMI, of another image or account, deregistered, disabled, …
        newer_build   the newest good build of the region when the channel does not point to it
      errors          what could not be read, as messages; the rest of the image is shown anyway
    fleets            one object for each fleet, in the order of the configuration
      fleet, image, channel, region
      group           the name of its Auto Scaling group
      deployed        whether the group or the launch template exists
      wanted          the value of its channel: ami, build
      template        its launch template: newest_version with its ami and build, and group_version, which the group has
      instances       one object for instances with the same template_version, ami and build, with their count; without
                      instances that are leaving the group
      refresh         the last instance refresh of six weeks: status, percentage, reason, started, ended
      progress        the instance refresh that is running, as a message
      gaps            where the fleet differs from its channel or template, as messages with what to do
      errors          what could not be read, as messages

Exit status: 1 when something could not be read, or the value of a channel cannot be used. With `--check` also when a
fleet has a gap. An instance refresh that is running (Pending, InProgress, Baking) is not a gap, because AWS ends one
that makes no progress for an hour.
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
    """`ops status`: read and print; the exit status, as the module describes it.

    `checks` is `--check`. `command` completes `follow web 1.0.912/3` to a command line with the same configuration.
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
