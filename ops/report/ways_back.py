"""If it goes wrong: what puts the old build back by itself, how long that takes, and how to go back later."""

from __future__ import annotations

from collections.abc import Iterator

from ops.report.document import WayBack
from ops.report.facts import Rules
from ops.report.fleet import PlannedFleet
from ops.report.material import Material
from ops.report.words import listed, minutes


def ways_back_of(material: Material) -> Iterator[WayBack]:
    """One for the fleets for which it is the same."""
    ways: dict[tuple[tuple[str, ...], tuple[str, ...]], list[PlannedFleet]] = {}
    for fleet in material.affected:
        if fleet.rolls and (fleet.moves or fleet.is_automatic):
            rules = material.rules_of(fleet)
            key = (tuple(_lines(material, fleet, rules)), tuple(_commands(material, fleet, rules)))
            ways.setdefault(key, []).append(fleet)
    for (lines, commands), fleets in ways.items():
        names = [fleet.name for fleet in fleets]
        each = [command.replace(_FLEETS, " ".join(names)) for command in commands]
        yield WayBack(fleets=tuple(names), lines=lines, commands=tuple(each))


_FLEETS = "{fleets}"


def _lines(material: Material, fleet: PlannedFleet, rules: Rules | None) -> Iterator[str]:
    seconds = material.seconds(fleet)
    about = f"about {minutes(seconds)}" if seconds is not None else "about as long as the rollout"
    if material.is_by_goldsmith(fleet):
        if rules and rules.alarms:
            alarms = (
                f"alarm {rules.alarms[0]}" if len(rules.alarms) == 1 else f"one of the alarms {listed(rules.alarms)}"
            )
            cause = f"when {alarms} is in the state ALARM, or new instances do not become healthy"
        else:
            cause = "when new instances do not become healthy"
        unwatched = "; no alarm is watched" if rules and not rules.alarms else ""
        old = "the old build" if fleet.moves else "the old version of the launch template"
        yield f"{cause}, AWS puts {old} back by itself, at most in {about}{unwatched}"
        if fleet.is_automatic:
            yield "its function does not try the same again"
        if rules and any(other.wave > rules.wave for other in material.facts.rules.values()):
            yield "the fleets of later waves do not start then"
        if rules and rules.holds_others:
            yield "other fleets of this image in the account and region do not take this build until a person says so"
    else:
        yield (
            "nothing puts the old build back by itself: a refresh that Terraform starts cannot be rolled back, and "
            "stops where it is"
        )
    if fleet.deleted_volumes:
        yield f"what is on {listed(fleet.deleted_volumes)} is deleted with each instance, and no way back restores it"


def _commands(material: Material, fleet: PlannedFleet, rules: Rules | None) -> Iterator[str]:
    by_goldsmith = material.is_by_goldsmith(fleet)
    if by_goldsmith:
        yield f"goldsmith rollout {_FLEETS} --abort      # while it runs"
    if fleet.is_automatic and fleet.changed:
        yield "git revert -m 1 MERGE_COMMIT      # later: revert the merge of this pull request, plan and apply"
    if fleet.moves:
        yield _build_back(material, fleet, rules)
    if fleet.is_automatic:
        yield f"goldsmith rollout {_FLEETS} --now --why REASON      # or wait for its function, and its window"
    elif by_goldsmith:
        yield f"goldsmith rollout {_FLEETS}"


def _build_back(material: Material, fleet: PlannedFleet, rules: Rules | None) -> str:
    """How the fleet is given the old build later."""
    image = material.image(fleet)
    if rules and rules.is_pinned:
        return "git revert -m 1 MERGE_COMMIT      # later: revert the merge of this pull request, and apply"
    apply = "" if fleet.is_automatic else "; then plan and apply again"
    if rules and rules.estate:
        channel = f"{fleet.image.rpartition('/')[2]}@{fleet.channel or 'CHANNEL'}"
        return f"# later: the estate {rules.estate} moves {channel} back{apply}"
    if fleet.channel == "latest":
        build = material.labels.typed(material.arns.get(fleet.new_ami, "")) or "BUILD"
        return f"goldsmith revoke {image}@{build} --why REASON      # later: latest goes back to the build before"
    return f"goldsmith rollback {image}@{fleet.channel or 'CHANNEL'}      # later{apply}"
