"""What the command lines of several commands have in common."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from estate.problems import did_you_mean
from ops.errors import UsageError

if TYPE_CHECKING:  # with pydantic, which the help does not need
    from estate.estate import Estate

Commands = argparse._SubParsersAction  # argparse has no public name for it

LONGEST_REASON = 1000
"""Characters of `--why`. The history has them all, and the records of parameters as many as fit."""

MOVE_IN_JSON = """--json writes one object at the end, needs --yes, and everything else is written to standard error:
  image, channel
  by         the ARN of who moves the channel
  build      "1.0.912/3"; null for an AMI that no build made
  arn        the build's ARN, or null
  created    when the build was made
  how        promoted, taken over or rolled back
  why        the reason that was given, or null
  skipped    what was skipped: "soak", "gate"
  notes      what else a person should know, as messages
  move       the number of the move in the history; null when nothing had to be written
  regions    one object for each region: region, previous (the value before), previous_build (its ARN, or null), value,
             state (moved, unchanged or failed), reason (why it failed)
  refused    why nothing was moved, as messages; then the members from `build` to `regions` are missing
"""
"""What the commands that move a channel write with `--json`."""

EXIT_STATUS = """exit status:
  0    success
  1    something failed, or a person has to do something
  2    the configuration or the command line has errors
  130  Ctrl-C
"""


def add_command(
    commands: Commands[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    about: str,
    examples: str,
    more: str = "",
) -> argparse.ArgumentParser:
    """A command with its help: `about` in one line, examples, and `more`, such as the members of its JSON.

    `run` imports what takes time to load (boto3, rich) itself, after it has checked configuration and command line.
    """
    command = commands.add_parser(
        name,
        help=about,
        description=f"{about[0].upper()}{about[1:]}.",
        epilog="\n".join(filter(None, (examples, more, EXIT_STATUS))),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.set_defaults(run=run)
    return command


def add_configuration(command: argparse.ArgumentParser) -> None:
    """`--config`."""
    command.add_argument(
        "--config",
        type=Path,
        metavar="PATH",
        help="file or folder of the configuration (default: $GOLDSMITH_CONFIG, else the folder config here or above)",
    )


def add_allow_unbuilt(command: argparse.ArgumentParser) -> None:
    """`--allow-unbuilt`."""
    text = "let fleets that have no pin yet be stacks that wait for it (or set GOLDSMITH_ALLOW_UNBUILT=1)"
    is_set = os.environ.get("GOLDSMITH_ALLOW_UNBUILT", "") not in ("", "0")
    command.add_argument("--allow-unbuilt", action="store_true", default=is_set, help=text)


def add_json(command: argparse._ActionsContainer) -> None:
    """`--json`."""
    command.add_argument("--json", action="store_true", help="write one JSON object to standard output")


def add_yes(command: argparse.ArgumentParser) -> None:
    """`--yes`."""
    command.add_argument("--yes", action="store_true", help="do not ask")


def add_regions(command: argparse.ArgumentParser, *, otherwise: str) -> None:
    """`--regions`, for `ops.selection.regions_to_move`."""
    command.add_argument("--regions", metavar="REGION,…", help=f"move it in these regions only (default: {otherwise})")


def check_json_without_question(arguments: argparse.Namespace) -> None:
    """Raises `UsageError` when a program would be asked."""
    if arguments.json and not arguments.yes:
        raise UsageError("argument --json: needs --yes, because a program cannot answer a question")


def add_why(command: argparse.ArgumentParser, text: str) -> None:
    """`--why`."""
    command.add_argument("--why", type=_reason, metavar="REASON", help=text)


def _reason(text: str) -> str:
    reason = " ".join(text.split())
    if not reason:
        raise argparse.ArgumentTypeError("must say something, got nothing")
    if len(reason) > LONGEST_REASON:
        raise argparse.ArgumentTypeError(f"must have at most {LONGEST_REASON} characters, got {len(reason)}")
    return reason


def same_configuration(arguments: argparse.Namespace) -> Callable[[str], str]:
    """Completes `build web` to a command line with the same configuration."""
    config = f" --config {shlex.quote(str(arguments.config))}" if arguments.config else ""
    return lambda text: f"goldsmith {text}{config}"


def check_image(name: str, estate: Estate) -> None:
    """Raises `UsageError` for a name that is not one of the images that the estate makes."""
    if image := estate.external_images.get(name):
        external = image.external
        where = f", in account {external.account}" if external.account else ""
        raise UsageError(
            f"{name} is image {external.name or name} of the estate {external.namespace}{where}, which builds it and "
            "moves its channels: use the configuration of that estate"
        )
    check_names([name], estate.images, kind="image")


def check_names(names: Sequence[str], known: Collection[str], *, kind: str) -> None:
    """Raises `UsageError` with a line for each name that the configuration does not have."""
    unknown = {
        name: did_you_mean(name, known) if known else "the configuration declares none"
        for name in names
        if name not in known
    }
    if unknown:
        raise UsageError("\n".join(f"unknown {kind} {name!r}; {remedy}" for name, remedy in unknown.items()))
