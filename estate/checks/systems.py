"""Rules that follow from an image's operating system: its parent, and the instances that it runs on."""

from collections.abc import Iterator

from estate.arns import Arn
from estate.catalogue.instance_types import architecture_of, is_mac
from estate.catalogue.operating_systems import instance_types
from estate.checks.context import Context
from estate.models.ami_image import AmiImage
from estate.models.fleet import Fleet
from estate.models.images import FleetImage, Image
from estate.problems import Key, Problem, shown

_PLATFORMS = {"linux": "Linux", "windows": "Windows", "macos": "macOS"}
"""As AWS's own components have them in their names."""


def parent(image: AmiImage, context: Context) -> Iterator[Problem]:
    """An image has a `parent` if AWS offers no reference to the newest AMI of its operating system."""
    if image.parent is None and image.system.parent(region=image.home, architecture=image.architecture) is None:
        command = f"goldsmith doctor --parent {image.os} --region {image.home}"
        if image.architecture != "x86_64":
            command += f" --architecture {image.architecture}"
        rule = f"{image.os} has neither a managed image nor a public parameter"
        yield Problem(("parent",), rule, remedy=f"write an AMI ID, which {command} finds")


def disk_image(image: AmiImage, context: Context) -> Iterator[Problem]:
    """Only Linux can be built from a disk image."""
    if image.disk_image and image.platform != "Linux":
        rule = f"only Linux can be built from a disk image, and the image is {image.os}"
        yield Problem(("parent",), rule, shown(image.disk_image.disk_image), "import it yourself, and write the AMI ID")


def components(image: Image, context: Context) -> Iterator[Problem]:
    """A component of AWS with a platform in its name, such as `update-linux`, is for the image's platform."""
    for key, use in context.components_of(image):
        if not use.is_managed or not Arn.parse(use.use).account.startswith("aws"):
            continue
        platforms = [_PLATFORMS[word] for word in use.use.split("/")[1].split("-") if word in _PLATFORMS]
        if platforms and image.platform not in platforms:
            rule = f"this component is for {' and '.join(platforms)}, and the image is {image.system_name}"
            yield Problem(key, rule, shown(use.use), f"write the one for {image.platform}")


def build_instances(image: Image, context: Context) -> Iterator[Problem]:
    """The instance types of builds have the image's architecture; they are Macs for macOS, and only for macOS."""
    for index, instance_type in enumerate(image.infrastructure.instance_types):
        yield from _instance_type(instance_type, image, ("infrastructure", "instance_types", index))


def fleet_instances(fleet: Fleet, image: FleetImage, context: Context) -> Iterator[Problem]:
    """The instance type has the image's architecture; it is a Mac for macOS, and only for macOS."""
    yield from _instance_type(fleet.instance_type, image, ("instance_type",))


def build_hosts(image: AmiImage, context: Context) -> Iterator[Problem]:
    """Builds of macOS name a dedicated host or a host resource group."""
    placement = image.infrastructure.placement
    if image.platform == "macOS" and not (placement and placement.names_host):
        remedy = "write placement: {tenancy: host, host_id: h-…}, or host_resource_group_arn: …"
        yield Problem(("infrastructure", "placement"), "macOS runs only on dedicated hosts", remedy=remedy)


def fleet_hosts(fleet: Fleet, image: FleetImage, context: Context) -> Iterator[Problem]:
    """A fleet of macOS names a host resource group."""
    if image.platform == "macOS" and not (fleet.placement and fleet.placement.host_resource_group_arn):
        rule = "macOS runs only on dedicated hosts, and a fleet takes them from a group"
        remedy = "write placement: {tenancy: host, host_resource_group_arn: …}"
        yield Problem(("placement",), rule, remedy=remedy)


def _instance_type(instance_type: str, image: Image | FleetImage, key: Key) -> Iterator[Problem]:
    examples = " or ".join(instance_types(image.platform, image.architecture))
    got, remedy = shown(instance_type), f"write for example {examples}"
    if (image.platform == "macOS") != is_mac(instance_type):
        runs = "only on Macs" if image.platform == "macOS" else "not on Macs"
        yield Problem(key, f"image {image.name} is {image.system_name}, which runs {runs}", got, remedy)
    elif architecture_of(instance_type) != image.architecture:
        rule = f"image {image.name} is for {image.architecture}, and this instance type is not"
        yield Problem(key, rule, got, remedy)
