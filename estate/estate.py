"""Everything that one configuration declares, and each image and fleet in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from estate import names
from estate.arns import arn_in
from estate.catalogue.operating_systems import Platform
from estate.component_documents.document import Document
from estate.models.ami_image import AmiImage
from estate.models.fleet import Fleet
from estate.models.images import Image
from estate.models.settings import Provider, Settings
from estate.names import FleetNames, ImageNames
from estate.workflow_documents.actions import Stage
from estate.workflow_documents.document import WorkflowDocument

Kind = TypeVar("Kind", bound=Image, covariant=True)


class Estate(BaseModel):
    """Settings, images and fleets, and the documents that the images use.

    It comes from files by `estate.load.load`, or from Python by `estate.load.assemble`, with the same checks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    settings: Settings
    """Settings of the whole estate."""
    images: dict[str, Image] = {}
    """Golden images by name."""
    fleets: dict[str, Fleet] = {}
    """Fleets by name."""
    documents: SkipJsonSchema[Mapping[tuple[str, Platform], Document]] = Field(default={}, exclude=True)
    """Component documents by their name or path in the configuration, and by platform."""
    workflow_documents: SkipJsonSchema[Mapping[tuple[str, Stage], WorkflowDocument]] = Field(default={}, exclude=True)
    """Workflow documents by their path in the configuration, and by stage."""
    dockerfiles: SkipJsonSchema[Mapping[str, str]] = Field(default={}, exclude=True)
    """Dockerfile templates by their paths in the configuration."""

    @property
    def namespace(self) -> str:
        """The prefix of the names of the estate's resources in AWS."""
        return self.settings.namespace

    def image(self, name: str) -> "EstateImage[Image]":
        """An image by its name. Raises `KeyError`."""
        return EstateImage(self, self.images[name])

    def fleet(self, name: str) -> "EstateFleet":
        """A fleet by its name. Raises `KeyError`."""
        return EstateFleet(self, self.fleets[name])

    @property
    def overviews(self) -> tuple[str, ...]:
        """The regions that have a dashboard: the homes of images, if the settings want any."""
        homes = {image.home for image in self.images.values()} if self.settings.dashboards else ()
        return tuple(sorted(homes))

    @property
    def stacks(self) -> dict[str, str]:
        """The stacks of the estate, each with its region."""
        return {
            **{names.image_stack(image.name): image.home for image in self.images.values()},
            **{names.fleet_stack(fleet.name): fleet.region for fleet in self.fleets.values()},
            **{names.overview_stack(region): region for region in self.overviews},
        }


@dataclass(frozen=True)
class EstateImage(Generic[Kind]):
    """An image in its estate: what follows from both, such as its names, tags and parameters."""

    estate: Estate
    image: Kind

    @cached_property
    def names(self) -> ImageNames:
        """The names of what belongs to it."""
        return ImageNames(self.estate.namespace, self.image.name)

    @property
    def settings(self) -> Settings:
        """The settings of the estate."""
        return self.estate.settings

    @cached_property
    def tags(self) -> dict[str, str]:
        """The tags of its AMIs, parameters and builds: the settings', its own, and the one it is found by."""
        return {**self.settings.tags, **self.image.tags, **self.names.owner_tag}

    @property
    def parameters(self) -> dict[str, str]:
        """The SSM parameter of each channel."""
        return {channel: self.names.parameter(channel) for channel in (names.LATEST, *self.image.channels)}

    @property
    def parent(self) -> str | None:
        """The parent image as Image Builder takes it."""
        return self.image.parent_reference(namespace=self.estate.namespace)

    @property
    def repository(self) -> str | None:
        """The ECR repository that a container image is pushed to; None for an AMI."""
        return self.image.repository_name(namespace=self.estate.namespace)

    @property
    def children(self) -> tuple[Image, ...]:
        """The images that are built on this one."""
        images = (self.estate.image(name) for name in self.estate.images)
        return tuple(each.image for each in images if (each.parent or "").startswith(f"ssm:{self.names.path}/"))

    def arn(self, service: str, resource: str, *, account: str = "", region: str | None = None) -> str:
        """An ARN in the image's partition; of the home region, unless another one, or none, is given."""
        return arn_in(self.image.home, service, resource, account=account, region=region)

    def image_builder_arn(self, kind: str, *, account: str, name: str | None = None) -> str:
        """The ARN, without a version, of a resource of Image Builder: `image-pipeline`, `image`, `component`.

        By default the resource has the image's own name.
        """
        return self.arn("imagebuilder", f"{kind}/{names.in_arn(name or self.names.image_builder)}", account=account)


@dataclass(frozen=True)
class EstateFleet:
    """A fleet in its estate: what follows from both, such as its names, tags and image."""

    estate: Estate
    fleet: Fleet

    @cached_property
    def names(self) -> FleetNames:
        """The names of what belongs to it."""
        return FleetNames(self.estate.namespace, self.fleet.name)

    @property
    def settings(self) -> Settings:
        """The settings of the estate."""
        return self.estate.settings

    @property
    def provider(self) -> Provider:
        """How Terraform reaches its account."""
        return self.fleet.provider or self.settings.provider

    @property
    def image(self) -> EstateImage[AmiImage]:
        """The image that it runs."""
        image = self.estate.images[self.fleet.image]
        if not isinstance(image, AmiImage):
            raise ValueError(f"fleet {self.fleet.name} runs a container image: the checks refuse that")
        return EstateImage(self.estate, image)

    @cached_property
    def tags(self) -> dict[str, str]:
        """The tags of everything in its stack: the settings', its own, and the one of the image that it runs."""
        return {**self.settings.tags, **self.fleet.tags, **self.image.names.owner_tag}

    def arn(self, service: str, resource: str, *, account: str, region: str | None = None) -> str:
        """An ARN in the fleet's partition; of its region, unless another one, or none, is given."""
        return arn_in(self.fleet.region, service, resource, account=account, region=region)
