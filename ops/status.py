"""`goldsmith status`: every channel of every image, and every fleet: what it is, what it should be, and why it is not.

`ops.commands.status` lists the members of its JSON, and says when the exit status is 1.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from rich.console import Console

from estate.estate import Estate, EstateFleet, EstateImage
from estate.models.images import Image
from estate.references import BuildReference
from ops.accounts import Access, Accounts, Unreachable, access_to_fleet, access_to_image, access_to_image_of, lines_of
from ops.aws import Aws
from ops.build_status import BuildReport, print_build, report
from ops.errors import OpsError
from ops.fleet import Facts, read_fleet
from ops.fleet_status import FleetStatus, fleet_status
from ops.image_status import ImageReading, ImageStatus, unread_image
from ops.screen import open_console
from ops.selection import Selection
from ops.status_csv import write_csv
from ops.status_tables import print_fleets, print_images

_AT_ONCE = 8
"""Requests at the same time; a client's pool has ten connections."""


Form = Literal["tables", "json", "csv"]
"""What is printed."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """What was read, and the accounts of these images and fleets, or why one could not be reached."""

    images: Sequence[ImageStatus]
    fleets: Sequence[FleetStatus]
    builds: Sequence[BuildReport]
    accounts: Mapping[Access, Aws | Unreachable]

    @property
    def unreachable(self) -> list[Unreachable]:
        """Why accounts could not be reached."""
        return [found for found in self.accounts.values() if isinstance(found, Unreachable)]


def run_status(estate: Estate, selection: Selection, *, form: Form, checks: bool, command: Callable[[str], str]) -> int:
    """Read and print; the exit status.

    `checks` is `--check`. `command` completes `build web` to a command line with the same configuration.
    """
    console = open_console(to_stderr=form != "tables")
    with console.status("Reading Image Builder, Parameter Store and Auto Scaling"):
        status = read_status(estate, selection)
    if form == "csv":
        write_csv(status.images, status.fleets)
    elif form == "json":
        open_console().print(json.dumps(_members(status), indent=2, default=datetime.isoformat), soft_wrap=True)
    else:
        _print(status, estate, console=console, command=command)
    unread = any([*(image.errors for image in status.images), *(fleet.errors for fleet in status.fleets)])
    unusable = any(image.problems for image in status.images)
    gaps = checks and (
        any(fleet.gaps for fleet in status.fleets)
        or any(gap.needs_person for image in status.images for gap in image.gaps)
    )
    return 1 if unread or unusable or gaps else 0


def _members(status: Status) -> dict[str, Any]:
    """As JSON has it."""
    accounts = [
        {"name": access.name, "account": _id(access, found), "caller": None, "error": found.reason}
        if isinstance(found, Unreachable)
        else {"name": access.name, "account": found.account, "caller": found.caller, "error": None}
        for access, found in status.accounts.items()
    ]
    return {
        "images": [asdict(image) for image in status.images],
        "fleets": [asdict(fleet) for fleet in status.fleets],
        "builds": [asdict(build) for build in status.builds],
        "accounts": accounts,
    }


def _print(status: Status, estate: Estate, *, console: Console, command: Callable[[str], str]) -> None:
    """The tables and remarks, and once for each account, why it could not be reached."""
    accounts: dict[str, str] = {}
    if len(status.accounts) > 1:
        accounts |= {name: image.account or "" for name, image in estate.images.items()}
        accounts |= {name: estate.fleet(name).account_name or "" for name in estate.fleets}
    elsewhere = {str(error) for error in status.unreachable}
    print_images(status.images, accounts=accounts, console=console, command=command, but=elsewhere)
    print_fleets(status.fleets, accounts=accounts, console=console, but=elsewhere)
    for build in status.builds:
        print_build(build, console=console)
    for line in lines_of(status.unreachable):
        print(line, file=sys.stderr)


def _id(access: Access, found: Aws | Unreachable) -> str | None:
    """The ID of an account, if that is known."""
    return access.account if isinstance(found, Unreachable) else found.account


def read_status(estate: Estate, selection: Selection) -> Status:
    """Read builds, channels and fleets, several at the same time.

    Raises `OpsError` when no account can be reached, or when there is no build that is named. What fails otherwise is
    in the `errors` of that image or fleet.
    """
    names, fleets = _read(estate, selection)
    # of images of other estates, only the channels of fleets are read
    wanted = [*names, *(fleet.fleet.image for fleet in fleets if not fleet.image.is_external)]
    images: dict[str, EstateImage[Image]] = {name: estate.image(name) for name in wanted}
    if not images and not fleets:
        return Status(images=(), fleets=(), builds=(), accounts={})
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        accesses = [*map(access_to_image, images.values()), *map(access_to_fleet, fleets)]
        accesses += map(access_to_image_of, fleets)
        ways = Accounts()
        accounts = ways.reach_all(accesses, pool=pool)
        _check_any(accounts)
        readings: dict[str, ImageReading | Unreachable] = {}
        for name, image in images.items():
            found = accounts[access_to_image(image)]
            readings[name] = found if isinstance(found, Unreachable) else ImageReading(image, aws=found, pool=pool)
        # after the images, because each fleet waits for the builds of its image
        facts = [pool.submit(_read_fleet, fleet, ways, readings.get(fleet.fleet.image)) for fleet in fleets]
    read = [(fleet, future.result()) for fleet, future in zip(fleets, facts, strict=True)]
    image_statuses = {
        name: _image_status(
            images[name],
            readings[name],
            selection=selection,
            failed=dict(
                failed for fleet, found in read if fleet.fleet.image == name for failed in found.failed.items()
            ),
        )
        for name in names
    }
    fleet_statuses = {
        fleet.fleet.name: fleet_status(fleet, found, account=_account(fleet, accounts)) for fleet, found in read
    }
    return Status(
        images=[image_statuses[name] for name in selection.images],
        fleets=[fleet_statuses[name] for name in selection.fleets],
        builds=[
            report(reference, readings=readings, images=image_statuses, fleets=[*fleet_statuses.values()])
            for reference in selection.builds
        ],
        accounts=accounts,
    )


def _check_any(accounts: Mapping[Access, Aws | Unreachable]) -> None:
    """Raises `OpsError` when no account can be reached."""
    unreachable = [found for found in accounts.values() if isinstance(found, Unreachable)]
    if len(unreachable) == len(accounts):
        raise OpsError("\n".join(lines_of(unreachable)))


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


def _image_status(
    image: EstateImage[Image], reading: ImageReading | Unreachable, *, selection: Selection, failed: Mapping[str, str]
) -> ImageStatus:
    if isinstance(reading, Unreachable):
        return unread_image(image, reading)
    name = image.image.name
    return reading.status(selection.channels.get(name), with_kept=name in selection.detailed, failed=failed)


def _account(fleet: EstateFleet, accounts: Mapping[Access, Aws | Unreachable]) -> str | None:
    access = access_to_fleet(fleet)
    return _id(access, accounts[access])


def _read_fleet(fleet: EstateFleet, accounts: Accounts, image: ImageReading | Unreachable | None) -> Facts:
    return read_fleet(fleet, accounts=accounts, builds=image.builds if isinstance(image, ImageReading) else ())
