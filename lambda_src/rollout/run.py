"""One run of a fleet's rollout: look, decide, and start an instance refresh if that is what comes next.

A run can be stopped between any two calls: the next one finds in AWS what this one did. AWS runs one refresh of a group
at a time, so it never matters how many runs there are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from .configuration import FleetRules
from .decisions import Decision, Done, Ended, Follow, Refused, Sight, Start, Wish, decide
from .group import Refresh, TemplateVersion, add_version, read_refreshes, read_version
from .look import ImagePlace, Place, RunsOf, look
from .record import Attempt, Record, write_record
from .refreshes import abort, came_between, start

Now = Callable[[], datetime]
_ROUNDS = 4
"""How often a run looks: again after it has added a version, and when somebody else is faster."""


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """A fleet and the way to it."""

    rules: FleetRules
    place: Place
    image: ImagePlace
    runs_of: RunsOf
    caller: str = ""
    """The ARN of who acts, for the record."""


def see(fleet: Fleet, *, now: datetime) -> Sight:
    """Look at a fleet, and write into its record what AWS knows and the record does not, if it can be read. Raises
    `look.FAILURES`."""
    sight, written = look(fleet.rules, fleet.place, fleet.image, runs_of=fleet.runs_of, now=now)
    # as they are written: without what is too old or too long to be kept
    if written.is_readable and sight.record.to_json() != written.to_json():
        _write(fleet, sight.record)
    return sight


def run(fleet: Fleet, wish: Wish, *, why: str = "", now: Now = lambda: datetime.now(UTC)) -> tuple[Sight, Decision]:
    """Look, decide, and start a refresh when that is the decision; what was seen, and what comes next. `why` is for the
    record.

    Of a fleet that takes builds by itself, it adds the version with the build right before the start. When nothing is
    to be started, it takes care that the newest version has the AMI that the group launches: so no change by Terraform
    brings back a build that was rolled back, or an old one that a saved plan had.

    After a start that is `Follow`. It is `Start` only when others were faster in every round, or when AWS does not show
    yet what was started or added. Raises `look.FAILURES`.
    """
    for _ in range(_ROUNDS):
        sight = see(fleet, now=now())
        decision = decide(fleet.rules, sight, wish)
        if not isinstance(decision, Start) or sight.group is None:
            _put_back(fleet, sight, decision)
            break
        if decision.version.is_new:
            add_version(fleet.place.ec2, decision.version)
            continue
        can_go_back = sight.current is not None
        if refresh := start(
            fleet.place.autoscaling, fleet.rules, sight.group, decision.version, can_go_back=can_go_back
        ):
            sight, decision = _after_start(fleet, sight, decision, refresh, wish, why, now())
            break
    return sight, decision


def _put_back(fleet: Fleet, sight: Sight, decision: Decision) -> None:
    # what cannot be read now may be a reason to start in the next run, which would add another version
    is_known = not any(lack.is_unread for lack in sight.evidence.lacks)
    is_over = isinstance(decision, Done | Ended | Refused) and is_known
    if fleet.rules.is_automatic and is_over and sight.has_stray_ami and sight.added and sight.current:
        add_version(fleet.place.ec2, sight.added.with_ami(sight.current.ami))


def _after_start(
    fleet: Fleet, sight: Sight, decision: Start, refresh: str, wish: Wish, why: str, now: datetime
) -> tuple[Sight, Decision]:
    """Write the refresh into the record. If somebody else has tried the same without success meanwhile, end it."""
    attempt = attempt_of(fleet, sight, decision.version, refresh, why, now)
    record = sight.record.started(attempt)
    _write(fleet, record)
    refreshes = read_refreshes(fleet.place.autoscaling, fleet.rules.group)
    mine = next((each for each in refreshes if each.id == refresh), None)
    failed = came_between(sight.refreshes, refreshes, mine=refresh)
    if mine and not wish.retry and any(_tried_same(fleet, sight, each, decision.version) for each in failed):
        abort(fleet.place.autoscaling, fleet.rules.group, mine)
    after = replace(sight, refreshes=refreshes, record=record)
    return after, Follow(refresh=mine) if mine else decision


def _tried_same(fleet: Fleet, sight: Sight, refresh: Refresh, version: TemplateVersion) -> bool:
    """Whether a refresh was for a version, or for another one with the same AMI, which is new in the group."""
    if refresh.key == version.key:
        return True
    is_new = sight.current is None or sight.current.ami != version.ami
    if not (is_new and refresh.has_configuration):
        return False
    other = read_version(fleet.place.ec2, number=refresh.version, template=refresh.template)
    return other is not None and other.ami == version.ami


def attempt_of(fleet: Fleet, sight: Sight, version: TemplateVersion, refresh: str, why: str, now: datetime) -> Attempt:
    """What the record says about a refresh that has just been started."""
    return Attempt(
        refresh=refresh,
        template=version.template,
        version=str(version.number),
        ami=version.ami,
        build=sight.builds.get(version.ami, ""),
        previous_ami=sight.current.ami if sight.current else "",
        by=fleet.caller,
        why=why,
        started=f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        holds=fleet.rules.hold_on_failure,
    )


def _write(fleet: Fleet, record: Record) -> None:
    write_record(fleet.place.ssm, fleet.rules.record, record, tags=fleet.rules.tags)
