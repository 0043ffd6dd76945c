"""AMIs as one kind of image."""

from collections.abc import Set
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.imagebuilder_lifecycle_policy import (
    ImagebuilderLifecyclePolicyPolicyDetailActionIncludeResources,
    ImagebuilderLifecyclePolicyPolicyDetailExclusionRulesAmis,
)

from estate.estate import EstateImage
from estate.models.ami_image import AmiImage
from estate.models.retention import Retention
from estate.recipes.ami import Recipe, ami_recipe_of
from stacks.image.ami.disk_image import add_parent
from stacks.image.ami.distribution import add_distribution
from stacks.image.ami.export import add_export
from stacks.image.ami.recipe import add_recipe
from stacks.image.ami.retention import excluded_amis, lifecycle_statements
from stacks.image.execution_role.distribution import distribution_statements
from stacks.image.scope import Contents, ImageScope
from stacks.policy import Statement


@dataclass(frozen=True)
class AmiKind:
    """What the stack of an AMI has of its own: `stacks.image.scope.ImageKind`."""

    declared: EstateImage[AmiImage]

    lifecycle_type: ClassVar[str] = "AMI_IMAGE"

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe, computed once."""
        return ami_recipe_of(self.declared)

    @property
    def good_output(self) -> dict[str, str]:
        """An AMI of the image's architecture."""
        return {"architecture": self.declared.image.architecture}

    def add_contents(self, stack: TerraformStack, scope: ImageScope) -> Contents:
        """The image recipe and the AMI of its parent, the distribution of AMIs, and the export of disk images."""
        image = self.declared.image
        parent = add_parent(stack, scope, image=image, recipe=self.recipe)
        recipe = add_recipe(stack, scope, recipe=self.recipe, parent_image=parent)
        destination = add_export(stack, scope, export=image.export) if image.export else None
        distribution = add_distribution(stack, scope, image=image, export=destination)
        return Contents(image_recipe=recipe.arn, distribution=distribution.arn)

    def pipeline_guards(self) -> list[tuple[str, str]]:
        """None: the pipeline of an AMI names no repository."""
        return []

    def build_statements(self, scope: ImageScope) -> list[Statement]:
        """None: Image Builder makes the AMI, not the instance."""
        return []

    def execution_statements(self, actions: Set[str], scope: ImageScope) -> list[Statement]:
        """Image Builder distributes AMIs under the role of the workflows."""
        return distribution_statements(self.declared.image, scope)

    def output_statement(self, scope: ImageScope) -> Statement:
        """EC2's DescribeImages knows no resources."""
        return {"Sid": "LookAtAmis", "Action": "ec2:DescribeImages", "Resource": "*"}

    def lifecycle_statements(self, retention: Retention, scope: ImageScope) -> list[Statement]:
        """On AMIs that Image Builder made of this image, and on snapshots that it made."""
        return lifecycle_statements(retention, scope)

    def lifecycle_resources(self, action: str) -> ImagebuilderLifecyclePolicyPolicyDetailActionIncludeResources:
        """AMIs, and snapshots when they are deleted."""
        return ImagebuilderLifecyclePolicyPolicyDetailActionIncludeResources(
            amis=True, snapshots=action == "DELETE", containers=False
        )

    def excluded_amis(self, retention: Retention) -> ImagebuilderLifecyclePolicyPolicyDetailExclusionRulesAmis:
        """Those that the image's exclusion rules name, and public ones."""
        return excluded_amis(self.declared.image, retention)
