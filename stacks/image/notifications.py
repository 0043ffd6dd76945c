"""Who is told of failed builds: by e-mail from a topic of the stack, and through topics of others."""

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic

from estate import names
from estate.estate import Estate
from estate.models.images import Image
from stacks.happenings import Happening, add_rule, subscribe
from stacks.policy import Statement
from stacks.topic import ALARMS, EVENTS, add_topic, key_statements

_PUBLISHERS = (EVENTS, ALARMS)


def add_notifications(
    stack: TerraformStack, *, estate: Estate, image: Image, account: str, kms_key: str
) -> SnsTopic | None:
    """The topic of the e-mails, if there are any, and the rules that find what failed, if somebody is told."""
    told = image.notifications
    topic = _add_topic(stack, estate=estate, image=image, account=account, kms_key=kms_key) if told.emails else None
    if topic or told.topic_arns:
        for happening in _happenings(estate, image, account=account):
            add_rule(stack, happening, topic=topic, topic_arns=told.topic_arns)
    return topic


def _happenings(estate: Estate, image: Image, *, account: str) -> tuple[Happening, ...]:
    """Events as Image Builder's user guide has them ("Event messages that Image Builder sends")."""
    namespace, home = estate.settings.namespace, image.home
    own = names.in_arn(names.image_builder(namespace, image.name))
    builds = f"arn:{names.partition(home)}:imagebuilder:{home}:{account}:image/{own}/"
    pipeline = names.pipeline_arn(namespace=namespace, image=image.name, region=home, account=account)
    label = f"{namespace}/{image.name}"
    return (
        Happening(
            kind="failed_builds",
            rule=names.failures(namespace, image.name),
            description=f"Failed builds of image {label}",
            pattern={
                "source": ["aws.imagebuilder"],
                "detail-type": ["EC2 Image Builder Image State Change"],
                "resources": [{"prefix": builds}],
                "detail": {"state": {"status": ["FAILED"]}},
            },
            values={"build": "$.resources[0]", "state": "$.detail.previous-state.status", "time": "$.time"},
            words=f"Image {label}: build <build> failed in state <state> at <time>. Why: aws imagebuilder get-image "
            f"--region {home} --query image.state.reason --image-build-version-arn <build>",
        ),
        Happening(
            kind="disabled_pipeline",
            rule=f"{names.failures(namespace, image.name)}_disabled",
            description=f"Image Builder has disabled the pipeline of image {label}",
            pattern={
                "source": ["aws.imagebuilder"],
                "detail-type": ["EC2 Image Builder Image Pipeline Automatically Disabled"],
                "resources": [pipeline],
            },
            values={"count": "$.detail.consecutive-failures"},
            words=f"Image {label}: <count> scheduled builds failed in a row, and Image Builder has disabled the "
            f"pipeline. Mend it, then deploy {names.image_stack(image.name)} again.",
        ),
    )


def key_statements_of_emails(*, estate: Estate, image: Image, account: str) -> list[Statement]:
    """What the key must allow for the topic of the e-mails."""
    name = names.failures(estate.settings.namespace, image.name)
    return key_statements(_PUBLISHERS, name=name, region=image.home, account=account)


def _add_topic(stack: TerraformStack, *, estate: Estate, image: Image, account: str, kms_key: str) -> SnsTopic:
    topic = add_topic(
        stack,
        "failures_topic",
        name=names.failures(estate.settings.namespace, image.name),
        display_name=f"{estate.settings.namespace} {image.name}",
        kms_key=kms_key,
        account=account,
        publishers=_PUBLISHERS,
    )
    subscribe(stack, topic, emails=image.notifications.emails)
    return topic
