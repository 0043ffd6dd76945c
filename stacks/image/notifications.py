"""Notifications of failed builds: by e-mail from a topic of the stack, and to other topics."""

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic

from estate.estate import EstateImage
from estate.models.images import Image
from stacks.event_rules import EventRule, add_rule, subscribe
from stacks.image.scope import ImageScope
from stacks.policy import Statement
from stacks.topic import ALARMS, EVENTS, add_topic, key_statements

_PUBLISHERS = (EVENTS, ALARMS)


def add_notifications(stack: TerraformStack, scope: ImageScope) -> SnsTopic | None:
    """The topic for e-mail, if there are addresses, and the rules for failures, if anybody is notified."""
    notifications = scope.image.notifications
    emails = _add_topic(stack, scope) if notifications.emails else None
    if emails or notifications.topic_arns:
        for rule in _rules(scope):
            add_rule(stack, rule, emails=emails, topic_arns=notifications.topic_arns)
    return emails


def _rules(scope: ImageScope) -> tuple[EventRule, ...]:
    """For events of Image Builder ("Event messages that Image Builder sends" in its user guide)."""
    label, name = scope.names.label, scope.names.failures
    return (
        EventRule(
            kind="failed_builds",
            name=name,
            description=f"Failed builds of image {label}",
            pattern={
                "source": ["aws.imagebuilder"],
                "detail-type": ["EC2 Image Builder Image State Change"],
                "resources": [{"prefix": f"{scope.image_builder_arn('image')}/"}],
                "detail": {"state": {"status": ["FAILED"]}},
            },
            values={"build": "$.resources[0]", "state": "$.detail.previous-state.status", "time": "$.time"},
            message=f"Image {label}: build <build> failed in state <state> at <time>. To see the reason: aws "
            f"imagebuilder get-image --region {scope.image.home} --query image.state.reason --image-build-version-arn "
            "<build>",
        ),
        EventRule(
            kind="disabled_pipeline",
            name=f"{name}_disabled",
            description=f"Image Builder has disabled the pipeline of image {label}",
            pattern={
                "source": ["aws.imagebuilder"],
                "detail-type": ["EC2 Image Builder Image Pipeline Automatically Disabled"],
                "resources": [scope.image_builder_arn("image-pipeline")],
            },
            values={"count": "$.detail.consecutive-failures"},
            message=f"Image {label}: <count> scheduled builds failed in a row, and Image Builder has disabled the "
            f"pipeline. Fix the cause, then deploy {scope.names.stack} again.",
        ),
    )


def key_statements_of_emails(declared: EstateImage[Image], *, account: str) -> list[Statement]:
    """For the key's policy, when the stack has a topic for e-mail."""
    topic = declared.arn("sns", declared.names.failures, account=account)
    return key_statements(_PUBLISHERS, topic_arn=topic, account=account)


def _add_topic(stack: TerraformStack, scope: ImageScope) -> SnsTopic:
    topic = add_topic(
        stack,
        "failures_topic",
        name=scope.names.failures,
        display_name=f"{scope.names.namespace} {scope.names.image}",
        kms_key=scope.kms_key,
        account=scope.account,
        publishers=_PUBLISHERS,
    )
    subscribe(stack, topic, emails=scope.image.notifications.emails)
    return topic
