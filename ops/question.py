"""Asking a person before something is changed."""

from __future__ import annotations

import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ops.errors import Interrupted, OpsError

_LOOKS_AGAIN_AFTER_SECONDS = 0.5
"""Ctrl-C is lost, until the next key, when it comes just before a read that waits; a wait with an end is repeated."""


def check_terminal(what: str) -> None:
    """Raises `OpsError` when nobody can be asked. `what` begins the message."""
    if not sys.stdin.isatty():
        raise OpsError(f"{what}: nobody can be asked, because standard input is not a terminal; add --yes")


def confirm(question: str, *, otherwise: str) -> None:
    """Ask, and go on only after "yes". `otherwise` is the message after any other answer.

    Raises `OpsError`, and `Interrupted` after Ctrl-C.
    """
    try:
        with _uninterrupted():  # otherwise a part that is written already could be written again
            print(f"{question} Type yes: ", end="", flush=True)
        while not select.select([sys.stdin], [], [], _LOOKS_AGAIN_AFTER_SECONDS)[0]:
            pass
        answer = sys.stdin.readline()
    except KeyboardInterrupt:
        raise Interrupted(f"\n{otherwise}") from None
    if answer.strip() != "yes":
        raise OpsError(otherwise if answer.endswith("\n") else f"\n{otherwise}")


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C waits until the end."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
