"""Whether Amazon Inspector looks for vulnerabilities in what is built: the `image_scanning:` of an image."""

from typing import Annotated, Self

from pydantic import BaseModel, StrictBool, model_validator

from estate.models.types import FROZEN, Distinct, ImageTag, RepositoryName
from estate.problems import RuleError

SCANNING_REPOSITORY = "image-builder-image-scanning-repository"
"""The repository that Image Builder makes for scans where none is named (botocore, EcrConfiguration)."""


class EcrConfiguration(BaseModel):
    """Where in Amazon ECR a container image lies while Inspector scans it.

    The fields are those of the provider's `ecr_configuration`.
    """

    model_config = FROZEN

    repository_name: RepositoryName
    """The repository to which the image is pushed to be scanned. It must be there, in the image's home."""
    container_tags: Annotated[tuple[ImageTag, ...], Distinct()] = ()
    """Tags of the image in that repository. Without it: none of yours."""


class ImageScanning(BaseModel):
    """Vulnerability scans of each build by Amazon Inspector, which must be enabled in the account. It has its price.

    The fields are those of the provider's `image_scanning_configuration`.
    """

    model_config = FROZEN

    image_scanning_enabled: StrictBool = False
    """Whether Inspector scans the instance that tests the image, or the container image in a repository for scans, and
    Image Builder keeps the findings. It needs tests. Without it: nothing is scanned."""
    ecr_configuration: EcrConfiguration | None = None
    """The repository for scans of a container image. Without it: `image-builder-image-scanning-repository`, which Image
    Builder makes and empties: what Inspector has not looked at yet stays out of the image's own. AWS's provider cannot
    take the field away again: name another repository in its place."""

    @property
    def repository_name(self) -> str:
        """The repository from which Inspector takes container images."""
        return self.ecr_configuration.repository_name if self.ecr_configuration else SCANNING_REPOSITORY

    @model_validator(mode="after")
    def _of_use(self) -> Self:
        if self.ecr_configuration and not self.image_scanning_enabled:
            remedy = "write image_scanning_enabled: true, or delete it"
            raise RuleError("is for scans, and there is none", remedy=remedy, key=("ecr_configuration",))
        return self
