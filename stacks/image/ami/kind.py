"""What differs for images that are AMIs."""

from collections.abc import Set
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.imagebuilder_lifecycle_policy import (
    ImagebuilderLifecyclePolicyPolicyDetailActionIncludeResources,
    ImagebuilderLifecyclePolicyPolicyDetailExclusionRulesAmis,
)

from estate import names
from estate.estate import EstateImage
from estate.models.ami_image import AmiImage
from estate.models.retention import Retention
from estate.recipes.ami import Recipe, ami_recipe_of
from estate.sharing import is_run_elsewhere
from stacks.image.ami.disk_image import add_parent
from stacks.image.ami.distribution import add_distribution
from stacks.image.ami.export import add_export
from stacks.image.ami.keys import add_keys
from stacks.image.ami.reader_role import add_reader_role
from stacks.image.ami.recipe import add_recipe
from stacks.image.ami.retention import excluded_amis, lifecycle_statements
from stacks.image.execution_role.distribution import distribution_statements
from stacks.image.scope import Contents, ImageScope
from stacks.policy import Statement, any_of, only_in


@dataclass(frozen=True)
class AmiKind:
    """The `ImageKind` (`stacks.image.scope`) of AMIs."""

    declared: EstateImage[AmiImage]

    lifecycle_type: ClassVar[str] = "AMI_IMAGE"

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe, computed once."""
        return ami_recipe_of(self.declared)

    def add_contents(self, stack: TerraformStack, scope: ImageScope) -> Contents:
        """The image recipe, the AMI of a parent disk image, the distribution, the export of disk images, and what
        fleets of other accounts need."""
        image = self.declared.image
        keys = add_keys(stack, scope, declared=self.declared)
        if is_run_elsewhere(self.declared):
            add_reader_role(stack, scope, image=image, keys=keys)
        parent = add_parent(stack, scope, image=image, recipe=self.recipe)
        recipe = add_recipe(stack, scope, recipe=self.recipe, parent_image=parent, keys=keys)
        destination = add_export(stack, scope, export=image.export) if image.export else None
        distribution = add_distribution(stack, scope, declared=self.declared, keys=keys, export=destination)
        return Contents(image_recipe=recipe.arn, distribution=distribution.arn)

    def pipeline_guards(self) -> list[tuple[str, str]]:
        """None: the pipeline of an AMI has no repository for scans."""
        return []

    def build_statements(self, scope: ImageScope) -> list[Statement]:
        """None: Image Builder makes the AMI, not the build instance."""
        return []

    def execution_statements(self, actions: Set[str], scope: ImageScope) -> list[Statement]:
        """Image Builder distributes AMIs with the role of the workflows."""
        return distribution_statements(self.declared.image, scope)

    def output_statements(self, scope: ImageScope) -> list[Statement]:
        """For one tag on AMIs of this image's builds. DescribeImages of EC2 has no resource types."""
        regions = scope.image.regions
        revoked: Statement = {
            "Sid": "MarkRevokedAmis",
            "Action": ["ec2:CreateTags", "ec2:DeleteTags"],
            "Resource": scope.arn("ec2", "image/*", account="", region=any_of(regions)),
            "Condition": {
                "StringLike": {f"aws:ResourceTag/{names.BUILD_TAG}": f"{scope.image_builder_arn('image')}/*"},
                "ForAllValues:StringEquals": {"aws:TagKeys": names.REVOKED_TAG},
            },
        }
        return [{"Sid": "DescribeAmis", "Action": "ec2:DescribeImages", "Resource": "*"}, only_in(regions, revoked)]

    def lifecycle_statements(self, retention: Retention, scope: ImageScope) -> list[Statement]:
        """For the AMIs of this image, and for snapshots made by Image Builder."""
        return lifecycle_statements(retention, scope)

    def lifecycle_resources(self, action: str) -> ImagebuilderLifecyclePolicyPolicyDetailActionIncludeResources:
        """AMIs, and snapshots when they are deleted."""
        return ImagebuilderLifecyclePolicyPolicyDetailActionIncludeResources(
            amis=True, snapshots=action == "DELETE", containers=False
        )

    def excluded_amis(self, retention: Retention) -> ImagebuilderLifecyclePolicyPolicyDetailExclusionRulesAmis:
        """AMIs by the exclusion rules of the image, and public AMIs."""
        return excluded_amis(self.declared.image, retention)
