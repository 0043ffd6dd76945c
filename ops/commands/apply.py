"""`goldsmith apply`: apply saved plans, and follow the rollouts."""

from __future__ import annotations

import argparse
from pathlib import Path

import entry
from ops.arguments import Commands, add_command, add_configuration, add_yes, same_configuration
from ops.configuration import find_configuration

_EXAMPLES = """examples:
  goldsmith apply cdktf.out/plans          show what goldsmith plan has planned, ask, and apply it
  goldsmith apply plans --yes              for scripts: without the question

Applies exactly the saved plans, one after the other: histories of channels, images before those that are built on them,
dashboards, fleets. The configuration must be the one that was planned. Before that each AMI that will be launched is
looked at once more: one that was revoked or deleted since is refused. In a freeze, fleets whose apply would start a
rollout (rollout.by: terraform) are left for later.

Then the fleets are rolled out as by goldsmith rollout: those with rollout.by: goldsmith are started in their waves, and
one that has to wait for a window or a soak time is queued, which is no failure; those with rollout.by: terraform are
followed. Fleets with updates: automatic are left to their functions: the command says what these do next.

It stops at the first failure, and says what is left. Run it again then: what was applied already is recognized. Ctrl-C
lets Terraform end the step that it is in, write its state and give back its lock.
"""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Its command line."""
    command = add_command(
        commands, "apply", run, about="apply saved plans, and follow the rollouts", examples=_EXAMPLES
    )
    command.add_argument("folder", metavar="DIR", type=Path, help="the folder that goldsmith plan has written")
    add_yes(command)
    add_configuration(command)


def run(arguments: argparse.Namespace) -> int:
    """Look, show, ask, apply and roll out; the exit status."""
    configuration = find_configuration(arguments.config)
    estate = configuration.load()
    from ops.apply import Options, run_apply
    from ops.plan_folder import PlanFolder

    entry.raise_on_interrupt()  # rich shows the terminal's cursor again
    options = Options(asks=not arguments.yes, again=same_configuration(arguments))
    return run_apply(configuration, estate, PlanFolder(arguments.folder), options)
