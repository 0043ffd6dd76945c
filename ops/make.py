"""`make plan`, `make deploy` and `make destroy`: what to know before cdktf runs, and then cdktf.

They stop where they would do something else than they seem to: at a stack that is not declared, and at one whose state
is still where it was before namespaces were part of its key. A destroy names who uses what it destroys.
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
from estate.load import load
from estate.problems import EstateError, did_you_mean
from ops.states import CannotLook, State, States, states_of


def main(arguments: Sequence[str]) -> int:
    """`CDKTF plan|deploy|destroy STACK... -- OPTION...`, of which CDKTF is the command's path.

    The exit status, unless cdktf takes this process over.
    """
    cdktf, action, *rest = arguments
    end = rest.index("--")
    words, options = rest[:end], rest[end + 1 :]
    try:
        estate = load(Path(os.environ.get("GOLDSMITH_CONFIG") or "config"))
    except EstateError as error:
        _say(str(error))
        return 2
    unknown = [word for word in words if not fnmatch.filter(estate.stacks, word)]
    if action == "destroy" and unknown == words and all(_kept(estate, word) for word in words):
        return max([_destroy_kept(estate, word, options) for word in words])
    states = states_of(estate.settings, beside=cdktf_out.folder().absolute().parent)
    if unknown:
        for word in unknown:
            _say(_about_undeclared(estate, word, states=states, action=action))
        return 2
    stacks = [name for name in estate.stacks if any(fnmatch.fnmatch(name, word) for word in words)]
    others = cdktf_out.used_by_others(cdktf_out.folder(), namespace=estate.namespace)
    for stack in stacks:
        if stack in others:
            _say(others[stack])
    if action == "destroy":
        for line in _uses(estate, stacks):
            _say(line)
    to_move = [stack for stack in stacks if _has_to_move(estate, stack, states=states, action=action)]
    if to_move:
        return 1
    os.execv(cdktf, [cdktf, action, *words, *options])


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


# --- Stacks that are not declared


def _kept(estate: Estate, word: str) -> Path | None:
    """The folder that still has the Terraform of a stack of this estate."""
    out = cdktf_out.folder()
    for folder in (cdktf_out.stack(out, word), cdktf_out.removed(out, word)):
        ours = cdktf_out.namespace_in(folder) in (None, estate.namespace)
        if _may_be_a_stack(word) and ours and (folder / "cdk.tf.json").is_file():
            return folder
    return None


def _destroy_kept(estate: Estate, word: str, options: Sequence[str]) -> int:
    """`terraform destroy` in the folder that still has a stack's Terraform; the folder goes when it has worked."""
    folder = _kept(estate, word)
    assert folder is not None
    _say(f"{word} is not declared any more: destroying what it still has in AWS, by its Terraform in {folder}")
    signal.signal(signal.SIGINT, lambda *_: None)  # Terraform has it too, and ends in order
    for command in (["init", "-input=false"], ["destroy", *options]):
        if subprocess.call(["terraform", f"-chdir={folder}", *command]) != 0:
            return 1
    shutil.rmtree(folder)
    return 0


def _about_undeclared(estate: Estate, word: str, *, states: States, action: str) -> str:
    if _kept(estate, word):
        return (
            f"{word} is not declared any more: to {action} it, put its lines back. make destroy STACK={word} destroys "
            "what it still has in AWS"
        )
    if state := _left(estate, word, states):
        return (
            f"{word} is not declared any more, and {state.place} still has {state.size}. To destroy what is left, "
            "put its lines back, or check out a commit that has them; then make destroy "
            f"STACK={word}, and delete the lines again"
        )
    remedy = did_you_mean(word, estate.stacks) or "the configuration declares none"
    return f"unknown stack {word!r}; {remedy}"


def _left(estate: Estate, word: str, states: States) -> State | None:
    """The state of a stack that is not declared any more, if it can be seen."""
    if not _may_be_a_stack(word):
        return None
    namespace = estate.namespace
    for prefix in (f"{namespace}/{word}.", f"{word}."):
        try:
            found = states.beginning_with(prefix)
        except CannotLook:
            continue
        if ours := [state for state in found if state.namespace in (None, namespace)]:
            return ours[0]
    return None


def _may_be_a_stack(word: str) -> bool:
    return re.fullmatch(r"(image|fleet|overview)-[a-z0-9-]+", word) is not None


# --- What a destroy is about


def _uses(estate: Estate, stacks: Sequence[str]) -> Iterator[str]:
    for image in estate.images.values():
        if names.image_stack(image.name) not in stacks:
            continue
        fleets = [fleet.name for fleet in estate.fleets.values() if fleet.image == image.name]
        children = [child.name for child in estate.image(image.name).children]
        if fleets:
            yield (
                f"{names.image_stack(image.name)}: in use by {_counted('fleet', fleets)}. Instances, AMIs and channels "
                "stay; there will be no new builds, and no hand-off"
            )
        if children:
            yield (
                f"{names.image_stack(image.name)}: the parent of {_counted('image', children)}, whose next builds will "
                "still start from its last one"
            )


def _counted(noun: str, found: Sequence[str]) -> str:
    return f"{noun}{'s' if len(found) > 1 else ''} {', '.join(found)}"


# --- States from before namespaces were part of their keys


def _has_to_move(estate: Estate, stack: str, *, states: States, action: str) -> bool:
    """Whether a stack's state is still at its old place only. Says so, and how to move it."""
    namespace, region = estate.namespace, estate.stacks[stack]
    before, now = names.state_before_namespaces(stack, region), names.state(namespace, stack, region)
    try:
        old = states.read(before)
        if old is None or old.namespace not in (None, namespace):
            return False
        new = states.read(now)
    except CannotLook:
        return False
    if new is None:
        init = f"terraform -chdir={cdktf_out.stack(cdktf_out.folder(), stack)} init"
        _say(
            f"{stack}: its state, {old.place} with {old.size}, is where it was before the namespace was "
            f"part of its key; {action} would not see it. Move it, then try again:\n"
            "    make synth\n"
            f"    {init} -reconfigure -backend-config={states.option}={states.location(before)}\n"
            f"    {init} -migrate-state -force-copy -backend-config={states.option}={states.location(now)}"
        )
        return True
    _say(
        f"{stack}: {action} uses {new.place}; {old.place}, from before the namespace was part of its key, is still "
        f"there with {old.size}. If all of it is in the new state too, delete the old one"
    )
    return False
