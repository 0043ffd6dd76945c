"""Whether git is there, which the demo needs. Only the standard library, so that it can be asked before anything is
installed: `python -m scripts.git` reports a missing git, with exit status 1."""

import os
import shutil
import sys
from collections.abc import Mapping


def missing_git(environ: Mapping[str, str]) -> str | None:
    """A sentence with what to do if `git` is not on PATH; otherwise None."""
    if shutil.which("git", path=environ.get("PATH")) is None:
        return "git is not installed, and the demo needs it: see git-scm.com/downloads"
    return None


if __name__ == "__main__":
    sys.exit(missing_git(os.environ))
