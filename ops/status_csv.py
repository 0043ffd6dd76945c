"""What `goldsmith status --csv` prints: a line for each channel in each region, and for each fleet."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence

from ops.fleet_status import FleetStatus
from ops.image_status import ImageStatus

TITLES = ("image", "fleet", "account", "region", "channel", "value", "build", "created", "moved", "reason")


def write_csv(images: Sequence[ImageStatus], fleets: Sequence[FleetStatus]) -> None:
    """Print it. `reason` says why a channel or a fleet is not where it could be; several are separated by "; "."""
    written = csv.writer(sys.stdout, lineterminator="\n")
    written.writerow(TITLES)
    for image in images:
        written.writerows(_channels(image))
    for fleet in fleets:
        reasons = (*fleet.gaps, fleet.progress, fleet.queued, *fleet.errors)
        wanted, reason = fleet.wanted, "; ".join(filter(None, reasons))
        place = (fleet.image, fleet.fleet, fleet.account, fleet.region, fleet.channel)
        written.writerow([*place, wanted["ami"], wanted["build"], None, None, reason])


def _channels(image: ImageStatus) -> Iterator[Sequence[object]]:
    reasons = {gap.channel: gap.reason for gap in image.gaps}
    for row in image.channels:
        reason = "; ".join(filter(None, (row.problem, reasons.get(row.channel))))
        times = (time.isoformat() if time else None for time in (row.created, row.moved))
        yield [image.image, None, image.account, row.region, row.channel, row.value, row.build, *times, reason]
    for error in image.errors:
        yield [image.image, None, image.account, image.region, None, None, None, None, None, error]
