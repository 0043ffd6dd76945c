"""`goldsmith destroy`: destroy what a stack has in AWS."""

from __future__ import annotations

import argparse

import entry
from ops.arguments import Commands, add_command, add_configuration, same_configuration
from ops.configuration import find_configuration

_EXAMPLES = """examples:
  goldsmith destroy fleet-web-dev      show what is destroyed, ask, and destroy it
  goldsmith destroy image-web --yes    for scripts: without the question

Names the fleets and images that use the stack, synthesizes it, and shows Terraform's plan. After yes, exactly this plan
is applied, with the credentials and the role that Terraform uses. AMIs, snapshots and channels of an image are kept, so
that running fleets keep their image. Ctrl-C before the answer changes nothing; after it, Terraform ends the step that
it is in and writes its state, and the same command destroys the rest.

A fleet that cannot read the account of its image any more is destroyed without it (TF_VAR_read_images=false).

A stack whose lines were deleted is destroyed with its last Terraform, which a synthesis keeps in cdktf.out/removed.
"""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Its command line."""
    command = add_command(commands, "destroy", run, about="destroy what a stack has in AWS", examples=_EXAMPLES)
    command.add_argument("stack", metavar="STACK", help="such as image-web or fleet-web-dev")
    command.add_argument("--yes", action="store_true", help="do not ask")
    add_configuration(command)


def run(arguments: argparse.Namespace) -> int:
    """Show, ask and destroy; the exit status."""
    configuration = find_configuration(arguments.config)
    from ops.destroy import run_destroy

    entry.raise_on_interrupt()  # the message says what was done
    again = same_configuration(arguments)(f"destroy {arguments.stack}")
    return run_destroy(configuration, arguments.stack, asks=not arguments.yes, again=again)
