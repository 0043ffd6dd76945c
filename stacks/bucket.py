"""Private buckets: encrypted, reached over TLS only, and with objects that expire."""

from collections.abc import Sequence

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket
from cdktf_cdktf_provider_aws.s3_bucket_lifecycle_configuration import (
    S3BucketLifecycleConfiguration,
    S3BucketLifecycleConfigurationRule,
    S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload,
    S3BucketLifecycleConfigurationRuleExpiration,
    S3BucketLifecycleConfigurationRuleFilter,
)
from cdktf_cdktf_provider_aws.s3_bucket_policy import S3BucketPolicy
from cdktf_cdktf_provider_aws.s3_bucket_public_access_block import S3BucketPublicAccessBlock
from cdktf_cdktf_provider_aws.s3_bucket_server_side_encryption_configuration import (
    S3BucketServerSideEncryptionConfigurationA,
    S3BucketServerSideEncryptionConfigurationRuleA,
    S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA,
)

from stacks.policy import Statement, only_over_tls, policy

UPLOADS_EXPIRE_AFTER_DAYS = 7
"""When the parts of an unfinished upload are deleted."""


def add_private_bucket(
    stack: TerraformStack,
    construct_id: str,
    *,
    bucket_prefix: str | None = None,
    bucket: str | None = None,
    kms_key: str | None,
    expiring: str,
    expires_in_days: int,
    destroys_objects: bool,
    statements: Sequence[Statement] = (),
) -> S3Bucket:
    """The bucket `construct_id`, and what belongs to it: `<construct_id>_private`, `_encryption`, `_expiry`, `_policy`.

    It is called `bucket`, or starts with `bucket_prefix`, and AWS's provider makes the name unique. Objects whose keys
    start with `expiring` are deleted after `expires_in_days`. Without `kms_key`, S3's own keys encrypt. Unless
    `destroys_objects`, a destroy fails while the bucket has objects. `statements` are further ones of its policy.
    """
    made = S3Bucket(
        stack,
        construct_id,
        bucket=bucket,
        bucket_prefix=bucket_prefix,
        force_destroy=True if destroys_objects else None,
    )
    S3BucketPublicAccessBlock(
        stack,
        f"{construct_id}_private",
        bucket=made.id,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
    )
    _add_encryption(stack, f"{construct_id}_encryption", bucket=made, kms_key=kms_key)
    _add_expiry(stack, f"{construct_id}_expiry", bucket=made, prefix=expiring, days=expires_in_days)
    S3BucketPolicy(
        stack,
        f"{construct_id}_policy",
        bucket=made.id,
        policy=policy(only_over_tls("s3:*", [made.arn, f"{made.arn}/*"]), *statements),
    )
    return made


def _add_encryption(stack: TerraformStack, construct_id: str, *, bucket: S3Bucket, kms_key: str | None) -> None:
    S3BucketServerSideEncryptionConfigurationA(
        stack,
        construct_id,
        bucket=bucket.id,
        rule=[
            S3BucketServerSideEncryptionConfigurationRuleA(
                apply_server_side_encryption_by_default=(
                    S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA(
                        sse_algorithm="aws:kms" if kms_key else "AES256", kms_master_key_id=kms_key
                    )
                ),
                bucket_key_enabled=True if kms_key else None,
            )
        ],
    )


def _add_expiry(stack: TerraformStack, construct_id: str, *, bucket: S3Bucket, prefix: str, days: int) -> None:
    S3BucketLifecycleConfiguration(
        stack,
        construct_id,
        bucket=bucket.id,
        rule=[
            S3BucketLifecycleConfigurationRule(
                id="expire",
                status="Enabled",
                filter=[S3BucketLifecycleConfigurationRuleFilter(prefix=prefix)],
                expiration=[S3BucketLifecycleConfigurationRuleExpiration(days=days)],
            ),
            S3BucketLifecycleConfigurationRule(
                id="abort-uploads",
                status="Enabled",
                # the whole bucket
                filter=[S3BucketLifecycleConfigurationRuleFilter(prefix="")],
                abort_incomplete_multipart_upload=[
                    S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload(
                        days_after_initiation=UPLOADS_EXPIRE_AFTER_DAYS
                    )
                ],
            ),
        ],
    )
