"""Whether Amazon Inspector looks for vulnerabilities in builds: the `image_scanning:` of an image."""

from typing import Annotated, Self

from pydantic import BaseModel, StrictBool, model_validator

from estate.models.types import FROZEN, Distinct, ImageTag, RepositoryName
from estate.problems import RuleError

SCANNING_REPOSITORY = "image-builder-image-scanning-repository"
"""The repository that Image Builder creates for scans where none is named (botocore, EcrConfiguration)."""


class EcrConfiguration(BaseModel):
    """The repository in Amazon ECR in which Inspector scans a container image.

    The fields are those of the provider's `ecr_configuration`.
    """

    model_config = FROZEN

    repository_name: RepositoryName
    """The repository to which the image is pushed for the scan. It must exist, in the home region."""
    container_tags: Annotated[tuple[ImageTag, ...], Distinct()] = ()
    """Tags of the image in that repository. Default: none."""


class ImageScanning(BaseModel):
    """Vulnerability scans of each build by Amazon Inspector, which must be enabled in the account and costs money.

    The fields are those of the provider's `image_scanning_configuration`.
    """

    model_config = FROZEN

    image_scanning_enabled: StrictBool = False
    """Whether Inspector scans the instance that tests the image, or the container image in a repository for scans, and
    Image Builder keeps the findings. It needs tests. Default: disabled."""
    ecr_configuration: EcrConfiguration | None = None
    """The repository for scans of a container image, so that the image's own repository has only scanned images. AWS's
    provider cannot remove this field again: name another repository instead. Default:
    `image-builder-image-scanning-repository`, which Image Builder creates and empties."""

    @property
    def repository_name(self) -> str:
        """The repository from which Inspector takes container images."""
        return self.ecr_configuration.repository_name if self.ecr_configuration else SCANNING_REPOSITORY

    @model_validator(mode="after")
    def _of_use(self) -> Self:
        if self.ecr_configuration and not self.image_scanning_enabled:
            remedy = "write image_scanning_enabled: true, or delete it"
            raise RuleError("is only for scans, which are disabled", remedy=remedy, key=("ecr_configuration",))
        return self
