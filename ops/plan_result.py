"""What came of a stack's plan, from Terraform's JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ops.errors import OpsError
from ops.plan_folder import Entry


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A stack after the command."""

    entry: Entry
    add: int = 0
    change: int = 0
    destroy: int = 0
    warnings: tuple[str, ...] = ()
    """The messages of checks."""
    drift: tuple[str, ...] = ()
    """What was changed outside Terraform and would be changed back, by address."""
    is_new: bool = False
    """Whether the state had nothing."""

    @property
    def counts(self) -> str:
        """`2 to add, 1 to change, 0 to destroy`."""
        return f"{self.add} to add, {self.change} to change, {self.destroy} to destroy"


def read_plan(entry: Entry, text: str) -> Planned:
    """What `terraform show -json` says about a plan. Raises `OpsError` when it is garbled."""
    try:
        plan = json.loads(text)
        changed = {
            each["address"]: each["change"]["actions"]
            for each in plan.get("resource_changes", ())
            if each["change"]["actions"] not in (["no-op"], ["read"])
        }
        counts = Counter(action for actions in changed.values() for action in actions)
        return Planned(
            entry=entry,
            add=counts["create"],
            change=counts["update"],
            destroy=counts["delete"],
            warnings=tuple(dict.fromkeys(_warnings(plan))),
            drift=tuple(each["address"] for each in plan.get("resource_drift", ()) if each["address"] in changed),
            is_new="prior_state" not in plan or not _has_resources(plan["prior_state"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OpsError(f"terraform show -json wrote something unexpected: {error!r}") from None


def read_errors(output: str) -> str:
    """The errors in the events of `terraform plan -json`, as Terraform writes them; empty without one."""
    return "\n\n".join(_errors(output))


def _warnings(plan: Mapping[str, Any]) -> Iterator[str]:
    """Those of `check` blocks. A failing postcondition is an error of the plan, which says it."""
    for check in plan.get("checks", ()):
        if check["address"]["kind"] != "check":
            continue
        for instance in check.get("instances", ()):
            if instance["status"] == "fail":
                yield from (problem["message"] for problem in instance.get("problems", ()))


def _has_resources(state: Mapping[str, Any]) -> bool:
    resources = state.get("values", {}).get("root_module", {}).get("resources", ())
    return any(each.get("mode") == "managed" for each in resources)


def _errors(output: str) -> Iterator[str]:
    for line in output.splitlines():
        try:
            found = json.loads(line)["diagnostic"]
            if found["severity"] == "error":
                yield f"Error: {found['summary']}\n\n{found.get('detail', '')}".strip()
        except (ValueError, KeyError, TypeError):
            continue
