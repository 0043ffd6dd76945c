"""Image -> Recipe: what the image pipeline's stack builds from, as plain values.

Components and recipes cannot be changed once created: their versions follow from their content (`estate.versions`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from estate.catalogue.operating_systems import Platform
from estate.estate import EstateImage, Kind
from estate.models.ami_image import AmiImage, ComponentUse
from estate.recipes.document import MadeDocument
from estate.sharing import key_of
from estate.versions import patch_of


@dataclass(frozen=True, kw_only=True)
class Component(MadeDocument):
    """A component that the stack creates."""

    folder: ClassVar[str] = "components"

    platform: Platform


@dataclass(frozen=True)
class RecipeComponent:
    """One component of the recipe: one that the stack creates, or one known by its ARN."""

    component: Component | str
    parameters: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Device:
    """The block device mapping of a volume."""

    device_name: str
    volume_type: str
    volume_size: int | None
    iops: int | None
    throughput: int | None
    encrypted: bool = True
    delete_on_termination: bool = True
    kms_key_id: str | None = None
    snapshot_id: str | None = None


@dataclass(frozen=True)
class Recipe:
    """An image recipe. Each field is an argument of the resource and part of its version."""

    name: str
    major_minor: str
    description: str
    parent_image: str
    root_device: Device
    steps: tuple[RecipeComponent, ...]
    keeps_agent: bool
    """Whether the recipe says that the Systems Manager agent is kept if Image Builder installs it for the build.

    User data of our own could install it, too, but would replace Image Builder's user data, with the script that
    removes keys and identities from the image ("Security best practices" in its user guide).
    """
    volumes: tuple[Device, ...] = ()
    """The volumes in addition to the root volume, in the order of their names."""

    @property
    def version(self) -> str:
        """`<major>.<minor>.<patch>`."""
        return f"{self.major_minor}.{patch_of(self)}"

    @property
    def components(self) -> dict[str, Component]:
        """The components that the stack creates, each once, by their short name in the order of first use."""
        return components_of(self.steps)


def components_of(steps: Iterable[RecipeComponent]) -> dict[str, Component]:
    """The components that the stack creates for steps, each once, by their short name in the order of first use."""
    made = (step.component for step in steps if isinstance(step.component, Component))
    return {component.name.rpartition("_")[2]: component for component in made}


def ami_recipe_of(declared: EstateImage[AmiImage]) -> Recipe:
    """The recipe of an AMI of a checked estate."""
    image, parent = declared.image, declared.parent
    if parent is None:
        raise ValueError(f"image {image.name} has no parent: the checks refuse that")
    volume, kms_key = image.root_volume, key_of(declared, image.home)
    return Recipe(
        name=declared.names.image_builder,
        major_minor=image.version,
        description=image.description or f"{image.name}, built from {image.os}",
        parent_image=parent,
        root_device=Device(
            device_name=image.system.root_device,
            volume_type=volume.volume_type,
            volume_size=volume.volume_size,
            iops=volume.iops,
            throughput=volume.throughput,
            encrypted=volume.encrypted,
            kms_key_id=kms_key,
        ),
        steps=steps_of(declared),
        keeps_agent=_keeps_agent(image),
        volumes=tuple(
            Device(
                device_name=name,
                encrypted=volume.encrypted,
                kms_key_id=kms_key,
                **image.volumes[name].model_dump(),
            )
            for name in sorted(image.volumes)
        ),
    )


def _keeps_agent(image: AmiImage) -> bool:
    """Whether the parent has no agent, or may have none, as minimal AMIs. Windows has no such argument. A base has what
    its own recipe says, and the newest AMI of a system in the catalogue has what the catalogue says."""
    may_lack_it = isinstance(image.parent, str) or image.disk_image is not None or not image.system.has_agent
    return may_lack_it and image.platform != "Windows"


def steps_of(declared: EstateImage[Kind]) -> tuple[RecipeComponent, ...]:
    """The components of an image's recipe, in order."""
    return tuple(_step(use, declared) for use in declared.image.uses)


def _step(use: ComponentUse, declared: EstateImage[Kind]) -> RecipeComponent:
    image = declared.image
    parameters = tuple(sorted(use.with_.items()))
    if use.is_managed:
        return RecipeComponent(use.use, parameters)
    name, document = use.short_name, declared.estate.documents[use.use, image.platform]
    component = Component(
        name=declared.names.component(name),
        platform=image.platform,
        description=document.description or f"{name}, for image {image.name}",
        data=document.text,
    )
    return RecipeComponent(component, parameters)
