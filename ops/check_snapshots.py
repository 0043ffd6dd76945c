"""The part of `goldsmith check` that compares what is synthesized with the snapshots that a team has reviewed."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import entry
from estate.estate import Estate
from ops.configuration import Configuration
from ops.errors import OpsError
from ops.snapshots import FOLDER, texts_of
from ops.whole_file import write_whole

_MOST_LINES = 60
"""Of a difference that are shown."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What differs from the snapshots."""

    folder: Path
    exists: bool = True
    """Whether there are snapshots."""
    differences: Mapping[str, str]
    """By stack, as `diff -u` shows them."""
    missing: tuple[str, ...] = ()
    """Stacks without a snapshot."""
    gone: tuple[str, ...] = ()
    """Snapshots of stacks that are not declared."""
    same: int = 0
    """How many stacks are as reviewed."""

    @property
    def is_same(self) -> bool:
        """Whether nothing differs, or there is nothing to compare with."""
        return not (self.differences or self.missing or self.gone)


def compare(configuration: Configuration, estate: Estate) -> Comparison:
    """Synthesize, and compare with the snapshots; without any, nothing is synthesized. Raises `OpsError`."""
    folder = configuration.beside / FOLDER
    if not folder.is_dir():
        return Comparison(folder=folder, exists=False, differences={})
    return _compared(folder, _texts(estate))


def update(configuration: Configuration, estate: Estate) -> Comparison:
    """Write the snapshots, and delete those of stacks that are not declared; what has changed. Raises `OpsError`."""
    folder, texts = configuration.beside / FOLDER, _texts(estate)
    entry.raise_on_interrupt()  # no half a file is left
    try:
        folder.mkdir(exist_ok=True)
        found = _compared(folder, texts)
        for stack in (*found.differences, *found.missing):
            write_whole(folder / f"{stack}.json", texts[stack])
        for stack in found.gone:
            (folder / f"{stack}.json").unlink()
    except OSError as error:
        raise OpsError(f"{error.filename or folder}: cannot be written: {error.strerror or error}") from None
    return found


def _texts(estate: Estate) -> dict[str, str]:
    try:
        return texts_of(estate)
    except OSError as error:
        raise OpsError(
            f"{error.filename or 'the folder for temporary files'}: cannot be written: {error.strerror or error}"
        ) from None


def _compared(folder: Path, texts: Mapping[str, str]) -> Comparison:
    """Raises `OpsError`."""
    reviewed = {file.stem: _text(file) for file in sorted(folder.glob("*.json"))}
    differences = {
        stack: "\n".join(_difference(reviewed[stack], text, file=folder / f"{stack}.json"))
        for stack, text in texts.items()
        if stack in reviewed and reviewed[stack] != text
    }
    missing = tuple(stack for stack in texts if stack not in reviewed)
    return Comparison(
        folder=folder,
        differences=differences,
        missing=missing,
        gone=tuple(sorted(reviewed.keys() - texts.keys())),
        same=len(texts) - len(missing) - len(differences),
    )


def _text(file: Path) -> str:
    try:
        # git may have written the line ends of another system
        return file.read_bytes().decode(errors="replace").replace("\r\n", "\n")
    except OSError as error:
        raise OpsError(f"{file}: cannot be read: {error.strerror}") from None


def _difference(before: str, now: str, *, file: Path) -> Iterator[str]:
    lines = [
        *difflib.unified_diff(
            before.splitlines(), now.splitlines(), fromfile=str(file), tofile="what is synthesized now", lineterm=""
        )
    ]
    yield from lines[:_MOST_LINES]
    if len(lines) > _MOST_LINES:
        yield f"… and {len(lines) - _MOST_LINES} more lines"
