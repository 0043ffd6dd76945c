"""What rules are checked for: settings, images, fleets, and pairs of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVarTuple

from estate.checks.context import Context
from estate.models.ami_image import AmiImage
from estate.models.container_image import ContainerImage
from estate.models.external_image import ExternalImage
from estate.models.fleet import Fleet
from estate.models.images import FleetImage, Image
from estate.models.settings import Settings
from estate.problems import Key

Values = TypeVarTuple("Values")
"""The models that a rule takes as arguments, before the context."""

SETTINGS: Key = ("settings",)


@dataclass(frozen=True)
class Subject(Generic[*Values]):
    """What a rule is checked for: an image, for example."""

    key: Key
    """Its place in the configuration."""
    values: tuple[*Values]
    """The models that the rule takes as arguments."""
    owners: Mapping[str, Key]
    """The places of the models whose fields rules read: `{"image": ("images", "web")}`."""


def settings(context: Context) -> Iterator[Subject[Settings]]:
    """The settings."""
    yield Subject(SETTINGS, (context.settings,), {})


def images(context: Context) -> Iterator[Subject[Image]]:
    """Every image."""
    for name, image in context.images.items():
        yield Subject(("images", name), (image,), {"image": ("images", name)})


def amis(context: Context) -> Iterator[Subject[AmiImage]]:
    """Every AMI."""
    for name, image in context.amis.items():
        yield Subject(("images", name), (image,), {"image": ("images", name)})


def containers(context: Context) -> Iterator[Subject[ContainerImage]]:
    """Every container image."""
    for name, image in context.containers.items():
        yield Subject(("images", name), (image,), {"image": ("images", name)})


def external_images(context: Context) -> Iterator[Subject[ExternalImage]]:
    """Every image of another estate."""
    for name, image in context.external_images.items():
        yield Subject(("images", name), (image,), {"image": ("images", name)})


def images_with_bases(context: Context) -> Iterator[Subject[AmiImage, FleetImage]]:
    """Every image that is built from another one, and that one."""
    for name, image in context.amis.items():
        if image.base and (base := context.fleet_images.get(image.base.image)):
            yield Subject(("images", name), (image, base), {"image": ("images", name), "base": ("images", base.name)})


def fleets(context: Context) -> Iterator[Subject[Fleet]]:
    """Every fleet."""
    for name, fleet in context.fleets.items():
        yield Subject(("fleets", name), (fleet,), {"fleet": ("fleets", name)})


def fleets_with_images(context: Context) -> Iterator[Subject[Fleet, FleetImage]]:
    """Every fleet that runs an AMI of this estate or of another one, and that AMI."""
    for name, fleet in context.fleets.items():
        if image := context.fleet_images.get(fleet.image):
            yield Subject(
                ("fleets", name), (fleet, image), {"fleet": ("fleets", name), "image": ("images", image.name)}
            )
