"""`goldsmith hold`: let nothing move an image's channels for a while."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

import entry
from estate.references import BuildReference, ChannelReference
from ops.arguments import (
    Commands,
    add_command,
    add_configuration,
    add_json,
    add_why,
    add_yes,
    check_json_without_question,
)
from ops.configuration import find_configuration
from ops.errors import UsageError
from ops.selection import of_image
from ops.times import WHEN, time_from

_EXAMPLES = """examples:
  goldsmith hold web --why 'year end' --until '2 weeks'     no channel of the image moves
  goldsmith hold web@prod --why 'we are looking at 6718'    only prod stays where it is
  goldsmith hold web@prod --undo

While a hold lasts, neither the hand-off function nor a command moves a channel: new builds wait, also for `latest`, and
a channel stays on a build that is revoked. Guards still stop plans that would launch a revoked build. Pipelines build.
Rollouts that Goldsmith or the function of a fleet starts wait, too; an apply of Terraform starts them as before.

The image and each of its channels can have one hold each, and a channel moves when none of them holds it. A hold ends
at the time of --until, a duration from now or a time with its offset, or by --undo; then the hand-off function does
what has waited. A second hold of the same thing replaces the first one. Parameter Store keeps all of them, in the
image's home region: aws ssm get-parameter-history --name /imagebuilder/NAMESPACE/IMAGE/_hold
"""
_JSON = """--json writes one object, needs --yes, and everything else is written to standard error:
  image, channel  what is held; channel is null for all channels
  before, now     the hold: held, by (the ARN of who wrote it), why, until; null for none
  state           written or unchanged
  other_holds     the other holds of the image, with the same members and their channel
  handoff         after --undo whether the hand-off function was started: started, reason; otherwise null
"""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Its command line."""
    command = add_command(
        commands, "hold", run, about="let nothing move an image's channels for a while", examples=_EXAMPLES, more=_JSON
    )
    command.add_argument("reference", metavar="REF", help="an image or a channel: web, web@prod")
    add_why(command, "the reason; required without --undo")
    command.add_argument("--until", metavar="WHEN", help=f"when it ends by itself, {WHEN} (default: --undo ends it)")
    command.add_argument("--undo", action="store_true", help="end the hold")
    add_yes(command)
    add_json(command)
    add_configuration(command)


def run(arguments: argparse.Namespace) -> int:
    """Show, ask and write; the exit status."""
    estate = find_configuration(arguments.config).load()
    reference = of_image(arguments.reference, estate)
    if isinstance(reference, BuildReference):
        raise UsageError(f"{arguments.reference!r} must name an image or a channel; write web or web@prod")
    until = _check_options(arguments)
    from ops.hold import Wish, run_hold

    entry.raise_on_interrupt()  # the message says what was done
    image, channel = (
        (reference.image, reference.channel) if isinstance(reference, ChannelReference) else (reference.name, "")
    )
    wish = Wish(
        image=estate.image(image),
        channel=channel,
        why=arguments.why or "",
        until=until,
        undo=arguments.undo,
    )
    return run_hold(wish, as_json=arguments.json, asks=not arguments.yes)


def _check_options(arguments: argparse.Namespace) -> datetime | None:
    """The time of `--until`. Raises `UsageError`."""
    if arguments.undo and arguments.until:
        raise UsageError("argument --until: must not come with --undo, which ends the hold now")
    if not (arguments.undo or arguments.why):
        raise UsageError("argument --why: must give the reason, got none; whoever waits reads it")
    if "{{" in (arguments.why or ""):
        raise UsageError("argument --why: must not contain {{, which Parameter Store refuses")
    check_json_without_question(arguments)
    if arguments.until is None:
        return None
    now = datetime.now(UTC)
    until = time_from(arguments.until, now=now, option="--until")
    if until <= now:
        raise UsageError(f"argument --until: must be in the future, got {arguments.until!r}")
    return until
