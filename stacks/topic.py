"""Topics: encrypted, reached over TLS only, and used only by services that are named and by principals that IAM allows.

A topic without a policy of its own gets SNS's default, which lets every principal of the account subscribe, publish and
delete. With a policy, only its own statements and IAM policies decide.
"""

from collections.abc import Iterable, Iterator

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
"""The actions that a topic's policy can have. SNS refuses `sns:*` there, because it has more."""

EVENTS, ALARMS = "events.amazonaws.com", "cloudwatch.amazonaws.com"
"""The services that publish notifications: EventBridge and CloudWatch's alarms."""


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

    `publishers` are services (`EVENTS`, `ALARMS`) that publish as themselves; the key must allow them, too
    (`key_statements`). Roles and people need IAM policies of their own to publish.
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
    """For the policy of a topic's key: lets the services that publish to the topic use the key."""
    return [
        {
            "Sid": _SIDS[service],
            "Principal": {"Service": service},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            # in a key's policy: that key
            "Resource": "*",
            "Condition": {
                # The topic is in the encryption context ("Key management" in SNS's developer guide). EventBridge sends
                # no source account to KMS, so a condition on it would lose every message (same page;
                # awslabs/landing-zone-accelerator-on-aws#407).
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
        # permissions"). A rule of another account needs a role there and publishes as that role, which no statement
        # allows ("Sending events to an AWS service in another account").
        return statement
    return {**statement, "Condition": {"StringEquals": {"aws:SourceAccount": account}}}


def publishing(emails: SnsTopic | None, others: Iterable[str], *, key: str) -> Iterator[Statement]:
    """What a function needs to notify people: `emails` is a topic of its own stack, encrypted with `key`, and `others`
    are the ARNs of the team's. Keys of those must let the function's role use them, as their policies say."""
    topics = [*([emails.arn] if emails else []), *others]
    if topics:
        yield {"Sid": "Notify", "Action": "sns:Publish", "Resource": topics}
    if emails:
        yield {
            "Sid": "EncryptNotifications",
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": key,
            "Condition": {"StringLike": {"kms:ViaService": "sns.*.amazonaws.com"}},
        }
