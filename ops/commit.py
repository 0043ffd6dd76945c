"""The commit of the configuration's repository, which a build is tagged with."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.errors import OpsError

COMMIT_TAG = "goldsmith:commit"
"""The tag of a build in Image Builder."""

_PINS = "pins.yaml"
"""Says which build a fleet runs, and nothing about what is in one."""
_SNAPSHOTS = "snapshots"
"""What follows from the rest."""
_WITHIN_SECONDS = 30
_OTHER_REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
"""Variables with which git looks at another repository than that of the folder; hooks of git set them."""


@dataclass(frozen=True, kw_only=True)
class Commit:
    """A commit, or why there is none that describes the configuration."""

    sha: str | None = None
    lack: str | None = None

    @property
    def tags(self) -> dict[str, str]:
        """The tag of a build; none without a commit."""
        return {COMMIT_TAG: self.sha} if self.sha else {}


def commit_of(configuration: Path) -> Commit:
    """The commit of the repository of a file or folder, if nothing in the repository differs from it."""
    folder = configuration if configuration.is_dir() else configuration.parent
    if shutil.which("git") is None:
        return Commit(lack="git is not installed")
    try:
        sha = ask_git(folder, "rev-parse", "--verify", "HEAD")
        if sha is None:
            return Commit(lack=_no_commit(folder))
        # also files that git does not know: the configuration may have new ones
        changes = ask_git(folder, "status", "--porcelain", "--untracked-files=normal")
    except (OSError, subprocess.TimeoutExpired) as error:
        return Commit(lack=f"git does not answer: {error}")
    if changes is None:
        return Commit(lack="git cannot read the repository of the configuration")
    if changes:
        first = changes.splitlines()[0][3:]
        return Commit(lack=f"the repository of the configuration has changes that are not committed, such as {first}")
    return Commit(sha=sha.strip())


def _no_commit(folder: Path) -> str:
    why = complaint_of_git(folder, "rev-parse", "--verify", "HEAD")
    if "ownership" in why:  # of another user, as in containers
        return f"git does not open the repository of the configuration: {why}"
    return "the configuration is in no git repository that has a commit"


def difference(configuration: Path, old: str, new: str) -> str:
    """What changed in the folder of a configuration between two commits, as a diff. Raises `OpsError`."""
    if not all(re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit) for commit in (old, new)):
        raise OpsError(f"{old} or {new} is no commit of git")
    if shutil.which("git") is None:
        raise OpsError("git is not installed")
    folder = configuration if configuration.is_dir() else configuration.parent
    plain = ("--no-color", "--no-ext-diff", "--no-textconv", "--unified=2", "--relative")
    try:
        found = ask_git(folder, "diff", *plain, old, new, "--", ".", f":(exclude){_PINS}", f":(exclude){_SNAPSHOTS}")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OpsError(f"git does not answer: {error}") from None
    if found is None:
        commits = f"{old[:12]} and {new[:12]}"
        remedy = "fetch them (fetch-depth: 0 of actions/checkout)"
        raise OpsError(f"the repository of {folder} does not have the commits {commits}: {remedy}")
    return found


def ask_git(folder: Path, *arguments: str) -> str | None:
    """What git prints in a folder; None when it fails. Raises `OSError`, and `subprocess.TimeoutExpired`."""
    done = _run_git(folder, arguments)
    return done.stdout if done.returncode == 0 else None


def complaint_of_git(folder: Path, *arguments: str) -> str:
    """What git that fails says, in one line and in English. Raises as `ask_git`."""
    said = " ".join(_run_git(folder, arguments).stderr.split())
    return said.removeprefix("fatal: ") or "it does not say why"


def _run_git(folder: Path, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if name not in _OTHER_REPOSITORY}
    return subprocess.run(
        ["git", "-C", str(folder), *arguments],
        env={**environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=_WITHIN_SECONDS,
    )
