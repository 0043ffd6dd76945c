"""The image pipeline: recipe, infrastructure and distribution together, and when they build."""

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.imagebuilder_container_recipe import ImagebuilderContainerRecipe
from cdktf_cdktf_provider_aws.imagebuilder_distribution_configuration import (
    ImagebuilderDistributionConfiguration,
)
from cdktf_cdktf_provider_aws.imagebuilder_image_pipeline import (
    ImagebuilderImagePipeline,
    ImagebuilderImagePipelineImageTestsConfiguration,
    ImagebuilderImagePipelineSchedule,
)
from cdktf_cdktf_provider_aws.imagebuilder_image_recipe import ImagebuilderImageRecipe
from cdktf_cdktf_provider_aws.imagebuilder_infrastructure_configuration import (
    ImagebuilderInfrastructureConfiguration,
)

from estate import names
from estate.any_image import AnyImage
from estate.estate import Estate
from estate.schedule import Schedule
from stacks.terraform import literal

_START_CONDITIONS = {
    "always": "EXPRESSION_MATCH_ONLY",
    "dependency-updates": "EXPRESSION_MATCH_AND_DEPENDENCY_UPDATES_AVAILABLE",
}


def add_pipeline(
    stack: TerraformStack,
    *,
    estate: Estate,
    image: AnyImage,
    recipe: ImagebuilderImageRecipe | ImagebuilderContainerRecipe,
    infrastructure: ImagebuilderInfrastructureConfiguration,
    distribution: ImagebuilderDistributionConfiguration,
) -> ImagebuilderImagePipeline:
    """The pipeline. Without a schedule it builds only when someone starts it."""
    return ImagebuilderImagePipeline(
        stack,
        "pipeline",
        name=names.image_builder(estate.settings.namespace, image.name),
        description=literal(image.description) if image.description else None,
        image_recipe_arn=recipe.arn if isinstance(recipe, ImagebuilderImageRecipe) else None,
        container_recipe_arn=recipe.arn if isinstance(recipe, ImagebuilderContainerRecipe) else None,
        infrastructure_configuration_arn=infrastructure.arn,
        distribution_configuration_arn=distribution.arn,
        image_tests_configuration=ImagebuilderImagePipelineImageTestsConfiguration(**image.image_tests.model_dump()),
        schedule=_schedule(image.schedule) if image.schedule else None,
    )


def _schedule(schedule: Schedule) -> ImagebuilderImagePipelineSchedule:
    return ImagebuilderImagePipelineSchedule(
        schedule_expression=schedule.expression,
        timezone=schedule.timezone,
        pipeline_execution_start_condition=_START_CONDITIONS[schedule.when],
    )
