"""Programs on a terminal of their own, and what a person types there."""

from __future__ import annotations

import os
import subprocess
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def on_a_terminal(
    command: Sequence[object], *, folder: Path, environment: Mapping[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A program on a terminal of its own, and the other end of the terminal."""
    ours, theirs = os.openpty()
    modes = termios.tcgetattr(theirs)
    modes[3] |= termios.NOFLSH  # Linux sends the signal of Ctrl-C first, and drops what is not read yet after it
    termios.tcsetattr(theirs, termios.TCSANOW, modes)
    process = subprocess.Popen(
        [str(word) for word in command],
        cwd=folder,
        env=dict(environment),
        preexec_fn=lambda: os.login_tty(theirs),
    )
    os.close(theirs)
    try:
        yield process, ours
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def read_until(terminal: int, text: str) -> str:
    """What is written to the terminal, up to a text, or to the end."""
    written = ""
    while text not in written or not text:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # so Linux says that the other end is closed
            break
        if not chunk:
            break
        written += chunk.decode()
    return written
