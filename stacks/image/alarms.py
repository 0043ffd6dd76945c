"""What should not go unnoticed: failed builds, and a hand-off that does not work."""

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic

from stacks.function import Function
from stacks.image.scope import ImageScope


def add_alarms(stack: TerraformStack, scope: ImageScope, *, handoff: Function, emails: SnsTopic | None) -> None:
    """The alarms; each tells `settings.alarm_actions`, and by e-mail those whom nothing else tells."""

    def alarm(
        kind: str,
        description: str,
        *,
        metric: tuple[str, str],
        dimensions: dict[str, str],
        period: int = 300,
        topic: SnsTopic | None = emails,
    ) -> None:
        CloudwatchMetricAlarm(
            stack,
            f"alarm_{kind}",
            alarm_name=scope.names.alarm(kind),
            alarm_description=f"{scope.names.label}: {description}",
            namespace=metric[0],
            metric_name=metric[1],
            dimensions=dimensions,
            statistic="Maximum",
            comparison_operator="GreaterThanThreshold",
            threshold=0,
            period=period,
            evaluation_periods=1,
            # silence is the normal state
            treat_missing_data="notBreaching",
            alarm_actions=[*scope.settings.alarm_actions, *([topic.arn] if topic else ())] or None,
        )

    of_image = {"Image": scope.names.label}
    of_function = {"FunctionName": handoff.function.function_name}
    of_queue = {"QueueName": handoff.dead_letters.name}
    # EventBridge sends the mail about it, with the reason
    alarm("failed_builds", "a build failed", metric=("Goldsmith", "FailedBuilds"), dimensions=of_image, topic=None)
    alarm("problems", "the hand-off met what no retry mends", metric=("Goldsmith", "Problems"), dimensions=of_image)
    alarm("errors", "the hand-off's function fails", metric=("AWS/Lambda", "Errors"), dimensions=of_function)
    alarm(
        "dead_letters",
        "the hand-off gave up on an event",
        metric=("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
        dimensions=of_queue,
    )
    if days := scope.image.notifications.no_new_image_for:
        alarm(
            "overdue",
            f"no good build for {days}",
            metric=("Goldsmith", "Overdue"),
            dimensions=of_image,
            # the function says it every hour, more or less
            period=3 * 3600,
        )
