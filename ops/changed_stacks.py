"""Which stacks have changed since a commit: those whose snapshot or pin is another one there.

The snapshots of the commit are compared, and not its configuration, which may need another version of Goldsmith.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cdktf_out
from estate.declarations import PINS
from estate.estate import Estate
from estate.problems import EstateError
from estate.yaml import read
from ops.commit import ask_git, complaint_of_git
from ops.configuration import Configuration
from ops.errors import OpsError, UsageError
from ops.snapshots import FOLDER, pin_of, text_of


@dataclass(frozen=True, kw_only=True)
class Changed:
    """What has changed since a commit."""

    stacks: tuple[str, ...]
    """The stacks of the estate that have changed, or that it did not have."""
    gone: tuple[str, ...] = ()
    """The stacks that are not declared any more."""
    is_known: bool = True
    """False when the commit has no snapshots, so that all stacks count as changed."""


def changed_since(reference: str, configuration: Configuration, estate: Estate) -> Changed:
    """What has changed since a commit of the configuration's repository; the stacks are synthesized already.

    Raises `OpsError`.
    """
    repository = _Commit(configuration.beside, reference)
    folder = configuration.beside / FOLDER
    before = {name.removesuffix(".json") for name in repository.files(folder) if name.endswith(".json")}
    if not before:
        return Changed(stacks=tuple(estate.stacks), is_known=False)
    pins = _pins(repository.text(configuration.beside / PINS))

    def has_changed(stack: str) -> bool:
        pin, (kind, _, name) = pin_of(estate, stack), stack.partition("-")
        is_pinned = kind == "fleet" and estate.fleets[name].is_pinned
        pinned = _compared(pin.model_dump(mode="json", exclude={"name"})) if pin else None
        if stack not in before or (is_pinned and pins.get(name) != pinned):
            return True
        if is_pinned and pin is None:
            return False  # it waits as before, and its snapshot is that of a fleet with a pin
        return repository.text(folder / f"{stack}.json") != text_of(cdktf_out.stack(configuration.out, stack), pin)

    stacks = tuple(stack for stack in estate.stacks if has_changed(stack))
    return Changed(stacks=stacks, gone=tuple(sorted(before - estate.stacks.keys())))


def _pins(text: str | None) -> Mapping[str, Any]:
    """The pins in a file; without those that this version cannot read, which then count as changed."""
    try:
        pins = read(text or "", source="pins.yaml").value
    except EstateError:
        return {}
    found = pins.get("pins") if isinstance(pins, Mapping) else None
    found = found if isinstance(found, Mapping) else {}
    return {name: _compared(pin) for name, pin in found.items() if isinstance(pin, Mapping)}


def _compared(pin: Mapping[str, Any]) -> dict[str, str]:
    """What a plan takes from a pin."""
    return {name: str(value) for name, value in pin.items() if name != "proved" and value is not None}


def _no_repository(folder: Path) -> str:
    """Why git knows no repository here: there is none, or it does not open that of another user, as in containers."""
    why = complaint_of_git(folder, "rev-parse", "--show-toplevel")
    if "not a git repository" in why:
        return f"{folder} is in no git repository"
    return f"git does not open the repository of {folder}: {why}"


class _Commit:
    """A commit of the repository that the configuration is in."""

    def __init__(self, folder: Path, reference: str) -> None:
        self._folder = folder
        self._commit = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")
        if self._commit is None:
            where = self._git("rev-parse", "--show-toplevel")
            if where is None:
                raise OpsError(f"argument --changed-since: {_no_repository(self._folder)}; plan without it")
            raise UsageError(
                f"argument --changed-since: {reference!r} is no commit of {where.strip()}; fetch it first (in CI, a "
                "checkout has often one commit only)"
            )

    def files(self, folder: Path) -> list[str]:
        """The names of the files in a folder."""
        listed = self._git("ls-tree", "--full-tree", "-z", "--name-only", self._named(folder))
        return [name for name in (listed or "").split("\0") if name]

    def text(self, file: Path) -> str | None:
        """The text of a file; None if the commit does not have it."""
        return self._git("cat-file", "blob", self._named(file))

    def _named(self, path: Path) -> str:
        """`COMMIT:./path`, from the configuration's folder."""
        return f"{(self._commit or '').strip()}:./{path.relative_to(self._folder).as_posix()}"

    def _git(self, *arguments: str) -> str | None:
        """What git prints; None if it fails. Raises `OpsError` without git."""
        try:
            return ask_git(self._folder, *arguments)
        except FileNotFoundError:
            raise OpsError("argument --changed-since: needs git, which is not installed") from None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise OpsError(f"argument --changed-since: git does not answer: {error}") from None
