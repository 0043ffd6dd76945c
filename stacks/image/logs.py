"""The bucket of an image pipeline: its build logs, and documents that are too long for a request."""

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket

from estate import names
from estate.any_image import AnyImage
from estate.estate import Estate
from stacks.bucket import add_private_bucket

PREFIX = "logs/"
"""Where in the bucket Image Builder writes."""


def add_log_bucket(stack: TerraformStack, *, estate: Estate, image: AnyImage, kms_key: str) -> S3Bucket:
    """A private, encrypted bucket whose logs expire; it goes with the stack, logs and all.

    What else is in it, the documents of components, stays as long as the stack says.
    """
    return add_private_bucket(
        stack,
        "logs",
        bucket_prefix=names.bucket_prefix(estate.settings.namespace, image.name),
        kms_key=kms_key,
        expiring=PREFIX,
        expires_in_days=image.log_retention_in_days,
        goes_with_its_objects=True,
    )
