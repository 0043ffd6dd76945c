"""Notifications of failed and cancelled rollouts: by e-mail from a topic of the stack, and to other topics."""

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic

from estate.estate import EstateFleet
from stacks.event_rules import EventRule, add_rule, subscribe
from stacks.fleet.encryption import Key, publishers_of
from stacks.topic import add_topic


def add_notifications(stack: TerraformStack, declared: EstateFleet, *, key: Key | None) -> SnsTopic | None:
    """The topic for e-mail, if there are addresses, and the rule for instance refreshes that fail or are cancelled, if
    anybody is notified. The function of a fleet with `updates: automatic` notifies of those itself."""
    notifications = declared.fleet.notifications
    emails = _add_topic(stack, declared, key) if notifications.emails and key else None
    if (emails or notifications.topic_arns) and not declared.fleet.is_automatic:
        add_rule(stack, _failed_rollout(declared), emails=emails, topic_arns=notifications.topic_arns)
    return emails


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


def _add_topic(stack: TerraformStack, declared: EstateFleet, key: Key) -> SnsTopic:
    topic = add_topic(
        stack,
        "rollouts_topic",
        name=declared.names.rollouts,
        display_name=f"{declared.names.namespace} {declared.names.fleet}",
        kms_key=key.arn,
        account=key.account,
        publishers=publishers_of(declared),
    )
    subscribe(stack, topic, emails=declared.fleet.notifications.emails)
    return topic
