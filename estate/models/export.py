"""Disk images for machines on premises, which VM Import/Export makes of each build's AMI.

VM Import/Export can export Linux for x86_64, from volumes that are not encrypted and have at most 1 TiB each. It cannot
export software that AWS licenses, such as Windows or products of AWS Marketplace, nor systems that start both by BIOS
and by UEFI. The bucket must be in the same account, unencrypted or encrypted with S3's own keys: a bucket with a KMS
key is refused ("Considerations for image export" in its user guide). So `root_volume: {encrypted: false}` is required,
and where the account encrypts all new volumes by default, AWS still refuses the export.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, model_validator

from estate.models.durations import Counted, Duration
from estate.models.types import FROZEN, BucketName, FolderPath
from estate.problems import RuleError, shown

DiskImageFormat = Literal["VMDK", "VHD", "RAW"]


class Export(BaseModel):
    """A disk image of each build, in a bucket of the home region."""

    model_config = FROZEN

    disk_image_format: DiskImageFormat
    """VMDK for VMware, VHD for Hyper-V and Xen, or RAW."""
    s3_bucket: BucketName | None = None
    """A bucket of the same account, in the home region and without a KMS key. While the bucket that the stack creates
    has disk images, the stack cannot be destroyed, and `export:` cannot be removed. Default: the stack creates one,
    private and encrypted with S3's own keys."""
    s3_prefix: FolderPath | None = None
    """The folder in the bucket. Default: `<namespace>/<image>`."""
    retention: Annotated[Duration, Counted("day", least=1, most=3653)] | None = None
    """How long disk images are kept in the bucket that the stack creates. Default: 90 days."""

    @model_validator(mode="after")
    def _keeps_only_its_own(self) -> Self:
        if self.s3_bucket and self.retention:
            raise RuleError(
                "is only for the bucket that the stack creates",
                got=shown(str(self.retention)),
                remedy="delete it, or s3_bucket",
                key=("retention",),
            )
        return self
