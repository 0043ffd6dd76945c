"""Running a program that has to end properly after Ctrl-C, such as Terraform, which writes its state then."""

from __future__ import annotations

import concurrent.futures
import math
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Self

_LOOKS_AGAIN_AFTER_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a program ended."""

    status: int
    output: str
    """What it printed; empty when that was shown."""
    errors: str = ""
    """What a program of `Programs` printed to standard error; of others it is in `output`."""
    interrupted: bool
    """Whether Ctrl-C was pressed, or SIGTERM sent, meanwhile."""


def run_program(command: Sequence[str], *, environ: Mapping[str, str], shows: bool) -> Ended:
    """Run a program to its end. It prints to the same place as this program if `shows`.

    Ctrl-C on a terminal reaches the program by itself, so it is not passed on: of two, Terraform would end at once.
    Without a terminal the program gets a process group of its own, and every signal once, from here.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    with _noting_signals() as noted:
        return _run(command, environ=environ, shows=shows, is_one_of_many=False, noted=noted)


class Stopped(Exception):
    """A program was not started, because the programs before it were interrupted."""


class Programs:
    """Runs programs side by side, in threads, while the main thread waits; a context manager.

    After Ctrl-C each of them ends properly, and none is started any more. None of them prints or reads. `writes` says
    whether one may change something. What does not, and goes on for ten seconds after Ctrl-C, is ended at once:
    Terraform forgets an interrupt that comes before it asks AWS, and then waits for a service that does not answer.
    """

    def __init__(self, *, writes: bool) -> None:
        self._ends_after_seconds = None if writes else 10.0

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self._noted = self._stack.enter_context(_noting_signals())
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @property
    def is_interrupted(self) -> bool:
        """Whether Ctrl-C was pressed, or SIGTERM sent."""
        return bool(self._noted.signals)

    def run(self, command: Sequence[str], *, environ: Mapping[str, str]) -> Ended:
        """Run a program to its end. Raises `Stopped` after Ctrl-C."""
        if self.is_interrupted:
            raise Stopped
        return _run(
            command,
            environ=environ,
            shows=False,
            is_one_of_many=True,
            noted=self._noted,
            ends_after_seconds=self._ends_after_seconds,
        )

    def wait(self, futures: Iterable[Future[Any]]) -> None:
        """Wait until all of these are done; signals are seen meanwhile."""
        waiting = set(futures)
        while waiting:
            _, waiting = concurrent.futures.wait(waiting, timeout=_LOOKS_AGAIN_AFTER_SECONDS)


def _run(
    command: Sequence[str],
    *,
    environ: Mapping[str, str],
    shows: bool,
    is_one_of_many: bool,
    noted: _Noted,
    ends_after_seconds: float | None = None,
) -> Ended:
    terminal = sys.stdin.isatty()
    process = subprocess.Popen(
        command,
        env=environ,
        stdin=None if terminal and not is_one_of_many else subprocess.DEVNULL,
        stdout=None if shows else subprocess.PIPE,
        stderr=None if shows else subprocess.PIPE if is_one_of_many else subprocess.STDOUT,
        process_group=None if terminal else 0,
        encoding="utf-8",
        errors="replace",
    )
    noted.pass_on_to(process, but=(signal.SIGINT,) if terminal else ())
    output, errors = _wait(process, noted, ends_after_seconds=ends_after_seconds)
    noted.forget(process)
    return Ended(status=process.returncode, output=output, errors=errors, interrupted=bool(noted.signals))


def _wait(process: subprocess.Popen[str], noted: _Noted, *, ends_after_seconds: float | None) -> tuple[str, str]:
    """What it printed, to standard output and error, after its end.

    A signal that comes just before a wait is seen only after it, so each wait is short.
    """
    while True:
        if ends_after_seconds is not None and noted.seconds_since() > ends_after_seconds:
            process.send_signal(signal.SIGINT)  # the second one
            ends_after_seconds = None
        try:
            output, errors = process.communicate(timeout=_LOOKS_AGAIN_AFTER_SECONDS)
            return output or "", errors or ""
        except subprocess.TimeoutExpired:
            pass


class _Noted:
    """The signals that have come, and the programs that get them, each signal once."""

    def __init__(self) -> None:
        self.signals: list[int] = []
        self._first = math.inf
        self._sent: dict[subprocess.Popen[str], int] = {}
        """How many of the signals each program has got."""
        self._but: Sequence[int] = ()
        self._lock = threading.RLock()

    def __call__(self, number: int, _: FrameType | None) -> None:
        self._first = min(self._first, time.monotonic())
        self.signals.append(number)
        self._pass_on()

    def seconds_since(self) -> float:
        """How long ago the first signal came; minus infinity before that."""
        return time.monotonic() - self._first

    def pass_on_to(self, process: subprocess.Popen[str], *, but: Sequence[int]) -> None:
        """Send it the signals that have come already, and those that will, except some."""
        with self._lock:
            self._but = but
            self._sent[process] = 0
        self._pass_on()

    def forget(self, process: subprocess.Popen[str]) -> None:
        """It has ended."""
        with self._lock:
            del self._sent[process]

    def _pass_on(self) -> None:
        with self._lock:
            for process in [*self._sent]:
                while self._sent[process] < len(self.signals):
                    number = self.signals[self._sent[process]]
                    self._sent[process] += 1
                    if number not in self._but:
                        process.send_signal(number)


@contextmanager
def _noting_signals() -> Iterator[_Noted]:
    noted = _Noted()
    before = {number: signal.signal(number, noted) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
