"""One fleet as `goldsmith status` shows it, from the facts that were read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from estate.estate import EstateFleet
from lambda_src.rollout.group import Refresh
from ops.fleet import Facts
from ops.gaps import gaps_of, progress_of, queued_of


@dataclass(frozen=True, kw_only=True)
class RefreshStatus:
    """The last instance refresh of six weeks."""

    status: str
    percentage: int | None
    reason: str | None
    started: datetime | None
    ended: datetime | None


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
    pinned: bool
    template: dict[str, str | None]
    instances: tuple[dict[str, Any], ...]
    refresh: RefreshStatus | None
    progress: str | None
    queued: str | None
    gaps: tuple[str, ...]
    errors: tuple[str, ...]


def fleet_status(declared: EstateFleet, facts: Facts, *, account: str | None) -> FleetStatus:
    """The status of a fleet from its facts. `account` is the ID of its account, if that is known."""
    fleet, newest, group = declared.fleet, facts.newest, facts.wanted
    pin = declared.pin
    there = (facts.group_exists, facts.template_exists)
    return FleetStatus(
        fleet=fleet.name,
        image=fleet.image,
        channel=fleet.channel,
        account=account,
        region=fleet.region,
        group=facts.group_name,
        deployed=None if None in there and True not in there else any(there),
        wanted={"ami": facts.ami, "build": pin.build if pin else facts.meaning.build},
        pinned=fleet.is_pinned,
        template={
            "newest_version": str(newest.number) if newest else None,
            "ami": newest.ami if newest else None,
            "build": facts.builds.get(newest.ami) if newest else None,
            "group_version": str(group.number) if group else None,
        },
        instances=tuple(
            {"template_version": running.version or None, "ami": running.ami or None, "build": running.build}
            | {"count": running.count}
            for running in facts.instances
        ),
        refresh=_shown(facts.refresh),
        progress=progress_of(facts),
        queued=queued_of(declared, facts),
        gaps=gaps_of(declared, facts),
        errors=tuple(facts.errors),
    )


def _shown(refresh: Refresh | None) -> RefreshStatus | None:
    if refresh is None:
        return None
    return RefreshStatus(
        status=refresh.status,
        percentage=refresh.percentage,
        reason=refresh.rollback or refresh.reason or None,
        started=refresh.started,
        ended=refresh.ended,
    )
