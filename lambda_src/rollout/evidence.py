"""What proves that a fleet has run a build: its record, its refreshes, and the launch times of its instances.

The age of a parameter proves nothing: a channel can point to a build that no instance runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from .configuration import After
from .group import Group, TemplateVersion
from .record import SUCCEEDED, WENT_BACK, Record, time_of


@dataclass(frozen=True, kw_only=True)
class Lack:
    """What is not proved yet."""

    text: str
    until: datetime | None = None
    """When it is proved if nothing changes; None when something has to happen."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the fleets of `after` have proved for one build."""

    proofs: tuple[str, ...] = ()
    """In words."""
    lacks: tuple[Lack, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Runs:
    """What was read about a fleet of `after`."""

    record: Record
    """With what AWS knows (`record.completed`)."""
    group: Group | None
    current: TemplateVersion | None
    """The version that the group launches."""
    builds: Mapping[str, str]
    """The known builds by AMI."""
    launched: tuple[datetime, ...] = ()
    """When the instances in service were launched; needed only where the record has no attempt."""


@dataclass(frozen=True, kw_only=True)
class _Period:
    """While all instances of a fleet ran a build."""

    since: datetime
    until: datetime | None = None
    """None if they still do."""

    def lasted(self, now: datetime) -> timedelta:
        return (self.until or now) - self.since


def evidence(after: After, fleets: Mapping[str, Runs | str], *, build: str, now: datetime) -> Evidence:
    """What the fleets of `after` have proved for a build. `fleets` are those by name, or why one cannot be read."""
    soak = timedelta(minutes=after.soak_minutes)
    proofs, lacks = [], []
    for fleet in after.fleets:
        runs = fleets[fleet]
        if isinstance(runs, str):
            lacks.append(Lack(text=f"fleet {fleet}, which has to run {build} first, cannot be read: {runs}"))
            continue
        if failed := _failure(runs.record, build):
            lacks.append(Lack(text=f"{build} was {failed} in fleet {fleet}, which has to run it first"))
            continue
        periods = _periods(runs, build)
        proof = next((period for period in periods if period.lasted(now) >= soak), None)
        if proof:
            end = f" until {proof.until:%d %b %H:%M}" if proof.until else ""
            proofs.append(f"{fleet} has run it since {proof.since:%d %b %H:%M}{end}")
            continue
        present = next((period for period in periods if period.until is None), None)
        if present:
            text = f"fleet {fleet} has run {build} since {present.since:%d %b %H:%M} UTC, and has to for {after.soak}"
            lacks.append(Lack(text=text, until=present.since + soak))
        else:
            lacks.append(Lack(text=f"fleet {fleet} has to run {build} for {after.soak} first: {_now(runs)}"))
    return Evidence(proofs=tuple(proofs), lacks=tuple(lacks))


def _failure(record: Record, build: str) -> str:
    """How the last rollout of a build ended, if it did not end well and the fleet did not run the build before."""
    last = next((attempt for attempt in record.attempts if attempt.build == build and attempt.end), None)
    if last is None or not last.has_failed or last.changes_no_ami:
        return ""
    return f"{last.end} ({last.reason.rstrip('.')})" if last.reason else last.end


def _periods(runs: Runs, build: str) -> list[_Period]:
    """When all instances of a fleet ran a build, oldest first."""
    periods: list[_Period] = []
    since: datetime | None = None
    for attempt in reversed(runs.record.attempts):
        started, ended = time_of(attempt.started), time_of(attempt.ended)
        if attempt.build == build:
            if attempt.end == SUCCEEDED:
                since = since or ended
            continue
        if since and started:
            periods.append(_Period(since=since, until=started))
        is_back = attempt.end == WENT_BACK and (since or runs.builds.get(attempt.previous_ami) == build)
        since = ended if is_back else None
    if not runs.record.attempts and runs.launched:
        # a group that never had a refresh: all instances run the build since the last of them was launched
        since = max(runs.launched)
    if since and _is_present(runs, build):
        periods.append(_Period(since=since))
    return periods


def _is_present(runs: Runs, build: str) -> bool:
    """Whether the group launches a build, and all instances in service run it."""
    group, current = runs.group, runs.current
    if group is None or current is None or runs.builds.get(current.ami) != build or not group.in_service:
        return False
    return all(instance.runs(current) for instance in group.in_service)


def _now(runs: Runs) -> str:
    if runs.group is None or runs.current is None:
        return "it is not deployed"
    return f"it runs {runs.builds.get(runs.current.ami) or runs.current.ami or 'an unknown AMI'}"
