"""An image's pipeline as it is deployed, and its builds as a person names them: `1.0.912/3`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from botocore.exceptions import ClientError

from estate.estate import NamedImage
from estate.models.external_image import ExternalImage
from estate.models.images import Image
from lambda_src.handoff.builds import time_in
from lambda_src.handoff.outputs import Amis, Containers, Outputs
from ops.aws import Aws, asking
from ops.errors import OpsError


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """The pipeline of an image of this estate or of another one, deployed or not."""

    declared: NamedImage[Image | ExternalImage]
    account: str

    @property
    def image(self) -> Image | ExternalImage:
        """The image as it is configured."""
        return self.declared.image

    @property
    def arn(self) -> str:
        """Its ARN, which follows from its name."""
        return self.declared.image_builder_arn("image-pipeline", account=self.account)

    @property
    def channels(self) -> str:
        """The path of the image's channels in Parameter Store."""
        return self.declared.names.path

    @property
    def handoff(self) -> str:
        """The name of its hand-off function."""
        return self.declared.names.handoff

    @property
    def repository(self) -> str | None:
        """The repository of a container image; None for AMIs."""
        return self.declared.repository

    @property
    def noun(self) -> str:
        """What its builds make."""
        return "container image" if self.repository else "AMI"

    def outputs(self, region: str, *, aws: Aws) -> Outputs:
        """The outputs of its builds in a region."""
        if self.repository:
            return Containers(aws.ecr(region), region, self.repository)
        return Amis(aws.ec2(region), region, self.image.architecture)

    @property
    def not_deployed(self) -> str:
        """The message when it does not exist."""
        stack = self.declared.names.stack
        place = f"account {self.account}, {self.image.home}"
        return f"{stack} is not deployed: run goldsmith plan {stack} and apply it (looked in {place})"

    def is_of(self, build_arn: str) -> bool:
        """Whether a build is a build of the image, with any version of its recipe, and in any region, because the
        image may have had another home region then."""
        return is_build_of(self.declared, build_arn)

    def build_arn(self, build: str) -> str:
        """The ARN of its build `1.0.912/3`."""
        return f"{self.declared.image_builder_arn('image', account=self.account)}/{build}"


def is_build_of(image: NamedImage[Image | ExternalImage], build_arn: str) -> bool:
    """Whether a build is a build of an image, in any account and region."""
    return re.fullmatch(f"{image.names.build_pattern}[0-9./]+", build_arn) is not None


def deployed_recipe(pipeline: Pipeline, *, aws: Aws) -> str | None:
    """The version of the recipe that the pipeline builds, `1.0.912`; None when there is no pipeline."""
    with asking(pipeline.image.home):
        try:
            answer = aws.imagebuilder(pipeline.image.home).get_image_pipeline(imagePipelineArn=pipeline.arn)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise
        pipeline_now = answer["imagePipeline"]
        return (pipeline_now.get("imageRecipeArn") or pipeline_now["containerRecipeArn"]).rpartition("/")[2]


def check_deployed(pipeline: Pipeline, *, aws: Aws) -> str:
    """The version of the deployed recipe. Raises `OpsError` when the pipeline does not exist."""
    recipe = deployed_recipe(pipeline, aws=aws)
    if recipe is None:
        raise OpsError(pipeline.not_deployed)
    return recipe


def created_in(record: Mapping[str, str]) -> datetime | None:
    """When the build that a channel's record names was made; None when the record does not say."""
    return time_in(record.get("created"))
