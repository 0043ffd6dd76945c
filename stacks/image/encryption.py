"""The key of an image pipeline: for its topic, queue, log and bucket."""

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.kms_alias import KmsAlias
from cdktf_cdktf_provider_aws.kms_key import KmsKey

from estate import names
from estate.estate import Estate
from estate.models.images import Image
from stacks.image.notifications import key_statements_of_emails
from stacks.policy import Statement, policy


def add_key(stack: TerraformStack, *, estate: Estate, image: Image, account: str) -> str:
    """The ARN of the key: the one that the settings name, or one of the stack's own, rotated every year."""
    settings = estate.settings
    if settings.kms_key:
        return settings.kms_key
    key = KmsKey(
        stack,
        "key",
        description=f"Topic, queue, log and bucket of image {settings.namespace}/{image.name}",
        enable_key_rotation=True,
        policy=policy(
            *_statements(image, _log_groups(estate, image), account),
            *(
                key_statements_of_emails(estate=estate, image=image, account=account)
                if image.notifications.emails
                else ()
            ),
        ),
    )
    KmsAlias(stack, "key_alias", name=f"alias/{settings.namespace}/{image.name}", target_key_id=key.key_id)
    return key.arn


def _log_groups(estate: Estate, image: Image) -> list[str]:
    namespace, name = estate.settings.namespace, image.name
    groups = [names.function_log(names.handoff(namespace, name))]
    if estate.settings.provider_version >= 6:
        groups += [names.build_log(namespace, name), names.pipeline_log(namespace, name)]
    return groups


def _statements(image: Image, log_groups: list[str], account: str) -> list[Statement]:
    region, partition = image.home, names.partition(image.home)
    # in a key's own policy the resource "*" is that key
    return [
        {
            "Sid": "ThisAccountByItsPolicies",
            "Principal": {"AWS": f"arn:{partition}:iam::{account}:root"},
            "Action": "kms:*",
            "Resource": "*",
        },
        {
            # The service-linked role may not exist yet, and a policy that names an absent principal is refused: so
            # anyone, on the condition of being that role of this account, and through SNS only.
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
                    "aws:PrincipalArn": f"arn:{partition}:iam::{account}:role/aws-service-role/"
                    "imagebuilder.amazonaws.com/AWSServiceRoleForImageBuilder"
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
        {
            "Sid": "LogGroups",
            "Principal": {"Service": f"logs.{region}.amazonaws.com"},
            "Action": [
                "kms:Decrypt*",
                "kms:Describe*",
                "kms:Encrypt*",
                "kms:GenerateDataKey*",
                "kms:ReEncrypt*",
            ],
            "Resource": "*",
            "Condition": {
                "ArnEquals": {
                    "kms:EncryptionContext:aws:logs:arn": [
                        f"arn:{partition}:logs:{region}:{account}:log-group:{name}" for name in log_groups
                    ]
                }
            },
        },
    ]
