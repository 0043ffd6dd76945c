"""`goldsmith plan`: plan many stacks side by side."""

from __future__ import annotations

import argparse
from pathlib import Path

from ops.arguments import (
    Commands,
    add_allow_unbuilt,
    add_command,
    add_configuration,
    add_json,
    check_names,
    same_configuration,
)
from ops.configuration import find_configuration

_EXAMPLES = """examples:
  goldsmith plan                                 plan all stacks
  goldsmith plan image-web 'fleet-web-*'         plan some
  goldsmith plan --changed-since origin/main     plan what a branch changes: in CI, for a pull request
  goldsmith plan --account prod --out plans      plan the stacks of one account, into a folder for the next job
  goldsmith plan --drift                         every day: fails when something was changed outside Terraform

Writes the Terraform of all stacks, runs terraform init and plan in several of them at the same time, and locks no
state. The folder DIR (default: cdktf.out/plans) then has STACK/tfplan, which goldsmith apply DIR applies,
STACK/plan.json, as terraform show -json writes it, and plans.json with the stacks. Plans hold secrets in plain text:
only their owner can read the folder, and so it must be with copies.

A failure of one stack leaves the others. A file .terraform.lock.hcl beside the configuration decides the versions of
providers. --changed-since compares the snapshots and the pins of a commit (see goldsmith check), not what channels
point to: a fleet with updates: plan whose channel has moved is found by planning all stacks, every day.

Exit status 1 when a plan failed, and with --drift when something was changed outside Terraform. With
--detailed-exitcode 2 means changes, and a broken configuration or command line is 1.
"""

_JSON = """--json writes one object at the end, and everything else is written to standard error:
  out        the folder of the plans
  stacks     one object for each stack
    stack, region
    account  the ID of its account, or null where account: does not name one
    status   changes, empty or failed
    error    what Terraform wrote when it failed, or an empty text
    add, change, destroy   how many resources are created, updated and deleted; a replacement counts in two of them
    warnings the messages of checks
    drift    addresses of what was changed outside Terraform and would be changed back
"""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Its command line."""
    command = add_command(commands, "plan", run, about="plan many stacks side by side", examples=_EXAMPLES, more=_JSON)
    command.add_argument("stacks", metavar="STACK", nargs="*", help="stacks, also with * and ? (default: all)")
    command.add_argument("--changed-since", metavar="REF", help="only stacks that differ from this commit")
    command.add_argument("--account", action="append", metavar="NAME", help="only stacks of this account; repeatable")
    command.add_argument("--out", type=Path, metavar="DIR", help="where to write (default: cdktf.out/plans)")
    command.add_argument(
        "--jobs", type=_jobs, metavar="N", help="plans at the same time (default: by processors and memory)"
    )
    command.add_argument("--detailed-exitcode", action="store_true", help="exit status 2 when there are changes")
    command.add_argument("--drift", action="store_true", help="list what was changed outside Terraform, and fail then")
    add_allow_unbuilt(command)
    add_json(command)
    add_configuration(command)


def run(arguments: argparse.Namespace) -> int:
    """Synthesize, plan and print; the exit status."""
    configuration = find_configuration(arguments.config)
    estate = configuration.load()
    accounts = arguments.account or []
    check_names(accounts, estate.settings.accounts, kind="account")
    from ops.plan import Options, run_plan

    return run_plan(
        configuration,
        estate,
        Options(
            patterns=arguments.stacks,
            accounts=accounts,
            changed_since=arguments.changed_since,
            out=arguments.out,
            jobs=arguments.jobs,
            allow_unbuilt=arguments.allow_unbuilt,
            has_detailed_status=arguments.detailed_exitcode,
            is_about_drift=arguments.drift,
            as_json=arguments.json,
            again=same_configuration(arguments),
        ),
    )


def _jobs(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to 1000, got {text!r}")
    return int(text)
