"""The local AWS's container recipes and container builds: what they refuse, and what they create."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.support.image_builder import build, refusal

REGION, ABROAD = "eu-west-2", "eu-west-3"
TEMPLATE = "FROM {{{ imagebuilder:parentImage }}}\n{{{ imagebuilder:environments }}}\n{{{ imagebuilder:components }}}"
COMPONENT = f"arn:aws:imagebuilder:{REGION}:aws:component/update-linux/x.x.x"

numbers = itertools.count(1)


class LocalImage:
    """A repository and a container recipe, and clients."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        self.name = f"containers_{next(numbers)}"
        self.image_builder = aws.client("imagebuilder", region=REGION)
        self.ecr = {region: aws.client("ecr", region=region) for region in (REGION, ABROAD)}
        self.ecr[REGION].create_repository(repositoryName=self.name, imageTagMutability="IMMUTABLE")
        self.recipe: dict[str, Any] = {
            "name": self.name,
            "semanticVersion": "1.2.3",
            "containerType": "DOCKER",
            "parentImage": "amazonlinux:2023",
            "dockerfileTemplateData": TEMPLATE,
            "components": [{"componentArn": COMPONENT}],
            "targetRepository": {"service": "ECR", "repositoryName": self.name},
        }

    def create(self, **changes: Any) -> str:
        """Creates the recipe with changes; without a member where the change is None."""
        members = {key: value for key, value in {**self.recipe, **changes}.items() if value is not None}
        return str(self.image_builder.create_container_recipe(**members)["containerRecipeArn"])

    def pipeline(self, *, regions: tuple[str, ...] | None = None, tags: tuple[str, ...] = ()) -> str:
        """A pipeline of the recipe, with a distribution configuration for regions if there are any."""
        iam = self.aws.client("iam", region=REGION)
        iam.create_instance_profile(InstanceProfileName=self.name)
        infrastructure = self.image_builder.create_infrastructure_configuration(
            name=self.name, instanceProfileName=self.name
        )["infrastructureConfigurationArn"]
        arns = {"containerRecipeArn": self.create(), "infrastructureConfigurationArn": infrastructure}
        if regions:
            container = {"containerTags": list(tags), "targetRepository": self.recipe["targetRepository"]}
            arns["distributionConfigurationArn"] = self.image_builder.create_distribution_configuration(
                name=self.name,
                distributions=[{"region": each, "containerDistributionConfiguration": container} for each in regions],
            )["distributionConfigurationArn"]
        return str(self.image_builder.create_image_pipeline(name=self.name, **arns)["imagePipelineArn"])

    def build(self, pipeline: str) -> dict[str, Any]:
        """The image of a build that has ended."""
        return build(self.image_builder, {"imagePipelineArn": pipeline})


@pytest.fixture
def world(local_aws: LocalAws) -> LocalImage:
    return LocalImage(local_aws)


def test_recipe_is_kept_in_the_form_of_the_api(world: LocalImage) -> None:
    windows = {"platformOverride": "Windows", "imageOsVersionOverride": "Microsoft Windows Server 2022"}
    arn = world.create(**windows, workingDirectory="/work")
    assert arn == f"arn:aws:imagebuilder:{REGION}:000000000000:container-recipe/{world.name.replace('_', '-')}/1.2.3"
    recipe = world.image_builder.get_container_recipe(containerRecipeArn=arn)["containerRecipe"]
    assert (recipe["platform"], recipe["version"], recipe["encrypted"]) == ("Windows", "1.2.3", True)
    assert recipe["dockerfileTemplateData"] == TEMPLATE
    assert arn in [
        each["arn"]
        for page in world.image_builder.get_paginator("list_container_recipes").paginate()
        for each in page["containerRecipeSummaryList"]
    ]
    assert refusal(world.create).startswith("ResourceAlreadyExistsException: ")


INVALID = "InvalidParameterValueException: The value supplied for parameter"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"targetRepository": {"service": "ECR", "repositoryName": "nobody/nothing"}},
            f"{INVALID} 'targetRepository' is not valid. The repository 'nobody/nothing' does not exist in {REGION}.",
        ),
        (
            {"dockerfileTemplateData": "FROM amazonlinux:2023"},
            f"{INVALID} 'dockerfileTemplateData' is not valid. The template must include "
            "{{{ imagebuilder:parentImage }}}.",
        ),
        (
            {"dockerfileTemplateUri": "s3://bucket/Dockerfile"},
            "InvalidParameterCombinationException: Specify exactly one of 'dockerfileTemplateData' and "
            "'dockerfileTemplateUri'.",
        ),
        (
            {"dockerfileTemplateData": None, "dockerfileTemplateUri": "s3://nobody/nothing"},
            f"{INVALID} 'dockerfileTemplateUri' is not valid. There is no readable object 's3://nobody/nothing'.",
        ),
        (
            {"platformOverride": "Windows"},
            f"{INVALID} 'imageOsVersionOverride' is not valid. It is required for a Windows base image from a "
            "registry.",
        ),
        (
            {
                "components": [
                    {"componentArn": f"arn:aws:imagebuilder:{REGION}:aws-marketplace:component/hardening/1.0.0"}
                ]
            },
            f"{INVALID} 'components' is not valid. Container recipes don't support AWS Marketplace components.",
        ),
        (
            {"platformOverride": "macOS"},
            f"{INVALID} 'platformOverride' is not valid. Container recipes support only the Linux and Windows "
            "platforms.",
        ),
        (
            {"parentImage": f"arn:aws:imagebuilder:{REGION}:000000000000:image/nothing/1.0.0"},
            f"{INVALID} 'parentImage' is not valid. The container image "
            f"'arn:aws:imagebuilder:{REGION}:000000000000:image/nothing/1.0.0' does not exist in {REGION}.",
        ),
        (
            {"components": [{"componentArn": f"arn:aws:imagebuilder:{REGION}:000000000000:component/none/1.0.0"}]},
            f"ResourceNotFoundException: The resource 'arn:aws:imagebuilder:{REGION}:000000000000:component/none/1.0.0'"
            " does not exist.",
        ),
        (
            {"targetRepository": {"service": "DOCKER_HUB", "repositoryName": "x"}},
            f"{INVALID} 'targetRepository.service' is not valid. targetRepository.service must be one of ECR.",
        ),
        (
            {"dockerfileTemplateData": TEMPLATE + "#" * 16_000},
            f"{INVALID} 'dockerfileTemplateData' is not valid. dockerfileTemplateData must be at most 16000.",
        ),
    ],
)
def test_recipe_that_cannot_be_built_is_refused(world: LocalImage, changes: dict[str, Any], words: str) -> None:
    assert refusal(world.create, **changes) == words


def test_build_pushes_one_manifest_under_every_tag_to_every_region(world: LocalImage) -> None:
    world.ecr[ABROAD].create_repository(repositoryName=world.name)
    image = world.build(world.pipeline(regions=(REGION, ABROAD), tags=("stable",)))

    assert (image["type"], image["state"]["status"], image["version"]) == ("DOCKER", "AVAILABLE", "1.2.3/1")
    assert image["containerRecipe"]["parentImage"] == "amazonlinux:2023"
    assert "imageRecipe" not in image
    registry = "000000000000.dkr.ecr.{}.amazonaws.com/" + world.name
    assert image["outputResources"]["containers"] == [
        {"region": each, "imageUris": [f"{registry.format(each)}:stable", f"{registry.format(each)}:1.2.3-1"]}
        for each in (REGION, ABROAD)
    ]
    found = [world.ecr[each].describe_images(repositoryName=world.name)["imageDetails"] for each in (REGION, ABROAD)]
    assert [[sorted(each["imageTags"]) for each in details] for details in found] == [[["1.2.3-1", "stable"]]] * 2
    assert found[0][0]["imageDigest"] == found[1][0]["imageDigest"]


def test_build_without_distribution_goes_to_the_repository_of_the_recipe(world: LocalImage) -> None:
    image = world.build(world.pipeline())
    uri = f"000000000000.dkr.ecr.{REGION}.amazonaws.com/{world.name}:1.2.3-1"
    assert image["outputResources"]["containers"] == [{"region": REGION, "imageUris": [uri]}]


def test_build_fails_with_ecrs_message(world: LocalImage) -> None:
    pipeline = world.pipeline(regions=(REGION,), tags=("stable",))
    assert world.build(pipeline)["state"]["status"] == "AVAILABLE"
    state = world.build(pipeline)["state"]
    assert state["status"] == "FAILED"
    assert "ImageTagAlreadyExistsException" in state["reason"], "an immutable repository moves no tag"


def test_build_fails_where_a_region_has_no_repository(world: LocalImage) -> None:
    state = world.build(world.pipeline(regions=(REGION, ABROAD)))["state"]
    assert state["status"] == "FAILED"
    assert "RepositoryNotFoundException" in state["reason"]


def test_container_recipe_in_use_is_not_deleted(world: LocalImage) -> None:
    pipeline = world.pipeline()
    arn = world.image_builder.get_image_pipeline(imagePipelineArn=pipeline)["imagePipeline"]["containerRecipeArn"]
    assert refusal(world.image_builder.delete_container_recipe, containerRecipeArn=arn).startswith(
        "ResourceDependencyException: "
    )


def test_container_that_was_built_is_a_parent_of_another(world: LocalImage) -> None:
    image = world.build(world.pipeline())
    arn = world.create(name=f"{world.name}_child", parentImage=image["arn"])
    recipe = world.image_builder.get_container_recipe(containerRecipeArn=arn)["containerRecipe"]
    assert (recipe["parentImage"], recipe["platform"]) == (image["arn"], image["platform"])


def test_container_is_no_parent_of_an_ami(world: LocalImage) -> None:
    image = world.build(world.pipeline())
    words = refusal(
        world.image_builder.create_image_recipe,
        name=f"{world.name}_ami",
        semanticVersion="1.0.0",
        parentImage=image["arn"],
        components=[{"componentArn": COMPONENT}],
    )
    assert words.endswith(f"The parent image '{image['arn']}' does not exist in {REGION}.")
