"""`make plan`, `make deploy` and `make destroy`: checks, and then cdktf.

They stop when the result would be a surprise: for a stack that is not declared, and for one whose state is still at its
place from before namespaces were part of its key. A destroy lists what uses the stack.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cdktf_out
from estate import names
from estate.estate import Estate
from estate.problems import did_you_mean
from ops.configuration import load_estate
from ops.errors import OpsError, UsageError
from ops.states import CannotLook, State, States, states_of


def main(arguments: Sequence[str]) -> int:
    """`CDKTF plan|deploy|destroy STACK... -- OPTION...`; CDKTF is the path of the command.

    The exit status, unless cdktf replaces this process.
    """
    try:
        return _run(*arguments)
    except OpsError as error:
        _print(str(error))
        return error.exit_status


def _run(cdktf: str, action: str, *rest: str) -> int:
    end = rest.index("--")
    patterns, options = rest[:end], rest[end + 1 :]
    estate = load_estate()
    unknown = tuple(pattern for pattern in patterns if not fnmatch.filter(estate.stacks, pattern))
    if action == "destroy" and unknown == patterns and all(_kept(estate, pattern) for pattern in patterns):
        return max([_destroy_kept(estate, pattern, options) for pattern in patterns])
    beside = cdktf_out.folder().absolute().parent
    if unknown:
        states = states_of(estate.settings, beside=beside)
        lines = (_about_undeclared(estate, pattern, states=states, action=action) for pattern in unknown)
        raise UsageError("\n".join(lines))
    stacks = [name for name in estate.stacks if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]
    others = cdktf_out.used_by_others(cdktf_out.folder(), namespace=estate.namespace)
    for stack in stacks:
        if stack in others:
            _print(others[stack])
    if action == "destroy":
        for line in _uses(estate, stacks):
            _print(line)
    to_move = [stack for stack in stacks if _has_to_move(estate, stack, beside=beside, action=action)]
    if to_move:
        return 1
    os.execv(cdktf, [cdktf, action, *patterns, *options])


def _print(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


# --- Stacks that are not declared


def _kept(estate: Estate, stack: str) -> Path | None:
    """The folder with the Terraform of a stack of this estate, if it is still there."""
    out = cdktf_out.folder()
    for folder in (cdktf_out.stack(out, stack), cdktf_out.removed(out, stack)):
        ours = cdktf_out.namespace_in(folder) in (None, estate.namespace)
        if _may_be_a_stack(stack) and ours and (folder / "cdk.tf.json").is_file():
            return folder
    return None


def _destroy_kept(estate: Estate, stack: str, options: Sequence[str]) -> int:
    """`terraform destroy` in the folder with the stack's Terraform, which is deleted after success; the exit status."""
    folder = _kept(estate, stack)
    assert folder is not None
    _print(f"{stack} is not declared any more: destroying its resources in AWS with the Terraform in {folder}")
    signal.signal(signal.SIGINT, lambda *_: None)  # Terraform gets Ctrl-C too, and ends properly
    for command in (["init", "-input=false"], ["destroy", *options]):
        if subprocess.call(["terraform", f"-chdir={folder}", *command]) != 0:
            return 1
    shutil.rmtree(folder)
    return 0


def _about_undeclared(estate: Estate, stack: str, *, states: States, action: str) -> str:
    if _kept(estate, stack):
        return (
            f"{stack} is not declared any more: to {action} it, put its lines back. make destroy STACK={stack} "
            "destroys its resources in AWS"
        )
    if state := _left(estate, stack, states):
        return (
            f"{stack} is not declared any more, and {state.place} still has {state.size}. To destroy them, put its "
            f"lines back, or check out a commit that has them, run make destroy STACK={stack}, and delete the lines "
            "again"
        )
    remedy = did_you_mean(stack, estate.stacks) or "the configuration declares none"
    return f"unknown stack {stack!r}; {remedy}"


def _left(estate: Estate, stack: str, states: States) -> State | None:
    """The state of a stack that is not declared any more, if it can be read."""
    if not _may_be_a_stack(stack):
        return None
    namespace = estate.namespace
    for prefix in (f"{namespace}/{stack}.", f"{stack}."):
        try:
            found = states.beginning_with(prefix)
        except CannotLook:
            continue
        if ours := [state for state in found if state.namespace in (None, namespace)]:
            return ours[0]
    return None


def _may_be_a_stack(stack: str) -> bool:
    return re.fullmatch(r"(image|fleet|overview)-[a-z0-9-]+", stack) is not None


# --- What uses a stack that is destroyed


def _uses(estate: Estate, stacks: Sequence[str]) -> Iterator[str]:
    for image in estate.images.values():
        if names.image_stack(image.name) not in stacks:
            continue
        fleets = [fleet.name for fleet in estate.fleets.values() if fleet.image == image.name]
        children = [child.name for child in estate.image(image.name).children]
        if fleets:
            yield (
                f"{names.image_stack(image.name)}: in use by {_counted('fleet', fleets)}. Instances, AMIs and channels "
                "stay, but there will be no new builds and no hand-off"
            )
        if children:
            yield (
                f"{names.image_stack(image.name)}: the parent of {_counted('image', children)}, whose next builds will "
                "still start from its last build"
            )


def _counted(noun: str, found: Sequence[str]) -> str:
    return f"{noun}{'s' if len(found) > 1 else ''} {', '.join(found)}"


# --- States from before namespaces and accounts were part of their keys


def _has_to_move(estate: Estate, stack: str, *, beside: Path, action: str) -> bool:
    """Whether a stack's state is at an old place only. Prints how to move it."""
    namespace, region = estate.namespace, estate.stacks[stack]
    states = states_of(estate.settings, beside=beside, account=estate.account_of_stack(stack), region=region)
    now, without_account = estate.state_of(stack), names.state(namespace, stack, region)
    old_places = {"the namespace": names.state_before_namespaces(stack, region)}
    if now != without_account:
        old_places["the account"] = without_account
    found = [
        _is_at_old_place(namespace, stack, before, now, part=part, states=states, action=action)
        for part, before in old_places.items()
    ]
    return any(found)


def _is_at_old_place(
    namespace: str, stack: str, before: str, now: str, *, part: str, states: States, action: str
) -> bool:
    try:
        old = states.read(before)
        if old is None or old.namespace not in (None, namespace):
            return False
        new = states.read(now)
    except CannotLook:
        return False
    if new is None:
        init = f"terraform -chdir={cdktf_out.stack(cdktf_out.folder(), stack)} init"
        _print(
            f"{stack}: its state, {old.place} with {old.size}, is still at its place from before {part} was "
            f"part of its key; {action} would not use it. Move it, then try again:\n"
            "    make synth\n"
            f"    {init} -reconfigure -backend-config={states.option}={states.location(before)}\n"
            f"    {init} -migrate-state -force-copy -backend-config={states.option}={states.location(now)}"
        )
        return True
    _print(
        f"{stack}: {action} uses {new.place}; {old.place}, from before {part} was part of its key, still exists "
        f"with {old.size}. If all of them are in the new state too, delete the old one"
    )
    return False
