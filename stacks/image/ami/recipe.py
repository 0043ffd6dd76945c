"""The image recipe and its components."""

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.imagebuilder_image_recipe import (
    ImagebuilderImageRecipe,
    ImagebuilderImageRecipeBlockDeviceMapping,
    ImagebuilderImageRecipeBlockDeviceMappingEbs,
    ImagebuilderImageRecipeComponent,
    ImagebuilderImageRecipeComponentParameter,
    ImagebuilderImageRecipeSystemsManagerAgent,
)

from estate.recipes.ami import Device, Recipe, RecipeComponent
from stacks.image.ami.keys import AmiKeys
from stacks.image.components import NEW_BEFORE_OLD, add_components
from stacks.image.scope import ImageScope
from stacks.terraform import literal


def add_recipe(
    stack: TerraformStack, scope: ImageScope, *, recipe: Recipe, parent_image: str, keys: AmiKeys
) -> ImagebuilderImageRecipe:
    """The recipe and the components that the stack makes for it.

    `parent_image` may be a value that only Terraform knows; the version is computed from the one in `recipe`.
    """
    made = add_components(stack, scope, components=recipe.components)

    def used(step: RecipeComponent) -> ImagebuilderImageRecipeComponent:
        return ImagebuilderImageRecipeComponent(
            component_arn=made.arn(step),
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
        parent_image=parent_image,
        component=[used(step) for step in recipe.steps],
        block_device_mapping=[_mapping(device) for device in (recipe.root_device, *recipe.volumes)],
        # otherwise Image Builder removes the agent that it installed, and Systems Manager cannot reach fleets
        systems_manager_agent=ImagebuilderImageRecipeSystemsManagerAgent(uninstall_after_build=False)
        if recipe.keeps_agent
        else None,
        depends_on=list(keys.aliases) or None,
        lifecycle=NEW_BEFORE_OLD,
    )


def _mapping(device: Device) -> ImagebuilderImageRecipeBlockDeviceMapping:
    return ImagebuilderImageRecipeBlockDeviceMapping(
        device_name=device.device_name,
        ebs=ImagebuilderImageRecipeBlockDeviceMappingEbs(
            volume_type=device.volume_type,
            volume_size=device.volume_size,
            iops=device.iops,
            throughput=device.throughput,
            # text in the provider
            encrypted=str(device.encrypted).lower(),
            kms_key_id=device.kms_key_id,
            snapshot_id=device.snapshot_id,
            delete_on_termination=str(device.delete_on_termination).lower(),
        ),
    )
