"""`goldsmith check`: whether the configuration is correct and generated files are up to date, without AWS."""

from __future__ import annotations

import argparse

from ops.arguments import Commands, add_command, add_configuration, add_json
from ops.configuration import find_configuration

_EXAMPLES = """examples:
  goldsmith check           every problem of the configuration, with file, line and what to do
  goldsmith check --update  write the snapshots of all stacks, for review in a pull request
  goldsmith check --json    for programs
  goldsmith check --explain web-prod
                            each field of an image or fleet, its value, and where that is written

Reads files only, never AWS. The folder snapshots beside the configuration has what is synthesized, one file for each
stack: with sorted keys, without cdktf's notes, and with <pin> for what pins.yaml says. If there is one, all stacks are
synthesized and compared with it. In Goldsmith's own repository the generated pages of docs/ are checked too.

Exit status 2 when the configuration has problems, 1 when a fleet with updates: pull-request has no pin that fits, a
stack is not as in its snapshot, or a generated file is out of date.
"""
_JSON = """--json writes one object:
  configuration  the file or folder
  problems       one object for each problem of the configuration: place ("config/web.yaml:4"), key ("images.web.os"),
                 rule, got and remedy; texts are empty where there is nothing to say
  remarks        what is allowed and may still be a mistake, as messages
  unpinned       the fleets without a pin that fits, as messages
  snapshots      what differs from the snapshots, before they were written with --update: folder, differences (a text as
                 of diff -u for each stack), missing and gone (names of stacks); null without snapshots
  out_of_date    generated files that are out of date

With --explain a list: field, value as YAML, key ("environments.prod.region") and place ("config/fleets.yaml:4"), both
empty for the default of the model.
"""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Its command line."""
    command = add_command(
        commands,
        "check",
        run,
        about="check the configuration and its snapshots, without AWS",
        examples=_EXAMPLES,
        more=_JSON,
    )
    ways = command.add_mutually_exclusive_group()
    ways.add_argument("--explain", metavar="NAME", help="show where the fields of an image or fleet are written")
    ways.add_argument("--update", action="store_true", help="write the snapshots of all stacks")
    add_json(command)
    add_configuration(command)


def run(arguments: argparse.Namespace) -> int:
    """Check and print; the exit status."""
    configuration = find_configuration(arguments.config)
    from ops.check import run_check, run_explain

    if arguments.explain:
        return run_explain(configuration, arguments.explain, as_json=arguments.json)
    return run_check(configuration, updates=arguments.update, as_json=arguments.json)
