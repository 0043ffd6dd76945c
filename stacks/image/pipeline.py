"""The image pipeline: recipe, infrastructure and distribution together, and when they build."""

from cdktf import TerraformResourceLifecycle, TerraformStack
from cdktf_cdktf_provider_aws.imagebuilder_container_recipe import ImagebuilderContainerRecipe
from cdktf_cdktf_provider_aws.imagebuilder_distribution_configuration import (
    ImagebuilderDistributionConfiguration,
)
from cdktf_cdktf_provider_aws.imagebuilder_image_pipeline import (
    ImagebuilderImagePipeline,
    ImagebuilderImagePipelineImageScanningConfiguration,
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
from estate.image import Image
from estate.schedule import Schedule
from stacks.image.workflows import PipelineWorkflows
from stacks.terraform import literal, stopping

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
    workflows: PipelineWorkflows,
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
        # always: the provider keeps what is left out
        image_scanning_configuration=ImagebuilderImagePipelineImageScanningConfiguration(
            **image.image_scanning.model_dump()
        ),
        enhanced_image_metadata_enabled=image.enhanced_image_metadata_enabled,
        workflow=workflows.blocks,
        execution_role=workflows.execution_role,
        schedule=_schedule(image.schedule) if image.schedule else None,
        depends_on=[workflows.role_policy] if workflows.role_policy else None,
        lifecycle=None if workflows.blocks else _gone(image),
    )


def _gone(image: AnyImage) -> TerraformResourceLifecycle:
    """AWS's provider keeps the workflows of a pipeline that names none any more, and AWS refuses them without a role.

    (`workflow` is optional and computed, in provider 5.100 as in 6.)
    """
    made = "image" if isinstance(image, Image) else "container"
    known = r":aws:workflow/(build/build|test/test|distribution/distribute)-(image|container)/"
    build, test = (names.managed_workflow(image.home, stage, f"{stage}-{made}") for stage in ("build", "test"))
    return stopping(
        (
            f'alltrue([for each in self.workflow : can(regex("{known}", each.workflow_arn))])',
            f"Image {image.name}: its pipeline has workflows, and AWS's provider cannot take them away. Name Image "
            f"Builder's own in their place: workflows: {{build: {build}, test: [{test}]}}.",
        )
    )


def _schedule(schedule: Schedule) -> ImagebuilderImagePipelineSchedule:
    return ImagebuilderImagePipelineSchedule(
        schedule_expression=schedule.expression,
        timezone=schedule.timezone,
        pipeline_execution_start_condition=_START_CONDITIONS[schedule.when],
    )
