"""Every kind of image that `images:` may have, distinguished by `kind`."""

from collections.abc import Mapping

from estate.models.ami_image import AmiImage
from estate.models.container_image import ContainerImage
from estate.models.data_volumes import ImageVolume

Image = AmiImage | ContainerImage
"""An AMI, or a container image."""


def by_kind(images: Mapping[str, Image]) -> tuple[dict[str, AmiImage], dict[str, ContainerImage]]:
    """The AMIs and the container images among images by name."""
    amis: dict[str, AmiImage] = {}
    containers: dict[str, ContainerImage] = {}
    for name, image in images.items():
        if isinstance(image, AmiImage):
            amis[name] = image
        else:
            containers[name] = image
    return amis, containers


def amis(images: Mapping[str, Image]) -> dict[str, AmiImage]:
    """The AMIs among images by name: fleets run them, and other images are built from them."""
    return by_kind(images)[0]


def base_of(image: AmiImage | None, images: Mapping[str, Image]) -> AmiImage | None:
    """The image that another is built from, if it is one of the estate's AMIs."""
    base = images.get(image.base.image) if image and image.base else None
    return base if isinstance(base, AmiImage) else None


def volumes_of(image: AmiImage | None, images: Mapping[str, Image]) -> dict[str, ImageVolume]:
    """The volumes that the AMIs of an image have in addition to the root volume, as far as the estate declares them:
    its own and those of its bases."""
    found: dict[str, ImageVolume] = {}
    seen: set[str] = set()
    while image and image.name not in seen:
        seen.add(image.name)
        found = {**image.volumes, **found}
        image = base_of(image, images)
    return found
