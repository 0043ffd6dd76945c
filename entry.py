"""What every program here does at its start and end: Ctrl-C, standard output, and unexpected errors.

It imports very little, so that it works before anything else is imported.
"""

import atexit
import codecs
import io
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:  # Python 3.12 and newer have it
    from typing_extensions import Buffer

INTERRUPTED = 130
"""The exit status after Ctrl-C, the same as in shells."""

_ESCAPING = "goldsmith"
"""The name of the way to write characters that an encoding does not have."""
_PROJECT = os.path.dirname(os.path.abspath(__file__))


def run(command: str, main: Callable[[], int]) -> NoReturn:
    """Run `main`, which also imports what it needs, and end with its exit status. `command` is how to run the program
    in the project's folder after `make setup`.

    There is no traceback: after an unexpected error, or when standard output is closed, full or no longer read, the
    program prints one line to standard error and ends with status 1. Python's development mode (`PYTHONDEVMODE=1`)
    shows the traceback.

    Ctrl-C ends the program at once with status 130, until `main` calls `raise_on_interrupt`: an exception that is
    raised while modules are imported could be lost in Python's own callbacks, or printed by them.
    """
    status = 1
    # after whatever the program registers; the rest of Python's end only frees memory, which takes 15 ms
    atexit.register(lambda: os._exit(status))
    output = _open_streams()
    _end_on_interrupt()
    try:
        status, message = _status(main), ""
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)  # not waiting for threads that wait for AWS
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        status, message = 1, _unexpected(error, command)
    _end_on_interrupt()
    if fault := _fault_of(output):
        status, message = status or 1, f"standard output cannot be written: {fault}"
    if message:
        _print(message)
    sys.exit(status)


def raise_on_interrupt() -> None:
    """From now on Ctrl-C raises KeyboardInterrupt, for a program that has to clean up or print something first."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _end_on_interrupt() -> None:
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))


class _Output(io.FileIO):
    """Standard output that remembers why it could not be written, because argparse and others hide such errors."""

    fault = ""

    def write(self, data: "Buffer") -> int:
        """Write as any file."""
        try:
            return super().write(data)
        except OSError as error:
            self.fault = error.strerror or str(error)
            raise


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Characters that cannot be written as JSON has them in texts, `\\u6771`, so that what programs read is JSON in any
    encoding."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2)), error.end


def _open_streams() -> _Output:
    """Standard output. Closed streams are replaced, because the next file or socket would get their numbers."""
    codecs.register_error(_ESCAPING, _escaped)
    for number, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # gets the lowest free number
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)
    output = _Output(1, "w", closefd=False)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(output),
        encoding=sys.stdout.encoding if sys.stdout else None,
        # file names can have bytes that are not text, and some terminals cannot show all characters
        errors=_ESCAPING,
        line_buffering=not isinstance(sys.stdout, io.TextIOWrapper)
        or sys.stdout.line_buffering
        or sys.stdout.write_through,
    )
    return output


def _status(main: Callable[[], int]) -> int:
    try:
        return main()
    except SystemExit as end:  # argparse raises it
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        _print(end.code)
        return 1


def _fault_of(output: _Output) -> str:
    """Why standard output could not be written; empty when everything was written."""
    with suppress(OSError):
        sys.stdout.flush()
    if output.fault:
        _into_nothing(1)  # because Python tries again at its end
    return output.fault


def _into_nothing(stream: int) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream)


def _unexpected(error: Exception, command: str) -> str:
    if isinstance(error, ModuleNotFoundError) and not _is_ours(str(error.name)):
        return f"this Python has no module {error.name}: run make setup in {_PROJECT}, then {command}"
    kind = type(error).__name__
    hint = f"with PYTHONDEVMODE=1 in the environment, {command} shows where it happened"
    return f"unexpected error, a bug in this program: {kind}: {_one_line(error)}; {hint}"


def _is_ours(module: str) -> bool:
    path = os.path.join(_PROJECT, module.partition(".")[0])
    return os.path.exists(path) or os.path.exists(f"{path}.py")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:500]


def _print(message: object) -> None:
    try:
        print(message, file=sys.stderr, flush=True)
    except OSError:  # standard error is closed too
        _into_nothing(2)
