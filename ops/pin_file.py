"""`pins.yaml`: where it is, and how it is written.

Always in the same form, so that a pull request shows what changes, and nothing else.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from estate.declarations import PINS
from estate.models.pin import Pin
from ops.errors import OpsError
from ops.whole_file import write_whole

_HEAD = """\
# Written by goldsmith pin: what fleets with updates: pull-request run. Merging a change approves it, and git revert is
# the way back. Each run writes the whole file, so comments of yours would be lost.
"""
_WRITABLE = 0o222
_UNPRINTABLE = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What JSON has in text as it is, and YAML does not."""


@dataclass(frozen=True, kw_only=True)
class PinFile:
    """The file of a configuration as it was before anything was read from AWS."""

    path: Path
    before: bytes | None
    """Its content; None if there is no file."""

    @classmethod
    def of(cls, configuration: Path) -> PinFile:
        """In the folder of the configuration, or beside its file. Raises `OpsError`."""
        path = (configuration if configuration.is_dir() else configuration.parent) / PINS
        return cls(path=path, before=_content(path))

    def write(self, pins: Mapping[str, Pin]) -> None:
        """Write the file, whole or not at all.

        Raises `OpsError`, also if somebody else has changed it meanwhile: their pins must not be lost.
        """
        path = Path(os.path.realpath(self.path))  # a link stays one
        try:
            with _locked(path.parent):
                if _content(path) != self.before:
                    raise OpsError(f"{self.path}: was changed meanwhile, so nothing was written; run the command again")
                if path.exists() and not path.stat().st_mode & _WRITABLE:  # another name in its place needs no right
                    raise OpsError(f"{self.path}: is read-only, so nothing was written; make it writable (chmod u+w)")
                write_whole(path, text_of_pins(pins))
        except OSError as error:
            raise OpsError(f"{self.path}: cannot be written: {error.strerror or error}") from None


def text_of_pins(pins: Mapping[str, Pin]) -> str:
    """The file's text: fleets and fields in a fixed order."""
    return "\n".join(_lines(pins)) + "\n"


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OpsError(f"{path}: cannot be read: {error.strerror or error}") from None


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One writer at a time. The lock ends with the process, and leaves nothing in the folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _lines(pins: Mapping[str, Pin]) -> Iterator[str]:
    yield _HEAD + ("pins:" if pins else "pins: {}")
    for name in sorted(pins):
        yield f"  {name}:"
        for field, value in pins[name].model_dump(mode="json", exclude={"name"}).items():
            if isinstance(value, list):
                yield from [f"    {field}:", *(f"      - {_quoted(each)}" for each in value)] if value else []
            elif value is not None:
                yield f"    {field}: {_quoted(value)}"


def _quoted(text: str) -> str:
    """Text in YAML, always in quotes, so that a version or an account number stays text."""
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))
