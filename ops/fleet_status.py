"""One fleet as `goldsmith status` shows it, from the facts that were read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from estate.estate import EstateFleet
from ops.fleet import Facts, Refresh
from ops.gaps import gaps_of, progress_of


@dataclass(frozen=True, kw_only=True)
class FleetStatus:
    """One fleet; `ops.commands.status` describes `wanted`, `template` and `instances`."""

    fleet: str
    image: str
    channel: str
    account: str | None
    region: str
    group: str
    deployed: bool | None
    wanted: dict[str, str | None]
    template: dict[str, str | None]
    instances: tuple[dict[str, Any], ...]
    refresh: Refresh | None
    progress: str | None
    gaps: tuple[str, ...]
    errors: tuple[str, ...]


def fleet_status(declared: EstateFleet, facts: Facts, *, account: str | None) -> FleetStatus:
    """The status of a fleet from its facts. `account` is the ID of its account, if that is known."""
    fleet, newest, group = declared.fleet, facts.newest, facts.wanted
    there = (facts.group_exists, facts.template_exists)
    return FleetStatus(
        fleet=fleet.name,
        image=fleet.image,
        channel=fleet.channel,
        account=account,
        region=fleet.region,
        group=facts.group_name,
        deployed=None if None in there and True not in there else any(there),
        wanted={"ami": facts.ami, "build": facts.meaning.build},
        template={
            "newest_version": newest.number if newest else None,
            "ami": newest.ami if newest else None,
            "build": facts.builds.get(newest.ami) if newest else None,
            "group_version": group.number if group else None,
        },
        instances=tuple(
            {"template_version": running.version or None, "ami": running.ami or None, "build": running.build}
            | {"count": running.count}
            for running in facts.instances
        ),
        refresh=facts.refresh,
        progress=progress_of(facts),
        gaps=gaps_of(declared, facts),
        errors=tuple(facts.errors),
    )
