"""Every kind of image that `images:` may have, distinguished by `kind` and `external`."""

from collections.abc import Mapping

from estate.models.ami_image import AmiImage
from estate.models.container_image import ContainerImage
from estate.models.data_volumes import ImageVolume
from estate.models.external_image import ExternalImage

Image = AmiImage | ContainerImage
"""An image that this estate makes: an AMI, or a container image."""
FleetImage = AmiImage | ExternalImage
"""An image that fleets can run: an AMI of this estate or of another one."""


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


def volumes_of(image: FleetImage, images: Mapping[str, FleetImage]) -> dict[str, ImageVolume]:
    """The volumes that the AMIs of an image have in addition to the root volume, as far as the estate declares them:
    its own and those of the images from which it is built."""
    found, seen = dict(image.volumes), {image.name}
    while isinstance(image, AmiImage) and image.base and image.base.image in images and image.base.image not in seen:
        image = images[image.base.image]
        seen.add(image.name)
        found = {**image.volumes, **found}
    return found
