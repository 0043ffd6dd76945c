"""What AWS knows about a fleet: what its instances run, and what speaks for and against the AMI of its plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from estate.estate import EstateFleet
from lambda_src.handoff.answers import entries, text
from lambda_src.handoff.builds import time_in
from lambda_src.rollout.configuration import FleetRules
from lambda_src.rollout.decisions import Decision, Done, Ended, Follow, Refused, Sight, Start, Wait, Wish, decide
from lambda_src.rollout.group import Group, TemplateVersion, read_amis_of_instances, read_group
from lambda_src.rollout.guards import build_of
from lambda_src.rollout.look import Seen, look, read_amis, read_seen
from lambda_src.rollout.record import Attempt
from ops import values
from ops.accounts import Accounts
from ops.aws import Aws, asking
from ops.errors import OpsError
from ops.report.facts import Expected, FleetFacts
from ops.report.fleet import PlannedFleet
from ops.rollout_fleets import fleet_of
from ops.rollout_progress import seconds_needed
from ops.screen import moment, moment_in_zone

_OF_RULES = "holds, and what proved the build"
UNKNOWN = f"what runs now, {_OF_RULES}"


def read_declared(planned: PlannedFleet, declared: EstateFleet, *, accounts: Accounts, now: datetime) -> FleetFacts:
    """A fleet that the configuration has, by the rules of its rollouts. Raises `OpsError` when nothing is known.

    Without the account of its image, it is as far as its own account knows it.
    """
    aws = accounts.of_fleet(declared)
    try:
        facts = _by_rules(planned, declared, accounts=accounts, now=now)
    except OpsError as error:
        facts = read_other(replace(planned, region=declared.fleet.region), aws=aws, why=str(error))
    try:
        alarms = tuple(_alarms(declared, aws)) if planned.replaces else ()
    except OpsError as error:
        return replace(facts, lacks=(*facts.lacks, f"its alarms: {error}"))
    return replace(facts, alarms=alarms)


def _by_rules(planned: PlannedFleet, declared: EstateFleet, *, accounts: Accounts, now: datetime) -> FleetFacts:
    """Raises `OpsError`."""
    fleet = fleet_of(declared, accounts)
    with asking(declared.fleet.region):
        seen = read_seen(fleet.rules, fleet.place)
        runs = _runs(seen.group, fleet.place.ec2) if seen.group else {}
        sight, expected = None, None
        if planned.new_ami and not planned.is_destroyed:
            # the rules look at the newest version of the template, which the apply will make
            after = Seen(
                group=seen.group, newest=_planned(planned, seen), current=seen.current, refreshes=seen.refreshes
            )
            sight, _ = look(fleet.rules, fleet.place, fleet.image, runs_of=fleet.runs_of, now=now, seen=after)
        wanted = {planned.old_ami, planned.new_ami, *runs}
        if sight and planned.is_automatic and not planned.is_new:
            wanted.add(sight.newest.ami if sight.newest else "")
            sight, expected = expect(fleet.rules, sight)
            planned = replace(planned, new_ami=expected.ami)
            wanted.add(expected.ami)
        amis = read_amis(fleet.rules, fleet.place, fleet.image, wanted - {""})
        arns = {ami: arn for ami, made in amis.made.items() if (arn := build_of(made))}
    return FleetFacts(
        runs=runs,
        instances=len(seen.group.in_service) if seen.group else None,
        seconds=seconds_needed(fleet.rules.preferences, seen.group) if seen.group and seen.group.in_service else None,
        builds=arns,
        created=amis.created,
        faults=sight.faults if sight else (),
        holds=tuple(rule.text for rule in sight.holds) if sight else (),
        proofs=sight.evidence.proofs if sight else (),
        unproved=tuple(lack.text for lack in sight.evidence.lacks) if sight else (),
        tried=tuple(_tried(planned, sight, now)) if sight else (),
        expected=expected,
    )


def _alarms(declared: EstateFleet, aws: Aws) -> Iterator[str]:
    """What is wrong with the alarms that end its rollouts. Raises `OpsError`."""
    fleet, names = declared.fleet, [*declared.fleet.rollout.alarms]
    if not names:
        return
    with asking(fleet.region):
        kinds = ["MetricAlarm", "CompositeAlarm"]  # the second only if it is asked for
        answer = aws.cloudwatch(fleet.region).describe_alarms(AlarmNames=names, AlarmTypes=kinds)
        found = [*entries(answer, "MetricAlarms"), *entries(answer, "CompositeAlarms")]
        states = {text(each, "AlarmName"): text(each, "StateValue") for each in found}
    for name in names:
        if name not in states:
            yield f"alarm {name} does not exist, and AWS does not start a rollout without it"
        elif states[name] == "ALARM":
            yield f"alarm {name} is in the state ALARM now, which ends a rollout"


def read_other(planned: PlannedFleet, *, aws: Aws, why: str) -> FleetFacts:
    """A fleet by the names in its plan, in its own account; `why` not more is known. Raises `OpsError`."""
    if planned.account and planned.account != aws.account:
        raise OpsError(f"these credentials belong to account {aws.account}, and the fleet to {planned.account}")
    with asking(planned.region):
        group = read_group(aws.autoscaling(planned.region), planned.group)
        runs = _runs(group, aws.ec2(planned.region)) if group else {}
    found = values.read_amis({planned.old_ami, planned.new_ami, *runs}, aws=aws, region=planned.region)
    made = {ami: time_in(image.get("CreationDate")) for ami, image in found.items()}
    return FleetFacts(
        runs=runs,
        instances=len(group.in_service) if group else None,
        builds={ami: arn for ami, image in found.items() if (arn := build_of(image))},
        created={ami: time for ami, time in made.items() if time},
        lacks=(f"{_OF_RULES}: {why}",),
    )


def _planned(planned: PlannedFleet, seen: Seen) -> TemplateVersion:
    newest = seen.newest
    if newest and planned.is_automatic:  # whose AMI no apply changes
        number = newest.number + 1
        return replace(newest, number=number, settings="as the apply makes it") if planned.changed else newest
    return TemplateVersion(
        template=newest.template if newest else "", number=newest.number + 1 if newest else 1, ami=planned.new_ami
    )


def expect(rules: FleetRules, sight: Sight) -> tuple[Sight, Expected]:
    """What the function of a fleet will do, and the fleet as it looks at it then: with the build that its channel
    points to, or with what it runs as long as it must not take that."""
    aim, other = replace(sight, instead=None), sight.instead
    first = decide(rules, aim, Wish())
    if other and isinstance(first, Ended | Wait | Refused):
        second = decide(rules, other, Wish())
        is_later = not isinstance(first, Wait) or (isinstance(second, Wait) and second.until < first.until)
        if isinstance(second, Start) or (is_later and isinstance(second, Wait | Done)):
            return other, _expected(other, second, passed_over=f"{sight.build(aim.newest)}: {_why_not(first)}")
    return aim, _expected(aim, first)


def _expected(sight: Sight, decision: Decision, *, passed_over: str = "") -> Expected:
    when, refused = "", ""
    if isinstance(decision, Wait):
        when = f"from {moment_in_zone(decision.until)} on ({_why_not(decision)})"
    elif isinstance(decision, Follow):
        when = "when the rollout that runs now has ended"
    elif isinstance(decision, Ended | Refused):
        refused = _why_not(decision)
    ami = sight.newest.ami if sight.newest else ""
    return Expected(ami=ami, when=when, refused=refused, passed_over=passed_over)


def _why_not(decision: Ended | Wait | Refused) -> str:
    if isinstance(decision, Ended):
        attempt = decision.attempt
        return f"it {attempt.ended_why}"
    return "; ".join(decision.reasons)


def _runs(group: Group, ec2: Any) -> dict[str, int]:
    """How many instances in service run which AMI."""
    unknown = [each for each in group.in_service if not each.ami]
    found = read_amis_of_instances(ec2, unknown) if unknown else {}
    return dict(Counter(each.ami or found.get(each.id, "") for each in group.in_service))


def _tried(planned: PlannedFleet, sight: Sight, now: datetime) -> Iterator[str]:
    """Rollouts of the planned build that ended otherwise than well, and that no later one made good."""
    build = sight.builds.get(planned.new_ami, "")
    for fleet, record in {planned.name: sight.record, **sight.others}.items():
        last = record.verdict(planned.new_ami)
        if last and last.has_failed:
            yield f"{build or 'this AMI'} {last.ended_how} in fleet {fleet}{_when(last, now)}"


def _when(attempt: Attempt, now: datetime) -> str:
    ended = time_in(attempt.ended)
    when = f" at {moment(ended.astimezone(UTC), now=now)} UTC" if ended else ""
    return when + (f": {attempt.reason.rstrip('.')}" if attempt.reason else "")
