"""What proves that a fleet has run a build: its record, its refreshes, and the launch times of its instances.

The age of a parameter proves nothing: a channel can point to a build that no instance runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from .configuration import After
from .group import Group, TemplateVersion
from .record import SUCCEEDED, WENT_BACK, Attempt, Record, time_of


@dataclass(frozen=True, kw_only=True)
class Lack:
    """What is not proved yet."""

    text: str
    until: datetime | None = None
    """When it is proved if nothing changes; None when something has to happen."""
    is_unread: bool = False
    """Whether the fleet could not be read, so that nothing is known."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the fleets of `after` have proved for one build."""

    proofs: tuple[str, ...] = ()
    """In words."""
    lacks: tuple[Lack, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What has to be proved."""

    build: str
    """Empty for an AMI that has none."""
    ami: str
    """As the account of the fleet has it that waits; a copy in another account has another ID."""

    def __str__(self) -> str:
        return self.build or self.ami

    def matches(self, *, build: str, ami: str) -> bool:
        """Whether another fleet's build and AMI, of which either may not be known, are these."""
        return (bool(build) and build == self.build) or (bool(ami) and ami == self.ami)


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
    """When the instances in service were launched; without those that EC2 does not know any more."""


@dataclass(frozen=True, kw_only=True)
class _Period:
    """While all instances of a fleet ran a build."""

    since: datetime
    until: datetime | None = None
    """None if they still do."""

    def lasted(self, now: datetime) -> timedelta:
        return (self.until or now) - self.since


def evidence(after: After, fleets: Mapping[str, Runs | str], *, wanted: Wanted, now: datetime) -> Evidence:
    """What the fleets of `after` have proved for a build. `fleets` are those by name, or why one cannot be read."""
    soak = timedelta(minutes=after.soak_minutes)
    proofs, lacks = [], []
    for fleet in after.fleets:
        runs = fleets[fleet]
        if isinstance(runs, str):
            text = f"fleet {fleet}, which has to run {wanted} first, cannot be read: {runs}"
            lacks.append(Lack(text=text, is_unread=True))
            continue
        if failed := _failure(runs, wanted):
            lacks.append(Lack(text=f"{wanted} {failed} in fleet {fleet}, which has to run it first"))
            continue
        periods = _periods(runs, wanted)
        proof = next((period for period in periods if period.lasted(now) >= soak), None)
        if proof:
            end = f" until {proof.until:%d %b %H:%M}" if proof.until else ""
            proofs.append(f"{fleet} has run it since {proof.since:%d %b %H:%M}{end}")
            continue
        present = next((period for period in periods if period.until is None), None)
        if present:
            text = f"fleet {fleet} has run {wanted} since {present.since:%d %b %H:%M} UTC, and has to for {after.soak}"
            lacks.append(Lack(text=text, until=present.since + soak))
        else:
            lacks.append(Lack(text=f"fleet {fleet} has to run {wanted} for {after.soak} first: {_now(runs, wanted)}"))
    return Evidence(proofs=tuple(proofs), lacks=tuple(lacks))


def _failure(runs: Runs, wanted: Wanted) -> str:
    """How the last rollout of a build ended, if it did not end well and the fleet did not run the build before.

    Launches may have brought the build since, for example those of a group that was made anew: then the fleet runs it.
    """
    last = next((attempt for attempt in runs.record.attempts if _brought(attempt, wanted) and attempt.end), None)
    if last is None or not last.has_failed or last.changes_no_ami or _is_present(runs, wanted):
        return ""
    return last.ended_why


def _periods(runs: Runs, wanted: Wanted) -> list[_Period]:
    """When all instances of a fleet ran a build, oldest first."""
    periods: list[_Period] = []
    since: datetime | None = None
    for attempt in reversed(runs.record.attempts):
        started, ended = time_of(attempt.started), time_of(attempt.ended)
        if _brought(attempt, wanted):
            if attempt.end == SUCCEEDED:
                since = since or ended
            continue
        if since and started:
            periods.append(_Period(since=since, until=started))
        is_back = attempt.end == WENT_BACK and (since or _is(runs, attempt.previous_ami, wanted))
        since = ended if is_back else None
    if _is_present(runs, wanted):
        # of a group that never had a refresh, or whose last one did not end well, the last launch says since when
        since = since or _last_launch(runs)
        if since:
            periods.append(_Period(since=since))
    return periods


def _last_launch(runs: Runs) -> datetime | None:
    """Since when all instances in service are there; None if that is not known of all."""
    is_known = runs.group and len(runs.launched) == len(runs.group.in_service)
    return max(runs.launched, default=None) if is_known else None


def _is_present(runs: Runs, wanted: Wanted) -> bool:
    """Whether the group launches a build, and all instances in service run it."""
    group, current = runs.group, runs.current
    if group is None or current is None or not _is(runs, current.ami, wanted) or not group.in_service:
        return False
    return all(instance.runs(current) for instance in group.in_service)


def _now(runs: Runs, wanted: Wanted) -> str:
    if runs.group is None or runs.current is None:
        return "it is not deployed"
    if not runs.group.in_service:
        return "it has no instances"
    if _is_present(runs, wanted):
        return "since when it runs that is not known"
    if _is(runs, runs.current.ami, wanted):
        return "not all of its instances run that"
    return f"it runs {runs.builds.get(runs.current.ami) or runs.current.ami or 'an unknown AMI'}"


def _brought(attempt: Attempt, wanted: Wanted) -> bool:
    return wanted.matches(build=attempt.build, ami=attempt.ami)


def _is(runs: Runs, ami: str, wanted: Wanted) -> bool:
    return wanted.matches(build=runs.builds.get(ami, ""), ami=ami)
