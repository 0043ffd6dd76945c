"""What the parts of an image's stack share: the image in its estate, common resources, and what differs by kind.

A part is `add_x(stack, scope, *, …)`. Its keyword arguments are what other parts have made.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import ClassVar, Protocol

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.imagebuilder_lifecycle_policy import (
    ImagebuilderLifecyclePolicyPolicyDetailActionIncludeResources,
    ImagebuilderLifecyclePolicyPolicyDetailExclusionRulesAmis,
)
from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket
from cdktf_cdktf_provider_aws.sns_topic import SnsTopic

from estate.estate import EstateImage
from estate.models.images import Image
from estate.models.retention import Retention
from estate.models.settings import Settings
from estate.names import ImageNames
from estate.recipes.ami import Recipe
from estate.recipes.container import ContainerRecipe
from stacks.policy import Statement


@dataclass(frozen=True, kw_only=True)
class ImageScope:
    """The image of the stack, and the resources that several parts use. Only Terraform knows account and key."""

    declared: EstateImage[Image]
    kind: ImageKind
    account: str
    kms_key: str
    """The ARN of the key for topics, queue, logs and bucket."""
    topic: SnsTopic
    """The topic to which Image Builder publishes builds that ended."""
    logs: S3Bucket
    """The bucket of build logs, and of documents that are too long for a request."""

    @property
    def image(self) -> Image:
        """The image as it is configured."""
        return self.declared.image

    @property
    def names(self) -> ImageNames:
        """The names of what belongs to the image."""
        return self.declared.names

    @property
    def settings(self) -> Settings:
        """The settings of the estate."""
        return self.declared.settings

    def role_name(self, part: str) -> str:
        """The name of a role of the stack."""
        return self.names.role(part, self.image.home)

    def arn(self, service: str, resource: str, *, account: str | None = None, region: str | None = None) -> str:
        """An ARN of this account and the home region, unless others, or none (`""`), are given."""
        owner = self.account if account is None else account
        return self.declared.arn(service, resource, account=owner, region=region)

    def iam_arn(self, resource: str) -> str:
        """An ARN of IAM, which has no regions, in this account."""
        return self.arn("iam", resource, region="")

    def s3_arn(self, path: str) -> str:
        """The ARN of a bucket or object. It names neither account nor region."""
        return self.arn("s3", path, account="", region="")

    def image_builder_arn(self, kind: str, *, name: str | None = None) -> str:
        """The ARN of a resource of Image Builder in this account, without a version. Default: with the image's name."""
        return self.declared.image_builder_arn(kind, account=self.account, name=name)


@dataclass(frozen=True, kw_only=True)
class Contents:
    """ARNs of the recipe, which is one of the two kinds, and of the distribution configuration."""

    image_recipe: str | None = None
    container_recipe: str | None = None
    distribution: str


class ImageKind(Protocol):
    """What differs between AMIs (`stacks.image.ami`) and container images (`stacks.image.container`)."""

    lifecycle_type: ClassVar[str]
    """The resource type of a lifecycle policy."""

    @property
    def recipe(self) -> Recipe | ContainerRecipe:
        """The recipe, computed once."""

    def add_contents(self, stack: TerraformStack, scope: ImageScope) -> Contents:
        """Adds the recipe and the distribution configuration, and what they need."""

    def pipeline_guards(self) -> list[tuple[str, str]]:
        """Conditions and messages that stop a plan when AWS's provider would keep what is no longer configured."""

    def build_statements(self, scope: ImageScope) -> list[Statement]:
        """Further statements of the role of build instances."""

    def execution_statements(self, actions: Set[str], scope: ImageScope) -> list[Statement]:
        """Further statements of the role of workflows that have these `actions`."""

    def output_statements(self, scope: ImageScope) -> list[Statement]:
        """The statements with which the hand-off reads outputs, and marks those of revoked builds."""

    def lifecycle_statements(self, retention: Retention, scope: ImageScope) -> list[Statement]:
        """The statements with which a lifecycle policy changes and deletes outputs."""

    def lifecycle_resources(self, action: str) -> ImagebuilderLifecyclePolicyPolicyDetailActionIncludeResources:
        """The resources of an action of a lifecycle policy."""

    def excluded_amis(self, retention: Retention) -> ImagebuilderLifecyclePolicyPolicyDetailExclusionRulesAmis | None:
        """The AMIs that a lifecycle policy does not change; None if the kind has no AMIs."""
