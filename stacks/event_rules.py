"""Rules of EventBridge that notify people: a message to the topic for e-mail, and the event itself to other topics."""

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
class EventRule:
    """A rule, and the message of its e-mails: `values` are paths in the event, and `message` has them as `<name>`.

    `kind` is the rule's name in Terraform, `name` its name in AWS.
    """

    kind: str
    name: str
    description: str
    pattern: dict[str, Any]
    values: dict[str, str]
    message: str


def add_rule(stack: TerraformStack, rule: EventRule, *, emails: SnsTopic | None, topic_arns: tuple[str, ...]) -> None:
    """The rule, with a target for the topic for e-mail if there is one, and a target for each of the other topics."""
    made = CloudwatchEventRule(
        stack,
        rule.kind,
        name=rule.name,
        description=rule.description,
        event_pattern=json.dumps(rule.pattern),
    )
    if emails:
        CloudwatchEventTarget(
            stack,
            f"{rule.kind}_emails",
            rule=made.name,
            arn=emails.arn,
            input_transformer=CloudwatchEventTargetInputTransformer(
                input_paths=rule.values, input_template=json.dumps(rule.message)
            ),
        )
    if topic_arns:
        target = CloudwatchEventTarget(stack, f"{rule.kind}_topic", rule=made.name, arn="${each.key}")
        _for_each(target, topic_arns)


def subscribe(stack: TerraformStack, topic: SnsTopic, *, emails: tuple[str, ...]) -> None:
    """The subscriptions `email["team@example.com"]` of a topic."""
    subscription = SnsTopicSubscription(stack, "email", topic_arn=topic.arn, protocol="email", endpoint="${each.key}")
    _for_each(subscription, emails)


def _for_each(resource: TerraformResource, keys: tuple[str, ...]) -> None:
    """One for each key, with the key in its address: when one is removed, the others do not need a new confirmation."""
    resource.add_override("for_each", {key: key for key in keys})
