"""Rules of volumes that no model can see alone: names of devices, sizes that somebody must say, the settings."""

from collections.abc import Iterator, Mapping

from estate.catalogue.operating_systems import Platform
from estate.checks.parts import Parts
from estate.models.ami_image import AmiImage
from estate.models.data_volumes import FleetVolume, ImageVolume, same_device
from estate.models.fleet import Fleet
from estate.models.images import base_of, volumes_of
from estate.models.volumes import IOPS_OF_AN_AMI
from estate.problems import Key, Problem, shown


def check_volumes(image: AmiImage, parts: Parts) -> Iterator[Problem]:
    """What is wrong with the volumes of an image."""
    key: Key = ("images", image.name)
    if parts.settings and parts.sound(("settings",), "provider_version") and parts.settings.provider_version < 6:
        if parts.sound(key, "root_volume"):
            yield from _too_fast(image.root_volume.iops, (*key, "root_volume"))
        if parts.sound(key, "volumes"):
            for name, volume in image.volumes.items():
                yield from _too_fast(volume.iops, (*key, "volumes", name))
    if not parts.sound(key, "volumes"):
        return
    if parts.sound(key, "os"):
        yield from _names(image.volumes, image.platform, (*key, "volumes"))
    base = base_of(image, parts.images)
    # a chain of bases is followed only where there is something to compare
    if image.volumes and parts.sound(key, "parent") and (base is None) == (image.base is None):
        known = volumes_of(base, parts.images)
        for name, volume in image.volumes.items():
            yield from _size(name, volume, known, (*key, "volumes", name), f"image {base.name}" if base else None)


def check_fleet_volumes(fleet: Fleet, image: AmiImage, parts: Parts) -> Iterator[Problem]:
    """What is wrong with the volumes of a fleet of a sound image."""
    key: Key = ("fleets", fleet.name)
    size, least = fleet.root_volume.volume_size, image.root_volume.volume_size
    if size and least and size < least:
        rule, remedy = f"the root volume of image {image.name} is larger", f"write {least} or more"
        yield Problem((*key, "root_volume", "volume_size"), rule, str(size), remedy)
    if not (parts.sound(key, "volumes") and parts.sound(("images", image.name), "os", "volumes", "parent")):
        return
    yield from _names({**image.volumes, **fleet.volumes}, image.platform, (*key, "volumes"), of=fleet.volumes)
    known = volumes_of(image, parts.images) if fleet.volumes else {}
    for name, volume in fleet.volumes.items():
        yield from _size(name, volume, known, (*key, "volumes", name), f"image {image.name}")


def _too_fast(iops: int | None, key: Key) -> Iterator[Problem]:
    if iops and iops > IOPS_OF_AN_AMI:
        rule = f"AWS's provider 5 takes at most {IOPS_OF_AN_AMI} for an AMI"
        yield Problem((*key, "iops"), rule, str(iops), "write settings: {provider_version: 6}, or fewer")


def _names(
    volumes: Mapping[str, object], platform: Platform, key: Key, *, of: Mapping[str, object] | None = None
) -> Iterator[Problem]:
    """Names that do not go with the platform, or that two volumes have; `of` are those that stand at `key`."""
    seen: dict[str, str] = {}
    for name in volumes:
        other = seen.setdefault(same_device(name), name)
        if of is not None and name not in of:
            continue
        if other != name:
            yield Problem((*key, name), f"means the same device as {other}", shown(name), f"write another, or {other}")
        elif platform != "Windows" and not name.startswith("/dev/"):
            yield Problem((*key, name), f"devices of {platform} begin with /dev/", shown(name), f"write /dev/{name}")
        elif platform == "Windows" and name.startswith("/dev/xvd"):
            remedy = f"write {name.removeprefix('/dev/')}"
            yield Problem((*key, name), "devices xvd… of Windows have no /dev/", shown(name), remedy)


def _size(
    name: str, volume: ImageVolume | FleetVolume, known: Mapping[str, ImageVolume], key: Key, whose: str | None
) -> Iterator[Problem]:
    """A volume needs a size, or something that has one, and is no smaller than that."""
    below = known.get(name)
    if volume.snapshot_id:
        return
    if below is None and volume.volume_size is None:
        rule = (
            f"needs volume_size or snapshot_id: {whose} has no such volume"
            if whose
            else ("needs volume_size or snapshot_id")
        )
        yield Problem(key, rule, remedy="write for instance volume_size: 100")
    elif below and below.volume_size and volume.volume_size and volume.volume_size < below.volume_size:
        rule, remedy = f"this volume of {whose} is larger", f"write {below.volume_size} or more"
        yield Problem((*key, "volume_size"), rule, str(volume.volume_size), remedy)
