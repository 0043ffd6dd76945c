"""Whether the alarms that fleets declare for their rollouts exist: AWS does not start a rollout without them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from estate.estate import EstateFleet
from ops.aws import Aws, asking
from ops.errors import OpsError
from ops.finding import MISSING, UNKNOWN, Finding


def check_alarms(fleets: Sequence[EstateFleet], *, aws: Aws) -> Iterator[Finding]:
    """A line for each fleet with alarms, in the account of these fleets."""
    for declared in fleets:
        if declared.fleet.rollout.alarms:
            yield _check(declared, aws)


def _check(declared: EstateFleet, aws: Aws) -> Finding:
    fleet = declared.fleet
    subject, names = f"alarms of fleet {fleet.name}", [*fleet.rollout.alarms]
    try:
        with asking(fleet.region):
            answer = aws.cloudwatch(fleet.region).describe_alarms(
                AlarmNames=names, AlarmTypes=["MetricAlarm", "CompositeAlarm"]
            )
            states = {
                alarm["AlarmName"]: alarm["StateValue"]
                for kind in ("MetricAlarms", "CompositeAlarms")
                for alarm in answer.get(kind, ())
            }
    except OpsError as error:
        return Finding(subject=subject, state=UNKNOWN, text=str(error))
    if missing := [name for name in names if name not in states]:
        text = f"{', '.join(missing)} does not exist in account {aws.account} and {fleet.region}"
        remedy = "make it there, or take it out of rollout.alarms: AWS does not start a rollout without it"
        return Finding(subject=subject, state=MISSING, text=text, remedy=remedy)
    return Finding(subject=subject, text=", ".join(f"{name} is {states[name]}" for name in names))
