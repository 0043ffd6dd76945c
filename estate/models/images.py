"""Every kind of image that `images:` may have, distinguished by `kind`."""

from collections.abc import Iterator, Mapping

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


def bases_of(image: AmiImage, images: Mapping[str, AmiImage]) -> Iterator[AmiImage]:
    """The images from which an image is built, as far as they are among `images`: its base, the base of that, and so
    on."""
    seen = {image.name}
    while image.base and image.base.image in images and image.base.image not in seen:
        image = images[image.base.image]
        seen.add(image.name)
        yield image


def volumes_of(image: AmiImage, images: Mapping[str, AmiImage]) -> dict[str, ImageVolume]:
    """The volumes that the AMIs of an image have in addition to the root volume, as far as the estate declares them:
    its own and those of its bases."""
    found = dict(image.volumes)
    for base in bases_of(image, images):
        found = {**base.volumes, **found}
    return found
