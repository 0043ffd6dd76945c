"""Rules that follow from an image's operating system: its parent, and the instances that it runs on."""

from collections.abc import Iterator

from estate import names
from estate.catalogue.instance_types import architecture_of, is_mac
from estate.catalogue.operating_systems import instance_types
from estate.checks.parts import Parts
from estate.models.ami_image import AmiImage
from estate.models.fleet import Fleet
from estate.models.images import Image, amis
from estate.problems import Key, Problem, did_you_mean, nearest, shown

_PLATFORMS = {"linux": "Linux", "windows": "Windows", "macos": "macOS"}
"""As AWS's own components have them in their names."""


def check_system(image: AmiImage, parts: Parts) -> Iterator[Problem]:
    """What does not go with the image's operating system."""
    key: Key = ("images", image.name)
    if parts.sound(key, "os", "architecture", "parent", "regions"):
        yield from _needs_parent(image, key)
    if parts.sound(key, "os", "architecture", "infrastructure"):
        yield from check_instance_types(image)
        placement = image.infrastructure.placement
        if image.system.platform == "macOS" and not (placement and placement.names_host):
            remedy = "write placement: {tenancy: host, host_id: h-…}, or host_resource_group_arn: …"
            yield Problem((*key, "infrastructure", "placement"), "macOS runs on dedicated hosts only", remedy=remedy)
    if parts.sound(key, "os"):
        yield from check_managed_components(image, parts)
    if parts.sound(key, "parent"):
        yield from _base(image, parts)


def check_fleet_system(fleet: Fleet, image: AmiImage, parts: Parts) -> Iterator[Problem]:
    """Fields of a fleet that do not go with the operating system of its image."""
    key: Key = ("fleets", fleet.name)
    if not parts.sound(("images", image.name), "os", "architecture"):
        return
    if parts.sound(key, "instance_type"):
        yield from _instance_type(fleet.instance_type, image, (*key, "instance_type"))
    in_group = fleet.placement and fleet.placement.host_resource_group_arn
    if parts.sound(key, "placement") and image.system.platform == "macOS" and not in_group:
        rule = "macOS runs on dedicated hosts only, and a fleet takes them from a group"
        remedy = "write placement: {tenancy: host, host_resource_group_arn: …}"
        yield Problem((*key, "placement"), rule, remedy=remedy)


def check_instance_types(image: Image) -> Iterator[Problem]:
    """Instance types of builds on which the image does not run."""
    for index, instance_type in enumerate(image.infrastructure.instance_types):
        yield from _instance_type(
            instance_type, image, ("images", image.name, "infrastructure", "instance_types", index)
        )


def check_managed_components(image: Image, parts: Parts) -> Iterator[Problem]:
    """AWS's own components say in their names what they are for: `update-linux`, `stig-build-windows-high`."""
    for place, use in image.placed_uses:
        if not use.is_managed or place in parts.broken or not use.use.split(":")[4].startswith("aws"):
            continue
        platforms = [_PLATFORMS[word] for word in use.use.split("/")[1].split("-") if word in _PLATFORMS]
        if platforms and image.platform not in platforms:
            rule = f"this component is for {' and '.join(platforms)}, and {_system(image)} is not"
            yield Problem(place, rule, shown(use.use), "write the one for " + image.platform)


def check_circles(parts: Parts) -> Iterator[Problem]:
    """Bases that are built from each other: one problem for each circle."""
    seen: set[str] = set()
    images = amis(parts.images)
    for image in images.values():
        path: list[str] = []
        current: AmiImage | None = image
        while current and current.name not in seen:
            seen.add(current.name)
            path.append(current.name)
            current = images.get(current.base.image) if current.base else None
        if current and current.name in path:
            circle = path[path.index(current.name) :]
            yield Problem(
                ("images", current.name, "parent"),
                "is built from itself in the end",
                " -> ".join([*circle, current.name]),
                "give one of them a parent outside of the circle",
            )


def _needs_parent(image: AmiImage, key: Key) -> Iterator[Problem]:
    if image.parent is None and image.system.parent(region=image.home, architecture=image.architecture) is None:
        command = f"python -m ops parent {image.os} --region {image.home}"
        if image.architecture != "x86_64":
            command += f" --architecture {image.architecture}"
        rule = f"{image.os} has neither a managed image nor a public parameter"
        yield Problem((*key, "parent"), rule, remedy=f"write an AMI ID, which {command} finds")


def _system(image: Image) -> str:
    return image.os if isinstance(image, AmiImage) else f"a container of {image.platform}"


def _instance_type(instance_type: str, image: Image, key: Key) -> Iterator[Problem]:
    examples = " or ".join(instance_types(image.platform, image.architecture))
    got, remedy = shown(instance_type), f"write for instance {examples}"
    if (image.platform == "macOS") != is_mac(instance_type):
        runs = "only on Macs" if image.platform == "macOS" else "on no Mac"
        yield Problem(key, f"image {image.name} is {_system(image)}, which runs {runs}", got, remedy)
    elif architecture_of(instance_type) != image.architecture:
        rule = f"image {image.name} is for {image.architecture}, which this instance type is not"
        yield Problem(key, rule, got, remedy)


def _base(image: AmiImage, parts: Parts) -> Iterator[Problem]:
    """Whether the base is there, and the child can be built from it."""
    if image.base is None:
        return
    key: Key = ("images", image.name, "parent")
    base = parts.images.get(image.base.image)
    if base is None:
        if parts.declared is not None and image.base.image not in parts.declared:
            otherwise = "name another image, or write an AMI ID, an ARN or ssm:/…"
            near = nearest(image.base.image, parts.declared)
            remedy = f"did you mean {near!r}?" if near and near != image.name else otherwise
            yield Problem(key, "no such image", shown(image.base.image), remedy)
        return
    if not isinstance(base, AmiImage):
        yield Problem(key, f"image {base.name} is a container image, and this one an AMI", shown(base.name))
        return
    here, there = ("images", image.name), ("images", base.name)

    def sound(field: str) -> bool:
        return parts.sound(here, field) and parts.sound(there, field)

    got, name = shown(base.name), base.name
    channels = (names.LATEST, *base.channels)
    if parts.sound(there, "channels") and image.base.channel not in channels:
        remedy = did_you_mean(image.base.channel, channels)
        yield Problem((*key, "channel"), f"image {name} has no such channel", shown(image.base.channel), remedy)
    if sound("regions") and image.home not in base.regions:
        remedy = f"add it to images.{name}.regions"
        yield Problem(key, f"image {name} does not go to {image.home}, the home of this one", got, remedy)
    if sound("os") and image.os != base.os:
        yield Problem(key, f"image {name} is {base.os}, and this one {image.os}", got, f"write os: {base.os}")
    elif sound("architecture") and image.architecture != base.architecture:
        remedy = f"write architecture: {base.architecture}"
        yield Problem(
            key, f"image {name} is for {base.architecture}, and this one for {image.architecture}", got, remedy
        )
