"""A disk image in S3 as parent: a snapshot of it, and an AMI over the snapshot."""

from hashlib import sha256

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.ami import Ami, AmiEbsBlockDevice
from cdktf_cdktf_provider_aws.ebs_snapshot_import import (
    EbsSnapshotImport,
    EbsSnapshotImportDiskContainer,
    EbsSnapshotImportDiskContainerUserBucket,
)

from estate import names
from estate.estate import Estate
from estate.limits import AMI_DESCRIPTION
from estate.models.ami_image import AmiImage
from estate.recipes.ami import Recipe
from stacks.image.components import NEW_BEFORE_OLD
from stacks.image.vm_import_export import add_service_role
from stacks.policy import Statement


def add_parent(stack: TerraformStack, *, estate: Estate, image: AmiImage, recipe: Recipe, account: str) -> str:
    """What the recipe is built from, as Image Builder takes it: for a disk image the ID of an AMI that is made here."""
    disk = image.disk_image
    if disk is None:
        return recipe.parent_image
    namespace, (bucket, key) = estate.settings.namespace, disk.bucket_and_key
    encrypted, device = image.root_volume.encrypted, recipe.root_device.device_name
    name = names.parent_ami(namespace, image.name, _identity(recipe.parent_image, str(encrypted), device))
    description = f"{disk.disk_image}, from which {namespace}/{image.name} is built"
    if not AMI_DESCRIPTION.fits(description):
        description = f"Disk image {name}"
    role, role_policy = add_service_role(
        stack, "import", estate=estate, image=image, account=account, statements=_statements(image, bucket, key)
    )
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
    """Two AMIs of one account cannot share a name, and the new one is made before the old one goes."""
    return sha256("\n".join(of).encode()).hexdigest()[:12]


def _statements(image: AmiImage, bucket: str, key: str) -> list[Statement]:
    partition = names.partition(image.home)
    return [
        {
            "Sid": "FindBucket",
            "Action": ["s3:GetBucketLocation", "s3:ListBucket"],
            "Resource": f"arn:{partition}:s3:::{bucket}",
        },
        {"Sid": "ReadDiskImage", "Action": "s3:GetObject", "Resource": f"arn:{partition}:s3:::{bucket}/{key}"},
    ]
