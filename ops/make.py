"""`make plan`, `make deploy` and `make destroy`: checks, and then cdktf.

They stop when the result would be a surprise: for a stack that is not declared, and for one whose state is still at its
place from before namespaces were part of its key. A destroy lists what uses the stack. After a failure of a fleet whose
image is in another account, it is said whether that account can be read, which Terraform cannot explain.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import cdktf_out
from ops.configuration import load_estate
from ops.errors import OpsError, UsageError
from ops.precautions import about_undeclared, has_to_move, kept, report, uses
from ops.programs import run_program
from ops.reader_role import refusals, variables_of_destroy


def main(arguments: Sequence[str]) -> int:
    """`CDKTF plan|deploy|destroy STACK... -- OPTION...`; CDKTF is the path of the command.

    The exit status, unless cdktf replaces this process. It does, unless a fleet reads another account than its own.
    """
    try:
        return _run(*arguments)
    except OpsError as error:
        report(str(error))
        return error.exit_status


def _run(cdktf: str, action: str, *rest: str) -> int:
    end = rest.index("--")
    patterns, options = rest[:end], rest[end + 1 :]
    estate, out = load_estate(), cdktf_out.folder()
    unknown = [pattern for pattern in patterns if not fnmatch.filter(estate.stacks, pattern)]
    removed = {stack: folder for stack in unknown if (folder := kept(estate, stack, out=out))}
    if action == "destroy" and len(removed) == len(patterns):
        return max([_destroy_kept(stack, folder, options) for stack, folder in removed.items()])
    if unknown:
        raise UsageError("\n".join(about_undeclared(estate, stack, out=out, action=action) for stack in unknown))
    stacks = [name for name in estate.stacks if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]
    others = cdktf_out.used_by_others(out, namespace=estate.namespace)
    for stack in stacks:
        if stack in others:
            report(others[stack])
    if action == "destroy":
        for line in uses(estate, stacks):
            report(line)
    to_move = [line for stack in stacks for line in has_to_move(estate, stack, out=out, action=action)]
    for line in to_move:
        report(line)
    if to_move:
        return 1
    command = [cdktf, action, *patterns, *options]
    elsewhere = [
        fleet for fleet in map(estate.fleet, estate.fleets) if fleet.is_elsewhere and fleet.names.stack in stacks
    ]
    if not elsewhere:
        os.execv(cdktf, command)
    ended = run_program(command, environ=os.environ, shows=True)
    if ended.status != 0 and not ended.interrupted:
        for line in refusals(elsewhere, action=action):
            report(line)
    return ended.status if ended.status >= 0 else 128 - ended.status  # killed by a signal, as shells say it


def _destroy_kept(stack: str, folder: Path, options: Sequence[str]) -> int:
    """`terraform destroy` in the folder with the stack's Terraform, which is deleted after success; the exit status."""
    report(f"{stack} is not declared any more: destroying its resources in AWS with the Terraform in {folder}")
    signal.signal(signal.SIGINT, lambda *_: None)  # Terraform gets Ctrl-C too, and ends properly
    environ = {**os.environ, **variables_of_destroy(stack, folder, environ=os.environ)}
    for command in (["init", "-input=false"], ["destroy", *options]):
        if subprocess.call(["terraform", f"-chdir={folder}", *command], env=environ) != 0:
            return 1
    shutil.rmtree(folder)
    return 0
