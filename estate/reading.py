"""One file of the configuration -> text: which files are read, and how much of them.

CI synthesizes branches of people who need not be trusted. So a path in a configuration must be below the
configuration's folder, also after following links. Only regular files are opened, because a pipe or a device can wait
or never end. Sizes are checked before contents, and error messages show nothing of a file that has the wrong content.
"""

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from estate.limits import DOCUMENT as DOCUMENT_LIMIT
from estate.problems import EstateError, Problem


@dataclass(frozen=True)
class FileKind:
    """What a file should be."""

    words: str
    most: int
    """The most bytes of its text; AWS would refuse more, only later."""
    marker: str = ""
    """A text that every file of this kind contains. Error messages show nothing of a file without it."""
    unmarked: str = ""
    """The rule for a file without the marker, unless another rule covers it."""
    remedy: str = ""


ESTATE = FileKind("a YAML file of an estate", 2 * 1024 * 1024)
"""About 7,000 images."""
DOCUMENT = FileKind(
    "a document",
    DOCUMENT_LIMIT.most,
    "schemaVersion",
    "is not a component or workflow document: it has no schemaVersion",
    "begin with schemaVersion: 1.0",
)
DOCKERFILE = FileKind("a Dockerfile template", DOCUMENT_LIMIT.most, "imagebuilder:")

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


def is_below(folder: Path, file: Path) -> bool:
    """Whether a file is below a folder once all links are followed, whether it exists or not."""
    try:
        inner, outer = os.path.realpath(file), os.path.realpath(folder)
    except ValueError:  # no file can have this path
        return True
    return os.path.commonpath((inner, outer)) == outer


def lack_of(file: Path) -> Problem | None:
    """Why a path is not a regular file that can be examined; None if it is one."""
    try:
        mode = os.stat(file).st_mode
    except ValueError:
        return Problem((), "no such file")
    except OSError as error:
        return Problem((), "no such file" if error.errno in _ABSENT else f"cannot be read: {error.strerror}")
    if stat.S_ISREG(mode):
        return None
    kind = next((words for is_one, words in _KINDS if is_one(mode)), "something else")
    return Problem((), "is not a regular file", kind, "delete or rename it")


def text_of(file: Path, kind: FileKind) -> str:
    """A file as text. Raises `EstateError` with the one problem of the file."""
    content = _content(file, kind)
    marked = kind.marker.encode() in content
    try:
        # the same content must have the same version, whatever line ends a checkout has written
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        got, place = (f"byte 0x{error.object[error.start]:02x}", f"{file}:{line}") if marked else ("", str(file))
        raise EstateError([Problem((), "is not UTF-8 text", got, "save it as UTF-8", place=place)]) from None
    if kind.unmarked and not marked:
        raise EstateError([Problem((), kind.unmarked, remedy=kind.remedy, place=f"{file}:1")])
    if (size := len(text.encode())) > kind.most:
        raise _too_large(file, kind, size)
    return text


def _content(file: Path, kind: FileKind) -> bytes:
    lack = lack_of(file)
    if lack and lack.got:
        raise EstateError([Problem((), lack.rule, lack.got, lack.remedy, place=str(file))])
    most = 2 * kind.most + 3  # with two bytes for each line end, and a byte order mark
    try:
        # O_NONBLOCK: the path may have become a pipe since it was checked
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with open(descriptor, "rb") as opened:
            size = os.fstat(descriptor).st_size
            # the size alone is not enough: files of /proc have none
            content = (opened.read(most + 1) or b"") if size <= most else b""
    except OSError as error:
        raise EstateError([Problem((), f"cannot be read: {error.strerror}", place=str(file))]) from None
    if max(size, len(content)) > most:
        raise _too_large(file, kind, max(size, len(content)))
    return content


def _too_large(file: Path, kind: FileKind, size: int) -> EstateError:
    rule = f"{kind.words} has at most {kind.most} bytes"
    return EstateError([Problem((), rule, str(size), "split it in two", place=f"{file}:1")])
