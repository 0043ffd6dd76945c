"""What goes on after the apply without another command: rollouts by the functions of fleets with `updates: automatic`,
and which fleets take the next build of an image."""

from __future__ import annotations

from collections.abc import Iterator

from ops.report.conditions import SOON
from ops.report.facts import NextBuild, Rules
from ops.report.fleet import PlannedFleet
from ops.report.material import Material
from ops.report.plan import Kind
from ops.report.words import listed

_MOST_FLEETS = 5


def by_itself(material: Material) -> Iterator[str]:
    """One line for each fleet that a plan concerns, and for each image whose next build has another recipe."""
    for fleet in material.fleets:
        if text := _of_fleet(material, fleet):
            yield f"{fleet.name}: {material.labels.plain(text)}"
    for build in material.facts.next_builds:
        yield from _of_next_build(build)


def _of_fleet(material: Material, fleet: PlannedFleet) -> str:
    """What its function does; empty where the plan does not concern it."""
    channel = f"{material.image(fleet)}@{fleet.channel or 'CHANNEL'}"
    rules = material.rules_of(fleet)
    if fleet.function is None:
        return ""
    if fleet.is_destroyed:
        return f"the record of its rollouts stays{f' ({rules.record})' if rules and rules.record else ''}"
    if fleet.ends_automatic:
        return _ends(material, fleet)
    if fleet.is_new:
        return f"from then on its function rolls out what {channel} points to, {_conditions(material, fleet)}"
    if fleet.rolls:
        return f"the apply replaces no instance; then {_rollout(material, fleet)}"
    if fleet.becomes_automatic:
        return f"the apply replaces no instance; {_nothing_to_do(material, fleet, channel)}"
    if fleet.function in (Kind.UPDATE, Kind.REPLACE):
        conditions = _conditions(material, fleet)
        return f"its function changes, and no instance is replaced; from then on it rolls out {conditions}"
    return ""


def _rollout(material: Material, fleet: PlannedFleet) -> str:
    """Who replaces the instances, when, and with which build."""
    expected, rules = material.facts_of(fleet).expected, material.rules_of(fleet)
    label = material.label(fleet.new_ami).short
    build = f"with {label}" if fleet.moves else "with the build that they run"
    if expected is None:
        unless = "a guard, a hold or `after` is against it" if fleet.moves else "it is held"
        return f"its function replaces the instances {_when(rules)}, {build}, unless {unless}"
    if expected.refused:
        return f"its function cannot replace the instances {build} before a person has acted: {expected.refused}"
    passed = f"; it does not take {expected.passed_over}" if expected.passed_over else ""
    return f"its function replaces the instances {expected.when or SOON}, {build}{passed}"


def _when(rules: Rules | None) -> str:
    """By what is declared."""
    if rules is None:
        return "as soon as its window allows it"
    return SOON if rules.is_open else f"from {rules.opens or 'an unknown time'} on ({rules.closed})"


def _nothing_to_do(material: Material, fleet: PlannedFleet, channel: str) -> str:
    """Why the function of a fleet that had none begins with nothing."""
    expected = material.facts_of(fleet).expected
    if expected and expected.passed_over:
        return f"its function does not take what {channel} points to, {expected.passed_over}"
    return f"its function has nothing to do until {channel} points to another build"


def _ends(material: Material, fleet: PlannedFleet) -> str:
    rules = material.rules_of(fleet)
    channel = f"{material.image(fleet)}@{fleet.channel or 'CHANNEL'}"
    source = "its pin says" if rules and rules.is_pinned else f"{channel} points to"
    if not fleet.rolls:
        now = "no instance is replaced now"
    elif material.is_by_goldsmith(fleet):
        now = "after this apply, goldsmith rollout replaces the instances"
    else:
        now = "this apply replaces the instances"
    return f"its function is destroyed, and the record stays; from now on plans give it what {source}, and {now}"


def _conditions(material: Material, fleet: PlannedFleet) -> str:
    rules = material.rules_of(fleet)
    return ", ".join(rules.conditions) if rules else "as its window and `after` allow it"


def _of_next_build(build: NextBuild) -> Iterator[str]:
    if build.by_itself:
        passed = "its tests and the gate" if build.has_gate else "its tests"
        fleets = listed(build.by_itself, most=_MOST_FLEETS)
        takes = f"when it has passed {passed}, these fleets take it without another command: {fleets}"
    else:
        takes = "no fleet takes it without another command"
    yield f"{build.image}: {build.starts}; {takes}"
    if build.by_person:
        yield f"{build.image}, with a person: {listed(build.by_person, most=_MOST_FLEETS)}"
