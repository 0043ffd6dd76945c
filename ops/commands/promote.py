"""`goldsmith promote`: point a channel to a build."""

from __future__ import annotations

import argparse

import entry
from estate.models.ami_image import AmiImage
from estate.models.images import Image
from estate.references import AmiReference, Named
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
from ops.selection import OfImage, channel_to_move, of_image, reference_in, regions_to_move

_EXAMPLES = """examples:
  goldsmith promote web prod                   point prod to the build of the channel from which it takes its builds
  goldsmith promote web@staging prod           point prod to the build that staging points to
  goldsmith promote web@6718/3 prod            point prod to this build
  goldsmith promote web prod --yes --json      for scripts: without the question
  goldsmith promote web@6718/3 prod --skip-soak --why 'CVE-2026-1234 is exploited'
  goldsmith promote web prod --ami ami-0a1b2c3d --why 'built by the old pipeline'

The build is checked in all regions of the image before the first one changes. It is refused, with every reason, when it
is revoked, not a good build of the image, or not usable in a region; when the channel or the image is held; when it
does not pass the gate; when it was never in the channel of `from`, or not for as long as `soak` says; and when it is
older than what the channel has, because goldsmith rollback goes back. A region that fails is named, and the same
command finishes the move; otherwise the hand-off function does.

--ami points a channel that is empty to AMIs that Image Builder did not make: one in each region, in the image's
account. They have to be in `accept` of the image, so that fleets launch them.
"""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Its command line."""
    command = add_command(
        commands, "promote", run, about="point a channel to a build", examples=_EXAMPLES, more=MOVE_IN_JSON
    )
    command.add_argument("reference", metavar="REF", help="an image, channel or build: web, web@staging, web@6718/3")
    command.add_argument("channel", metavar="CHANNEL", help="the channel of the same image that is moved")
    add_why(command, "the reason, for the history; required with --skip-soak, --despite-gate and --ami")
    add_regions(command, otherwise="all of the image")
    command.add_argument(
        "--skip-soak",
        action="store_true",
        help="for emergencies: although the build was not in the channel of `from` long enough",
    )
    command.add_argument(
        "--despite-gate", action="store_true", help="for emergencies: although the build does not pass the gate"
    )
    elsewhere = "an AMI that was built elsewhere; once for each region"
    command.add_argument("--ami", action="append", default=[], metavar="AMI", help=elsewhere)
    add_yes(command)
    add_json(command)
    add_configuration(command)


def run(arguments: argparse.Namespace) -> int:
    """Show, ask and promote; the exit status."""
    estate = find_configuration(arguments.config).load()
    reference = of_image(arguments.reference, estate)
    image = estate.image(reference.name if isinstance(reference, Named) else reference.image)
    channel = channel_to_move(arguments.channel, image.image)
    regions = regions_to_move(arguments.regions, image.image)
    _check_options(arguments, reference, image.image)
    from lambda_src.handoff.history import GATE, SOAK
    from ops.accounts import Accounts
    from ops.moving import Mover
    from ops.promote import Promotion, run_promote

    entry.raise_on_interrupt()  # the message says what was done
    skips = {SOAK: arguments.skip_soak, GATE: arguments.despite_gate}
    mover = Mover.of(image, Accounts())
    promotion = Promotion(
        pipeline=mover.pipeline,
        source=reference,
        channel=channel,
        why=arguments.why or "",
        regions=regions,
        skips=frozenset(skip for skip, is_wanted in skips.items() if is_wanted),
        amis=tuple(dict.fromkeys(arguments.ami)),
    )
    command = same_configuration(arguments)
    return run_promote(mover, promotion, as_json=arguments.json, asks=not arguments.yes, command=command)


def _check_options(arguments: argparse.Namespace, reference: OfImage, image: Image) -> None:
    """Raises `UsageError`."""
    for option, value in (("skip-soak", arguments.skip_soak), ("despite-gate", arguments.despite_gate)):
        if value and arguments.ami:
            raise UsageError(f"argument --{option}: must not come with --ami, for which nothing is skipped")
    for option, value in (
        ("skip-soak", arguments.skip_soak),
        ("despite-gate", arguments.despite_gate),
        ("ami", arguments.ami),
    ):
        if value and not arguments.why:
            raise UsageError(f"argument --{option}: needs --why, the reason, which the history keeps")
    if arguments.ami and not isinstance(reference, Named):
        raise UsageError(f"argument --ami: must come with an image, got {reference}; write {reference.image}")
    if arguments.ami and not isinstance(image, AmiImage):
        raise UsageError(f"argument --ami: must come with an image that is an AMI, got {image.name}")
    for ami in arguments.ami:
        if not isinstance(reference_in(ami), AmiReference):
            raise UsageError(f"argument --ami: must be the ID of an AMI, got {ami!r}; write ami-0a1b2c3d")
    check_json_without_question(arguments)
