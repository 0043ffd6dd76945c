"""`goldsmith demo`: the demo, as `make demo` runs it."""

from __future__ import annotations

import argparse
import os

from ops.arguments import Commands, add_command
from ops.errors import OpsError

_EXAMPLES = """examples:
  goldsmith demo      build, deploy and operate the sample estate on an AWS on this machine

Needs Terraform and git, and neither a configuration nor an AWS account. It takes about four minutes, and stops
everything that it has started.
"""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Its command line."""
    add_command(commands, "demo", run, about="see Goldsmith at work, on this machine", examples=_EXAMPLES)


def run(arguments: argparse.Namespace) -> int:
    """Run it; the exit status."""
    from scripts.git import missing_git
    from scripts.terraform import missing_terraform

    if lack := missing_terraform(os.environ) or missing_git(os.environ):
        raise OpsError(lack)
    from demo.__main__ import play

    return play()
