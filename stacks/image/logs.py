"""Where an image pipeline logs: its bucket, where long documents lie, too, and log groups of CloudWatch."""

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
"""Where in the bucket Image Builder writes."""

_RETENTIONS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""The days for which CloudWatch Logs can keep something (PutRetentionPolicy in its API reference)."""


@dataclass(frozen=True)
class LogGroups:
    """The log groups that a pipeline is told to write to."""

    build: CloudwatchLogGroup
    pipeline: CloudwatchLogGroup


def add_log_bucket(stack: TerraformStack, declared: EstateImage[Image], *, kms_key: str) -> S3Bucket:
    """A private, encrypted bucket whose logs expire; it goes with the stack, logs and all.

    What else is in it, the documents of components, stays as long as the stack says.
    """
    return add_private_bucket(
        stack,
        "logs",
        bucket_prefix=declared.names.bucket_prefix,
        kms_key=kms_key,
        expiring=PREFIX,
        expires_in_days=declared.image.log_retention.count("day"),
        goes_with_its_objects=True,
    )


def build_log_arns(scope: ImageScope) -> list[str]:
    """The log groups that builds write to, and what is in them: no others whose names begin alike."""
    return _arns(scope, scope.names.build_log, default=scope.names.default_build_log)


def pipeline_log_arns(scope: ImageScope) -> list[str]:
    """The log groups that say what the pipeline does, and what is in them."""
    return _arns(scope, scope.names.pipeline_log, default=scope.names.default_pipeline_log)


def _arns(scope: ImageScope, group: str, *, default: str) -> list[str]:
    # AWS does not say in which of its two forms the image's name is in the default group's
    groups = [group] if _names_log_groups(scope) else [default, names.in_arn(default)]
    # `:*` is the group and its streams ("Log group ARNs" in the CloudWatch Logs user guide)
    return [scope.arn("logs", f"log-group:{group}:*") for group in groups]


def add_log_groups(stack: TerraformStack, scope: ImageScope) -> LogGroups | None:
    """Encrypted log groups that expire and go with the stack; none where AWS's provider cannot name them."""
    if not _names_log_groups(scope):
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


def _names_log_groups(scope: ImageScope) -> bool:
    return scope.settings.provider_version >= 6
