"""What a person should read first: the most severe at the top."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ops.report.contents import by_severity, contents
from ops.report.document import Need
from ops.report.fleet import PlannedFleet
from ops.report.material import Material, fleets_in
from ops.report.plan import Change, Drift, Finding, Kind
from ops.report.sources import StackPlan
from ops.report.words import count, listed

_ORDER = (
    *("failed", "destroy", "replace", "volume", "forget", "revoked", "gate", "rolled back", "unproved", "held"),
    *("alarm", "older", "package", "window", "rollout", "age", "drift", "warning"),
)
_OF_CHECK = {
    "age": "age",
    "deprecation": "age",
    "revoked": "revoked",
    "revoked_later": "revoked",
    "rollout": "rollout",
    "freeze": "window",
}
"""The kinds of the checks in stacks of fleets (`stacks.guarded_ami`, `stacks.fleet.rollout_checks`)."""
_MOST_PACKAGES = 5
_REVOKED = re.compile(r"\b(is|has been|will be) revoked\b")
"""In the messages of guards."""


def needs_of(material: Material) -> tuple[Need, ...]:
    """Everything that needs a person."""
    found = [*_of_stacks(material), *_of_several(material), *_of_fleets(material), *_of_builds(material)]
    return tuple(sorted(dict.fromkeys(found), key=lambda need: _ORDER.index(need.kind)))


def _of_stacks(material: Material) -> Iterator[Need]:
    for stack in material.stacks:
        yield from _failures(material, stack)
        if stack.plan is None:
            continue
        fleets = fleets_in(stack)
        yield from _removals(stack, fleets)
        for action in stack.plan.invoked:
            yield Need(kind="warning", text=f"{stack.stack}: the apply runs {action}", stack=stack.stack)
        for finding in stack.plan.findings:
            yield _warning(material, stack, finding)
        for drift in stack.plan.drift:
            if text := drift_text(drift, stack.plan.changes):
                yield Need(kind="drift", text=f"{stack.stack}: {drift.address} {text}", stack=stack.stack)


def _failures(material: Material, stack: StackPlan) -> Iterator[Need]:
    if not stack.has_failed:
        return
    for message in stack.errors or ("Terraform says that the plan has errors",):
        text = material.labels.plain(message)
        yield Need(kind="failed", text=f"the plan of {stack.stack} failed: {text}", stack=stack.stack)
        if _REVOKED.search(message):
            yield Need(kind="revoked", text=f"{stack.stack}: its build is revoked", stack=stack.stack)


def _removals(stack: StackPlan, fleets: tuple[PlannedFleet, ...]) -> Iterator[Need]:
    assert stack.plan
    for fleet in fleets:
        size = f" with {count(fleet.instances, 'instance')}" if fleet.instances else ""
        if fleet.is_destroyed:
            yield Need(kind="destroy", text=f"fleet {fleet.name} is destroyed{size}", stack=stack.stack)
        elif fleet.scaling == Kind.REPLACE:
            text = f"the group of fleet {fleet.name} is replaced{size}: all of them end, and then new ones start"
            yield Need(kind="replace", text=text, stack=stack.stack)
        for device in fleet.lost_volumes:
            text = f"fleet {fleet.name}: new instances have no volume {device}, and what is on it is lost"
            yield Need(kind="volume", text=text, stack=stack.stack)
    groups = {f"{fleet.address}aws_autoscaling_group" for fleet in fleets}
    keys = {fleet.own_key for fleet in fleets}
    for kind, verb in ((Kind.DESTROY, "destroyed"), (Kind.REPLACE, "replaced"), (Kind.FORGET, "forgotten")):
        changes = [each for each in stack.plan.changes if each.kind == kind and not _is_one_of(each, groups)]
        for change in changes:
            if change.loses_data and change.address not in keys:
                yield Need(
                    kind="volume", text=f"{stack.stack}: {change.address} is {verb}, with its data", stack=stack.stack
                )
        if changes:
            verbs = f"{count(len(changes), 'resource')} {'is' if len(changes) == 1 else 'are'} {verb}"
            names = listed([change.address for change in changes])
            need = {Kind.DESTROY: "destroy", Kind.REPLACE: "replace"}.get(kind, "forget")
            yield Need(kind=need, text=f"{stack.stack}: {verbs}: {names}", stack=stack.stack)


def _is_one_of(change: Change, groups: set[str]) -> bool:
    return any(change.address.startswith(f"{group}.") for group in groups)


def _warning(material: Material, stack: StackPlan, finding: Finding) -> Need:
    text = material.labels.plain(finding.message) or f"{finding.address} ended as {finding.status}"
    kind = _OF_CHECK.get(finding.check, "warning")
    if not text.startswith("Fleet "):
        text = f"{stack.stack}: {text}"
    return Need(kind=kind, text=text, stack=stack.stack)


def drift_text(drift: Drift, changes: tuple[Change, ...]) -> str:
    """What was changed outside Terraform, if the plan does something about it; otherwise empty."""
    change = next((each for each in changes if each.address == drift.address), None)
    if drift.is_gone:
        again = ", and this plan makes it again" if change and change.kind == Kind.CREATE else ""
        return f"was deleted outside Terraform{again}"
    back = [each for each in (change.differences if change else ()) if each.name in drift.names]
    if not back:
        return ""
    values = [f"{each.name}" + (f" from {each.before} to {each.after}" if each.before else "") for each in back]
    return f"was changed outside Terraform, and this plan puts back {listed(values)}"


def _of_fleets(material: Material) -> Iterator[Need]:
    for fleet in material.affected:
        if fleet.is_destroyed:
            continue
        stack = fleet.stack
        old, new = (material.created(ami) for ami in (fleet.old_ami, fleet.new_ami))
        if fleet.moves and old and new and new < old:
            text = f"{fleet.name} goes back to an older build, {material.label(fleet.new_ami).short}"
            yield Need(kind="older", text=text, stack=stack)
        if fleet.moves and not fleet.new_ami:
            yield Need(kind="warning", text=f"{fleet.name}: its AMI is known only after the apply", stack=stack)


def _of_several(material: Material) -> Iterator[Need]:
    """What is the same for several fleets, once."""
    found: dict[tuple[str, str], list[PlannedFleet]] = {}
    for fleet in material.affected:
        if not fleet.is_destroyed:
            for kind, text in _of_fleet(material, fleet):
                found.setdefault((kind, text), []).append(fleet)
    for (kind, text), fleets in found.items():
        names = listed([fleet.name for fleet in fleets])
        stack = fleets[0].stack if len(fleets) == 1 else ""
        yield Need(kind=kind, text=f"{names}: {material.labels.plain(text)}", stack=stack)


def _of_fleet(material: Material, fleet: PlannedFleet) -> Iterator[tuple[str, str]]:
    """Kinds and texts, without the name of the fleet."""
    facts, rules = material.facts_of(fleet), material.rules_of(fleet)
    for text in facts.faults:
        yield "revoked" if _REVOKED.search(text) else "warning", text
    for text in facts.tried:
        yield "rolled back", text
    for text in facts.holds:
        yield "held", text
    for text in facts.alarms:
        yield "alarm", text
    if fleet.is_automatic:  # whose function waits until everything that follows is as it should be
        return
    if rules and rules.after and fleet.moves:
        for text in facts.unproved:
            yield "unproved", text
        if not facts.unproved and not facts.proofs:  # what cannot be looked at is not proved
            names = f"fleet {rules.after[0]} has" if len(rules.after) == 1 else f"fleets {listed(rules.after)} have"
            yield "unproved", f"nothing shows that {names} run the build before"
    if rules and not rules.is_open and fleet.replaces:
        if material.is_by_goldsmith(fleet) and fleet.rolls:
            yield "window", f"merged now, the rollout starts {rules.opens or 'never'} ({rules.closed})"
        else:
            later = rules.opens or "later"
            yield "window", f"{rules.closed}, and the apply replaces the instances at once; apply it {later}"


def _of_builds(material: Material) -> Iterator[Need]:
    seen: set[tuple[str, str]] = set()
    for fleet in material.affected:
        new, old = material.build_of(fleet.new_ami), material.build_of(fleet.old_ami)
        if new is None or not fleet.moves:
            continue
        image, label = material.image(fleet), material.label(fleet.new_ami).short
        if new.arn not in {pair[1] for pair in seen}:
            if new.revoked:
                yield Need(kind="revoked", text=f"{image} {label} is revoked: {new.revoked}")
            if new.gate:
                yield Need(kind="gate", text=f"{image} {label} does not pass the gate: {new.gate}")
        if old is None or (old.arn, new.arn) in seen:
            seen.add(("", new.arn))
            continue
        seen.add((old.arn, new.arn))
        difference = contents(old, new)
        if steps := difference.major:
            packages = listed([f"{step.name} {step.before} → {step.after}" for step in steps], most=_MOST_PACKAGES)
            noun = "a major step" if len(steps) == 1 else "major steps"
            yield Need(
                kind="package", text=f"{image} {label} has {noun} of packages: {material.labels.plain(packages)}"
            )
        if back := [step for step in difference.stepped or () if step.is_back and not step.is_major]:
            packages = listed([f"{step.name} {step.before} → {step.after}" for step in back], most=_MOST_PACKAGES)
            yield Need(kind="package", text=f"{image} {label} has older packages: {material.labels.plain(packages)}")
        severe = {name: each for name, each in (difference.opened or {}).items() if each in ("CRITICAL", "HIGH")}
        if severe:
            text = f"{image} {label} has vulnerabilities that the build before has not: {by_severity(severe)}"
            yield Need(kind="warning", text=text)
