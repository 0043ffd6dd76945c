"""Alarms: for failed builds, and for a hand-off that does not work."""

from dataclasses import dataclass
from typing import Literal

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic

from stacks.function import Function
from stacks.image.scope import ImageScope


@dataclass(frozen=True, kw_only=True)
class _Alarm:
    """An alarm that goes off when a metric is above 0. `period` is in seconds."""

    kind: Literal["failed_builds", "problems", "errors", "dead_letters", "overdue"]
    description: str
    namespace: str
    metric: str
    dimensions: dict[str, str]
    period: int = 300


def add_alarms(stack: TerraformStack, scope: ImageScope, *, handoff: Function, emails: SnsTopic | None) -> None:
    """The alarms. Each notifies `settings.alarm_actions`, and the topic for e-mail, except of failed builds."""
    for alarm in _alarms(scope, handoff):
        # EventBridge sends an e-mail about a failed build, with the reason
        topics = [emails.arn] if emails and alarm.kind != "failed_builds" else []
        CloudwatchMetricAlarm(
            stack,
            f"alarm_{alarm.kind}",
            alarm_name=scope.names.alarm(alarm.kind),
            alarm_description=f"{scope.names.label}: {alarm.description}",
            namespace=alarm.namespace,
            metric_name=alarm.metric,
            dimensions=alarm.dimensions,
            statistic="Maximum",
            comparison_operator="GreaterThanThreshold",
            threshold=0,
            period=alarm.period,
            evaluation_periods=1,
            # no data is the normal state
            treat_missing_data="notBreaching",
            alarm_actions=[*scope.settings.alarm_actions, *topics] or None,
        )


def _alarms(scope: ImageScope, handoff: Function) -> list[_Alarm]:
    of_image = {"Image": scope.names.label}
    alarms = [
        _Alarm(
            kind="failed_builds",
            description="a build failed",
            namespace="Goldsmith",
            metric="FailedBuilds",
            dimensions=of_image,
        ),
        _Alarm(
            kind="problems",
            description="the hand-off failed with an error that retrying will not fix",
            namespace="Goldsmith",
            metric="Problems",
            dimensions=of_image,
        ),
        _Alarm(
            kind="errors",
            description="the hand-off function fails",
            namespace="AWS/Lambda",
            metric="Errors",
            dimensions={"FunctionName": handoff.function.function_name},
        ),
        _Alarm(
            kind="dead_letters",
            description="the dead-letter queue of the hand-off has an event",
            namespace="AWS/SQS",
            metric="ApproximateNumberOfMessagesVisible",
            dimensions={"QueueName": handoff.dead_letters.name},
        ),
    ]
    if age := scope.image.notifications.no_new_image_for:
        alarms.append(
            _Alarm(
                kind="overdue",
                description=f"no good build for {age}",
                namespace="Goldsmith",
                metric="Overdue",
                dimensions=of_image,
                # the function writes the metric about every hour
                period=3 * 3600,
            )
        )
    return alarms
