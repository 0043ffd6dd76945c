"""ContainerImage -> ContainerRecipe: what the stack of a container image builds from, as plain values.

A container recipe cannot be changed once created, either: its version follows from its content (`estate.versions`).
"""

from dataclasses import dataclass
from hashlib import sha256

from estate.catalogue.operating_systems import Platform
from estate.estate import EstateImage
from estate.limits import INLINE
from estate.models.container_image import DEFAULT_DOCKERFILE, ContainerImage
from estate.recipes.ami import (
    Component,
    Device,
    RecipeComponent,
    components_of,
    steps_of,
)
from estate.versions import patch_of

_DEVICES = {"Linux": "/dev/xvda", "Windows": "/dev/sda1"}
"""The root devices of the ECS-optimized AMIs."""


@dataclass(frozen=True)
class ContainerRecipe:
    """A container recipe. Each field is an argument of the resource and part of its version."""

    name: str
    major_minor: str
    description: str
    parent_image: str
    platform_override: Platform | None
    """The parent's platform, which Image Builder knows only of its own images."""
    dockerfile: str
    repository: str
    working_directory: str | None
    instance_image: str | None
    root_device: Device
    steps: tuple[RecipeComponent, ...]

    @property
    def version(self) -> str:
        """`<major>.<minor>.<patch>`."""
        return f"{self.major_minor}.{patch_of(self)}"

    @property
    def components(self) -> dict[str, Component]:
        """The components that the stack creates, each once, by their short name in the order of first use."""
        return components_of(self.steps)

    @property
    def is_inline(self) -> bool:
        """Whether the template fits into Image Builder's request; if not, it is read from a bucket."""
        return INLINE.fits(self.dockerfile)

    @property
    def object_key(self) -> str:
        """The template's key in a bucket: made from its content, so an object never changes."""
        return f"dockerfiles/{sha256(self.dockerfile.encode()).hexdigest()}"


def container_recipe_of(declared: EstateImage[ContainerImage]) -> ContainerRecipe:
    """The recipe of a container image of a checked estate."""
    image, names = declared.image, declared.names
    volume = image.instance.root_volume
    return ContainerRecipe(
        name=names.image_builder,
        major_minor=image.version,
        description=image.description or f"{image.name}, built from {image.parent}",
        parent_image=image.parent,
        platform_override=None if image.parent.startswith("arn:") else image.platform,
        dockerfile=_dockerfile(declared),
        repository=image.repository_name(namespace=names.namespace),
        working_directory=image.working_directory,
        instance_image=image.instance.image or _instance_image(image),
        root_device=Device(
            device_name=image.instance.device_name or _DEVICES[image.platform],
            volume_type=volume.volume_type,
            volume_size=volume.volume_size,
            iops=volume.iops,
            throughput=volume.throughput,
            encrypted=volume.encrypted,
        ),
        steps=steps_of(declared),
    )


def _dockerfile(declared: EstateImage[ContainerImage]) -> str:
    path = declared.image.own_dockerfile
    return declared.estate.dockerfiles[path] if path else declared.image.dockerfile or DEFAULT_DOCKERFILE


def _instance_image(image: ContainerImage) -> str | None:
    """The parameter of the ECS-optimized AMI, where Image Builder's own choice has another architecture."""
    if image.architecture == "x86_64":
        return None
    return "ssm:/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id"
