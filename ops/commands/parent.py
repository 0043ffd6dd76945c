"""`goldsmith parent`: the newest parent image of an operating system."""

from __future__ import annotations

import argparse

import entry
from estate.catalogue.operating_systems import CATALOGUE
from estate.problems import did_you_mean
from ops.arguments import Commands, add_command, add_json
from ops.errors import UsageError

_EXAMPLES = """examples:
  goldsmith parent centos-7 --region eu-west-1
  goldsmith parent amazon-linux-2023 --region eu-west-1 --architecture arm64 --json

Needs no configuration; it uses the AWS credentials of the environment. docs/operating-systems.md lists the names.
"""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Its command line."""
    command = add_command(commands, "parent", run, about="find the newest parent image", examples=_EXAMPLES)
    command.add_argument("os", metavar="OS", help="an operating system of the catalogue")
    command.add_argument("--region", required=True, metavar="REGION", help="the home region of the image")
    command.add_argument(
        "--architecture", choices=("x86_64", "arm64"), default="x86_64", help="of the processor (default: %(default)s)"
    )
    add_json(command)


def run(arguments: argparse.Namespace) -> int:
    """Find and print it; the exit status."""
    system = CATALOGUE.get(arguments.os)
    if system is None:
        raise UsageError(f"unknown operating system {arguments.os!r}; {did_you_mean(arguments.os, CATALOGUE)}")
    if arguments.architecture not in system.architectures:
        choices = " or ".join(system.architectures)
        raise UsageError(f"{system.name} does not exist for {arguments.architecture}; write {choices}")
    from ops.parent import run_parent

    entry.raise_on_interrupt()  # rich shows the terminal's cursor again
    return run_parent(system, region=arguments.region, architecture=arguments.architecture, as_json=arguments.json)
