"""`goldsmith check`: problems of the configuration, fleets without a pin, what differs from the snapshots, and
generated files that are out of date.

`ops.commands.check` lists the members of its JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from estate.load import explain, load
from estate.problems import EstateError, Problem
from estate.remarks import lacks_of_pins, remarks
from ops.check_snapshots import Comparison, compare, update
from ops.configuration import Configuration

_PROJECT = Path(__file__).parents[1]


@dataclass(frozen=True, kw_only=True)
class _Result:
    problems: Sequence[Problem] = ()
    remarks: Sequence[str] = ()
    unpinned: Sequence[str] = ()
    snapshots: Comparison | None = None
    """None when the configuration has problems."""
    updates: bool = False
    """Whether the snapshots were written."""
    out_of_date: Sequence[str] = ()
    generated: int = 0
    """How many files are generated."""

    @property
    def exit_status(self) -> int:
        if self.problems:
            return 2
        has_changed = self.snapshots and not self.snapshots.is_same and not self.updates
        return 1 if self.out_of_date or self.unpinned or has_changed else 0


def run_check(configuration: Configuration, *, updates: bool, as_json: bool) -> int:
    """Check and print; the exit status. With `updates`, the snapshots are written. Raises `OpsError`."""
    result = _check(configuration, updates=updates)
    if as_json:
        answer = {
            "configuration": str(configuration.path),
            "problems": [_members(problem) for problem in result.problems],
            "remarks": [*result.remarks],
            "unpinned": [*result.unpinned],
            "snapshots": _differences(result.snapshots) if result.snapshots and result.snapshots.exists else None,
            "out_of_date": [*result.out_of_date],
        }
        print(json.dumps(answer, indent=2, ensure_ascii=False))
    else:
        _print(result, configuration)
    return result.exit_status


def run_explain(configuration: Configuration, name: str, *, as_json: bool) -> int:
    """Print where each field of an image or fleet is written; the exit status."""
    try:
        fields = explain(configuration.path, name)
    except EstateError as error:
        print(error, file=sys.stderr)
        return 2
    if as_json:
        print(json.dumps([vars(field) for field in fields], indent=2, ensure_ascii=False))
        return 0
    width = max(len(field.field) for field in fields)
    for field in fields:
        where = f"{field.place} {field.key}" if field.key else "default"
        print(f"{field.field:{width}}  {field.value}  ({where})")
    return 0


def _check(configuration: Configuration, *, updates: bool) -> _Result:
    try:
        estate = load(configuration.path)
    except EstateError as error:
        return _Result(problems=error.problems)
    found, unpinned = remarks(estate, today=date.today()), lacks_of_pins(estate)
    snapshots = (update if updates else compare)(configuration, estate)
    result = _Result(remarks=found, unpinned=unpinned, snapshots=snapshots, updates=updates)
    if not configuration.path.resolve().is_relative_to(_PROJECT):
        return result
    from pages.__main__ import generated, read

    pages = generated()
    old = [path for path, text in pages.items() if not (_PROJECT / path).is_file() or read(path) != text]
    return replace(result, out_of_date=old, generated=len(pages))


def _print(result: _Result, configuration: Configuration) -> None:
    for problem in result.problems:
        print(problem, file=sys.stderr)
    for remark in result.remarks:
        print(remark, file=sys.stderr)
    for lack in result.unpinned:
        print(lack, file=sys.stderr)
    for path in result.out_of_date:
        print(f"{path} is out of date: run make docs", file=sys.stderr)
    if not result.problems:
        print(f"{configuration.path} is correct")
    if result.snapshots:
        _print_snapshots(result.snapshots, updates=result.updates)
    if result.generated and not result.out_of_date:
        print(f"{result.generated} generated pages are up to date")


def _print_snapshots(found: Comparison, *, updates: bool) -> None:
    folder = found.folder
    written = len(found.differences) + len(found.missing)
    if not found.exists:
        print(f"{folder} does not exist, so nothing is compared with it: goldsmith check --update begins with it")
    elif updates:
        print(f"{folder}: {written} written, {len(found.gone)} deleted, {found.same} as before")
    elif found.is_same:
        print(f"{found.same} stacks are as in {folder}")
    else:
        for difference in found.differences.values():
            print(difference)
        for stack in found.differences:
            print(f"{stack} is not as in {folder / stack}.json", file=sys.stderr)
        for stack in found.missing:
            print(f"{stack} is not in {folder}", file=sys.stderr)
        for stack in found.gone:
            print(f"{folder / stack}.json: {stack} is not declared any more", file=sys.stderr)
        print("if all of this is meant, run goldsmith check --update, and commit the files", file=sys.stderr)


def _differences(found: Comparison) -> dict[str, Any]:
    return {
        "folder": str(found.folder),
        "differences": dict(found.differences),
        "missing": [*found.missing],
        "gone": [*found.gone],
    }


def _members(problem: Problem) -> dict[str, str]:
    return {
        "place": problem.place,
        "key": ".".join(map(str, problem.key)),
        "rule": problem.rule,
        "got": problem.got,
        "remedy": problem.remedy,
    }
