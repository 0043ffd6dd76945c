"""The folder that `goldsmith plan` writes, and that `report` and `apply` read.

    DIR/plans.json            {"stacks": [{"stack", "status", "error", "account", "region"}]}, with the status
                              "changes", "empty" or "failed"
    DIR/STACK/plan.json       `terraform show -json` of the plan
    DIR/STACK/tfplan          the plan, for apply; not of one that failed
    DIR/STACK/cdk.tf.json     what was planned, so that `apply` notices when something else is checked out
    DIR/STACK/terraform.lock.hcl   its lock file of providers; CI often leaves hidden files out of artifacts
    DIR/.gitignore            so that git leaves the folder alone

Plans and states hold secrets in plain text (Terraform's documentation, "terraform plan", "-out=FILENAME"), so that only
their owner may read them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ops.errors import OpsError, UsageError

LIST = "plans.json"
PLAN, PLAN_JSON = "tfplan", "plan.json"
CONFIGURATION = "cdk.tf.json"
LOCK = ".terraform.lock.hcl"
SAVED_LOCK = LOCK.removeprefix(".")
_UNTRACKED = ".gitignore"
"""Keeps git from the folder, so that nobody commits the secrets in it."""
_NAMES = {PLAN, PLAN_JSON, CONFIGURATION, SAVED_LOCK}

Status = Literal["changes", "empty", "failed"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A stack in the list."""

    stack: str
    status: Status
    error: str = ""
    """What Terraform wrote when planning failed."""
    account: str | None = None
    region: str = ""


@dataclass(frozen=True)
class PlanFolder:
    """The folder."""

    path: Path

    def begin(self, entries: Sequence[Entry]) -> None:
        """An empty folder, with nothing of plans before; until the end it lists what will be planned as failed.

        Raises `UsageError` when there is something else in it, and `OpsError` when it cannot be written.
        """
        try:
            if self.path.is_dir():
                self._empty()
            self.path.mkdir(parents=True, exist_ok=True)
            self.path.chmod(0o700)
            (self.path / _UNTRACKED).write_text("*\n")
            for entry in entries:
                self.of(entry.stack).mkdir(mode=0o700)
        except OSError as error:
            raise self._unwritable(error) from None
        self.write_list(entries)

    def of(self, stack: str) -> Path:
        """The folder of a stack."""
        return self.path / stack

    def write_list(self, entries: Sequence[Entry]) -> None:
        """Write the list. Raises `OpsError`."""
        self.write(self.path / LIST, json.dumps({"stacks": [vars(entry) for entry in entries]}, indent=2) + "\n")

    def write(self, file: Path, text: str) -> None:
        """Write a file that only its owner may read, whole or not at all. Raises `OpsError`."""
        part = file.with_name(f"{file.name}.part")
        try:
            with open(part, "w", encoding="utf-8", opener=_private) as written:
                written.write(text)
            os.replace(part, file)
        except OSError as error:
            raise self._unwritable(error, file) from None

    def read(self) -> list[Entry]:
        """The list. Raises `UsageError` when it is not one."""
        file = self.path / LIST
        try:
            stacks = json.loads(file.read_text(encoding="utf-8"))["stacks"]
            return [_entry(each) for each in stacks]
        except OSError as error:
            raise UsageError(
                f"{file}: cannot be read: {error.strerror}; give the folder that goldsmith plan --out has written"
            ) from None
        except (ValueError, KeyError, TypeError):
            raise UsageError(f"{file}: is not a list of plans; run goldsmith plan again") from None

    def _empty(self) -> None:
        """Delete the plans of before. Raises `UsageError` when there is something else in the folder."""
        others = sorted(str(each.relative_to(self.path)) for each in self.path.iterdir() if not self._is_ours(each))
        if others:
            listed = ", ".join(others[:3]) + (", …" if others[3:] else "")
            raise UsageError(
                f"argument --out: {self.path} has something else than plans, got {listed}; name a folder of its own"
            )
        (self.path / LIST).unlink(missing_ok=True)
        for each in self.path.iterdir():
            shutil.rmtree(each) if each.is_dir() else each.unlink()

    def _is_ours(self, each: Path) -> bool:
        if each.is_dir() and not each.is_symlink():
            return {file.name.removesuffix(".part") for file in each.iterdir()} <= _NAMES
        return each.name.removesuffix(".part") in (LIST, _UNTRACKED)

    def _unwritable(self, error: OSError, file: Path | None = None) -> OpsError:
        place = file or error.filename or self.path
        return OpsError(f"{place}: cannot be written: {error.strerror or error}; --out names the folder of the plans")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _entry(found: Mapping[str, Any]) -> Entry:
    if found["status"] not in ("changes", "empty", "failed"):
        raise ValueError
    return Entry(
        stack=str(found["stack"]),
        status=found["status"],
        error=str(found.get("error") or ""),
        account=found.get("account"),
        region=str(found.get("region") or ""),
    )
