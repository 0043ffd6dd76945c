"""Rules of an image that is built from another image of the estate, its base."""

from collections.abc import Iterator

from estate import names
from estate.checks.context import Context
from estate.models.ami_image import AmiImage
from estate.models.external_image import ExternalImage
from estate.models.images import FleetImage
from estate.problems import Problem, did_you_mean, nearest, shown


def exists(image: AmiImage, context: Context) -> Iterator[Problem]:
    """The base of an image is an AMI of this estate, or one of another estate that is declared with `external`."""
    if image.base is None:
        return
    name = image.base.image
    if name in context.containers:
        yield Problem(("parent",), f"image {name} is a container image, and this one an AMI", shown(name))
    elif name not in context.images and context.image_names is not None and name not in context.image_names:
        near = nearest(name, context.image_names)
        otherwise = "name another image, or write an AMI ID, an ARN or ssm:/…"
        remedy = f"did you mean {near!r}?" if near and near != image.name else otherwise
        yield Problem(("parent",), "no such image", shown(name), remedy)


def circles(context: Context) -> Iterator[Problem]:
    """No image is built from itself, directly or through other images."""
    seen: set[str] = set()
    for image in context.amis.values():
        path: list[str] = []
        current: AmiImage | None = image
        while current and current.name not in seen:
            seen.add(current.name)
            path.append(current.name)
            current = context.amis.get(current.base.image) if current.base else None
        if current and current.name in path:
            circle = path[path.index(current.name) :]
            yield Problem(
                ("images", current.name, "parent"),
                "is built from itself",
                " -> ".join([*circle, current.name]),
                "give one of these images another parent",
            )


def channel(image: AmiImage, base: FleetImage, context: Context) -> Iterator[Problem]:
    """The base has the channel from which the image is built."""
    channels = (names.LATEST, *base.channels)
    if image.base and image.base.channel not in channels:
        rule, remedy = f"image {base.name} has no such channel", did_you_mean(image.base.channel, channels)
        if isinstance(base, ExternalImage):
            remedy = f"add it to images.{base.name}.channels, or {remedy}"
        yield Problem(("parent", "channel"), rule, shown(image.base.channel), remedy)


def region(image: AmiImage, base: FleetImage, context: Context) -> Iterator[Problem]:
    """The base is distributed to the home region of the image."""
    if image.home not in base.regions:
        rule = f"image {base.name} is not distributed to {image.home}, the home region of this image"
        yield Problem(("parent",), rule, shown(base.name), f"add it to images.{base.name}.regions")


def system(image: AmiImage, base: FleetImage, context: Context) -> Iterator[Problem]:
    """The image has the operating system of its base; of a base of another estate, the platform."""
    if isinstance(base, ExternalImage):
        if image.platform != base.platform:
            rule = f"image {base.name} is {base.platform}, and this one {image.os}"
            remedy = f"write another os, or correct images.{base.name}.platform"
            yield Problem(("parent",), rule, shown(base.name), remedy)
    elif image.os != base.os:
        rule = f"image {base.name} is {base.os}, and this one {image.os}"
        yield Problem(("parent",), rule, shown(base.name), f"write os: {base.os}")


def architecture(image: AmiImage, base: FleetImage, context: Context) -> Iterator[Problem]:
    """The image has the architecture of its base."""
    # another system has other architectures
    same = image.platform == base.platform if isinstance(base, ExternalImage) else image.os == base.os
    if same and image.architecture != base.architecture:
        rule = f"image {base.name} is for {base.architecture}, and this one for {image.architecture}"
        yield Problem(("parent",), rule, shown(base.name), f"write architecture: {base.architecture}")


def encryption(image: AmiImage, base: FleetImage, context: Context) -> Iterator[Problem]:
    """The image is encrypted if its base is, because EC2 cannot remove the encryption of a volume.

    EC2's API reference, EbsBlockDevice: "In no case can you remove encryption from an encrypted volume".
    """
    base_is_encrypted = base.root_volume.encrypted or base.distribution_in(image.home).kms_key_id
    if base_is_encrypted and not image.root_volume.encrypted:
        rule = f"image {base.name}, the base, is encrypted, and encryption cannot be removed"
        remedy = f"delete it, or do not encrypt {base.name} either"
        yield Problem(("root_volume", "encrypted"), rule, "false", remedy)
