"""Everything that one configuration declares."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from estate import names
from estate.documents import Document
from estate.fleet import Fleet
from estate.image import Image
from estate.operating_systems import Platform
from estate.settings import Settings


class Estate(BaseModel):
    """Settings, images and fleets, and the documents that the images use.

    From files by `estate.load.load`; in Python by `estate.load.assemble`, which checks the same.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, arbitrary_types_allowed=True)

    settings: Settings
    """What holds for the whole estate."""
    images: dict[str, Image] = {}
    """Golden images by name."""
    fleets: dict[str, Fleet] = {}
    """Fleets by name."""
    documents: SkipJsonSchema[Mapping[tuple[str, Platform], Document]] = Field(default={}, exclude=True)
    """Component documents by what names them in the configuration and by platform."""

    def image_of(self, fleet: Fleet) -> Image:
        """The image that a fleet runs."""
        return self.images[fleet.image]

    def tags_of(self, image: Image) -> dict[str, str]:
        """The tags of an image's AMIs, parameters and builds: the settings', its own, and the one it is found by."""
        return {**self.settings.tags, **image.tags, **names.owner_tag(self.settings.namespace, image.name)}

    def parameters(self, image: Image) -> dict[str, str]:
        """The SSM parameter of each channel of an image."""
        namespace = self.settings.namespace
        return {channel: names.parameter(namespace, image.name, channel) for channel in (names.LATEST, *image.channels)}
