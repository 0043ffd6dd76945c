"""Running a program that has to end properly after Ctrl-C, such as Terraform, which writes its state then."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

_LOOKS_AGAIN_AFTER_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a program ended."""

    status: int
    output: str
    """What it printed; empty when that was shown."""
    interrupted: bool
    """Whether Ctrl-C was pressed, or SIGTERM sent, meanwhile."""


def run_program(command: Sequence[str], *, environ: Mapping[str, str], shows: bool) -> Ended:
    """Run a program to its end. It prints to the same place as this program if `shows`.

    Ctrl-C on a terminal reaches the program by itself, so it is not passed on: of two, Terraform would end at once.
    Without a terminal the program gets a process group of its own, and every signal once, from here.
    """
    terminal = sys.stdin.isatty()
    sys.stdout.flush()
    sys.stderr.flush()
    with _noting_signals() as noted:
        process = subprocess.Popen(
            command,
            env=environ,
            stdin=None if terminal else subprocess.DEVNULL,
            stdout=None if shows else subprocess.PIPE,
            stderr=None if shows else subprocess.STDOUT,
            process_group=None if terminal else 0,
            encoding="utf-8",
            errors="replace",
        )
        noted.pass_on_to(process, but=(signal.SIGINT,) if terminal else ())
        output = _wait(process)
    return Ended(status=process.returncode, output=output, interrupted=bool(noted.signals))


def _wait(process: subprocess.Popen[str]) -> str:
    """What it printed, after its end. A signal that comes just before a wait is seen only after it, so each wait is
    short."""
    while True:
        try:
            output, _ = process.communicate(timeout=_LOOKS_AGAIN_AFTER_SECONDS)
            return output or ""
        except subprocess.TimeoutExpired:
            pass


class _Noted:
    """The signals that have come, and the program that gets them."""

    def __init__(self) -> None:
        self.signals: list[int] = []
        self._process: subprocess.Popen[str] | None = None
        self._but: Sequence[int] = ()

    def __call__(self, number: int, _: FrameType | None) -> None:
        self.signals.append(number)
        self._send(number)

    def pass_on_to(self, process: subprocess.Popen[str], *, but: Sequence[int]) -> None:
        """Send it the signals that have come already, and those that will, except some."""
        self._process, self._but = process, but
        for number in [*self.signals]:
            self._send(number)

    def _send(self, number: int) -> None:
        if self._process and number not in self._but:
            self._process.send_signal(number)


@contextmanager
def _noting_signals() -> Iterator[_Noted]:
    noted = _Noted()
    before = {number: signal.signal(number, noted) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
