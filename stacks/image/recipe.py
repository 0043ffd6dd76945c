"""Components and image recipe."""

from cdktf import TerraformResourceLifecycle, TerraformStack
from cdktf_cdktf_provider_aws.imagebuilder_component import ImagebuilderComponent
from cdktf_cdktf_provider_aws.imagebuilder_image_recipe import (
    ImagebuilderImageRecipe,
    ImagebuilderImageRecipeBlockDeviceMapping,
    ImagebuilderImageRecipeBlockDeviceMappingEbs,
    ImagebuilderImageRecipeComponent,
    ImagebuilderImageRecipeComponentParameter,
    ImagebuilderImageRecipeSystemsManagerAgent,
)
from cdktf_cdktf_provider_aws.s3_bucket import S3Bucket
from cdktf_cdktf_provider_aws.s3_object import (
    S3Object,
    S3ObjectOverrideProvider,
    S3ObjectOverrideProviderDefaultTags,
)

from estate.recipe import Component, Recipe, RootDevice, Step
from stacks.terraform import literal

_NEW_BEFORE_OLD = TerraformResourceLifecycle(create_before_destroy=True)
"""A recipe in use cannot be destroyed: make the new version, move the pipeline to it, then destroy the old."""


def add_recipe(stack: TerraformStack, *, recipe: Recipe, bucket: S3Bucket, kms_key: str) -> ImagebuilderImageRecipe:
    """The recipe and the components that it is made of; `bucket` takes documents that are too long for a request."""
    made = {
        component: ImagebuilderComponent(
            stack,
            f"component_{short_name}",
            name=component.name,
            version=component.version,
            platform=component.platform,
            description=literal(component.description),
            data=literal(component.data) if component.is_inline else None,
            uri=None if component.is_inline else _uri(stack, short_name, component, bucket, kms_key),
            lifecycle=_NEW_BEFORE_OLD,
        )
        for short_name, component in recipe.components.items()
    }

    def used(step: Step) -> ImagebuilderImageRecipeComponent:
        known = step.component
        return ImagebuilderImageRecipeComponent(
            component_arn=known if isinstance(known, str) else made[known].arn,
            parameter=[
                ImagebuilderImageRecipeComponentParameter(name=name, value=literal(value))
                for name, value in step.parameters
            ]
            or None,
        )

    return ImagebuilderImageRecipe(
        stack,
        "recipe",
        name=recipe.name,
        version=recipe.version,
        description=literal(recipe.description),
        parent_image=recipe.parent_image,
        component=[used(step) for step in recipe.steps],
        block_device_mapping=[_root_device(recipe.root_device)],
        # without this, an agent that Image Builder installed goes again, and no fleet could be reached through it
        systems_manager_agent=ImagebuilderImageRecipeSystemsManagerAgent(uninstall_after_build=False)
        if recipe.keeps_agent
        else None,
        lifecycle=_NEW_BEFORE_OLD,
    )


def _uri(stack: TerraformStack, short_name: str, component: Component, bucket: S3Bucket, kms_key: str) -> str:
    """Where the document lies. Image Builder reads it when the component is made, as who applies, and keeps a copy."""
    document = S3Object(
        stack,
        f"document_{short_name}",
        bucket=bucket.id,
        key=component.object_key,
        content=literal(component.data),
        # not left to the bucket's default, which may come later than the object
        server_side_encryption="aws:kms",
        kms_key_id=kms_key,
        # S3 takes ten tags of an object, an estate may have more
        override_provider=S3ObjectOverrideProvider(default_tags=S3ObjectOverrideProviderDefaultTags(tags={})),
        lifecycle=_NEW_BEFORE_OLD,
    )
    return f"s3://{document.bucket}/{document.key}"


def _root_device(device: RootDevice) -> ImagebuilderImageRecipeBlockDeviceMapping:
    return ImagebuilderImageRecipeBlockDeviceMapping(
        device_name=device.device_name,
        ebs=ImagebuilderImageRecipeBlockDeviceMappingEbs(
            volume_type=device.volume_type,
            volume_size=device.volume_size,
            iops=device.iops,
            throughput=device.throughput,
            # the provider takes these two as text
            encrypted=str(device.encrypted).lower(),
            delete_on_termination=str(device.delete_on_termination).lower(),
        ),
    )
