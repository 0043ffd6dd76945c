"""Disk images of builds in S3: their bucket, and the role that writes them."""

from dataclasses import dataclass

from cdktf import TerraformStack

from estate.models.durations import Duration
from estate.models.export import Export
from stacks.bucket import add_private_bucket
from stacks.image.ami.vm_import_export import add_service_role
from stacks.image.scope import ImageScope
from stacks.policy import Statement

_RETENTION = Duration(90, "day")


@dataclass(frozen=True)
class Destination:
    """Where disk images are written, in which format, and with which role."""

    disk_image_format: str
    role_name: str
    s3_bucket: str
    s3_prefix: str


def add_export(stack: TerraformStack, scope: ImageScope, *, export: Export) -> Destination:
    """The bucket, unless one is configured, and the role.

    S3's own keys encrypt the bucket, because VM Import/Export cannot write to a bucket with a KMS key.
    """
    prefix = f"{export.s3_prefix or scope.names.exports_folder}/"
    bucket, arn = export.s3_bucket, scope.s3_arn(f"{export.s3_bucket}")
    if bucket is None:
        made = add_private_bucket(
            stack,
            "exports",
            bucket_prefix=scope.names.bucket_prefix,
            kms_key=None,
            expiring=prefix,
            expires_in_days=(export.retention or _RETENTION).count("day"),
            destroys_objects=False,
        )
        bucket, arn = made.bucket, made.arn
    role, _ = add_service_role(stack, scope, "export", statements=_statements(arn, prefix, scope.account))
    return Destination(export.disk_image_format, role.name, bucket, prefix)


def _statements(bucket: str, prefix: str, account: str) -> list[Statement]:
    # the ARN of a bucket has no account, and another account can take the name of a deleted bucket
    ours = {"StringEquals": {"aws:ResourceAccount": account}}
    return [
        {
            "Sid": "FindBucket",
            "Action": ["s3:GetBucketAcl", "s3:GetBucketLocation", "s3:ListBucket"],
            "Resource": bucket,
            "Condition": ours,
        },
        {
            "Sid": "WriteDiskImages",
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": f"{bucket}/{prefix}*",
            "Condition": ours,
        },
    ]
