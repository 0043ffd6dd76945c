"""The bucket of an image pipeline: its build logs, and documents that are too long for a request."""

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

from estate import names
from estate.estate import Estate
from estate.image import Image
from stacks.policy import policy

PREFIX = "logs/"
"""Where in the bucket Image Builder writes."""


def add_log_bucket(stack: TerraformStack, *, estate: Estate, image: Image, kms_key: str) -> S3Bucket:
    """A private, encrypted bucket whose logs expire; it goes with the stack, logs and all.

    What else is in it, the documents of components, stays as long as the stack says.
    """
    bucket = S3Bucket(
        stack,
        "logs",
        bucket_prefix=names.bucket_prefix(estate.settings.namespace, image.name),
        force_destroy=True,
    )
    S3BucketPublicAccessBlock(
        stack,
        "logs_private",
        bucket=bucket.id,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
    )
    S3BucketServerSideEncryptionConfigurationA(
        stack,
        "logs_encryption",
        bucket=bucket.id,
        rule=[
            S3BucketServerSideEncryptionConfigurationRuleA(
                apply_server_side_encryption_by_default=(
                    S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA(
                        sse_algorithm="aws:kms", kms_master_key_id=kms_key
                    )
                ),
                bucket_key_enabled=True,
            )
        ],
    )
    S3BucketLifecycleConfiguration(
        stack,
        "logs_expiry",
        bucket=bucket.id,
        rule=[
            S3BucketLifecycleConfigurationRule(
                id="expire",
                status="Enabled",
                filter=[S3BucketLifecycleConfigurationRuleFilter(prefix=PREFIX)],
                expiration=[S3BucketLifecycleConfigurationRuleExpiration(days=image.log_retention_in_days)],
                abort_incomplete_multipart_upload=[
                    S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload(days_after_initiation=7)
                ],
            )
        ],
    )
    S3BucketPolicy(
        stack,
        "logs_policy",
        bucket=bucket.id,
        policy=policy(
            {
                "Sid": "OnlyEncryptedConnections",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [bucket.arn, f"{bucket.arn}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ),
    )
    return bucket
