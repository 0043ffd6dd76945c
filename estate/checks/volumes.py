"""Rules of volumes that no model can see alone: names of devices, sizes that somebody must say, the settings."""

from collections.abc import Iterator, Mapping, Set

from estate.catalogue.operating_systems import Platform
from estate.checks.context import Context
from estate.models.ami_image import AmiImage
from estate.models.data_volumes import FleetVolume, ImageVolume, same_device
from estate.models.fleet import Fleet
from estate.models.images import FleetImage
from estate.models.volumes import IOPS_OF_AN_AMI
from estate.problems import Key, Problem, shown


def speed_of_the_root_volume(image: AmiImage, context: Context) -> Iterator[Problem]:
    """With provider 5, the root volume of an AMI has at most 10,000 IOPS."""
    yield from _speed(image.root_volume.iops, context, ("root_volume",))


def speed(image: AmiImage, context: Context) -> Iterator[Problem]:
    """With provider 5, other volumes of an AMI have at most 10,000 IOPS."""
    for name, volume in image.volumes.items():
        yield from _speed(volume.iops, context, ("volumes", name))


def names(image: FleetImage, context: Context) -> Iterator[Problem]:
    """Volumes have device names of the image's platform, and no two names mean the same device."""
    yield from _names(image.volumes, image.platform, of=image.volumes.keys())


def names_of_a_fleet(fleet: Fleet, image: FleetImage, context: Context) -> Iterator[Problem]:
    """Volumes have device names of the image's platform, and no two names of fleet and image mean the same device."""
    yield from _names({**image.volumes, **fleet.volumes}, image.platform, of=fleet.volumes.keys())


def sizes(image: AmiImage, context: Context) -> Iterator[Problem]:
    """A volume has a size or a snapshot, unless the image is built from another image of the estate."""
    if image.base is None:
        for name, volume in image.volumes.items():
            yield from _size(volume, None, "", ("volumes", name))


def sizes_on_a_base(image: AmiImage, base: FleetImage, context: Context) -> Iterator[Problem]:
    """A volume has a size or a snapshot unless the base has the same volume, and it is not smaller than the base's."""
    yield from _sizes(image.volumes, base, context)


def sizes_of_a_fleet(fleet: Fleet, image: FleetImage, context: Context) -> Iterator[Problem]:
    """A volume has a size or a snapshot unless the image has the same volume, and it is not smaller than the
    image's."""
    yield from _sizes(fleet.volumes, image, context)


def root_volume_of_a_fleet(fleet: Fleet, image: FleetImage, context: Context) -> Iterator[Problem]:
    """The root volume is not smaller than the image's."""
    size, least = fleet.root_volume.volume_size, image.root_volume.volume_size
    if size and least and size < least:
        rule, remedy = f"the root volume of image {image.name} is larger", f"write {least} or more"
        yield Problem(("root_volume", "volume_size"), rule, str(size), remedy)


def _speed(iops: int | None, context: Context, key: Key) -> Iterator[Problem]:
    if context.settings.providers.aws_major < 6 and iops and iops > IOPS_OF_AN_AMI:
        rule = f"AWS's provider 5 takes at most {IOPS_OF_AN_AMI} for an AMI"
        remedy = 'write settings.providers: {aws: ">= 6.40.0, < 7.0.0"}, or fewer'
        yield Problem((*key, "iops"), rule, str(iops), remedy)


def _names(volumes: Mapping[str, object], platform: Platform, *, of: Set[str]) -> Iterator[Problem]:
    """Problems of the volumes `of` among others."""
    seen: dict[str, str] = {}
    for name in volumes:
        other, key = seen.setdefault(same_device(name), name), ("volumes", name)
        if name not in of:
            continue
        if other != name:
            yield Problem(key, f"means the same device as {other}", shown(name), f"write another, or {other}")
        elif platform != "Windows" and not name.startswith("/dev/"):
            yield Problem(key, f"devices of {platform} begin with /dev/", shown(name), f"write /dev/{name}")
        elif platform == "Windows" and name.startswith("/dev/xvd"):
            remedy = f"write {name.removeprefix('/dev/')}"
            yield Problem(key, "the names xvd… of Windows have no /dev/", shown(name), remedy)


def _sizes(
    volumes: Mapping[str, ImageVolume] | Mapping[str, FleetVolume], base: FleetImage, context: Context
) -> Iterator[Problem]:
    """Problems of volumes against those of the image from which their AMI is built, or which their fleet runs."""
    if not volumes or (known := context.volumes_of(base)) is None:
        return
    for name, volume in volumes.items():
        yield from _size(volume, known.get(name), f"image {base.name}", ("volumes", name))


def _size(volume: ImageVolume | FleetVolume, below: ImageVolume | None, below_it: str, key: Key) -> Iterator[Problem]:
    """`below` is the volume of that name of what the volume's image or fleet is made of, if there is one."""
    if volume.snapshot_id:
        return
    if below is None and volume.volume_size is None:
        rule = "needs volume_size or snapshot_id" + (f": {below_it} has no such volume" if below_it else "")
        yield Problem(key, rule, remedy="write for example volume_size: 100")
    elif below and below.volume_size and volume.volume_size and volume.volume_size < below.volume_size:
        rule, remedy = f"this volume of {below_it} is larger", f"write {below.volume_size} or more"
        yield Problem((*key, "volume_size"), rule, str(volume.volume_size), remedy)
