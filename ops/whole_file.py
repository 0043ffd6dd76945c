"""Writing a file of a team's repository whole or not at all, so that nobody commits a half of it."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

_WRITABLE = 0o222


def write_whole(path: Path, text: str) -> None:
    """Write text as UTF-8. A link stays one, and a file keeps its mode.

    Raises `OSError`, also for a file that is read-only: another file in its place would need no right to write it.
    """
    target = Path(os.path.realpath(path))
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
    if not mode & _WRITABLE:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    try:
        _replace(target, text, mode=mode)
    except OSError as error:  # which names the file that is written first
        raise OSError(error.errno, error.strerror, str(path)) from None


def _replace(target: Path, text: str, *, mode: int) -> None:
    descriptor, written = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(written, mode)
        os.replace(written, target)
    except BaseException:
        os.unlink(written)
        raise
