"""`goldsmith destroy`: what uses a stack, Terraform's plan, a question, and exactly that plan."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import cdktf_out
from estate.estate import Estate
from ops.configuration import Configuration
from ops.errors import Interrupted, OpsError, UsageError
from ops.precautions import about_undeclared, has_to_move, kept, report, uses
from ops.programs import Ended, run_program
from ops.question import check_terminal, confirm
from ops.reader_role import variables_of_destroy
from ops.states import CannotLook, states_of
from ops.synthesis import synthesize
from scripts.terraform import cached, missing_terraform

_NO_CHANGES, _CHANGES = 0, 2
"""Exit statuses of `terraform plan -detailed-exitcode`."""


def run_destroy(configuration: Configuration, stack: str, *, asks: bool, again: str) -> int:
    """Destroy what a stack has in AWS; the exit status. `again` is the command line that does the same.

    Raises `OpsError`: when nobody confirms it, nothing is changed.
    """
    folder, is_declared = _prepare(configuration, stack, asks=asks)
    environ = {**os.environ, **variables_of_destroy(stack, folder, environ=os.environ)}
    with tempfile.TemporaryDirectory(prefix="goldsmith-destroy-") as temporary:
        plan = str(Path(temporary) / "plan")
        try:
            is_needed = _plan(stack, folder, plan, environ=environ)
            if is_needed and asks:
                confirm("Destroy all of this? It cannot be undone.", otherwise=f"{stack}: nothing was destroyed")
        except KeyboardInterrupt:
            raise Interrupted(f"{stack}: nothing was destroyed") from None
        if is_needed:
            _apply(stack, folder, plan, environ=environ, again=again)
    if not is_declared:
        shutil.rmtree(folder)
    if not is_needed:
        print(f"{stack}: there is nothing to destroy")
    else:
        then = "; delete its lines, or the next deploy makes it again" if is_declared else ""
        print(f"{stack} is destroyed{then}")
    return 0


def _prepare(configuration: Configuration, stack: str, *, asks: bool) -> tuple[Path, bool]:
    """The folder with the stack's Terraform, which is synthesized, and whether the stack is declared.

    Says what depends on it. Raises `OpsError`.
    """
    estate, out = configuration.load(), configuration.out
    removed = None if stack in estate.stacks else kept(estate, stack, out=out)
    if stack not in estate.stacks and removed is None:
        raise UsageError(about_undeclared(estate, stack, out=out, action="destroy"))
    if asks:
        check_terminal(stack)
    if lack := missing_terraform(os.environ):
        raise OpsError(lack)
    if removed:
        report(f"{stack} is not declared any more: this uses its last Terraform, in {removed}")
        return removed, False
    _say_what_depends(estate, stack, out=out)
    # a pin that is missing does not matter to a destroy
    written = synthesize(configuration, allow_unbuilt=True)
    _stop(written, stack)
    if written.status != 0:
        raise OpsError(f"{stack}: nothing was destroyed, because its Terraform could not be written")
    return cdktf_out.stack(out, stack), True


def _say_what_depends(estate: Estate, stack: str, *, out: Path) -> None:
    """Who uses the stack, and where its state is. Raises `OpsError` when the state is at an old place."""
    for line in uses(estate, [stack]):
        report(line)
    if to_move := has_to_move(estate, stack, out=out, action="destroy"):
        raise OpsError("\n".join([*to_move, f"{stack}: nothing was destroyed"]))
    account, region = estate.account_of_stack(stack), estate.stacks[stack]
    states = states_of(estate.settings, beside=out.absolute().parent, account=account, region=region)
    try:
        if state := states.read(estate.state_of(stack)):
            report(f"{stack}: its state has {state.size}, in {state.place}")
    except CannotLook:
        pass  # Terraform says what is wrong


def _plan(stack: str, folder: Path, plan: str, *, environ: Mapping[str, str]) -> bool:
    """Show Terraform's plan, and write it into a file; whether anything is to be destroyed."""
    ended = _terraform(folder, "init", "-input=false", environ=environ, shows=False)
    _stop(ended, stack)
    if ended.status != 0:
        raise OpsError(f"{ended.output.strip()}\n{stack}: nothing was destroyed, because terraform init failed")
    ended = _terraform(
        folder,
        "plan",
        "-destroy",
        "-input=false",
        "-compact-warnings",
        "-detailed-exitcode",
        f"-out={plan}",
        environ=environ,
        shows=True,
    )
    _stop(ended, stack)
    if ended.status not in (_NO_CHANGES, _CHANGES):
        raise OpsError(f"{stack}: nothing was destroyed, because terraform plan failed")
    return ended.status == _CHANGES


def _apply(stack: str, folder: Path, plan: str, *, environ: Mapping[str, str], again: str) -> None:
    ended = _terraform(folder, "apply", "-input=false", plan, environ=environ, shows=True)
    if ended.status == 0:
        return
    rest = f"{stack} may be destroyed in part; its state has what is left: {again}"
    raise (Interrupted if ended.interrupted else OpsError)(rest)


def _stop(ended: Ended, stack: str) -> None:
    """Raises `Interrupted` when a program before the destruction was interrupted."""
    if ended.interrupted:
        raise Interrupted(f"{stack}: nothing was destroyed")


def _terraform(folder: Path, command: str, *arguments: str, environ: Mapping[str, str], shows: bool) -> Ended:
    colour = () if sys.stdout.isatty() else ("-no-color",)
    line: Sequence[str] = ["terraform", f"-chdir={folder}", command, *colour, *arguments]
    return run_program(line, environ={**cached(environ), "TF_IN_AUTOMATION": "1"}, shows=shows)
