"""`goldsmith synth`: write the Terraform JSON of all stacks, as `main.py` does."""

from __future__ import annotations

import argparse

import main
from ops.arguments import Commands, add_allow_unbuilt, add_command, add_configuration
from ops.configuration import find_configuration

_EXAMPLES = """examples:
  goldsmith synth                       write all stacks
  terraform -chdir=cdktf.out/stacks/image-web init
  terraform -chdir=cdktf.out/stacks/image-web plan

Reads files only, never AWS. The stacks are written into cdktf.out, beside the folder config that was found, or else in
the current folder; CDKTF_OUTDIR names another folder.
"""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Its command line."""
    command = add_command(commands, "synth", run, about="write the Terraform of all stacks", examples=_EXAMPLES)
    add_allow_unbuilt(command)
    add_configuration(command)


def run(arguments: argparse.Namespace) -> int:
    """Write them; the exit status."""
    configuration = find_configuration(arguments.config)
    status = main.synthesize(configuration.path, configuration.out, allow_unbuilt=arguments.allow_unbuilt)
    if status == 0:
        print(f"the stacks are in {configuration.out / 'stacks'}")
    return status
