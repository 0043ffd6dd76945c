"""Notifications of failed and cancelled rollouts: by e-mail from a topic of the stack, and to other topics."""

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.data_aws_caller_identity import DataAwsCallerIdentity
from cdktf_cdktf_provider_aws.kms_alias import KmsAlias
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic

from estate.arns import Arn
from estate.estate import EstateFleet
from stacks.event_rules import EventRule, add_rule, subscribe
from stacks.policy import own_account, policy
from stacks.topic import EVENTS, add_topic, key_statements


def add_notifications(stack: TerraformStack, declared: EstateFleet) -> None:
    """The topic for e-mail, and the rule for instance refreshes that fail or are cancelled, if anybody is notified."""
    notifications = declared.fleet.notifications
    emails = _add_topic(stack, declared) if notifications.emails else None
    if emails or notifications.topic_arns:
        add_rule(stack, _failed_rollout(declared), emails=emails, topic_arns=notifications.topic_arns)


def _failed_rollout(declared: EstateFleet) -> EventRule:
    """For events of Auto Scaling ("Instance refresh example events and patterns" in its user guide; those of a rollback
    are in EventBridge's reference of Auto Scaling events). None of them has a reason."""
    fleet, label, group = declared.fleet, declared.names.label, declared.names.group
    refresh = "EC2 Auto Scaling Instance Refresh"
    again = f", and to try again: goldsmith rollout {fleet.name} --retry" if fleet.rollout.by == "goldsmith" else ""
    return EventRule(
        kind="failed_rollouts",
        name=declared.names.rollouts,
        description=f"Instance refreshes of fleet {label} that failed or were cancelled",
        pattern={
            "source": ["aws.autoscaling"],
            "detail-type": [
                f"{refresh} {end}" for end in ("Failed", "Cancelled", "Rollback Succeeded", "Rollback Failed")
            ],
            "detail": {"AutoScalingGroupName": [group]},
        },
        values={"event": "$.detail-type", "refresh": "$.detail.InstanceRefreshId", "time": "$.time"},
        message=f"Fleet {label}: <event> at <time>, so instances may still run an older build. To see the reason: aws "
        f"autoscaling describe-instance-refreshes --region {fleet.region} --auto-scaling-group-name {group} --query "
        f"InstanceRefreshes[0].StatusReason --instance-refresh-ids <refresh>. What to do: goldsmith status "
        f"{fleet.name}{again}",
    )


def _add_topic(stack: TerraformStack, declared: EstateFleet) -> SnsTopic:
    account = DataAwsCallerIdentity(stack, "account").account_id
    kms_key = declared.settings.kms_key_id
    if kms_key is None or Arn.parse(kms_key).region != declared.fleet.region:  # a topic needs a key of its region
        kms_key = _add_key(stack, declared, account=account)
    topic = add_topic(
        stack,
        "rollouts_topic",
        name=declared.names.rollouts,
        display_name=f"{declared.names.namespace} {declared.names.fleet}",
        kms_key=kms_key,
        account=account,
        publishers=[EVENTS],
    )
    subscribe(stack, topic, emails=declared.fleet.notifications.emails)
    return topic


def _add_key(stack: TerraformStack, declared: EstateFleet, *, account: str) -> str:
    """The ARN of a key of the stack, because EventBridge cannot use AWS's own key for SNS."""
    label, topic = declared.names.label, declared.arn("sns", declared.names.rollouts, account=account)
    key = KmsKey(
        stack,
        "key",
        description=f"Topic of fleet {label}",
        enable_key_rotation=True,
        policy=policy(
            own_account(declared.arn("iam", "root", account=account, region="")),
            *key_statements([EVENTS], topic_arn=topic, account=account),
        ),
    )
    KmsAlias(stack, "key_alias", name=f"alias/{label}/rollouts", target_key_id=key.key_id)
    return key.arn
