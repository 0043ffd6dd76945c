"""The title of a report: what moves, where, how many instances, how long, and what else changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from ops.report.fleet import PlannedFleet
from ops.report.material import Material, fleets_in
from ops.report.plan import QUIET, Change, Kind, Plan
from ops.report.words import count, counted, listed, minutes

_NOUNS = {
    "aws_imagebuilder_component": "component",
    "aws_imagebuilder_container_recipe": "recipe",
    "aws_imagebuilder_image_recipe": "recipe",
    "aws_imagebuilder_workflow": "workflow",
}


_ALARMING = (Kind.DESTROY, Kind.REPLACE, Kind.FORGET)
"""What the title says before anything else."""


def title_of(material: Material) -> tuple[str, bool]:
    """The title, and whether it is alarming."""
    alarms = list(_alarms(material))
    news = [*_moves(material), *_other_instances(material), *_new_fleets(material)]
    rest = other_changes(material)
    plans = [stack.plan for stack in material.stacks if stack.plan]
    actions, outputs = (sum(len(some) for some in each) for each in ([p.invoked for p in plans], _outputs(plans)))
    if actions:
        news.append(f"runs {count(actions, 'action')}")
    if not news and not rest and not any(stack.has_failed for stack in material.stacks):
        some = f"{count(outputs, 'output')} {'changes' if outputs == 1 else 'change'}, and no resource does"
        news = [some if outputs else "nothing changes"]
    elif news and not rest and not alarms and all(plan.is_complete for plan in plans):
        news.append("nothing else changes")
    news += list(_versions(material, rest))
    kinds: Counter[Kind] = Counter(change.kind for change in rest if change.kind not in (Kind.SUPERSEDE, *_ALARMING))
    if others := counted(kinds):
        number, _, verb = others.partition(" ")
        noun = "resource" if number == "1" else "resources"
        news.append(f"{'also ' if news else ''}{number} {noun} {verb}")
    return "; ".join([*alarms, *news]), bool(alarms)


def _outputs(plans: list[Plan]) -> list[list[Change]]:
    return [[output for output in plan.outputs if output.kind not in QUIET] for plan in plans]


def other_changes(material: Material) -> list[Change]:
    """The changes of resources that no move of an image explains."""
    found = []
    for stack in material.stacks:
        explained = set(_explained(material, stack.plan, fleets_in(stack))) if stack.plan else set()
        changes = stack.plan.changes if stack.plan else ()
        found += [each for each in changes if each.kind not in QUIET and each.address not in explained]
    return found


def _explained(material: Material, plan: Plan, fleets: tuple[PlannedFleet, ...]) -> Iterator[str]:
    """The template that gets an AMI and nothing else, and the group that gets the template's version."""
    changes = {change.address: change for change in plan.changes}
    for fleet in fleets:
        if not fleet.moves or fleet.template != Kind.UPDATE:
            continue
        for address, change in changes.items():
            names = {difference.name for difference in change.differences}
            of_fleet = address.startswith(fleet.address) and change.kind == Kind.UPDATE
            if of_fleet and change.type == "aws_launch_template" and names == {"image_id"}:
                yield address
            if of_fleet and change.type == "aws_autoscaling_group" and names <= {"launch_template"}:
                yield address


def _alarms(material: Material) -> Iterator[str]:
    failed = [stack.stack for stack in material.stacks if stack.has_failed]
    if failed:
        plans = count(len(material.stacks), "plan")
        yield f"{len(failed)} of {plans} failed" if len(failed) < len(material.stacks) else f"{plans} failed"
    destroyed = [fleet for fleet in material.fleets if fleet.is_destroyed]
    if destroyed:
        names = listed([fleet.name for fleet in destroyed])
        yield f"DESTROYS fleet{'s' if len(destroyed) > 1 else ''} {names}{_with_instances(material, destroyed)}"
    replaced = [fleet for fleet in material.fleets if fleet.scaling == Kind.REPLACE]
    if replaced:
        names = listed([fleet.name for fleet in replaced])
        yield f"REPLACES the group of {names}{_with_instances(material, replaced)}"
    volumes = [fleet for fleet in material.fleets if fleet.lost_volumes]
    if volumes:
        yield f"LOSES volumes of {listed([fleet.name for fleet in volumes])}"
    keys = {(fleet.stack, fleet.own_key) for fleet in material.fleets}
    changes = [(stack.stack, each) for stack in material.stacks if stack.plan for each in stack.plan.changes]
    data = [each for stack, each in changes if each.loses_data and (stack, each.address) not in keys]
    if data:
        yield f"LOSES the data of {listed([each.address for each in data])}"
    groups = Counter(fleet.scaling for fleet in (*destroyed, *replaced))
    counts = Counter(each.kind for _, each in changes if each.kind in _ALARMING)
    for kind, verb in zip(_ALARMING, ("destroys", "replaces", "forgets"), strict=True):
        if (number := counts[kind] - groups[kind]) > 0:
            yield f"{verb} {count(number, 'more resource' if groups[kind] else 'resource')}"


def _with_instances(material: Material, fleets: list[PlannedFleet]) -> str:
    number = sum(material.instances(fleet) or 0 for fleet in fleets)
    return f" with {count(number, 'instance')}" if number else ""


def _moves(material: Material) -> Iterator[str]:
    """One part for each image and build; all that is beyond a few in one."""
    moves: dict[tuple[str, str], list[PlannedFleet]] = {}
    for fleet in material.affected:
        if fleet.moves and fleet.replaces:
            moves.setdefault((material.image(fleet), material.label(fleet.new_ami).short), []).append(fleet)
    fleets = [fleet for some in moves.values() for fleet in some]
    if not fleets:
        return
    where = f"in {count(len(fleets), 'fleet')}{_size(material, fleets)}"
    if len(moves) == 1:
        ((image, label),) = moves
        yield f"{image} {label} {where}"
    elif len({image for image, _ in moves}) == 1:
        yield f"{next(iter(moves))[0]} in {len(moves)} builds {where}"
    else:
        yield f"{listed(list(dict.fromkeys(image for image, _ in moves)))} {where}"


def _size(material: Material, fleets: list[PlannedFleet]) -> str:
    number = sum(material.instances(fleet) or 0 for fleet in fleets)
    rolling = [fleet for fleet in fleets if fleet.rolls]
    if not rolling:
        return f", {count(number, 'instance')}"
    seconds, is_all = material.total_seconds(rolling)
    about = f", about {minutes(seconds)}" if is_all else f", at least {minutes(seconds)}" if seconds else ""
    return f", {count(number, 'instance')}{about or ', for an unknown time'}"


def _other_instances(material: Material) -> Iterator[str]:
    fleets = [fleet for fleet in material.affected if fleet.replaces and not fleet.moves]
    if fleets:
        yield f"other instances in {count(len(fleets), 'fleet')}{_size(material, fleets)}"


def _new_fleets(material: Material) -> Iterator[str]:
    fleets = [fleet for fleet in material.affected if fleet.is_new]
    if fleets:
        names = listed([fleet.name for fleet in fleets])
        yield f"new fleet{'s' if len(fleets) > 1 else ''} {names}{_with_instances(material, fleets)}"


def _versions(material: Material, rest: list[Change]) -> Iterator[str]:
    counts: Mapping[str, int] = Counter(_NOUNS[change.type] for change in rest if change.kind == Kind.SUPERSEDE)
    if counts:
        nouns = listed([count(number, noun) for noun, number in counts.items()])
        yield f"new versions of {nouns}{'' if material.affected else _for_next_build(material)}"


def _for_next_build(material: Material) -> str:
    """Of a change of recipes only."""
    takers = sum(len(build.by_itself) for build in material.facts.next_builds)
    if takers:
        by = "takes by itself" if takers == 1 else "take by themselves"
        return f", for the next build, which {count(takers, 'fleet')} {by}"
    return ", for the next build: no instance is replaced"
