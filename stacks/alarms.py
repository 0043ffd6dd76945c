"""CloudWatch alarms that go off when a metric is above 0, and those of every function."""

from collections.abc import Sequence
from dataclasses import dataclass

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm

from stacks.function import Function


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """An alarm. `kind` is in its names, and `period` is in seconds."""

    kind: str
    description: str
    namespace: str
    metric: str
    dimensions: dict[str, str]
    period: int = 300
    periods: int = 1
    """For how many periods in a row the metric has to be above 0."""


def errors_of(function: Function, *, description: str, period: int = 300) -> Alarm:
    """The function fails."""
    return Alarm(
        kind="errors",
        description=description,
        namespace="AWS/Lambda",
        metric="Errors",
        dimensions={"FunctionName": function.function.function_name},
        period=period,
    )


def dead_letters_of(function: Function, *, description: str, period: int = 300) -> Alarm:
    """The function's dead-letter queue has an event."""
    return Alarm(
        kind="dead_letters",
        description=description,
        namespace="AWS/SQS",
        metric="ApproximateNumberOfMessagesVisible",
        dimensions={"QueueName": function.dead_letters.name},
        period=period,
    )


def add_alarm(stack: TerraformStack, alarm: Alarm, *, name: str, label: str, actions: Sequence[str]) -> None:
    """The alarm `name` of what `label` names; `actions` are the ARNs that it notifies."""
    CloudwatchMetricAlarm(
        stack,
        f"alarm_{alarm.kind}",
        alarm_name=name,
        alarm_description=f"{label}: {alarm.description}",
        namespace=alarm.namespace,
        metric_name=alarm.metric,
        dimensions=alarm.dimensions,
        statistic="Maximum",
        comparison_operator="GreaterThanThreshold",
        threshold=0,
        period=alarm.period,
        evaluation_periods=alarm.periods,
        # no data is the normal state
        treat_missing_data="notBreaching",
        alarm_actions=list(actions) or None,
    )
