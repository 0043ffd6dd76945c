"""Rules of fleets, and of a fleet with the image that it runs."""

from collections.abc import Iterator

from estate import names
from estate.checks.context import Context
from estate.models.external_image import ExternalImage
from estate.models.fleet import Fleet
from estate.models.images import FleetImage
from estate.problems import Problem, did_you_mean, shown


def image(fleet: Fleet, context: Context) -> Iterator[Problem]:
    """A fleet runs an AMI of this estate, or one of another estate that is declared with `external`."""
    if fleet.image in context.containers:
        rule = "a fleet runs an AMI, and this is a container image"
        remedy = "read its channel in ECS or EKS"
        yield Problem(("image",), rule, shown(fleet.image), remedy)
    elif context.image_names is not None and fleet.image not in context.image_names:
        remedy = did_you_mean(fleet.image, context.image_names) or "declare it under images:"
        yield Problem(("image",), "no such image", shown(fleet.image), remedy)


def name(fleet: Fleet, context: Context) -> Iterator[Problem]:
    """No fleet has the name of an image: a reference such as `web` names one of them."""
    if fleet.name in context.images or fleet.name in context.external_images:
        rule, remedy = "an image has this name", f"rename the fleet, for example to {fleet.name}-dev"
        yield Problem((), rule, shown(fleet.name), remedy)


def load_balancer(fleet: Fleet, context: Context) -> Iterator[Problem]:
    """A fleet with target groups names security groups: the default one allows no inbound traffic."""
    if fleet.target_group_arns and not fleet.security_group_ids:
        rule = "a load balancer cannot reach the instances: the default security group has no inbound rule"
        yield Problem(("target_group_arns",), rule, remedy="write security_group_ids that allow its traffic")


def channel(fleet: Fleet, image: FleetImage, context: Context) -> Iterator[Problem]:
    """The image has the fleet's channel; of an image of another estate, it is written."""
    channels = (names.LATEST, *image.channels)
    if fleet.channel not in channels:
        rule, remedy = f"image {image.name} has no such channel", did_you_mean(fleet.channel, channels)
        if isinstance(image, ExternalImage):
            remedy = f"add it to images.{image.name}.channels, or {remedy}"
        yield Problem(("channel",), rule, shown(fleet.channel), remedy)


def region(fleet: Fleet, image: FleetImage, context: Context) -> Iterator[Problem]:
    """The image is distributed to the fleet's region."""
    if fleet.region not in image.regions:
        rule = f"image {image.name} is not distributed to this region"
        remedy = f"add it to images.{image.name}.regions, or {did_you_mean(fleet.region, image.regions)}"
        yield Problem(("region",), rule, shown(fleet.region), remedy)
