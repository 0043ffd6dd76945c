"""What the command lines of several commands have in common."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from estate.problems import did_you_mean
from ops.errors import UsageError

Commands = argparse._SubParsersAction  # argparse has no public name for it

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


def add_json(command: argparse.ArgumentParser) -> None:
    """`--json`."""
    command.add_argument("--json", action="store_true", help="write one JSON object to standard output")


def same_configuration(arguments: argparse.Namespace) -> Callable[[str], str]:
    """Completes `build web` to a command line with the same configuration."""
    config = f" --config {shlex.quote(str(arguments.config))}" if arguments.config else ""
    return lambda text: f"goldsmith {text}{config}"


def check_names(names: Sequence[str], known: Collection[str], *, kind: str) -> None:
    """Raises `UsageError` with a line for each name that the configuration does not have."""
    unknown = {
        name: did_you_mean(name, known) if known else "the configuration declares none"
        for name in names
        if name not in known
    }
    if unknown:
        raise UsageError("\n".join(f"unknown {kind} {name!r}; {remedy}" for name, remedy in unknown.items()))
