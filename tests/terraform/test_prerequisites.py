"""What is missing on a machine is named in one line, before anything is installed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.estates import PROJECT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The only folder on the PATH: nothing but what a test puts there."""
    return tmp_path


def _python(folder: Path, name: str, *, version: str, ok: bool) -> None:
    """A stand-in for a Python: it answers what the script asks about versions, and can do nothing else."""
    stand_in = folder / name
    stand_in.write_text(
        f"#!/bin/sh\ncase $2 in *python_version*) echo {version} ;; *version_info*) exit {0 if ok else 1} ;; esac\n"
    )
    stand_in.chmod(0o755)


def _said(folder: Path, *arguments: str) -> tuple[str, int]:
    sh = shutil.which("sh")
    assert sh
    run = subprocess.run(
        [sh, "scripts/prerequisites.sh", *arguments],
        cwd=PROJECT,
        env={"PATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout == ""
    return run.stderr, run.returncode


def test_names_a_python_that_is_missing(folder: Path) -> None:
    assert _said(folder, "python3") == (
        "python3 is not installed, and Goldsmith needs Python 3.11 or newer: install it, then add "
        "PYTHON=<its command>\n",
        1,
    )


def test_names_the_newer_python_beside_one_that_is_too_old(folder: Path) -> None:
    _python(folder, "python3", version="3.9.18", ok=False)
    _python(folder, "python3.12", version="3.12.1", ok=True)
    assert _said(folder, "python3") == (
        "python3 is 3.9.18, and Goldsmith needs Python 3.11 or newer: python3.12 is here, add PYTHON=python3.12\n",
        1,
    )


def test_names_a_terraform_that_is_missing(folder: Path) -> None:
    said, status = _said(folder, sys.executable, "terraform")
    assert said.startswith("terraform is not installed, and Goldsmith needs Terraform 1.11 or newer: ")
    assert (len(said.splitlines()), status) == (1, 1)


def test_names_a_terraform_that_does_not_run(folder: Path) -> None:
    broken = folder / "terraform"
    broken.write_text("#!/bin/sh\necho 'no version is set' >&2\nexit 3\n")
    broken.chmod(0o755)
    said, status = _said(folder, sys.executable, "terraform")
    assert said.startswith("terraform does not run (")
    assert "no version is set" in said
    assert (len(said.splitlines()), status) == (1, 1)


def test_names_a_git_that_is_missing(folder: Path) -> None:
    said, status = _said(folder, sys.executable, "git")
    assert (said, status) == ("git is not installed, and the demo needs it: see git-scm.com/downloads\n", 1)


def test_the_demo_does_not_begin_without_git(folder: Path) -> None:
    for name in ("sh", "dirname", "readlink"):
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
    terraform = folder / "terraform"
    terraform.write_text('#!/bin/sh\necho \'{"terraform_version": "1.11.4"}\'\n')
    terraform.chmod(0o755)
    command = [str(PROJECT / "goldsmith"), "demo"]
    done = subprocess.run(command, env={"PATH": str(folder)}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("git is not installed, and the demo needs it: see git-scm.com/downloads\n")


def test_says_nothing_when_all_is_there(folder: Path) -> None:
    assert _said(folder, sys.executable) == ("", 0)
