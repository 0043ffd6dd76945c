"""Rules of disk images: what VM Import/Export exports ("Considerations for image export" in its user guide)."""

from collections.abc import Iterator

from estate.checks.context import Context
from estate.models.ami_image import AmiImage
from estate.problems import Key, Problem, shown

LARGEST_VOLUME = 1024
"""In GiB."""


def system(image: AmiImage, context: Context) -> Iterator[Problem]:
    """Only Linux can be exported."""
    if image.export and image.platform != "Linux":
        rule = f"AWS exports only Linux, and the image is {image.os}"
        yield Problem(("export",), rule, remedy="delete it")


def architecture(image: AmiImage, context: Context) -> Iterator[Problem]:
    """Only images for x86_64 can be exported."""
    if image.export and image.platform == "Linux" and image.architecture != "x86_64":
        yield Problem(("export",), "AWS exports only images for x86_64", shown(image.architecture), "delete it")


def encryption(image: AmiImage, context: Context) -> Iterator[Problem]:
    """An exported image is not encrypted."""
    if image.export and image.root_volume.encrypted:
        remedy = "write root_volume: {encrypted: false}"
        yield Problem(("export",), "AWS does not export an encrypted AMI", remedy=remedy)


def size_of_the_root_volume(image: AmiImage, context: Context) -> Iterator[Problem]:
    """The root volume of an exported image has at most 1,024 GiB."""
    yield from _size(image, image.root_volume.volume_size, ("root_volume",))


def sizes(image: AmiImage, context: Context) -> Iterator[Problem]:
    """Other volumes of an exported image have at most 1,024 GiB."""
    for name, volume in image.volumes.items():
        yield from _size(image, volume.volume_size, ("volumes", name))


def _size(image: AmiImage, size: int | None, key: Key) -> Iterator[Problem]:
    if image.export and size and size > LARGEST_VOLUME:
        rule = f"AWS exports volumes of at most {LARGEST_VOLUME} GiB"
        yield Problem((*key, "volume_size"), rule, str(size), "delete it, or export")
