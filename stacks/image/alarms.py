"""What should not go unnoticed: failed builds, and a hand-off that does not work."""

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic

from estate import names
from estate.estate import Estate
from estate.models.images import Image
from stacks.function import Function


def add_alarms(
    stack: TerraformStack, *, estate: Estate, image: Image, handoff: Function, emails: SnsTopic | None
) -> None:
    """The alarms; each tells `settings.alarm_actions`, and by e-mail those whom nothing else tells."""
    subject = f"{estate.settings.namespace}/{image.name}"

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
            alarm_name=names.alarm(estate.settings.namespace, image.name, kind),
            alarm_description=f"{subject}: {description}",
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
            alarm_actions=[*estate.settings.alarm_actions, *([topic.arn] if topic else ())] or None,
        )

    of_image = {"Image": subject}
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
    if image.notifications.no_new_image_for:
        alarm(
            "overdue",
            f"no good build for {image.notifications.no_new_image_for}",
            metric=("Goldsmith", "Overdue"),
            dimensions=of_image,
            # the function says it every hour, more or less
            period=3 * 3600,
        )
