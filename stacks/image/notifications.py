"""Who is told of failed builds: by e-mail from a topic of the stack, and through topics of others."""

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic

from estate.estate import EstateImage
from estate.models.images import Image
from stacks.happenings import Happening, add_rule, subscribe
from stacks.image.scope import ImageScope
from stacks.policy import Statement
from stacks.topic import ALARMS, EVENTS, add_topic, key_statements

_PUBLISHERS = (EVENTS, ALARMS)


def add_notifications(stack: TerraformStack, scope: ImageScope) -> SnsTopic | None:
    """The topic of the e-mails, if there are any, and the rules that find what failed, if somebody is told."""
    told = scope.image.notifications
    topic = _add_topic(stack, scope) if told.emails else None
    if topic or told.topic_arns:
        for happening in _happenings(scope):
            add_rule(stack, happening, topic=topic, topic_arns=told.topic_arns)
    return topic


def _happenings(scope: ImageScope) -> tuple[Happening, ...]:
    """Events as Image Builder's user guide has them ("Event messages that Image Builder sends")."""
    label, rule = scope.names.label, scope.names.failures
    return (
        Happening(
            kind="failed_builds",
            rule=rule,
            description=f"Failed builds of image {label}",
            pattern={
                "source": ["aws.imagebuilder"],
                "detail-type": ["EC2 Image Builder Image State Change"],
                "resources": [{"prefix": f"{scope.image_builder_arn('image')}/"}],
                "detail": {"state": {"status": ["FAILED"]}},
            },
            values={"build": "$.resources[0]", "state": "$.detail.previous-state.status", "time": "$.time"},
            words=f"Image {label}: build <build> failed in state <state> at <time>. Why: aws imagebuilder get-image "
            f"--region {scope.image.home} --query image.state.reason --image-build-version-arn <build>",
        ),
        Happening(
            kind="disabled_pipeline",
            rule=f"{rule}_disabled",
            description=f"Image Builder has disabled the pipeline of image {label}",
            pattern={
                "source": ["aws.imagebuilder"],
                "detail-type": ["EC2 Image Builder Image Pipeline Automatically Disabled"],
                "resources": [scope.image_builder_arn("image-pipeline")],
            },
            values={"count": "$.detail.consecutive-failures"},
            words=f"Image {label}: <count> scheduled builds failed in a row, and Image Builder has disabled the "
            f"pipeline. Mend it, then deploy {scope.names.stack} again.",
        ),
    )


def key_statements_of_emails(declared: EstateImage[Image], *, account: str) -> list[Statement]:
    """What the key must allow for the topic of the e-mails."""
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
