"""`goldsmith rollback`: point a channel to where it was before."""

from __future__ import annotations

import argparse

import entry
from estate.references import BuildReference, ChannelReference
from ops.arguments import (
    MOVE_IN_JSON,
    Commands,
    add_command,
    add_configuration,
    add_json,
    add_regions,
    add_why,
    add_yes,
    check_json_without_question,
    same_configuration,
)
from ops.configuration import find_configuration
from ops.errors import UsageError
from ops.selection import channel_to_move, of_image, reference_in, regions_to_move

_EXAMPLES = """examples:
  goldsmith rollback web@prod                               back to the build before
  goldsmith rollback web@prod --to 6718/3                   back to this build, which prod had before
  goldsmith rollback web@prod --why 'web does not start' --yes --json

Goes by the channel's own history, and skips builds that are revoked or cannot be used in a region; each is named. A
second rollback goes one build further back. A channel with `soak` stays there until there is a newer build. `latest` is
moved by revoking its build.

While the home region does not answer, the channel is moved in the other regions, by their own history. Whether it is
held, and which builds are revoked, cannot be read then, so this needs --yes. The hand-off function adds the move to the
history later.
"""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Its command line."""
    command = add_command(
        commands,
        "rollback",
        run,
        about="point a channel to the build that it had before",
        examples=_EXAMPLES,
        more=MOVE_IN_JSON,
    )
    command.add_argument("reference", metavar="IMAGE@CHANNEL", help="the channel that is moved")
    command.add_argument("--to", metavar="BUILD", help="a build that the channel had before: 1.0.912/3, 912/3 or 912")
    add_why(command, "the reason, for the history")
    add_regions(command, otherwise="all in which the channel is set")
    add_yes(command)
    add_json(command)
    add_configuration(command)


def run(arguments: argparse.Namespace) -> int:
    """Show, ask and roll back; the exit status."""
    estate = find_configuration(arguments.config).load()
    reference = of_image(arguments.reference, estate, argument="IMAGE@CHANNEL")
    if not isinstance(reference, ChannelReference):
        raise UsageError(f"argument IMAGE@CHANNEL: must name a channel, got {str(reference)!r}; write web@stable")
    image = estate.image(reference.image)
    channel = channel_to_move(reference.channel, image.image)
    regions = regions_to_move(arguments.regions, image.image) if arguments.regions is not None else None
    to = _build(arguments.to, image.image.name)
    check_json_without_question(arguments)
    from ops.accounts import Accounts, Unreachable
    from ops.confirmed_move import Options
    from ops.moving import HomeDown, Mover, Plan
    from ops.rollback import Rollback, run_rollback
    from ops.rollback_without_home import run_without_home

    entry.raise_on_interrupt()  # the message says what was done
    command = same_configuration(arguments)

    def prepared(mover: Mover) -> tuple[Rollback, Options]:
        why = arguments.why or ""
        wish = Rollback(pipeline=mover.pipeline, channel=channel, to=to, why=why, regions=regions)

        def again(plan: Plan) -> str:
            return command(wish.again(plan))

        return wish, Options(as_json=arguments.json, asks=not arguments.yes, again=again)

    elsewhere = next((region for region in image.image.regions if region != image.image.home), None)
    try:
        mover = Mover.of(image, Accounts())
        wish, options = prepared(mover)
        return run_rollback(mover, wish, options=options)
    except (HomeDown, Unreachable) as down:
        if elsewhere is None:
            raise
        mover = Mover.of(image, Accounts(), region=elsewhere)
        wish, options = prepared(mover)
        return run_without_home(mover, wish, why_down=str(down), options=options)


def _build(text: str | None, image: str) -> BuildReference | None:
    """The build of `--to`. Raises `UsageError`."""
    if text is None:
        return None
    reference = reference_in(text if "@" in text else f"{image}@{text}")
    if not isinstance(reference, BuildReference) or reference.image != image:
        raise UsageError(f"argument --to: must be a build of {image}, such as 1.0.912/3, 912/3 or 912, got {text!r}")
    return reference
