"""The stack of the history of channels: a bucket with one object for each move, for all images of a home region.

It has a stack of its own so that the history outlives the images: a destroy of an image's stack does not touch it, and
a destroy of this one fails while there are objects.
"""

from cdktf import TerraformOutput, TerraformStack
from cdktf_cdktf_provider_aws.data_aws_caller_identity import DataAwsCallerIdentity
from constructs import Construct

from estate.arns import Arn, partition
from estate.estate import Estate
from lambda_src.handoff.configuration import history_bucket
from stacks.bucket import add_private_bucket
from stacks.policy import Statement
from stacks.terraform import add_terraform


class HistoryStack(TerraformStack):
    """The stack `history-<region>`, or `history-<account>-<region>` where the images name an account.

    Its output is the bucket's name.
    """

    def __init__(self, scope: Construct, *, estate: Estate, name: str) -> None:
        account_name, region = estate.histories[name]
        super().__init__(scope, name)
        settings = estate.settings
        add_terraform(
            self,
            settings=settings,
            region=region,
            tags={},
            account=account_name,
            provider=settings.provider_of(account_name, region=region),
        )
        account = DataAwsCallerIdentity(self, "account").account_id
        bucket = history_bucket(estate.namespace, account=account, region=region)
        made = add_private_bucket(
            self,
            "history",
            bucket=bucket,
            kms_key=None,  # S3's own keys: who may read the bucket needs no permission for a key
            expiring="moves/",
            expires_in_days=settings.history_kept_for.count("day"),
            destroys_objects=False,
            statements=_write_once(str(Arn(partition(region), "s3", "", "", bucket))),
        )
        TerraformOutput(self, "history_bucket", value=made.bucket)


def _write_once(bucket: str) -> list[Statement]:
    """Nobody replaces or deletes a move; S3 itself deletes those that have expired.

    `s3:if-none-match` is absent in a request that would replace an object ("Enforce conditional writes on Amazon S3
    buckets" in its user guide).
    """
    moves = f"{bucket}/moves/*"
    return [
        {
            "Sid": "WriteMovesOnce",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": moves,
            "Condition": {"Null": {"s3:if-none-match": "true"}},
        },
        {
            "Sid": "DeleteNoMoves",
            "Effect": "Deny",
            "Principal": "*",
            "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion"],
            "Resource": moves,
        },
    ]
