"""The KMS key of a fleet's topic, and of the queue and log of its function."""

from collections.abc import Iterator
from dataclasses import dataclass

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.data_aws_caller_identity import DataAwsCallerIdentity
from cdktf_cdktf_provider_aws.kms_alias import KmsAlias
from cdktf_cdktf_provider_aws.kms_key import KmsKey

from estate import names
from estate.arns import Arn
from estate.estate import EstateFleet
from stacks.policy import Statement, encrypting_logs, own_account, policy
from stacks.topic import ALARMS, EVENTS, key_statements


@dataclass(frozen=True)
class Key:
    """A key, and the account of the stack."""

    account: str
    arn: str


def add_key(stack: TerraformStack, declared: EstateFleet) -> Key | None:
    """The key of the settings, if it is of the fleet's region, or one of the stack: EventBridge cannot use AWS's own
    key for SNS. None where there is nothing to encrypt."""
    fleet, kms_key = declared.fleet, declared.settings.kms_key_id
    if not fleet.notifications.emails and not fleet.is_automatic:
        return None
    account = DataAwsCallerIdentity(stack, "account").account_id
    if kms_key and Arn.parse(kms_key).region == fleet.region:  # a topic needs a key of its region
        return Key(account, kms_key)
    label = declared.names.label
    key = KmsKey(
        stack,
        "key",
        description=f"Topic, queue and log of fleet {label}" if fleet.is_automatic else f"Topic of fleet {label}",
        enable_key_rotation=True,
        policy=policy(
            own_account(declared.arn("iam", "root", account=account, region="")), *_statements(declared, account)
        ),
    )
    KmsAlias(stack, "key_alias", name=f"alias/{label}/rollouts", target_key_id=key.key_id)
    return Key(account, key.arn)


def publishers_of(declared: EstateFleet) -> list[str]:
    """The services that publish to the topic for e-mail; the function of the fleet has a role for that."""
    return [ALARMS] if declared.fleet.is_automatic else [EVENTS]


def _statements(declared: EstateFleet, account: str) -> Iterator[Statement]:
    if declared.fleet.notifications.emails:
        topic = declared.arn("sns", declared.names.rollouts, account=account)
        yield from key_statements(publishers_of(declared), topic_arn=topic, account=account)
    if declared.fleet.is_automatic:
        log = declared.arn("logs", f"log-group:{names.function_log(declared.names.function)}", account=account)
        yield encrypting_logs([log], region=declared.fleet.region)
