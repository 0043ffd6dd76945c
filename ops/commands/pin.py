"""`goldsmith pin`: take what channels point to into pins.yaml."""

from __future__ import annotations

import argparse

import entry
from estate.estate import Estate
from estate.references import BuildReference
from ops.arguments import Commands, add_command, add_configuration, add_json, add_why, check_names
from ops.configuration import find_configuration
from ops.errors import UsageError
from ops.pin_file import PinFile
from ops.selection import reference_in

_EXAMPLES = """examples:
  goldsmith pin                                pin all fleets with updates: pull-request to what their channels say
  goldsmith pin web-prod                       pin one
  goldsmith pin web-prod --build web@6718/3    pin it to a build
  goldsmith pin web-prod --skip-after --why 'CVE-2026-1234 is exploited'

A pin says which build a fleet runs: plans of one commit are the same, whatever channels do. Commit pins.yaml and open a
pull request; merging it is the approval, and git revert is the way back.

A build is refused, with every reason, when it is revoked, missing, foreign or for another architecture; when the
channel or the image is held; when it did not end well in the fleet, or in one that holds it for others; when the fleets
of `after` have not run it long enough; when retention may delete it; and with --build, when it was never in the fleet's
channel. A refused fleet keeps the pin that it has, the others are pinned, and the exit status is 1.

Nothing is asked, because only a file is written. Pins of fleets that have no updates: pull-request are deleted.
"""

_JSON = """--json writes one object:
  file       the path of pins.yaml
  written    whether it was changed
  deleted    the fleets whose pins nothing reads, and which were deleted
  fleets     one object for each fleet
    fleet
    state    pinned, unchanged or refused
    before, pin   the pin before and now, or null: image, build, channel, region, ami, owner, key, created, proved
    refused  why it was not pinned, as messages
    notes    what else a person should know, as messages
"""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Its command line."""
    command = add_command(
        commands, "pin", run, about="take what channels point to into pins.yaml", examples=_EXAMPLES, more=_JSON
    )
    command.add_argument("fleets", metavar="FLEET", nargs="*", help="fleets with updates: pull-request (default: all)")
    command.add_argument("--build", metavar="BUILD", help="another build, for exactly one fleet: web@6718/3")
    command.add_argument(
        "--skip-after",
        action="store_true",
        help="for emergencies: although the fleets of `after` have not run the build long enough; needs --why",
    )
    add_why(command, "the reason, for the pin; required with --skip-after")
    add_json(command)
    add_configuration(command)


def run(arguments: argparse.Namespace) -> int:
    """Look, write and print; the exit status."""
    configuration = find_configuration(arguments.config)
    file = PinFile.of(configuration.path)  # before it is loaded, so that a change after that is seen
    estate = configuration.load()
    check_names(arguments.fleets, estate.fleets, kind="fleet")
    for name in arguments.fleets:
        fleet = estate.fleets[name]
        if not fleet.is_pinned:
            rule = "must have updates: pull-request to be pinned"
            raise UsageError(f"fleet {name} {rule}, and has updates: {fleet.updates}")
    build = _build(arguments, estate) if arguments.build else None
    if arguments.skip_after and not arguments.why:
        raise UsageError("argument --skip-after: needs a reason; add --why REASON")
    if arguments.why and not arguments.skip_after:
        raise UsageError("argument --why: must come with --skip-after, because a pin needs no other reason")
    names = list(dict.fromkeys(arguments.fleets)) or [name for name, fleet in estate.fleets.items() if fleet.is_pinned]
    entry.raise_on_interrupt()  # rich shows the terminal's cursor again, and no half a file is left
    from ops.pin import run_pin
    from ops.pin_proposal import Wish

    wish = Wish(build=build, skip_after=arguments.skip_after, why=arguments.why or "")
    return run_pin(file, estate, names, wish, as_json=arguments.json)


def _build(arguments: argparse.Namespace, estate: Estate) -> BuildReference:
    """The build of `--build`. Raises `UsageError`."""
    build = reference_in(arguments.build)
    if not isinstance(build, BuildReference):
        raise UsageError(f"argument --build: must name a build, got {arguments.build!r}; write web@6718/3")
    if len(set(arguments.fleets)) != 1:
        raise UsageError("argument --build: needs exactly one fleet, because fleets have images of their own")
    image = estate.fleets[arguments.fleets[0]].image
    if build.image != image:
        raise UsageError(f"argument --build: must be a build of {image}, the fleet's image, got {arguments.build!r}")
    return build
