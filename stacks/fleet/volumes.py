"""The volumes of a fleet's instances, as block device mappings of its launch template.

Where a mapping leaves a value out, AWS's provider keeps the value of the mapping that was at the same position before,
even of another device. So every value is written, with 0 for what a volume does not have. Throughput cannot be 0.
"""

from collections.abc import Iterator, Mapping

from cdktf_cdktf_provider_aws.launch_template import (
    LaunchTemplateBlockDeviceMappings,
    LaunchTemplateBlockDeviceMappingsEbs,
)

from estate.estate import EstateFleet
from estate.models.data_volumes import FleetVolume
from estate.models.fleet import FleetRootVolume
from estate.models.images import volumes_of

_GP3_IOPS, _GP3_THROUGHPUT = 3000, 125
"""EC2's defaults for gp3 volumes."""


def mappings(declared: EstateFleet, *, root_device_name: str) -> list[LaunchTemplateBlockDeviceMappings]:
    """The root volume, then the others. All are encrypted."""
    return [
        _mapping(root_device_name, declared.fleet.root_volume),
        *(_mapping(name, volume) for name, volume in _data_volumes(declared).items()),
    ]


def kept_throughputs(declared: EstateFleet) -> Iterator[tuple[str, str]]:
    """Conditions and messages that stop a plan where the provider would keep a throughput that is left out."""
    volumes: list[tuple[str, FleetRootVolume | FleetVolume]] = [("root volume", declared.fleet.root_volume)]
    volumes += [(f"volume {name}", volume) for name, volume in _data_volumes(declared).items()]
    for index, (what, volume) in enumerate(volumes):
        if _throughput(volume) is None:
            remedy = (
                "Write root_volume: {throughput: 125}."
                if volume.volume_type == "gp3"
                else "Replace the template: terraform apply -replace=aws_launch_template.launch_template"
            )
            yield (
                f"try(coalesce(self.block_device_mappings[{index}].ebs[0].throughput, 0), 0) == 0",
                f"Fleet {declared.fleet.name}: its {what} would get the throughput of the volume at its position in "
                f"the launch template before, because AWS's provider keeps values that are left out. {remedy}",
            )


def _data_volumes(declared: EstateFleet) -> Mapping[str, FleetVolume]:
    """The fleet's volumes, and those of an image that is not encrypted, because a launch encrypts volumes by mappings.

    Volumes with a throughput come first, so that a new one moves no other to the position of one with a throughput.
    """
    image = declared.image.image
    of_image = {} if image.root_volume.encrypted else volumes_of(image, declared.estate.fleet_images)
    inherited = {
        name: FleetVolume(**volume.model_dump(exclude={"volume_size", "snapshot_id"}))
        for name, volume in of_image.items()
    }
    every = {**inherited, **declared.fleet.volumes}
    return dict(sorted(every.items(), key=lambda each: (_throughput(each[1]) is None, each[0])))


def _mapping(device_name: str, volume: FleetRootVolume | FleetVolume) -> LaunchTemplateBlockDeviceMappings:
    data = volume if isinstance(volume, FleetVolume) else None
    return LaunchTemplateBlockDeviceMappings(
        device_name=device_name,
        # text in the provider
        ebs=LaunchTemplateBlockDeviceMappingsEbs(
            encrypted="true",
            delete_on_termination="false" if data and not data.delete_on_termination else "true",
            volume_size=volume.volume_size or 0,
            volume_type=volume.volume_type,
            # no default for a root volume, because that would change existing templates
            iops=volume.iops or (_GP3_IOPS if data and data.volume_type == "gp3" else 0),
            throughput=_throughput(volume),
            kms_key_id=volume.kms_key_id,
            snapshot_id=data.snapshot_id if data else None,
        ),
    )


def _throughput(volume: FleetRootVolume | FleetVolume) -> int | None:
    of_data = isinstance(volume, FleetVolume)
    return volume.throughput or (_GP3_THROUGHPUT if of_data and volume.volume_type == "gp3" else None)
