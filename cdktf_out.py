"""The folder that a synthesis writes, `cdktf.out`: the declared stacks, and those that are not declared any more.

A stack whose lines were deleted may still have resources in AWS. Its last Terraform is kept in `removed/`, at the
same depth as in `stacks/`, because the path of a local state is relative to it. So `terraform destroy` works there.
The copy is deleted when the stack is declared again.
"""

import json
import os
import shutil
from collections.abc import Collection
from pathlib import Path


def folder(base: Path = Path()) -> Path:
    """The folder in CDKTF_OUTDIR. Default: `cdktf.out` in the folder `base`."""
    return Path(os.environ.get("CDKTF_OUTDIR") or base / "cdktf.out")


def stack(out: Path, name: str) -> Path:
    """The folder of a declared stack, where Terraform runs."""
    return out / "stacks" / name


def removed(out: Path, name: str) -> Path:
    """The folder with the last Terraform of a stack that is not declared any more."""
    return out / "removed" / name


def namespace_in(folder: Path) -> str | None:
    """The namespace of the Terraform in a stack's folder; None without Terraform, or when it does not name one."""
    try:
        stack = json.loads((folder / "cdk.tf.json").read_text())
        return str(stack["resource"]["terraform_data"]["estate"]["input"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def used_by_others(out: Path, *, namespace: str) -> dict[str, str]:
    """The stacks in whose folders Terraform was used for another estate: a message for each, by name."""
    found = {}
    for folder in sorted((out / "stacks").glob("*")):
        owner = namespace_in(folder)
        if owner not in (None, namespace) and _remembered_backend(folder).exists():
            found[folder.name] = (
                f"{folder.name}: {folder} was last used for the estate {owner}; {namespace} has a state of its own. If "
                f"{owner} was renamed to {namespace}, destroy the stack under the old name first. If they are two "
                "estates, CDKTF_OUTDIR can give each a folder of its own"
            )
    return found


def forget_others(out: Path, *, namespace: str) -> None:
    """Make Terraform start afresh in the folders where it was used for another estate.

    Terraform remembers where the state was, and stops when that changes. Its advice, `init -migrate-state`, would
    give one estate the state of the other. When the backend of the same estate changes, that advice is right.
    """
    for name in used_by_others(out, namespace=namespace):
        _remembered_backend(stack(out, name)).unlink()


def set_aside(out: Path, *, declared: Collection[str], namespace: str) -> list[str]:
    """Move stacks that are not declared from `stacks/` to `removed/`, so that nobody plans them by accident.

    Returns the stacks of this estate in whose folder Terraform was used. The cdktf command lists the folders before
    the synthesis, deletes the undeclared ones after it, and fails when one is missing; so the empty folders are kept
    for it.
    """
    was_used = []
    for old in sorted(each for each in (out / "stacks").iterdir() if each.is_dir()):
        kept = removed(out, old.name)
        if old.name in declared:
            shutil.rmtree(kept, ignore_errors=True)
            continue
        if (old / ".terraform").exists() and namespace_in(old) in (None, namespace):
            was_used.append(old.name)
        if (old / "cdk.tf.json").exists():
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(old, kept, ignore=shutil.ignore_patterns(".terraform"))
        shutil.rmtree(old)
        if "CDKTF_CONTINUE_SYNTH_ON_ERROR_ANNOTATIONS" in os.environ:  # the cdktf command sets it
            old.mkdir()
    return was_used


def _remembered_backend(folder: Path) -> Path:
    return folder / ".terraform" / "terraform.tfstate"
