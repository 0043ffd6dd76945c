"""Topics: encrypted, reached over TLS only, and open to nobody but those that are named.

SNS gives a topic without a policy one that lets every principal of the account subscribe, publish and delete. With a
policy of its own the topic is used by those whose IAM policies allow it, and by the services that the policy names.
"""

from collections.abc import Iterable

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic
from cdktf_cdktf_provider_aws.sns_topic_policy import SnsTopicPolicy

from stacks.policy import Statement, only_over_tls, policy

_ACTIONS = (
    "sns:AddPermission",
    "sns:DeleteTopic",
    "sns:GetTopicAttributes",
    "sns:ListSubscriptionsByTopic",
    "sns:Publish",
    "sns:RemovePermission",
    "sns:SetTopicAttributes",
    "sns:Subscribe",
)
"""What a topic's policy can speak of; SNS refuses `sns:*` there, which has more in it."""

EVENTS, ALARMS = "events.amazonaws.com", "cloudwatch.amazonaws.com"
"""The services that publish what people should know: EventBridge's rules and CloudWatch's alarms."""


def add_topic(
    stack: TerraformStack,
    construct_id: str,
    *,
    name: str,
    kms_key: str,
    account: str,
    publishers: Iterable[str] = (),
    display_name: str | None = None,
) -> SnsTopic:
    """The topic `construct_id` and its `<construct_id>_policy`.

    `publishers` are services (`EVENTS`, `ALARMS`) that publish under their own name; the key must let them, too
    (`key_statements`). Roles and people publish by their own IAM policies.
    """
    topic = SnsTopic(stack, construct_id, name=name, display_name=display_name, kms_master_key_id=kms_key)
    SnsTopicPolicy(
        stack,
        f"{construct_id}_policy",
        arn=topic.arn,
        policy=policy(
            only_over_tls(list(_ACTIONS), topic.arn),
            *(_publishing(service, topic.arn, account) for service in publishers),
        ),
    )
    return topic


def key_statements(publishers: Iterable[str], *, topic_arn: str, account: str) -> list[Statement]:
    """What the key of a topic must allow, in its own policy, for the services that publish to it."""
    return [
        {
            "Sid": _SIDS[service],
            "Principal": {"Service": service},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            # in a key's own policy: that key
            "Resource": "*",
            "Condition": {
                # SNS encrypts under the name of the topic ("Key management" in its developer guide). By that alone
                # where EventBridge publishes: it does not say for whom it asks KMS, and a condition on the source
                # would lose every message (same page; awslabs/landing-zone-accelerator-on-aws#407).
                "StringEquals": {
                    "kms:EncryptionContext:aws:sns:topicArn": topic_arn,
                    **({} if service == EVENTS else {"aws:SourceAccount": account}),
                }
            },
        }
        for service in publishers
    ]


_SIDS = {EVENTS: "EventBridgePublishes", ALARMS: "AlarmsPublish"}


def _publishing(service: str, arn: str, account: str) -> Statement:
    statement: Statement = {
        "Sid": _SIDS[service],
        "Principal": {"Service": service},
        "Action": "sns:Publish",
        "Resource": arn,
    }
    if service == EVENTS:
        # "You can't use Condition blocks in Amazon SNS topic policies for EventBridge" (its user guide, "Amazon SNS
        # permissions"). A rule of another account needs a role there, and so comes under that role's name, which no
        # statement allows ("Sending events to an AWS service in another account").
        return statement
    return {**statement, "Condition": {"StringEquals": {"aws:SourceAccount": account}}}
