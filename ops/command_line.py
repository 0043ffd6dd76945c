"""The command line of `goldsmith`. Each command is a module in `ops.commands`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ops.arguments import EXIT_STATUS
from ops.commands import build, check, demo, destroy, doctor, promote, revoke, status, synth
from ops.errors import OpsError
from ops.renamed import check_name

_COMMANDS = (status, build, promote, revoke, check, synth, destroy, doctor, demo)
"""In the order of the help."""

_CONFIGURATION = """configuration:
  --config PATH, or else GOLDSMITH_CONFIG: a file or folder. Otherwise the nearest folder config with a YAML file, here
  or in a folder above; the command then works as if it were started in the folder that has config.
"""


def main(command: Sequence[str] | None = None) -> int:
    """Run one command; the exit status. Raises KeyboardInterrupt."""
    command = sys.argv[1:] if command is None else command
    try:
        check_name(command)
        arguments = _parser().parse_args(command)
        exit_status: int = arguments.run(arguments)
    except OpsError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    return exit_status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="goldsmith",
        description="Golden images for EC2. `goldsmith COMMAND --help` shows examples.",
        epilog=f"{_CONFIGURATION}\n{EXIT_STATUS}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add(commands)
    return parser
