"""Disk images for machines on premises, which VM Import/Export makes of each build's AMI.

What it exports: Linux for x86_64 whose volumes are not encrypted and have at most 1 TiB each; nothing with software
that AWS licenses, such as Windows or products of AWS Marketplace; only systems that start by BIOS or by UEFI but are
not made for both; only into a bucket of the same account, unencrypted or encrypted by S3's own keys: a bucket with a
KMS key is refused ("Considerations for image export" in its user guide). So `root_volume: {encrypted: false}` has to be
written, and where the account encrypts all new volumes by default, AWS refuses still.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, StrictInt, model_validator

from estate.models.types import FROZEN, BucketName, FolderPath
from estate.problems import RuleError, shown

DiskImageFormat = Literal["VMDK", "VHD", "RAW"]


class Export(BaseModel):
    """A disk image of each build, in a bucket of the home region."""

    model_config = FROZEN

    disk_image_format: DiskImageFormat
    """VMDK for VMware, VHD for Hyper-V and Xen, or RAW."""
    s3_bucket: BucketName | None = None
    """A bucket of the same account, in the home region and without a KMS key. Without it: the stack makes one, private
    and encrypted by S3's own keys. It stops a destroy, and the end of `export:`, while there are disk images in it."""
    s3_prefix: FolderPath | None = None
    """The folder in the bucket. Without it: `<namespace>/<image>`."""
    retention_in_days: Annotated[StrictInt, Field(ge=1, le=3653)] | None = None
    """How long disk images are kept in the bucket that the stack makes. Without it: 90 days."""

    @model_validator(mode="after")
    def _keeps_only_its_own(self) -> Self:
        if self.s3_bucket and self.retention_in_days:
            raise RuleError(
                "only the bucket that the stack makes forgets by itself",
                got=shown(self.retention_in_days),
                remedy="delete it, or s3_bucket",
                key=("retention_in_days",),
            )
        return self
