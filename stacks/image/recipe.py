"""Components and image recipe."""

from cdktf import TerraformResourceLifecycle, TerraformStack
from cdktf_cdktf_provider_aws.imagebuilder_component import ImagebuilderComponent
from cdktf_cdktf_provider_aws.imagebuilder_image_recipe import (
    ImagebuilderImageRecipe,
    ImagebuilderImageRecipeBlockDeviceMapping,
    ImagebuilderImageRecipeBlockDeviceMappingEbs,
    ImagebuilderImageRecipeComponent,
    ImagebuilderImageRecipeComponentParameter,
)

from estate.recipe import Recipe, RootDevice, Step
from stacks.terraform import literal

_NEW_BEFORE_OLD = TerraformResourceLifecycle(create_before_destroy=True)
"""A recipe in use cannot be destroyed: make the new version, move the pipeline to it, then destroy the old."""


def add_recipe(stack: TerraformStack, *, recipe: Recipe) -> ImagebuilderImageRecipe:
    """The recipe and the components that it is made of."""
    made = {
        component: ImagebuilderComponent(
            stack,
            f"component_{short_name}",
            name=component.name,
            version=component.version,
            platform=component.platform,
            description=literal(component.description),
            data=literal(component.data),
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
        lifecycle=_NEW_BEFORE_OLD,
    )


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
