"""`goldsmith revoke`: let nothing use a build any more."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

import entry
from estate.references import BuildReference
from ops.arguments import (
    Commands,
    add_command,
    add_configuration,
    add_json,
    add_why,
    add_yes,
    check_json_without_question,
    same_configuration,
)
from ops.configuration import find_configuration
from ops.errors import UsageError
from ops.selection import of_image
from ops.times import WHEN, time_from

_EXAMPLES = """examples:
  goldsmith revoke web@6718/3 --why 'CVE-2026-1234 in openssl'
  goldsmith revoke base@912 --why 'CVE-2026-1234' --children     and what was made on it, of every image
  goldsmith revoke web@6718/3 --why 'it does not boot' --rollback
  goldsmith revoke web@6718/3 --why 'end of support' --at '30 days'
  goldsmith revoke web@6718/3 --undo

It shows first which channels, fleets, running instances and builds of other images are affected, and asks. Then it
writes the tag goldsmith:revoked of the build in Image Builder, and starts the hand-off function, which copies the tag
to the AMIs and moves `latest` and channels with a soak time to a good build. From then on guards stop every plan that
would launch the AMI, in every account. Other channels stay, and the command names the goldsmith rollback to run; with
--rollback it does that itself. Instances stay until their fleet is rolled out, which fleets with updates: automatic do
by themselves when their channel has moved. Without lambda:InvokeFunction the function does the same within the hour.

The tag has the time, and of the reason what every AWS service takes: letters, digits, spaces and +-=._:/@, at most 200
characters. --at is a duration from now, or a time with its offset; until then plans only warn.

--children finds builds of other images by the ancestors that EC2 knows of their AMIs. What cannot be read is named, and
the exit status is 1 then; with --rollback also when channels cannot be read. --undo deletes the tag. Of the channels
that have left the build, only `latest` comes back by itself.
"""
_JSON = """--json writes one object at the end, needs --yes, and everything else is written to standard error:
  builds           one object for each build that is meant, the named one first: image, build ("1.0.912/3"), arn, before
                   and after (the tag's value, or null), state (written, unchanged or failed), reason (why it failed)
  made_on_it       without --children, the builds of other images that were made on it, as references
  channels         one object for each channel that points to one of the builds: image, channel, build, regions,
                   moves_by_itself, held
  fleets           one object for each fleet that is affected: fleet, image, channel, follows (whether its channel
                   points to one of the builds, or its pin says one), instances (how many run one), pinned,
                   automatic
  other_instances  one object for each region with instances of no fleet: image, region, instances
  handoff          one object for each image: image, started, reason
  rolled_back      with --rollback, one object for each channel that people move: image, channel, regions, build (where
                   it points now, or null), reason (why it was not moved)
  errors           what could not be read, as messages
"""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Its command line."""
    command = add_command(
        commands, "revoke", run, about="let nothing use a build any more", examples=_EXAMPLES, more=_JSON
    )
    command.add_argument("build", metavar="IMAGE@BUILD", help="a build: web@6718/3")
    add_why(command, "the reason; required without --undo")
    command.add_argument(
        "--children", action="store_true", help="also the builds of other images that were made on this one"
    )
    command.add_argument("--at", metavar="WHEN", help=f"since when, {WHEN} (default: now)")
    command.add_argument("--undo", action="store_true", help="take the revocation back")
    command.add_argument(
        "--rollback", action="store_true", help="also roll back the channels that people move and that point to it"
    )
    add_yes(command)
    add_json(command)
    add_configuration(command)


def run(arguments: argparse.Namespace) -> int:
    """Show, ask and write; the exit status."""
    estate = find_configuration(arguments.config).load()
    reference = of_image(arguments.build, estate)
    if not isinstance(reference, BuildReference):
        raise UsageError(f"{arguments.build!r} must name a build; write {arguments.build.partition('@')[0]}@6718/3")
    at = _check_options(arguments)
    from ops.accounts import Accounts
    from ops.revocation import Wish
    from ops.revoke import run_revoke

    entry.raise_on_interrupt()  # the message says what was done
    wish = Wish(
        estate=estate,
        reference=reference,
        why=arguments.why or "",
        at=at,
        children=arguments.children,
        undo=arguments.undo,
        rolls_back=arguments.rollback,
    )
    command = same_configuration(arguments)
    asks = not arguments.yes
    return run_revoke(wish, accounts=Accounts(), as_json=arguments.json, asks=asks, command=command)


def _check_options(arguments: argparse.Namespace) -> datetime | None:
    """The time of `--at`. Raises `UsageError`."""
    for option, value in (("why", arguments.why), ("at", arguments.at)):
        if arguments.undo and value:
            raise UsageError(f"argument --{option}: must not come with --undo, which deletes the tag that has it")
    if arguments.undo and arguments.rollback:
        raise UsageError("argument --rollback: must not come with --undo; goldsmith promote moves channels forward")
    if not (arguments.undo or arguments.why):
        raise UsageError("argument --why: must give the reason, got none; the tag, guards and e-mails have it")
    check_json_without_question(arguments)
    return time_from(arguments.at, now=datetime.now(UTC), option="--at") if arguments.at else None
