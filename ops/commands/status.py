"""`goldsmith status`: the builds, channels and fleets of an estate."""

from __future__ import annotations

import argparse

import entry
from ops.arguments import Commands, add_command, add_configuration, add_json, same_configuration
from ops.configuration import find_configuration
from ops.selection import select

_EXAMPLES = """examples:
  goldsmith status                 all images and fleets
  goldsmith status web             one image, the builds that are kept with their size and cost, and its fleets
  goldsmith status --json          for programs; --csv for a table of channels and fleets
  goldsmith status web@stable      one channel, and the fleets that follow it
  goldsmith status web@6718/3      one build: how it ended, its AMIs, and which channels and fleets have it
  goldsmith status ami-0a1b2c3d    the build that made this AMI
  goldsmith status web-dev         one fleet
  goldsmith status --check         for a nightly job: exit status 1 when a fleet needs a person

Exit status 1 when something could not be read, such as an account that cannot be reached, or a channel holds a value
that is not a usable build of its image. With --check also when a person is needed: a build does not pass the gate, a
channel that people move points to a revoked build, the hand-off does not move a channel; a fleet is not deployed, there
is no build, a newer AMI was not applied, instances were not replaced. A build that soaks, waits for its scan or for
`goldsmith promote`, and a hold, need nobody. Nor does an instance refresh that is running (Pending, InProgress,
Baking): AWS ends one that makes no progress for an hour.
"""
_JSON = """--json writes one object; times are ISO 8601 with their offset, unknown values null:
  images            one object for each image, in the order of the configuration
    image           its name
    account         the ID of its account, or null if the settings name none and it could not be reached
    region          its home, where the pipeline is
    deployed        whether the pipeline exists
    newest          the newest build in any status: build ("1.0.912/3"), arn, status, created, and if it failed, reason
                    and logs ("s3://bucket/prefix"); revoked, the reason, if it is revoked
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
    gaps            why channels do not point to the newest build that they could, at most one object for each channel:
      channel, reason
      needs_person  whether it stays so until somebody does something
    kept            the builds that are kept, if the image is named; otherwise null. One object for each:
      build, arn, created
      why           "in use", "one of the newest", both, "revoked", or ""
      gb            how much it stores in all regions, for an AMI at most: the size of its volumes
      monthly_cost  by the list prices in pages/prices.yaml
    errors          what could not be read, as messages; the rest of the image is shown anyway
  fleets            one object for each fleet, in the order of the configuration
    fleet, image, channel, account, region
    group           the name of its Auto Scaling group
    deployed        whether the group or the launch template exists
    wanted          what its channel means in its account: ami (its copy, if it runs copies) and build; of a fleet that
                    is pinned what its pin says
    pinned          whether it has updates: pull-request
    template        its launch template: newest_version with its ami and build, and group_version, which the group has
    instances       one object for instances with the same template_version, ami and build, with their count; without
                    instances that are leaving the group
    refresh         the last instance refresh of six weeks: status, percentage, reason, started, ended
    progress        the instance refresh that is running, as a message
    queued          until when a rollout by Goldsmith has to wait, and for what, or null
    gaps            where the fleet differs from its channel or template, as messages with what to do
    errors          what could not be read, as messages
  builds            one object for each build or AMI that is named
    image, build, arn, status, created
    commit          the commit of the configuration that the build is tagged with, or null
    reason, logs    if it failed, why, and where its log is
    outputs         one object for each region: region, value, and the channels that point to it
    fleets          fleets that have it: fleet, wanted (whether the channel points to it, or the pin says it), instances
                    (how many run it) and pinned
  accounts          one object for each account of these images and fleets
    name            its name in settings.accounts, or null
    account         its ID, or null
    caller          the ARN of the user or role that read it, or null
    error           why it could not be reached, or null; then it is also in `errors` of its images and fleets
"""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Its command line."""
    command = add_command(
        commands, "status", run, about="show builds, channels and fleets", examples=_EXAMPLES, more=_JSON
    )
    command.add_argument(
        "references",
        metavar="REF",
        nargs="*",
        help="an image, channel, build, fleet or AMI: web, web@stable, web@6718/3, web-dev, ami-0a1b2c3d "
        "(default: all images and fleets)",
    )
    command.add_argument("--check", action="store_true", help="exit status 1 when a fleet is not what it should be")
    formats = command.add_mutually_exclusive_group()
    add_json(formats)
    formats.add_argument("--csv", action="store_true", help="print channels and fleets as CSV, with a line of titles")
    add_configuration(command)


def run(arguments: argparse.Namespace) -> int:
    """Read and print; the exit status."""
    estate = find_configuration(arguments.config).load()
    selection = select(estate, arguments.references)
    from ops.status import run_status

    entry.raise_on_interrupt()  # rich shows the terminal's cursor again
    return run_status(
        estate,
        selection,
        form="json" if arguments.json else "csv" if arguments.csv else "tables",
        checks=arguments.check,
        command=same_configuration(arguments),
    )
