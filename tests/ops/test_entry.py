"""What every program here does at its start and end: Ctrl-C, standard output that cannot be written, unexpected
errors."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


def run(*arguments: str, stdout: int = subprocess.PIPE, before: Callable[[], None] | None = None) -> tuple[int, str]:
    """Exit status and standard error of a program."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=PROJECT, stdout=stdout, stderr=subprocess.PIPE, text=True, preexec_fn=before)
    return done.returncode, done.stderr


@pytest.mark.parametrize(("package", "unbuffered"), [("ops", ""), ("ops", "1"), ("local_aws", "")])
def test_output_that_cannot_be_written_is_one_line_and_status_1(
    monkeypatch: pytest.MonkeyPatch, package: str, unbuffered: str
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    arguments = ("-m", package, "--help")
    words = "standard output cannot be written: "
    with open("/dev/full", "wb") as full:
        assert run(*arguments, stdout=full.fileno()) == (1, f"{words}No space left on device\n")
    assert run(*arguments, before=lambda: os.close(1)) == (1, f"{words}Bad file descriptor\n")
    nobody, pipe = os.pipe()
    os.close(nobody)
    assert run(*arguments, stdout=pipe) == (1, f"{words}Broken pipe\n")
    os.close(pipe)


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_closed_streams_do_not_matter_to_a_program_that_does_not_use_them(tmp_path: Path, closed: int) -> None:
    """The number of a closed stream must not go to a file: what is written there would end up in it."""
    program = f"import entry, pathlib\nentry.run('x', lambda: pathlib.Path({str(tmp_path / 'file')!r}).open('w') and 0)"
    assert run("-c", program, before=lambda: os.close(closed)) == (0, "")


def test_text_that_the_terminal_does_not_know_is_written_nevertheless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    program = "import entry\nentry.run('x', lambda: print('名') or 0)"
    assert run("-c", program) == (0, "")
    text = "für 東京 \U0001f600 \udcc3"
    program = f"import entry, json\nentry.run('x', lambda: print(json.dumps({text!a}, ensure_ascii=False)) or 0)"
    written = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, check=True).stdout
    assert json.loads(written) == text, "what programs read is JSON in any encoding"


def test_an_unexpected_error_is_one_line_and_says_how_to_see_more() -> None:
    program = "import entry\nentry.run('x.py', lambda: {}['a\\nb'])"
    assert run("-c", program) == (
        1,
        "unexpected error, a bug in this program: KeyError: 'a\\nb'; with PYTHONDEVMODE=1 in the "
        "environment, x.py shows where it happened\n",
    )
    status, words = run("-X", "dev", "-c", program)
    assert (status, words.splitlines()[-1]) == (1, "KeyError: 'a\\nb'")


@pytest.mark.parametrize("program", [("main.py",), ("-m", "ops", "status")], ids=" ".join)
def test_ctrl_c_while_modules_are_imported_ends_with_130_and_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CDKTF_OUTDIR", str(tmp_path))
    command = [sys.executable, "-X", "importtime", *program]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "pydantic" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    said = [line for line in err.splitlines() if not line.startswith("import time:")]
    assert (process.returncode, said) == (130, [])
