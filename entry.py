"""The edge of every program here: what a person sees when something is wrong that no command expects.

Imports next to nothing, so that it is there before anything else is.
"""

import io
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:  # Python has it from 3.12 on
    from typing_extensions import Buffer

INTERRUPTED = 130
"""The exit status after Ctrl-C, as shells have it."""


def run(program: str, main: Callable[[], int]) -> NoReturn:
    """Run `main`, which also imports what it needs, and end with its exit status. `program` is what follows `python`.

    No traceback: an error that `main` does not know, and standard output that is closed, full or no longer read, are
    one line on standard error and status 1. Python's development mode (`python -X dev`) shows the traceback.

    Ctrl-C ends the program at once with status 130, until `main` calls `raise_on_interrupt`: an exception that is
    raised while modules are imported would be lost in Python's own callbacks, or shown by them.
    """
    output = _open_streams()
    _end_on_interrupt()
    try:
        status, words = _status(main), ""
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)  # not waiting for threads that wait for AWS
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        status, words = 1, _unexpected(error, program)
    _end_on_interrupt()
    if fault := _fault_of(output):
        status, words = status or 1, f"standard output cannot be written: {fault}"
    if words:
        _say(words)
    sys.exit(status)


def raise_on_interrupt() -> None:
    """From now on Ctrl-C raises KeyboardInterrupt, for a program that has something to put in order first."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _end_on_interrupt() -> None:
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))


class _Output(io.FileIO):
    """Standard output that remembers why it could not be written, for argparse and others keep it to themselves."""

    fault = ""

    def write(self, data: "Buffer") -> int:
        """As any file does."""
        try:
            return super().write(data)
        except OSError as error:
            self.fault = error.strerror or str(error)
            raise


def _open_streams() -> _Output:
    """Standard output. Streams that are closed get stand-ins, or the next file or socket would have their numbers."""
    for number, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # takes the lowest number that is free
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)
    output = _Output(1, "w", closefd=False)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(output),
        encoding=sys.stdout.encoding if sys.stdout else None,
        # names of files can have bytes that are no text, and terminals may know fewer characters than AWS
        errors="backslashreplace",
        line_buffering=not isinstance(sys.stdout, io.TextIOWrapper)
        or sys.stdout.line_buffering
        or sys.stdout.write_through,
    )
    return output


def _status(main: Callable[[], int]) -> int:
    try:
        return main()
    except SystemExit as end:  # argparse's way
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        _say(end.code)
        return 1


def _fault_of(output: _Output) -> str:
    """Why standard output did not take what was written; empty when it has taken everything."""
    with suppress(OSError):
        sys.stdout.flush()
    if output.fault:
        _into_nothing(1)  # Python tries once more when it ends
    return output.fault


def _into_nothing(stream: int) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream)


def _unexpected(error: Exception, program: str) -> str:
    if isinstance(error, ModuleNotFoundError) and not _is_ours(str(error.name)):
        return (
            f"this Python has no {error.name}, which Goldsmith's environment has: make setup, then "
            f".venv/bin/python {program}"
        )
    kind, hint = type(error).__name__, f"python -X dev {program} shows where it happened"
    return f"unexpected error, which is a fault of this program: {kind}: {_one_line(error)}; {hint}"


def _is_ours(module: str) -> bool:
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), module.partition(".")[0])
    return os.path.exists(path) or os.path.exists(f"{path}.py")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:500]


def _say(words: object) -> None:
    try:
        print(words, file=sys.stderr, flush=True)
    except OSError:  # nobody can be reached
        _into_nothing(2)
