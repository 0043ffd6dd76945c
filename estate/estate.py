"""Everything that one configuration declares."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from estate import names
from estate.catalogue.operating_systems import Platform
from estate.component_documents.document import Document
from estate.models.ami_image import AmiImage
from estate.models.container_image import DEFAULT_DOCKERFILE, ContainerImage
from estate.models.fleet import Fleet
from estate.models.images import Image
from estate.models.settings import Settings
from estate.workflow_documents.actions import Stage
from estate.workflow_documents.document import WorkflowDocument


class Estate(BaseModel):
    """Settings, images and fleets, and the documents that the images use.

    From files by `estate.load.load`; in Python by `estate.load.assemble`, which checks the same.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    settings: Settings
    """What holds for the whole estate."""
    images: dict[str, Image] = {}
    """Golden images by name."""
    fleets: dict[str, Fleet] = {}
    """Fleets by name."""
    documents: SkipJsonSchema[Mapping[tuple[str, Platform], Document]] = Field(default={}, exclude=True)
    """Component documents by what names them in the configuration and by platform."""
    workflow_documents: SkipJsonSchema[Mapping[tuple[str, Stage], WorkflowDocument]] = Field(default={}, exclude=True)
    """Workflow documents by what names them in the configuration and by stage."""
    dockerfiles: SkipJsonSchema[Mapping[str, str]] = Field(default={}, exclude=True)
    """Dockerfile templates by their paths in the configuration."""

    def image_of(self, fleet: Fleet) -> AmiImage:
        """The image that a fleet runs."""
        image = self.images[fleet.image]
        if not isinstance(image, AmiImage):
            raise ValueError(f"fleet {fleet.name} runs a container image: the checks refuse that")
        return image

    def dockerfile_of(self, image: ContainerImage) -> str:
        """The Dockerfile template of a container image."""
        return (
            self.dockerfiles[image.own_dockerfile] if image.own_dockerfile else image.dockerfile or DEFAULT_DOCKERFILE
        )

    def repository_of(self, image: ContainerImage) -> str:
        """The name of the repository that a container image goes to."""
        made = image.repository if isinstance(image.repository, str) else None
        return made or names.repository(self.settings.namespace, image.name)

    def tags_of(self, image: Image) -> dict[str, str]:
        """The tags of an image's AMIs, parameters and builds: the settings', its own, and the one it is found by."""
        return {**self.settings.tags, **image.tags, **names.owner_tag(self.settings.namespace, image.name)}

    def tags_of_fleet(self, fleet: Fleet) -> dict[str, str]:
        """The tags of everything in a fleet's stack: the settings', its own, and the one of the image that it runs."""
        return {**self.settings.tags, **fleet.tags, **names.owner_tag(self.settings.namespace, fleet.image)}

    @property
    def overviews(self) -> tuple[str, ...]:
        """The regions that have a dashboard: the homes of images, if the settings want any."""
        homes = {image.home for image in self.images.values()} if self.settings.dashboards else ()
        return tuple(sorted(homes))

    @property
    def stacks(self) -> dict[str, str]:
        """The stacks that this becomes, and the region of each."""
        return {
            **{names.image_stack(image.name): image.home for image in self.images.values()},
            **{names.fleet_stack(fleet.name): fleet.region for fleet in self.fleets.values()},
            **{names.overview_stack(region): region for region in self.overviews},
        }

    def children(self, image: Image) -> list[Image]:
        """The images that are built on this one."""
        path = f"ssm:{names.image_path(self.settings.namespace, image.name)}/"
        found = ((each, each.parent_reference(namespace=self.settings.namespace)) for each in self.images.values())
        return [each for each, parent in found if parent and parent.startswith(path)]

    def parameters(self, image: Image) -> dict[str, str]:
        """The SSM parameter of each channel of an image."""
        namespace = self.settings.namespace
        return {channel: names.parameter(namespace, image.name, channel) for channel in (names.LATEST, *image.channels)}
