"""`make demo` when something fails: it reports the failure, and leaves nothing behind."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.support.estates import PROJECT


@contextmanager
def _demo(tmp_path: Path, *, terraform: str) -> Iterator[subprocess.Popen[str]]:
    """The demo with a stand-in for Terraform, a shell script, and a folder for its temporary files."""
    for name in ("bin", "passing"):
        (tmp_path / name).mkdir()
    stand_in = tmp_path / "bin" / "terraform"
    stand_in.write_text(f"#!/bin/sh\n{terraform}\n")
    stand_in.chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        [sys.executable, "-m", "demo"],
        cwd=PROJECT,
        env={**os.environ, "PATH": path, "TMPDIR": str(tmp_path / "passing")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def _nothing_is_left(tmp_path: Path, output: str) -> bool:
    port = re.search(r"http://127\.0\.0\.1:(\d+)", output)
    assert port
    with socket.socket() as client:
        refused = client.connect_ex(("127.0.0.1", int(port[1]))) != 0
    return refused and not list((tmp_path / "passing").glob("goldsmith-*"))


def _runs(pid: int) -> bool:
    """Whether the process is more than an entry that its parent has not fetched yet."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_ends_with_the_message_of_the_command_that_failed(tmp_path: Path) -> None:
    with _demo(tmp_path, terraform="echo 'no plans today' >&2; exit 1") as demo:
        output, _ = demo.communicate(timeout=120)
    assert demo.returncode == 1
    assert "The demo failed: `cdktf " in output
    assert "no plans today" in output
    assert _nothing_is_left(tmp_path, output)


def test_refuses_a_report_that_it_could_not_write_before_anything_starts(tmp_path: Path) -> None:
    file = tmp_path / "nowhere" / "report.md"
    command = [sys.executable, "-m", "demo", "--report", str(file)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(f"argument --report: must be in a folder that exists, got {file}\n")


@pytest.mark.parametrize("broken", ["ministack.services.lambda_svc", "ministack.services.ssm", "ministack.app"])
def test_ends_at_once_when_a_part_of_the_local_aws_is_broken(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Broken:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {broken!r}:\n"
        "            raise ImportError('it is from another version')\n"
        "sys.meta_path.insert(0, Broken())\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with _demo(tmp_path, terraform="exit 1") as demo:
        output, _ = demo.communicate(timeout=60)
    assert demo.returncode == 1
    assert output == (
        "The demo failed: the local AWS did not start: local AWS: "
        f"{broken} cannot be imported: ImportError: it is from another version\n"
    )
    assert not list((tmp_path / "passing").iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ends_what_runs_when_it_is_stopped(number: signal.Signals, tmp_path: Path) -> None:
    running = tmp_path / "running"
    # cdktf runs an apply on a terminal of its own; a process there may ignore that the terminal is closed
    quick = "case $1 in -v | version) echo Terraform v1.11.4; exit 0 ;; init) exit 0 ;; esac"
    with _demo(tmp_path, terraform=f"{quick}; trap '' HUP; echo $$ >> {running}; exec sleep 300") as demo:
        while not running.exists() or len(running.read_text().split()) < 2:  # a plan and an apply, at once
            assert demo.poll() is None
            time.sleep(0.1)
        demo.send_signal(number)
        output, _ = demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert "Stopped; nothing was left behind." in output
    assert _nothing_is_left(tmp_path, output)
    assert not [pid for pid in running.read_text().split() if _runs(int(pid))]
