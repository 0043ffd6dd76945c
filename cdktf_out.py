"""The folder that a synthesis writes, `cdktf.out`: stacks, and what they were of stacks that are not declared any more.

A stack whose lines were deleted may still have something in AWS. Its last Terraform is kept in `removed/`, as deep
as it was in `stacks/`, because the path of a local state is relative to it: `terraform destroy` works there. It goes
when the stack is declared again.
"""

import json
import os
import shutil
from collections.abc import Collection
from pathlib import Path


def folder() -> Path:
    """`cdktf.out`, or what CDKTF_OUTDIR names."""
    return Path(os.environ.get("CDKTF_OUTDIR") or "cdktf.out")


def stack(out: Path, name: str) -> Path:
    """The folder of a declared stack, where Terraform runs."""
    return out / "stacks" / name


def removed(out: Path, name: str) -> Path:
    """Where the last Terraform of a stack is kept that is not declared any more."""
    return out / "removed" / name


def namespace_in(folder: Path) -> str | None:
    """Whose Terraform is in a stack's folder; None where there is none, or where it does not say."""
    try:
        stack = json.loads((folder / "cdk.tf.json").read_text())
        return str(stack["resource"]["terraform_data"]["estate"]["input"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def used_by_others(out: Path, *, namespace: str) -> dict[str, str]:
    """By name, the stacks in whose folders Terraform has worked for another estate: what to know of each."""
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
    """Has Terraform begin anew in the folders in which it worked for another estate.

    It remembers where the state was, and stops when that has changed; its advice, `init -migrate-state`, would give
    one estate the state of the other. Where a backend changes within an estate, that advice is right.
    """
    for name in used_by_others(out, namespace=namespace):
        _remembered_backend(stack(out, name)).unlink()


def set_aside(out: Path, *, declared: Collection[str], namespace: str) -> list[str]:
    """Moves stacks that are not declared out of `stacks/`, where nobody should plan them by accident.

    Answers those of this estate in whose folder Terraform has worked. The cdktf command wants to delete what it has
    listed before, and stops when that is gone: for it, the empty folders stay.
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
        if "CDKTF_CONTINUE_SYNTH_ON_ERROR_ANNOTATIONS" in os.environ:  # which cdktf sets for its app
            old.mkdir()
    return was_used


def _remembered_backend(folder: Path) -> Path:
    return folder / ".terraform" / "terraform.tfstate"
