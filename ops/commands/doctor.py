"""`goldsmith doctor`: whether this machine, the credentials and the accounts are ready."""

from __future__ import annotations

import argparse

import entry
from estate.catalogue.operating_systems import CATALOGUE
from estate.problems import did_you_mean
from ops.arguments import Commands, add_command, add_configuration, add_json
from ops.errors import UsageError

_ARCHITECTURE = "x86_64"

_EXAMPLES = """examples:
  goldsmith doctor                                              check everything that a plan, a build and status need
  goldsmith doctor --parent centos-7 --region eu-west-1         find the newest parent image of an operating system
  goldsmith doctor --parent amazon-linux-2023 --region eu-west-1 --architecture arm64 --json

The checks: Python, Terraform, AWS's provider for Terraform, Node, the configuration, and for each account credentials
and roles, permissions of the commands, and quotas. For each fleet of another account than its image's, whether its
plans can read the image's account, and whether Auto Scaling's own role is in the fleet's account. For each fleet with
`rollout.alarms`, whether these exist, because AWS does not start a rollout without them. Nothing is changed:
permissions are checked by EC2's dry run and IAM's simulation of policies. "unknown" is what could not be checked, and
is no failure.

--parent needs no configuration; it uses the AWS credentials of the environment. docs/operating-systems.md has the
names.
"""
_JSON = """--json writes one object. The checks are in `checks`, one object for each:
  subject   what was checked
  state     ok, missing or unknown
  text      what was found, or what is wrong
  remedy    what to do; empty for ok

With --parent:
  os, region, architecture
  kind          "managed image", "public parameter" or "published AMI"
  reference     what an image without `parent` is built from; null for a published AMI, where `parent` is required
  name, created name and creation time (ISO 8601) of the newest one, or null
  ami           its AMI ID, or null
  parent        what to write as `parent`, so that an image keeps using this one
"""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Its command line."""
    command = add_command(
        commands, "doctor", run, about="check this machine, credentials and accounts", examples=_EXAMPLES, more=_JSON
    )
    command.add_argument("--parent", metavar="OS", help="find the newest parent image of this operating system instead")
    command.add_argument("--region", metavar="REGION", help="with --parent: the home region of the image")
    command.add_argument(
        "--architecture",
        choices=("x86_64", "arm64"),
        help=f"with --parent: the architecture of the processor (default: {_ARCHITECTURE})",
    )
    add_json(command)
    add_configuration(command)


def run(arguments: argparse.Namespace) -> int:
    """Check, or find the parent image; the exit status."""
    if arguments.parent is None:
        if arguments.region or arguments.architecture:
            raise UsageError("--region and --architecture are for --parent; without it, the configuration decides")
        from ops.doctor import run_doctor

        entry.raise_on_interrupt()  # rich shows the terminal's cursor again
        return run_doctor(arguments.config, as_json=arguments.json)
    return _run_parent(arguments)


def _run_parent(arguments: argparse.Namespace) -> int:
    system, architecture = CATALOGUE.get(arguments.parent), arguments.architecture or _ARCHITECTURE
    if system is None:
        raise UsageError(f"unknown operating system {arguments.parent!r}; {did_you_mean(arguments.parent, CATALOGUE)}")
    if architecture not in system.architectures:
        choices = " or ".join(system.architectures)
        raise UsageError(f"{system.name} does not exist for {architecture}; write {choices}")
    if arguments.region is None:
        raise UsageError("--parent needs --region, the home region of the image")
    from ops.parent import run_parent

    entry.raise_on_interrupt()  # rich shows the terminal's cursor again
    return run_parent(system, region=arguments.region, architecture=architecture, as_json=arguments.json)
