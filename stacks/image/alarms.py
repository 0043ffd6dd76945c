"""Alarms: for failed builds, and for a hand-off that does not work."""

from collections.abc import Iterator

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic

from stacks.alarms import Alarm, add_alarm, dead_letters_of, errors_of
from stacks.function import Function
from stacks.image.scope import ImageScope


def add_alarms(stack: TerraformStack, scope: ImageScope, *, handoff: Function, emails: SnsTopic | None) -> None:
    """The alarms. Each notifies `settings.alarm_actions`, and the topic for e-mail, except of failed builds."""
    for alarm in _alarms(scope, handoff):
        # EventBridge sends an e-mail about a failed build, with the reason
        topics = [emails.arn] if emails and alarm.kind != "failed_builds" else []
        add_alarm(
            stack,
            alarm,
            name=scope.names.alarm(alarm.kind),
            label=scope.names.label,
            actions=[*scope.settings.alarm_actions, *topics],
        )


def _alarms(scope: ImageScope, handoff: Function) -> Iterator[Alarm]:
    yield _of_image(scope, "failed_builds", "FailedBuilds", description="a build failed")
    yield _of_image(
        scope,
        "problems",
        "Problems",
        description="the hand-off failed with an error that retrying will not fix",
    )
    yield errors_of(handoff, description="the hand-off function fails")
    yield dead_letters_of(handoff, description="the dead-letter queue of the hand-off has an event")
    if age := scope.image.notifications.no_new_image_for:
        # the function writes the metric about every hour
        yield _of_image(scope, "overdue", "Overdue", description=f"no good build for {age}", period=3 * 3600)


def _of_image(scope: ImageScope, kind: str, metric: str, *, description: str, period: int = 300) -> Alarm:
    return Alarm(
        kind=kind,
        description=description,
        namespace="Goldsmith",
        metric=metric,
        dimensions={"Image": scope.names.label},
        period=period,
    )
