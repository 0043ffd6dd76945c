"""What came of a stack's plan, from Terraform's JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
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
    destroyed: tuple[str, ...] = ()
    """What is destroyed or replaced: address and which of them."""
    ami: str = ""
    """The AMI in the launch template of a fleet; empty without one."""
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
            destroyed=tuple(
                f"{address} is {'replaced' if 'create' in actions else 'destroyed'}"
                for address, actions in changed.items()
                if "delete" in actions
            ),
            ami=next(_amis(plan), ""),
            is_new="prior_state" not in plan or not _has_resources(plan["prior_state"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OpsError(f"terraform show -json wrote something unexpected: {error!r}") from None


def read_errors(output: str) -> str:
    """The errors in the events of `terraform plan -json`, as Terraform writes them; empty without one."""
    return "\n\n".join(_errors(output))


def applied_counts(output: str) -> str:
    """`2 added, 1 changed, 0 destroyed`, by the events of `terraform apply -json`."""
    for event in _events(output):
        if event.get("type") == "change_summary" and event["changes"].get("operation") == "apply":
            changes = event["changes"]
            return f"{changes['add']} added, {changes['change']} changed, {changes['remove']} destroyed"
    return "applied"


def _amis(plan: Mapping[str, Any]) -> Iterator[str]:
    for each in plan.get("resource_changes", ()):
        if each.get("type") == "aws_launch_template" and (ami := (each["change"].get("after") or {}).get("image_id")):
            yield ami


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
    for event in _events(output):
        found = event.get("diagnostic", {})
        if found.get("severity") == "error":
            yield f"Error: {found['summary']}\n\n{found.get('detail', '')}".strip()


def _events(output: str) -> Iterator[Mapping[str, Any]]:
    for line in output.splitlines():
        with suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict):
                yield event
