"""Every kind of image that `images:` may have, told apart by `kind`."""

from collections.abc import Mapping

from estate.models.ami_image import Image
from estate.models.container_image import ContainerImage
from estate.models.data_volumes import ImageVolume

AnyImage = Image | ContainerImage
"""An AMI, or a container image."""


def amis(images: Mapping[str, AnyImage]) -> dict[str, Image]:
    """The AMIs among images by name: fleets run them, and other images are built from them."""
    return {name: image for name, image in images.items() if isinstance(image, Image)}


def base_of(image: Image | None, images: Mapping[str, AnyImage]) -> Image | None:
    """The image that another is built from, if it is one of the estate's AMIs."""
    base = images.get(image.base.image) if image and image.base else None
    return base if isinstance(base, Image) else None


def volumes_of(image: Image | None, images: Mapping[str, AnyImage]) -> dict[str, ImageVolume]:
    """The volumes beside the root that the AMIs of an image have, as far as the estate says: its own and its bases'."""
    found: dict[str, ImageVolume] = {}
    seen: set[str] = set()
    while image and image.name not in seen:
        seen.add(image.name)
        found = {**image.volumes, **found}
        image = base_of(image, images)
    return found
