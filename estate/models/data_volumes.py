"""Volumes in addition to the root volume, by device name: those of images, and those of the instances of fleets.

The names are from "Device names for volumes on Amazon EC2 instances" in EC2's user guide.
"""

from typing import Annotated, Self

from pydantic import BaseModel, Field, StrictBool, StrictInt, model_validator

from estate.models.types import FROZEN, KmsKeyArn, Matching, Text
from estate.models.volumes import AnyVolumeType, check_volume

# those with numbers, such as /dev/sdf1, are for paravirtual instances only, which no instance type of today is
_DEVICE = r"(/dev/)?(sd[b-z]|xvd([b-z]|[b-d][a-z]))"

DeviceName = Annotated[
    Text,
    Matching(
        _DEVICE,
        "must be the name of a device other than the root device",
        "write /dev/sdf to /dev/sdp, on Windows xvdf to xvdz; the root volume is root_volume",
    ),
]
SnapshotId = Annotated[Text, Matching(r"snap-[0-9a-f]{8,17}", "must be a snapshot's ID", "write it as snap-…")]


def same_device(name: str) -> str:
    """The common form of two names that mean one device: Linux may call `/dev/sdf` `/dev/xvdf`."""
    return name.removeprefix("/dev/").replace("xvd", "sd")


class ImageVolume(BaseModel):
    """A volume of the image in addition to the root volume. Instances get it too, unless their fleet declares another.

    It is encrypted as the root volume is, with the same key. Its content is what builds write to it: a build has to
    mount the volume itself.
    """

    model_config = FROZEN

    volume_size: Annotated[StrictInt, Field(ge=1, le=16_000)] | None = None
    """Its size in GiB. Default: that of the snapshot, or of the base's volume of that name; if there is neither, the
    size is required."""
    volume_type: AnyVolumeType = "gp3"
    """Its type. Default: gp3."""
    iops: Annotated[StrictInt, Field(ge=100, le=64_000)] | None = None
    """I/O operations per second of a gp3 volume, at least 3000, or of an io1 or io2 volume, which require it; at most
    10000 unless `settings.providers` is version 6. Default: 3000."""
    throughput: Annotated[StrictInt, Field(ge=125, le=1000)] | None = None
    """Throughput of a gp3 volume in MiB per second. Default: 125."""
    snapshot_id: SnapshotId | None = None
    """The snapshot in the home region from which builds create the volume. Default: the volume starts empty, or as the
    base's volume of that name."""
    delete_on_termination: StrictBool = True
    """Whether the volume is deleted when its instance is terminated. With `false`, each instance, also that of a build,
    leaves a volume that you pay for until you delete it. Default: it is deleted."""

    @model_validator(mode="after")
    def _fits_type(self) -> Self:
        check_volume(
            volume_type=self.volume_type, volume_size=self.volume_size, iops=self.iops, throughput=self.throughput
        )
        return self


class FleetVolume(BaseModel):
    """A volume of the instances in addition to the root volume; it replaces the image's volume of that name, if there
    is one. Always encrypted. The limits are those of EBS and of AWS's provider."""

    model_config = FROZEN

    volume_size: Annotated[StrictInt, Field(ge=1, le=65_536)] | None = None
    """Its size in GiB. Default: that of the snapshot, or of the image's volume of that name; if there is neither, the
    size is required."""
    volume_type: AnyVolumeType = "gp3"
    """Its type. Default: gp3, whatever type the image's volume has."""
    iops: Annotated[StrictInt, Field(ge=100, le=256_000)] | None = None
    """I/O operations per second of a gp3 volume, at least 3000, or of an io1 or io2 volume, which require it. Default:
    3000."""
    throughput: Annotated[StrictInt, Field(ge=125, le=1000)] | None = None
    """Throughput of a gp3 volume in MiB per second. Default: 125."""
    snapshot_id: SnapshotId | None = None
    """The snapshot in the fleet's region from which the volume is created. Default: the volume starts as the image's
    volume of that name, or empty."""
    kms_key_id: KmsKeyArn | None = None
    """The key that encrypts it; its policy must let the service-linked role of Auto Scaling use the key and create
    grants. Default: the key of the AMI or of the snapshot, or the account's default key."""
    delete_on_termination: StrictBool = True
    """Whether the volume is deleted when its instance is terminated. With `false`, each instance that is replaced
    leaves a volume that you pay for until you delete it. Default: it is deleted."""

    @model_validator(mode="after")
    def _fits_type(self) -> Self:
        check_volume(
            volume_type=self.volume_type, volume_size=self.volume_size, iops=self.iops, throughput=self.throughput
        )
        return self
