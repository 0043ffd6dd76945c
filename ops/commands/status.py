"""`goldsmith status`: the builds, channels and fleets of an estate."""

from __future__ import annotations

import argparse

import entry
from ops.arguments import Commands, add_command, add_configuration, add_json, check_names, same_configuration
from ops.configuration import find_configuration

_EXAMPLES = """examples:
  goldsmith status                 all images and fleets
  goldsmith status web --json      one image and its fleets, for programs
  goldsmith status web-dev         one fleet
  goldsmith status --check         for a nightly job: exit status 1 when a fleet needs a person

Exit status 1 when something could not be read, or a channel holds a value that is not a usable build of its image. With
--check also when a fleet differs from its channel or its launch template: it is not deployed, there is no build, a
newer AMI was not applied, instances were not replaced. An instance refresh that is running (Pending, InProgress,
Baking) is no difference: AWS ends one that makes no progress for an hour.
"""
_JSON = """--json writes one object; times are ISO 8601 with their offset, unknown values null:
  images            one object for each image, in the order of the configuration
    image           its name
    region          its home, where the pipeline is
    deployed        whether the pipeline exists
    newest          the newest build in any status: build ("1.0.912/3"), arn, status, created, and if it failed, reason
                    and logs ("s3://bucket/prefix")
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
"""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Its command line."""
    command = add_command(
        commands, "status", run, about="show builds, channels and fleets", examples=_EXAMPLES, more=_JSON
    )
    command.add_argument(
        "names", metavar="NAME", nargs="*", help="images and fleets of the configuration (default: all)"
    )
    command.add_argument("--check", action="store_true", help="exit status 1 when a fleet is not what it should be")
    add_json(command)
    add_configuration(command)


def run(arguments: argparse.Namespace) -> int:
    """Read and print; the exit status."""
    estate = find_configuration(arguments.config).load()
    known = [*estate.images, *estate.fleets]
    check_names(arguments.names, known, kind="image or fleet" if estate.fleets else "image")
    from ops.status import run_status

    entry.raise_on_interrupt()  # rich shows the terminal's cursor again
    names = {*(arguments.names or known)}
    return run_status(
        images=[estate.image(name) for name in estate.images if name in names],
        fleets=[estate.fleet(name) for name, fleet in estate.fleets.items() if names & {name, fleet.image}],
        as_json=arguments.json,
        checks=arguments.check,
        command=same_configuration(arguments),
    )
