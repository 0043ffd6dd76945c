"""The KMS key of an image pipeline, for its topics, queue, logs and bucket."""

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.kms_alias import KmsAlias
from cdktf_cdktf_provider_aws.kms_key import KmsKey

from estate import names
from estate.estate import EstateImage
from estate.models.images import Image
from stacks.image.notifications import key_statements_of_emails
from stacks.policy import Statement, encrypting_logs, own_account, policy

_SERVICE_LINKED_ROLE = "role/aws-service-role/imagebuilder.amazonaws.com/AWSServiceRoleForImageBuilder"


def add_key(stack: TerraformStack, declared: EstateImage[Image], *, account: str) -> str:
    """The ARN of the key in the settings, or of a key that the stack makes, rotated every year."""
    if declared.settings.kms_key_id:
        return declared.settings.kms_key_id
    key = KmsKey(
        stack,
        "key",
        description=f"Topic, queue, log and bucket of image {declared.names.label}",
        enable_key_rotation=True,
        policy=policy(
            *_statements(declared, account),
            *(key_statements_of_emails(declared, account=account) if declared.image.notifications.emails else ()),
        ),
    )
    KmsAlias(stack, "key_alias", name=f"alias/{declared.names.label}", target_key_id=key.key_id)
    return key.arn


def _log_groups(declared: EstateImage[Image]) -> list[str]:
    groups = [names.function_log(declared.names.handoff)]
    if declared.settings.providers.aws_major >= 6:
        groups += [declared.names.build_log, declared.names.pipeline_log]
    return groups


def _statements(declared: EstateImage[Image], account: str) -> list[Statement]:
    region = declared.image.home
    # in a key's policy the resource "*" is that key
    return [
        own_account(declared.arn("iam", "root", account=account, region="")),
        {
            # The service-linked role may not exist yet, and KMS refuses a policy with a principal that does not exist.
            # So the principal is "*", with the conditions that it is that role of this account, and through SNS only.
            "Sid": "ImageBuilderPublishes",
            "Principal": {"AWS": "*"},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            "Resource": "*",
            "Condition": {
                "StringEquals": {
                    "kms:CallerAccount": account,
                    "kms:ViaService": f"sns.{region}.amazonaws.com",
                },
                "ArnEquals": {
                    "aws:PrincipalArn": declared.arn("iam", _SERVICE_LINKED_ROLE, account=account, region="")
                },
            },
        },
        {
            "Sid": "TopicWritesDeadLetters",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:SourceAccount": account}},
        },
        encrypting_logs(
            [declared.arn("logs", f"log-group:{name}", account=account) for name in _log_groups(declared)],
            region=region,
        ),
    ]
