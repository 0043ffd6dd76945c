"""Volumes beside the root, by their device names: those of images, and of the instances of fleets.

Names are those of "Device names for volumes on Amazon EC2 instances" in EC2's user guide.
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
        "must be the name of a device beside the root's",
        "write /dev/sdf to /dev/sdp, on Windows xvdf to xvdz; the root volume is root_volume",
    ),
]
SnapshotId = Annotated[Text, Matching(r"snap-[0-9a-f]{8,17}", "must be a snapshot's ID", "write it as snap-…")]


def same_device(name: str) -> str:
    """What two names have in common that mean one device: Linux may call `/dev/sdf` `/dev/xvdf`."""
    return name.removeprefix("/dev/").replace("xvd", "sd")


class ImageVolume(BaseModel):
    """A volume of the image beside the root, and so of instances that do not say otherwise.

    Encrypted as the root volume is, by the same key. Its content is what builds write to it: what a build mounts, it
    mounts itself.
    """

    model_config = FROZEN

    volume_size: Annotated[StrictInt, Field(ge=1, le=16_000)] | None = None
    """Its size in GiB. Without it: that of the snapshot, or of the base's volume of that name; there must be one."""
    volume_type: AnyVolumeType = "gp3"
    """Its type. Without it: gp3."""
    iops: Annotated[StrictInt, Field(ge=100, le=64_000)] | None = None
    """Operations a second of a gp3 volume, 3000 or more, or of an io1 or io2 volume, which need it; at most 10000
    unless `settings.provider_version` is 6. Without it: 3000."""
    throughput: Annotated[StrictInt, Field(ge=125, le=1000)] | None = None
    """Throughput of a gp3 volume in MiB a second. Without it: 125."""
    snapshot_id: SnapshotId | None = None
    """The snapshot, in the image's home, from which builds make it. Without it: it begins empty, or as the base's
    volume of that name."""
    delete_on_termination: StrictBool = True
    """Whether it goes with its instance. `false` leaves a volume behind that you pay for, also after each build.
    Without it: it goes."""

    @model_validator(mode="after")
    def _fits_type(self) -> Self:
        check_volume(
            volume_type=self.volume_type, volume_size=self.volume_size, iops=self.iops, throughput=self.throughput
        )
        return self


class FleetVolume(BaseModel):
    """A volume of the instances beside the root: one more, or in place of the image's volume of that name. Always
    encrypted. The limits are those of EBS and of AWS's provider."""

    model_config = FROZEN

    volume_size: Annotated[StrictInt, Field(ge=1, le=65_536)] | None = None
    """Its size in GiB. Without it: that of the snapshot, or of the image's volume of that name; there must be one."""
    volume_type: AnyVolumeType = "gp3"
    """Its type. Without it: gp3, whatever the image's is."""
    iops: Annotated[StrictInt, Field(ge=100, le=256_000)] | None = None
    """Operations a second of a gp3 volume, 3000 or more, or of an io1 or io2 volume, which need it. Without it:
    3000."""
    throughput: Annotated[StrictInt, Field(ge=125, le=1000)] | None = None
    """Throughput of a gp3 volume in MiB a second. Without it: 125."""
    snapshot_id: SnapshotId | None = None
    """The snapshot, in the fleet's region, of which it is made. Without it: it begins as the image's volume of that
    name, or empty."""
    kms_key_id: KmsKeyArn | None = None
    """The key that encrypts it; its policy must let the service-linked role of Auto Scaling use and grant it.
    Without it: the AMI's or the snapshot's key, or the account's default."""
    delete_on_termination: StrictBool = True
    """Whether it goes with its instance. `false` leaves a volume behind with each instance that is replaced, and you
    pay for it until you delete it. Without it: it goes."""

    @model_validator(mode="after")
    def _fits_type(self) -> Self:
        check_volume(
            volume_type=self.volume_type, volume_size=self.volume_size, iops=self.iops, throughput=self.throughput
        )
        return self
