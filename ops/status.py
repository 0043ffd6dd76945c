"""Every channel of every image, and every fleet: what it is, what it should be, and why it is not.

`--json` writes one object; times are ISO 8601 with their offset, unknown values null:

    images            one object an image, in the configuration's order
      image           its name
      region          its home, where the pipeline is
      deployed        whether the pipeline exists
      newest          the newest build in any state: build ("1.0.912/3"), arn, status, created
      newest_good     the newest AVAILABLE one, likewise
      channels        one object for each region and channel:
        region, channel
        value         the AMI ID, or a container image's URI by digest; null when the channel was never set
        build, arn    the build that made the value
        created       when that build was made
        moved         when the channel was moved to it
        by_hand       whether the parameter's description is not that of this value: somebody wrote it by hand
        problem       what is wrong with the value: no AMI, of another image or account, deregistered, disabled, …
        newer_build   the newest good build of the region when the channel does not point to it
      errors          what could not be read, in words; the rest of the image is shown nevertheless
    fleets            one object a fleet, in the configuration's order
      fleet, image, channel, region
      group           the name of its Auto Scaling group
      deployed        whether the group or the launch template exists
      wanted          what its channel says: ami, build
      template        its launch template: newest_version, ami and build of it, and group_version, that of the group
      instances       one object for those alike: template_version, ami, build, count; not those that are ending
      refresh         the last instance refresh of six weeks: status, percentage, reason, started, ended
      progress        the instance refresh that is on its way, in words
      gaps            why the fleet is not what its channel and template say, in words, with what to do
      errors          what could not be read, in words

Exit status: 1 when something could not be read, or a channel holds what cannot be used. With `--check` also when a
fleet has a gap; an instance refresh that is on its way (Pending, InProgress, Baking) is none, because AWS itself ends
one that gets no further for an hour.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import datetime

from estate import names
from estate.estate import Estate
from estate.models.fleet import Fleet
from estate.models.images import Image
from estate.models.settings import Provider
from ops.aws import Aws, OpsError
from ops.fleet import Facts, read_fleet
from ops.fleet_status import FleetStatus, fleet_status
from ops.image_status import ImageReading, ImageStatus
from ops.screen import open_console
from ops.status_tables import print_fleets, print_images

_AT_ONCE = 8
"""Requests; a client's pool has ten connections."""


def run_status(
    estate: Estate,
    *,
    images: Sequence[Image],
    fleets: Sequence[Fleet],
    as_json: bool,
    checks: bool,
    command: Callable[[str], str],
) -> int:
    """`ops status`: read and print; the exit status, as the module says. `command` makes a whole command line of
    `follow web 1.0.912/3`."""
    console = open_console(to_stderr=as_json)
    with console.status("Reading Image Builder, Parameter Store and Auto Scaling"):
        image_statuses, fleet_statuses = read_status(estate, images=images, fleets=fleets)
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
    estate: Estate, *, images: Sequence[Image], fleets: Sequence[Fleet]
) -> tuple[list[ImageStatus], list[FleetStatus]]:
    """Builds, channels and fleets, read several at a time.

    Raises `OpsError` when AWS does not know the operator; what fails later is in each one's `errors`.
    """
    own = {image.name: image for image in (*images, *map(estate.image_of, fleets))}
    if not own:
        return [], []
    home = next(iter(own.values())).home
    identities = {estate.settings.provider: Aws(provider=estate.settings.provider, home=home)}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        aws = identities[estate.settings.provider]
        readings = {name: ImageReading(image, estate=estate, aws=aws, pool=pool) for name, image in own.items()}
        facts = [
            # after the images, whose builds they wait for
            pool.submit(_read_fleet, fleet, estate, _identity(fleet, estate, identities), readings[fleet.image])
            for fleet in fleets
        ]
    return (
        [readings[image.name].status() for image in images],
        [fleet_status(fleet, future.result(), estate=estate) for fleet, future in zip(fleets, facts, strict=True)],
    )


def _identity(fleet: Fleet, estate: Estate, identities: dict[Provider, Aws]) -> Aws | OpsError:
    """That of the fleet's own provider if it has one, made once; or why there is none."""
    provider = fleet.provider or estate.settings.provider
    try:
        if provider not in identities:
            identities[provider] = Aws(provider=provider, home=fleet.region)
        return identities[provider]
    except OpsError as error:
        return error


def _read_fleet(fleet: Fleet, estate: Estate, aws: Aws | OpsError, image: ImageReading) -> Facts:
    if isinstance(aws, OpsError):
        return Facts(group_name=names.fleet(estate.settings.namespace, fleet.name), errors=[str(aws)])
    return read_fleet(fleet, estate=estate, aws=aws, builds=image.builds)
