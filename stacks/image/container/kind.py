"""What differs for images that are container images."""

from collections.abc import Set
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.imagebuilder_lifecycle_policy import (
    ImagebuilderLifecyclePolicyPolicyDetailActionIncludeResources,
)

from estate.estate import EstateImage
from estate.models.container_image import ContainerImage
from estate.models.image_scanning import SCANNING_REPOSITORY
from estate.models.retention import Retention
from estate.recipes.container import ContainerRecipe, container_recipe_of
from stacks.image.container.distribution import add_container_distribution
from stacks.image.container.permissions import build_statements, on_repositories, scan_repository_statements
from stacks.image.container.recipe import add_container_recipe
from stacks.image.container.repositories import add_repositories
from stacks.image.scope import Contents, ImageScope
from stacks.policy import Statement


@dataclass(frozen=True)
class ContainerKind:
    """The `ImageKind` (`stacks.image.scope`) of container images."""

    declared: EstateImage[ContainerImage]

    lifecycle_type: ClassVar[str] = "CONTAINER_IMAGE"

    @cached_property
    def recipe(self) -> ContainerRecipe:
        """The recipe, computed once."""
        return container_recipe_of(self.declared)

    def add_contents(self, stack: TerraformStack, scope: ImageScope) -> Contents:
        """The repositories, the container recipe, and the distribution of container images."""
        repositories = add_repositories(stack, scope, image=self.declared.image, name=self.recipe.repository)
        recipe = add_container_recipe(stack, scope, recipe=self.recipe, repository=repositories[scope.image.home])
        distribution = add_container_distribution(
            stack, scope, repositories=repositories, container_tags=self.declared.image.container_tags
        )
        return Contents(container_recipe=recipe.arn, distribution=distribution.arn)

    def pipeline_guards(self) -> list[tuple[str, str]]:
        """The block `ecr_configuration` is optional and computed, in provider 5.100 and in 6, so the provider keeps it.
        Builds would still push to its repository, without the permission."""
        scanning = self.declared.image.image_scanning
        if scanning.ecr_configuration or not scanning.image_scanning_enabled:
            return []
        return [
            (
                # a pipeline that was changed by hand may lack the block, and an index that fails would stop a destroy
                "alltrue([for each in try(self.image_scanning_configuration[0].ecr_configuration, []) : "
                f'contains(["", "{SCANNING_REPOSITORY}"], each.repository_name)])',
                f"Image {self.declared.image.name}: its pipeline has a repository for scans, and AWS's provider cannot "
                "remove it. Name one: image_scanning.ecr_configuration: {repository_name: …}.",
            )
        ]

    def build_statements(self, scope: ImageScope) -> list[Statement]:
        """A build instance pushes the container image itself."""
        return build_statements(self.declared.image, scope)

    def execution_statements(self, actions: Set[str], scope: ImageScope) -> list[Statement]:
        """For the repository that Image Builder makes for scans, if none is configured."""
        scanning = self.declared.image.image_scanning
        scans = "CollectImageScanFindings" in actions and scanning.image_scanning_enabled
        return scan_repository_statements(scope) if scans and scanning.repository_name == SCANNING_REPOSITORY else []

    def output_statements(self, scope: ImageScope) -> list[Statement]:
        """For the repository in each region."""
        return [on_repositories("DescribeContainerImages", "ecr:DescribeImages", scope)]

    def lifecycle_statements(self, retention: Retention, scope: ImageScope) -> list[Statement]:
        """For the repository in each region."""
        return [on_repositories("DeleteContainerImages", ["ecr:BatchGetImage", "ecr:BatchDeleteImage"], scope)]

    def lifecycle_resources(self, action: str) -> ImagebuilderLifecyclePolicyPolicyDetailActionIncludeResources:
        """Container images, whatever the action."""
        return ImagebuilderLifecyclePolicyPolicyDetailActionIncludeResources(
            amis=False, snapshots=False, containers=True
        )

    def excluded_amis(self, retention: Retention) -> None:
        """None: there are no AMIs."""
        return
