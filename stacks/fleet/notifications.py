"""Who hears of rollouts that did not end well: by e-mail from a topic of the stack, and through topics of others."""

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.data_aws_caller_identity import DataAwsCallerIdentity
from cdktf_cdktf_provider_aws.kms_alias import KmsAlias
from cdktf_cdktf_provider_aws.kms_key import KmsKey
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic

from estate.arns import Arn
from estate.estate import EstateFleet
from stacks.happenings import Happening, add_rule, subscribe
from stacks.policy import own_account, policy
from stacks.topic import EVENTS, add_topic, key_statements


def add_notifications(stack: TerraformStack, declared: EstateFleet) -> None:
    """The topic of the e-mails, if there are any, and the rule that finds refreshes that failed or were cancelled.

    Nothing at all for a fleet without `notifications:`.
    """
    wanted = declared.fleet.notifications
    topic = _add_topic(stack, declared) if wanted.emails else None
    if topic or wanted.topic_arns:
        add_rule(stack, _failed_rollout(declared), topic=topic, topic_arns=wanted.topic_arns)


def _failed_rollout(declared: EstateFleet) -> Happening:
    """Events as the user guide of Auto Scaling has them ("Instance refresh example events and patterns"), and the names
    of those of a rollback as EventBridge's reference of Auto Scaling events has them. None of them says why."""
    fleet, label, group = declared.fleet, declared.names.label, declared.names.group
    refresh = "EC2 Auto Scaling Instance Refresh"
    return Happening(
        kind="failed_rollouts",
        rule=declared.names.rollouts,
        description=f"Instance refreshes of fleet {label} that failed or were cancelled",
        pattern={
            "source": ["aws.autoscaling"],
            "detail-type": [
                f"{refresh} {end}" for end in ("Failed", "Cancelled", "Rollback Succeeded", "Rollback Failed")
            ],
            "detail": {"AutoScalingGroupName": [group]},
        },
        values={"event": "$.detail-type", "refresh": "$.detail.InstanceRefreshId", "time": "$.time"},
        words=f"Fleet {label}: <event> at <time>, so instances may still run an older build. Why: aws autoscaling "
        f"describe-instance-refreshes --region {fleet.region} --auto-scaling-group-name {group} --query "
        f"InstanceRefreshes[0].StatusReason --instance-refresh-ids <refresh>. What to do: python -m ops status "
        f"{fleet.name}",
    )


def _add_topic(stack: TerraformStack, declared: EstateFleet) -> SnsTopic:
    account = DataAwsCallerIdentity(stack, "account").account_id
    kms_key = declared.settings.kms_key
    if kms_key is None or Arn.parse(kms_key).region != declared.fleet.region:  # a topic takes only a key of its region
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
    """The ARN of a key of the stack's own: AWS's own key for SNS does not let EventBridge use it."""
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
