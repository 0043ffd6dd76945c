"""Logs of an image pipeline: a bucket, which also has long documents, and log groups in CloudWatch."""

from dataclasses import dataclass

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket

from estate import names
from estate.estate import EstateImage
from estate.models.images import Image
from stacks.bucket import add_private_bucket
from stacks.image.scope import ImageScope

PREFIX = "logs/"
"""Where Image Builder writes logs in the bucket."""

_RETENTIONS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""The retentions in days that CloudWatch Logs has (PutRetentionPolicy in its API reference)."""


@dataclass(frozen=True)
class LogGroups:
    """The log groups that a pipeline writes to."""

    build: CloudwatchLogGroup
    pipeline: CloudwatchLogGroup


def add_log_bucket(stack: TerraformStack, declared: EstateImage[Image], *, kms_key: str) -> S3Bucket:
    """A private, encrypted bucket whose logs expire. It is destroyed with the stack, with its logs.

    Documents in it do not expire.
    """
    return add_private_bucket(
        stack,
        "logs",
        bucket_prefix=declared.names.bucket_prefix,
        kms_key=kms_key,
        expiring=PREFIX,
        expires_in_days=declared.image.log_retention.count("day"),
        destroys_objects=True,
    )


def build_log_arns(scope: ImageScope) -> list[str]:
    """The log groups that builds write to, and their streams; no groups whose names only begin like theirs."""
    return _arns(scope, scope.names.build_log, default=scope.names.default_build_log)


def pipeline_log_arns(scope: ImageScope) -> list[str]:
    """The log groups of the pipeline itself, and their streams."""
    return _arns(scope, scope.names.pipeline_log, default=scope.names.default_pipeline_log)


def _arns(scope: ImageScope, group: str, *, default: str) -> list[str]:
    # AWS does not document which of the two forms of the image's name is in the name of the default group
    groups = [group] if _has_log_groups(scope) else [default, names.in_arn(default)]
    # `:*` is the group and its streams ("Log group ARNs" in the CloudWatch Logs user guide)
    return [scope.arn("logs", f"log-group:{group}:*") for group in groups]


def add_log_groups(stack: TerraformStack, scope: ImageScope) -> LogGroups | None:
    """Encrypted log groups that expire and are destroyed with the stack; None if AWS's provider may not know them."""
    if not _has_log_groups(scope):
        return None
    days = scope.image.log_retention.count("day")
    return LogGroups(
        *(
            CloudwatchLogGroup(
                stack,
                f"{kind}_log",
                name=name,
                kms_key_id=scope.kms_key,
                retention_in_days=next(each for each in _RETENTIONS if each >= days),
            )
            for kind, name in (("build", scope.names.build_log), ("pipeline", scope.names.pipeline_log))
        )
    )


def _has_log_groups(scope: ImageScope) -> bool:
    return scope.settings.providers.aws_major >= 6
