"""What is checked before Terraform runs on a stack, so that its result is no surprise.

The stack may not be declared any more, its state may still be at an old place, and others may use what is destroyed.
`out` is the folder with the synthesized stacks, beside which local states are.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cdktf_out
from estate import names
from estate.estate import Estate, EstateFleet, EstateImage
from estate.models.ami_image import AmiImage
from estate.models.images import Image
from estate.problems import did_you_mean
from estate.sharing import key_users
from ops.states import CannotLook, State, States, states_of


def report(message: str) -> None:
    """Print a message to standard error, at once: Terraform prints what follows."""
    print(message, file=sys.stderr, flush=True)


# --- Stacks that are not declared


def kept(estate: Estate, stack: str, *, out: Path) -> Path | None:
    """The folder with the Terraform of a stack of this estate, if it is still there."""
    for folder in (cdktf_out.stack(out, stack), cdktf_out.removed(out, stack)):
        ours = cdktf_out.namespace_in(folder) in (None, estate.namespace)
        if _may_be_a_stack(stack) and ours and (folder / "cdk.tf.json").is_file():
            return folder
    return None


def about_undeclared(estate: Estate, stack: str, *, out: Path, action: str) -> str:
    """Why an action is not possible for a stack that is not declared, and what to do."""
    if kept(estate, stack, out=out):
        return (
            f"{stack} is not declared any more: to {action} it, put its lines back. goldsmith destroy {stack} destroys "
            "its resources in AWS"
        )
    if state := _left(estate, stack, out=out):
        return (
            f"{stack} is not declared any more, and {state.place} still has {state.size}. To destroy them, put its "
            f"lines back, or check out a commit that has them, run goldsmith destroy {stack}, and delete the lines "
            "again"
        )
    remedy = did_you_mean(stack, estate.stacks) or "the configuration declares none"
    return f"unknown stack {stack!r}; {remedy}"


def _left(estate: Estate, stack: str, *, out: Path) -> State | None:
    """The state of a stack that is not declared any more, if it can be read: in any of the accounts, or at a place from
    before these were part of its key."""
    if not _may_be_a_stack(stack):
        return None
    namespace = estate.namespace
    accounts = {name: [f"{namespace}/{account.id}/{stack}."] for name, account in estate.settings.accounts.items()}
    for name, prefixes in (*accounts.items(), (None, [f"{namespace}/{stack}.", f"{stack}."])):
        states = states_of(estate.settings, beside=_beside(out), account=name)
        for prefix in prefixes:
            try:
                found = states.beginning_with(prefix)
            except CannotLook:
                continue
            if ours := [state for state in found if state.namespace in (None, namespace)]:
                return ours[0]
    return None


def _may_be_a_stack(stack: str) -> bool:
    return re.fullmatch(r"(image|fleet|overview|history)-[a-z0-9-]+", stack) is not None


# --- What uses a stack that is destroyed


def uses(estate: Estate, stacks: Sequence[str]) -> Iterator[str]:
    """A line for each group of fleets or images that use a stack, and for AMIs that need its keys."""
    for image in map(estate.image, estate.images):
        stack = image.names.stack
        if stack not in stacks:
            continue
        fleets = [fleet for fleet in map(estate.fleet, estate.fleets) if fleet.fleet.image == image.image.name]
        children = [child.name for child in image.children]
        if fleets:
            yield (
                f"{stack}: in use by {_counted('fleet', [_named(fleet) for fleet in fleets])}. Instances, AMIs and "
                "channels stay, but there will be no new builds and no hand-off"
            )
        if readers := [fleet for fleet in image.fleets_elsewhere if not fleet.fleet.is_pinned]:
            what = "plans and functions" if any(fleet.fleet.is_automatic for fleet in readers) else "plans"
            yield (
                f"{stack}: the {what} of {_counted('fleet', [fleet.fleet.name for fleet in readers])} read its "
                "channels by a role of this stack, and fail until the stack is deployed again"
            )
        if children:
            yield (
                f"{stack}: the parent of {_counted('image', children)}, whose next builds will still start from its "
                "last build"
            )
        if _makes_keys(image):
            yield (
                f"{stack}: its AMIs are encrypted with keys of this stack, which AWS disables at once: no instance can "
                "be launched from these AMIs then. To keep the keys, remove the fleets of other accounts from the "
                f"configuration and apply {stack} first"
            )


def _named(fleet: EstateFleet) -> str:
    return f"{fleet.fleet.name} (account {fleet.account_name})" if fleet.is_elsewhere else fleet.fleet.name


def _makes_keys(image: EstateImage[Image]) -> bool:
    ami = image.image
    return isinstance(ami, AmiImage) and any(key_users(EstateImage(image.estate, ami), each) for each in ami.regions)


def _counted(noun: str, found: Sequence[str]) -> str:
    return f"{noun}{'s' if len(found) > 1 else ''} {', '.join(found)}"


# --- States from before namespaces and accounts were part of their keys


def has_to_move(estate: Estate, stack: str, *, out: Path, action: str) -> list[str]:
    """How to move a stack's state that is at an old place only; empty if it need not be moved.

    Prints what an old state beside the new one means.
    """
    namespace, region = estate.namespace, estate.stacks[stack]
    states = states_of(estate.settings, beside=_beside(out), account=estate.account_of_stack(stack), region=region)
    # the stack of a history had no account in its name either
    before = names.history_stack(None, region) if stack in estate.histories else stack
    now, without_account = estate.state_of(stack), names.state(namespace, before, region)
    old_places = {"the namespace": names.state_before_namespaces(stack, region)}
    if now != without_account:
        old_places["the account"] = without_account
    found = [
        _at_old_place(stack, before, now, part=part, states=states, out=out, namespace=namespace, action=action)
        for part, before in old_places.items()
    ]
    return [line for line in found if line]


def _beside(out: Path) -> Path:
    return out.absolute().parent


def _at_old_place(
    stack: str, before: str, now: str, *, part: str, states: States, out: Path, namespace: str, action: str
) -> str:
    """How to move a state; empty if it need not be moved."""
    try:
        old = states.read(before)
        if old is None or old.namespace not in (None, namespace):
            return ""
        new = states.read(now)
    except CannotLook:
        return ""
    if new is None:
        init = f"terraform -chdir={cdktf_out.stack(out, stack)} init"
        return (
            f"{stack}: its state, {old.place} with {old.size}, is still at its place from before {part} was "
            f"part of its key; {action} would not use it. Move it, then try again:\n"
            "    goldsmith synth\n"
            f"    {init} -reconfigure -backend-config={states.option}={states.location(before)}\n"
            f"    {init} -migrate-state -force-copy -backend-config={states.option}={states.location(now)}"
        )
    report(
        f"{stack}: {action} uses {new.place}; {old.place}, from before {part} was part of its key, still exists "
        f"with {old.size}. If all of them are in the new state too, delete the old one"
    )
    return ""
