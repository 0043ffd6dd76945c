"""Which fleets get the next build of an image whose recipe the plans change: by themselves, or with a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from estate.estate import Estate, EstateFleet
from estate.models.ami_image import AmiImage
from estate.models.channels import Channel, channels_of
from estate.models.schedule import Schedule
from estate.names import LATEST
from estate.recipes.rollout import rollout_of
from ops.report.conditions import when
from ops.report.facts import NextBuild
from ops.report.plan import QUIET, Kind
from ops.report.sources import StackPlan

_RECIPE = "aws_imagebuilder_image_recipe"


def next_builds(stacks: Sequence[StackPlan], estate: Estate) -> Iterator[NextBuild]:
    """One for each image that changes, or is built on one; nothing where no fleet takes builds by itself."""
    resources = [each for stack in stacks if stack.plan for each in stack.plan.resources if each.type == _RECIPE]
    changed = {
        str(each.after.get("name")) for each in resources if each.kind not in (*QUIET, Kind.CREATE, Kind.DESTROY)
    }
    found = [name for name in estate.amis if estate.image(name).names.image_builder in changed]
    names = dict.fromkeys(found)
    for name in found:
        names |= dict.fromkeys(_descendants(estate, name))
    for name in names:
        fleets = [estate.fleet(fleet) for fleet in estate.fleets if estate.fleets[fleet].image == name]
        if any(fleet.fleet.is_automatic for fleet in fleets):
            yield _next_build(estate.amis[name], fleets, is_changed=name in found)


def _descendants(estate: Estate, name: str) -> Iterator[str]:
    for child in estate.image(name).children:
        if child.name in estate.amis:
            yield child.name
            yield from _descendants(estate, child.name)


def _next_build(image: AmiImage, fleets: Sequence[EstateFleet], *, is_changed: bool) -> NextBuild:
    channels = channels_of(image.channels)
    people = {fleet.fleet.name: commands for fleet in fleets if (commands := _commands(fleet, channels))}
    return NextBuild(
        image=image.name,
        starts=_starts(image, is_changed=is_changed),
        has_gate=image.gate is not None,
        by_itself=tuple(
            f"{fleet.fleet.name} ({_way(fleet, channels)})" for fleet in fleets if fleet.fleet.name not in people
        ),
        by_person=tuple(f"{fleet} ({commands})" for fleet, commands in people.items()),
    )


def _starts(image: AmiImage, *, is_changed: bool) -> str:
    command, schedule = f"goldsmith build {image.name}", image.schedule
    base = image.base
    parent = f"{base.image}@{base.channel}" if base and not is_changed else ""
    built = f"it is built on {parent}; " if parent else ""
    if schedule is None:
        return f"{built}{command} starts its next build, because it has no schedule"
    if schedule.when == "always":
        return f"{built}its schedule ({_shown(schedule)}) starts its next build"
    if parent:
        return f"{built}its schedule ({_shown(schedule)}) starts its next build when that has moved"
    return f"{command} starts its next build; its schedule does only when its parent or a managed component is newer"


def _shown(schedule: Schedule) -> str:
    return f"cron {schedule.cron} {schedule.timezone}" if schedule.cron else f"every {schedule.rate}"


def _path(channel: str, channels: dict[str, Channel]) -> list[tuple[str, Channel]]:
    """The channels after `latest` through which a build comes to this one, in their order."""
    path = []
    while channel != LATEST:
        path.append((channel, channels[channel]))
        channel = channels[channel].from_
    return path[::-1]


def _way(fleet: EstateFleet, channels: dict[str, Channel]) -> str:
    """How a build comes to it."""
    path = _path(fleet.fleet.channel, channels)
    soaks = " and ".join(f"{each.soak} in {each.from_}" for _, each in path)
    return ", ".join([f"{fleet.fleet.channel}{f' has it after {soaks}' if soaks else ''}", *when(rollout_of(fleet))])


def _commands(fleet: EstateFleet, channels: dict[str, Channel]) -> str:
    """What people do; empty if it takes builds by itself."""
    path = _path(fleet.fleet.channel, channels)
    promoted = [f"goldsmith promote {fleet.fleet.image} {name}" for name, each in path if each.soak is None]
    if fleet.fleet.is_pinned:
        promoted.append(f"goldsmith pin {fleet.fleet.name}")
    elif not fleet.fleet.is_automatic:
        promoted.append("its next plan and apply")
    return ", ".join(promoted)
