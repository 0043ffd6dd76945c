"""The command line of `goldsmith`. Each command is a module in `ops.commands`."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence

from estate.problems import did_you_mean
from ops.arguments import EXIT_STATUS
from ops.commands import (
    apply,
    build,
    check,
    demo,
    destroy,
    doctor,
    history,
    hold,
    pin,
    plan,
    promote,
    report,
    revoke,
    rollback,
    rollout,
    status,
    synth,
)
from ops.errors import OpsError, UsageError
from ops.renamed import check_name

_COMMANDS = (
    *(status, history, build, promote, rollback, revoke, hold),
    *(check, pin, plan, report, apply, rollout, synth, destroy, doctor, demo),
)
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
        arguments = _read(command)
        exit_status: int = arguments.run(arguments)
    except OpsError as error:
        print(error, file=sys.stderr)
        return 1 if _is_misread(error.exit_status, command) else error.exit_status
    except SystemExit as end:  # of argparse
        raise SystemExit(1 if _is_misread(end.code, command) else end.code) from None
    return exit_status


def _is_misread(status: object, command: Sequence[str]) -> bool:
    """Whether the exit status of an error would mean something else: with `--detailed-exitcode`, 2 means changes."""
    return status == UsageError.exit_status and "--detailed-exitcode" in command


def _read(command: Sequence[str]) -> argparse.Namespace:
    """The arguments of a command line. Raises `UsageError`; exits after `--help`, and at an argument that is wrong."""
    parser, names = _parser(), [each.__name__.rpartition(".")[2] for each in _COMMANDS]
    if not command:
        raise UsageError(f"{parser.format_help()}\ngoldsmith needs a command, one of those above")
    name = command[0]
    if name not in (*names, "-h", "--help"):
        raise UsageError(f"goldsmith has no command {name!r}; {did_you_mean(name, names)}")
    arguments, others = parser.parse_known_args(command)
    if others:
        raise UsageError(f"goldsmith {name} does not take {shlex.join(others)}; see goldsmith {name} --help")
    return arguments


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
