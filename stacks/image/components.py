"""Components, and objects in S3 for documents that are too long for a request to Image Builder."""

from collections.abc import Mapping
from dataclasses import dataclass

from cdktf import TerraformResourceLifecycle, TerraformStack
from cdktf_cdktf_provider_aws.imagebuilder_component import ImagebuilderComponent
from cdktf_cdktf_provider_aws.s3_object import (
    S3Object,
    S3ObjectOverrideProvider,
    S3ObjectOverrideProviderDefaultTags,
)

from estate.recipes.ami import Component, RecipeComponent
from stacks.image.scope import ImageScope
from stacks.terraform import literal

NEW_BEFORE_OLD = TerraformResourceLifecycle(create_before_destroy=True)
"""For resources that cannot be destroyed while they are in use: Terraform makes the new one first."""


@dataclass(frozen=True)
class Components:
    """The components of a recipe that the stack makes."""

    made: Mapping[Component, ImagebuilderComponent]

    def arn(self, step: RecipeComponent) -> str:
        """The ARN of a component of the recipe, whether the stack makes it or not."""
        return step.component if isinstance(step.component, str) else self.made[step.component].arn


def add_components(stack: TerraformStack, scope: ImageScope, *, components: Mapping[str, Component]) -> Components:
    """The components, by their short names."""
    return Components(
        {
            component: ImagebuilderComponent(
                stack,
                f"component_{short_name}",
                name=component.name,
                version=component.version,
                platform=component.platform,
                description=literal(component.description),
                data=literal(component.data) if component.is_inline else None,
                uri=None
                if component.is_inline
                else add_document(
                    stack,
                    f"document_{short_name}",
                    scope,
                    key=component.object_key,
                    text=component.data,
                ),
                lifecycle=NEW_BEFORE_OLD,
            )
            for short_name, component in components.items()
        }
    )


def component_arns(scope: ImageScope) -> list[str]:
    """The components of the recipe, for a policy: in any version, because a build chooses that of a managed one."""
    made = [scope.image_builder_arn("component", name=each.name) for each in scope.kind.recipe.components.values()]
    managed = [use.without_version for use in scope.image.uses if use.is_managed]
    return sorted({f"{arn}/*" for arn in (*made, *managed)})


def add_document(stack: TerraformStack, id: str, scope: ImageScope, *, key: str, text: str) -> str:
    """The address of a text in the stack's bucket, for what is too long for a request.

    Image Builder reads it when the resource that names it is made, as who applies, and keeps a copy.
    """
    document = S3Object(
        stack,
        id,
        bucket=scope.logs.id,
        key=key,
        content=literal(text),
        # the bucket's default encryption may be set later than the object is made
        server_side_encryption="aws:kms",
        kms_key_id=scope.kms_key,
        # an object has at most ten tags, and the estate may have more
        override_provider=S3ObjectOverrideProvider(default_tags=S3ObjectOverrideProviderDefaultTags(tags={})),
        lifecycle=NEW_BEFORE_OLD,
    )
    return f"s3://{document.bucket}/{document.key}"
