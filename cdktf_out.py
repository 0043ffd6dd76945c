"""The folder that a synthesis writes, `cdktf.out`: stacks, and what they were of stacks that are not declared any more.

A stack whose lines were deleted may still have something in AWS. Its last Terraform is kept in `removed/`, as deep
as it was in `stacks/`, because the path of a local state is relative to it: `terraform destroy` works there. It goes
when the stack is declared again.
"""

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


def set_aside(out: Path, *, declared: Collection[str]) -> list[str]:
    """Moves stacks that are not declared out of `stacks/`, where nobody should plan them by accident.

    Answers those in whose folder Terraform has worked. The cdktf command wants to delete what it has listed before,
    and stops when that is gone: for it, the empty folders stay.
    """
    was_used = []
    for old in sorted(each for each in (out / "stacks").iterdir() if each.is_dir()):
        kept = removed(out, old.name)
        if old.name in declared:
            shutil.rmtree(kept, ignore_errors=True)
            continue
        if (old / ".terraform").exists():
            was_used.append(old.name)
        if (old / "cdk.tf.json").exists():
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(old, kept, ignore=shutil.ignore_patterns(".terraform"))
        shutil.rmtree(old)
        if "CDKTF_CONTINUE_SYNTH_ON_ERROR_ANNOTATIONS" in os.environ:  # which cdktf sets for its app
            old.mkdir()
    return was_used
