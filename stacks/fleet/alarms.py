"""Alarms of the function of a fleet: it does not work, or the fleet needs a person."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic

from estate.arns import Arn
from estate.estate import EstateFleet
from stacks.function import Function

_PERIOD_IN_SECONDS = 600
"""In which the function runs twice."""


@dataclass(frozen=True, kw_only=True)
class _Alarm:
    """An alarm that goes off when a metric is above 0."""

    kind: Literal["errors", "dead_letters", "needs_person"]
    description: str
    namespace: str
    metric: str
    dimensions: dict[str, str]
    periods: int = 1


def add_alarms(stack: TerraformStack, declared: EstateFleet, *, function: Function, emails: SnsTopic | None) -> None:
    """The alarms. Those about the function itself notify whoever is notified of its rollouts; if nobody is, and when a
    person is needed, of which the function itself sends a sentence, those of `settings.alarm_actions` are notified that
    are of the fleet's region and account."""
    others = list(_of_the_settings(declared))
    notified = [*([emails.arn] if emails else []), *declared.fleet.notifications.topic_arns] or others
    for alarm in _alarms(declared, function):
        CloudwatchMetricAlarm(
            stack,
            f"alarm_{alarm.kind}",
            alarm_name=declared.names.alarm(alarm.kind),
            alarm_description=f"{declared.names.label}: {alarm.description}",
            namespace=alarm.namespace,
            metric_name=alarm.metric,
            dimensions=alarm.dimensions,
            statistic="Maximum",
            comparison_operator="GreaterThanThreshold",
            threshold=0,
            period=_PERIOD_IN_SECONDS,
            evaluation_periods=alarm.periods,
            # no data is the normal state
            treat_missing_data="notBreaching",
            alarm_actions=(others if alarm.kind == "needs_person" else notified) or None,
        )


def _of_the_settings(declared: EstateFleet) -> Iterator[str]:
    """Those actions that an alarm of the fleet can have."""
    for action in declared.settings.alarm_actions:
        arn = Arn.parse(action)
        if arn.region == declared.fleet.region and declared.account in (None, arn.account_id):
            yield action


def _alarms(declared: EstateFleet, function: Function) -> list[_Alarm]:
    return [
        _Alarm(
            kind="errors",
            description="the function that rolls out its builds fails",
            namespace="AWS/Lambda",
            metric="Errors",
            dimensions={"FunctionName": function.function.function_name},
        ),
        _Alarm(
            kind="dead_letters",
            description="the dead-letter queue of the function that rolls out its builds has an event",
            namespace="AWS/SQS",
            metric="ApproximateNumberOfMessagesVisible",
            dimensions={"QueueName": function.dead_letters.name},
        ),
        _Alarm(
            kind="needs_person",
            description="a rollout did not end well, or cannot start, and a person is needed: goldsmith status "
            f"{declared.fleet.name}",
            namespace="Goldsmith",
            metric="NeedsPerson",
            dimensions={"Fleet": declared.names.label},
            # not while the instances of a new group start
            periods=2,
        ),
    ]
