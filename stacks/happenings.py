"""What EventBridge finds for people: rules that send words to the topic of e-mails, and the event to other topics."""

import json
from dataclasses import dataclass
from typing import Any

from cdktf import TerraformResource, TerraformStack
from cdktf_cdktf_provider_aws.cloudwatch_event_rule import CloudwatchEventRule
from cdktf_cdktf_provider_aws.cloudwatch_event_target import (
    CloudwatchEventTarget,
    CloudwatchEventTargetInputTransformer,
)
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic
from cdktf_cdktf_provider_aws.sns_topic_subscription import SnsTopicSubscription


@dataclass(frozen=True)
class Happening:
    """What EventBridge looks for, and what a mail says of it: `values` are paths in the event, `<name>` in `words`.

    `kind` is the rule's name in Terraform, `rule` its name in AWS.
    """

    kind: str
    rule: str
    description: str
    pattern: dict[str, Any]
    values: dict[str, str]
    words: str


def add_rule(
    stack: TerraformStack, happening: Happening, *, topic: SnsTopic | None, topic_arns: tuple[str, ...]
) -> None:
    """The rule, with a target for the topic of e-mails if there is one, and one for each of the other topics."""
    rule = CloudwatchEventRule(
        stack,
        happening.kind,
        name=happening.rule,
        description=happening.description,
        event_pattern=json.dumps(happening.pattern),
    )
    if topic:
        CloudwatchEventTarget(
            stack,
            f"{happening.kind}_emails",
            rule=rule.name,
            arn=topic.arn,
            input_transformer=CloudwatchEventTargetInputTransformer(
                input_paths=happening.values, input_template=json.dumps(happening.words)
            ),
        )
    if topic_arns:
        target = CloudwatchEventTarget(stack, f"{happening.kind}_topic", rule=rule.name, arn="${each.key}")
        _for_each(target, topic_arns)


def subscribe(stack: TerraformStack, topic: SnsTopic, *, emails: tuple[str, ...]) -> None:
    """The subscriptions `email["team@example.com"]` of a topic."""
    subscription = SnsTopicSubscription(stack, "email", topic_arn=topic.arn, protocol="email", endpoint="${each.key}")
    _for_each(subscription, emails)


def _for_each(resource: TerraformResource, keys: tuple[str, ...]) -> None:
    """By the keys themselves, such as `email["team@example.com"]`: when one goes, no other has to be confirmed anew."""
    resource.add_override("for_each", {key: key for key in keys})
