"""The container recipe and its components."""

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.imagebuilder_container_recipe import (
    ImagebuilderContainerRecipe,
    ImagebuilderContainerRecipeComponent,
    ImagebuilderContainerRecipeComponentParameter,
    ImagebuilderContainerRecipeInstanceConfiguration,
    ImagebuilderContainerRecipeInstanceConfigurationBlockDeviceMapping,
    ImagebuilderContainerRecipeInstanceConfigurationBlockDeviceMappingEbs,
    ImagebuilderContainerRecipeTargetRepository,
)

from estate.recipes.ami import Device, RecipeComponent
from estate.recipes.container import ContainerRecipe
from stacks.image.components import NEW_BEFORE_OLD, add_components, add_document
from stacks.image.scope import ImageScope
from stacks.terraform import literal


def add_container_recipe(
    stack: TerraformStack, scope: ImageScope, *, recipe: ContainerRecipe, repository: str
) -> ImagebuilderContainerRecipe:
    """The recipe and the components that the stack makes for it.

    `repository` is the name of the repository in the home region, which must exist before the recipe.
    """
    made = add_components(stack, scope, components=recipe.components)

    def used(step: RecipeComponent) -> ImagebuilderContainerRecipeComponent:
        return ImagebuilderContainerRecipeComponent(
            component_arn=made.arn(step),
            parameter=[
                ImagebuilderContainerRecipeComponentParameter(name=name, value=literal(value))
                for name, value in step.parameters
            ]
            or None,
        )

    uri = None
    if not recipe.is_inline:
        uri = add_document(stack, "dockerfile", scope, key=recipe.object_key, text=recipe.dockerfile)
    return ImagebuilderContainerRecipe(
        stack,
        "recipe",
        name=recipe.name,
        version=recipe.version,
        description=literal(recipe.description),
        container_type="DOCKER",
        parent_image=recipe.parent_image,
        platform_override=recipe.platform_override,
        dockerfile_template_data=literal(recipe.dockerfile) if recipe.is_inline else None,
        dockerfile_template_uri=uri,
        working_directory=recipe.working_directory,
        target_repository=ImagebuilderContainerRecipeTargetRepository(repository_name=repository, service="ECR"),
        component=[used(step) for step in recipe.steps],
        instance_configuration=ImagebuilderContainerRecipeInstanceConfiguration(
            image=recipe.instance_image, block_device_mapping=[_root_device(recipe.root_device)]
        ),
        lifecycle=NEW_BEFORE_OLD,
    )


def _root_device(device: Device) -> ImagebuilderContainerRecipeInstanceConfigurationBlockDeviceMapping:
    return ImagebuilderContainerRecipeInstanceConfigurationBlockDeviceMapping(
        device_name=device.device_name,
        ebs=ImagebuilderContainerRecipeInstanceConfigurationBlockDeviceMappingEbs(
            volume_type=device.volume_type,
            volume_size=device.volume_size,
            iops=device.iops,
            throughput=device.throughput,
            # text in the provider
            encrypted=str(device.encrypted).lower(),
            delete_on_termination=str(device.delete_on_termination).lower(),
        ),
    )
