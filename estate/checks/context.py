"""What rules can look up, and which fields of the configuration are broken."""

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property

from estate.component_documents.document import Document
from estate.files import NamedFiles
from estate.models.ami_image import AmiImage, ComponentUse
from estate.models.container_image import ContainerImage
from estate.models.data_volumes import ImageVolume
from estate.models.external_image import ExternalImage
from estate.models.fleet import Fleet
from estate.models.images import FleetImage, Image, by_kind
from estate.models.settings import Settings
from estate.problems import Key, Words


@dataclass(frozen=True)
class Context:
    """A configuration whose rules are not checked yet: its models, which have stand-ins for broken fields, and the keys
    of these fields."""

    settings: Settings
    """Where there are none, all of their fields are broken."""
    images: Mapping[str, Image]
    external_images: Mapping[str, ExternalImage]
    """Images of other estates."""
    fleets: Mapping[str, Fleet]
    files: NamedFiles
    image_names: Words | None
    """The names of all images, also of those that have no model; None if a file could not be read, which may have
    more."""
    fleet_names: Words | None = None
    """The same of all fleets."""
    broken: Set[Key] = frozenset()
    """The keys of broken fields, and of broken items of lists."""

    @cached_property
    def amis(self) -> Mapping[str, AmiImage]:
        """The images that are AMIs: fleets run them, and other images are built from them."""
        return by_kind(self.images)[0]

    @cached_property
    def fleet_images(self) -> Mapping[str, FleetImage]:
        """The AMIs of this estate and of others."""
        return {**self.amis, **self.external_images}

    @cached_property
    def containers(self) -> Mapping[str, ContainerImage]:
        """The container images."""
        return by_kind(self.images)[1]

    @cached_property
    def fleets_of(self) -> Mapping[tuple[str, str | None], Sequence[Fleet]]:
        """The fleets of each image and environment."""
        found: dict[tuple[str, str | None], list[Fleet]] = {}
        for fleet in self.fleets.values():
            found.setdefault((fleet.image, fleet.environment), []).append(fleet)
        return found

    @cached_property
    def knows_every_fleet(self) -> bool:
        """Whether image and environment of all fleets are known."""
        return self.fleet_names is not None and all(
            name in self.fleets
            and self.broken_fields(fleet=("fleets", name)).isdisjoint(("fleet.image", "fleet.environment"))
            for name in self.fleet_names
        )

    def components_of(self, image: Image) -> Sequence[tuple[Key, ComponentUse]]:
        """The components of an image that are not broken, each with its place in the image."""
        return self._components[image.name]

    def component_documents_of(self, image: Image) -> Sequence[tuple[Key, ComponentUse, Document]]:
        """The components of an image whose document could be read, each once."""
        return self._component_documents[image.name]

    @cached_property
    def _component_documents(self) -> Mapping[str, Sequence[tuple[Key, ComponentUse, Document]]]:
        found: dict[str, list[tuple[Key, ComponentUse, Document]]] = {}
        for name, image in self.images.items():
            first: dict[str, tuple[Key, ComponentUse]] = {}
            for key, use in self._components[name]:
                first.setdefault(use.use, (key, use))
            documents = ((key, use, self.files.documents.get((use.use, image.platform))) for key, use in first.values())
            found[name] = [(key, use, document) for key, use, document in documents if document]
        return found

    @cached_property
    def _components(self) -> Mapping[str, Sequence[tuple[Key, ComponentUse]]]:
        return {
            name: [(key[2:], use) for key, use in image.placed_uses if key not in self.broken]
            for name, image in self.images.items()
        }

    def volumes_of(self, image: FleetImage) -> Mapping[str, ImageVolume] | None:
        """The volumes of an image and of the images from which it is built; None if not all of them are known, or if
        it is built from itself."""
        chain: list[FleetImage] = []
        current: FleetImage | None = image
        while current and current.name not in self._volumes:
            chain.append(current)
            self._volumes[current.name] = None
            base = current.base if isinstance(current, AmiImage) else None
            current = self.fleet_images.get(base.image) if base else None
        for each in reversed(chain):
            base = each.base if isinstance(each, AmiImage) else None
            inherited = self._volumes.get(base.image) if base else {}
            broken = self.broken_fields(image=("images", each.name)) & {"image.volumes", "image.parent"}
            if inherited is not None and not broken:
                self._volumes[each.name] = {**inherited, **each.volumes}
        return self._volumes[image.name]

    @cached_property
    def _volumes(self) -> dict[str, Mapping[str, ImageVolume] | None]:
        """What `volumes_of` has found, so that a chain of images is followed once."""
        return {}

    def broken_fields(self, **owners: Key) -> frozenset[str]:
        """The broken fields of the settings, images or fleets with these keys, named as rules name what they read:
        `image.os` for `image=("images", "web")`."""
        if not self.broken:
            return frozenset()
        return frozenset(
            f"{owner}.{field}" for owner, key in owners.items() for field in self._broken_fields.get(key, ())
        )

    def without_broken(self, reads: Collection[str]) -> "Context":
        """The same without images and fleets in which a field that a rule reads is broken."""
        if not self.broken:
            return self
        images = {
            name: image
            for name, image in self.images.items()
            if self.broken_fields(image=("images", name)).isdisjoint(reads)
        }
        fleets = {
            name: fleet
            for name, fleet in self.fleets.items()
            if self.broken_fields(fleet=("fleets", name)).isdisjoint(reads)
        }
        external_images = {
            name: image
            for name, image in self.external_images.items()
            if self.broken_fields(image=("images", name)).isdisjoint(reads)
        }
        return replace(self, images=images, fleets=fleets, external_images=external_images)

    @cached_property
    def _broken_fields(self) -> Mapping[Key, frozenset[str]]:
        fields: dict[Key, set[str]] = {}
        for *owner, field in self.broken:
            fields.setdefault(tuple(owner), set()).add(str(field))
        return {owner: frozenset(names) for owner, names in fields.items()}
