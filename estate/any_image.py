"""Every kind of image that `images:` may have, told apart by `kind`."""

from collections.abc import Mapping

from estate.container import ContainerImage
from estate.image import Image

AnyImage = Image | ContainerImage
"""An AMI, or a container image."""


def amis(images: Mapping[str, AnyImage]) -> dict[str, Image]:
    """The AMIs among images by name: fleets run them, and other images are built from them."""
    return {name: image for name, image in images.items() if isinstance(image, Image)}
