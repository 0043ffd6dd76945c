"""A disk image in S3 as parent: a snapshot, and an AMI of the snapshot."""

from hashlib import sha256

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.ami import Ami, AmiEbsBlockDevice
from cdktf_cdktf_provider_aws.ebs_snapshot_import import (
    EbsSnapshotImport,
    EbsSnapshotImportDiskContainer,
    EbsSnapshotImportDiskContainerUserBucket,
)

from estate.limits import AMI_DESCRIPTION
from estate.models.ami_image import AmiImage
from estate.recipes.ami import Recipe
from stacks.image.ami.vm_import_export import add_service_role
from stacks.image.components import NEW_BEFORE_OLD
from stacks.image.scope import ImageScope
from stacks.policy import Statement


def add_parent(stack: TerraformStack, scope: ImageScope, *, image: AmiImage, recipe: Recipe) -> str:
    """The parent in the recipe: for a disk image, the ID of an AMI that the stack makes."""
    disk = image.disk_image
    if disk is None:
        return recipe.parent_image
    bucket, key = disk.bucket_and_key
    encrypted, device = image.root_volume.encrypted, recipe.root_device.device_name
    name = scope.names.parent_ami(_identity(recipe.parent_image, str(encrypted), device))
    description = f"{disk.disk_image}, from which {scope.names.label} is built"
    if not AMI_DESCRIPTION.fits(description):
        description = f"Disk image {name}"
    role, role_policy = add_service_role(stack, scope, "import", statements=_statements(scope, bucket, key))
    snapshot = EbsSnapshotImport(
        stack,
        "parent_snapshot",
        description=description,
        disk_container=EbsSnapshotImportDiskContainer(
            format=disk.format,
            user_bucket=EbsSnapshotImportDiskContainerUserBucket(s3_bucket=bucket, s3_key=key),
        ),
        encrypted=encrypted,
        role_name=role.name,
        tags={"Name": name},
        depends_on=[role_policy],
        lifecycle=NEW_BEFORE_OLD,
    )
    ami = Ami(
        stack,
        "parent_ami",
        name=name,
        description=description,
        architecture=image.ami_architecture,
        boot_mode=disk.boot_mode or {"x86_64": "legacy-bios", "arm64": "uefi"}[image.architecture],
        ena_support=True,
        root_device_name=device,
        virtualization_type="hvm",
        ebs_block_device=[
            AmiEbsBlockDevice(
                device_name=device, snapshot_id=snapshot.id, volume_type="gp3", delete_on_termination=True
            )
        ],
        lifecycle=NEW_BEFORE_OLD,
    )
    return ami.id


def _identity(*of: str) -> str:
    """Names of AMIs are unique in an account, and a new AMI is made before the old one is destroyed."""
    return sha256("\n".join(of).encode()).hexdigest()[:12]


def _statements(scope: ImageScope, bucket: str, key: str) -> list[Statement]:
    return [
        {
            "Sid": "FindBucket",
            "Action": ["s3:GetBucketLocation", "s3:ListBucket"],
            "Resource": scope.s3_arn(bucket),
        },
        {"Sid": "ReadDiskImage", "Action": "s3:GetObject", "Resource": scope.s3_arn(f"{bucket}/{key}")},
    ]
