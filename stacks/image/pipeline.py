"""The image pipeline: recipe, infrastructure and distribution together, and when they build."""

from cdktf import TerraformResourceLifecycle, TerraformStack
from cdktf_cdktf_provider_aws.imagebuilder_container_recipe import ImagebuilderContainerRecipe
from cdktf_cdktf_provider_aws.imagebuilder_distribution_configuration import (
    ImagebuilderDistributionConfiguration,
)
from cdktf_cdktf_provider_aws.imagebuilder_image_pipeline import (
    ImagebuilderImagePipeline,
    ImagebuilderImagePipelineImageScanningConfiguration,
    ImagebuilderImagePipelineImageScanningConfigurationEcrConfiguration,
    ImagebuilderImagePipelineImageTestsConfiguration,
    ImagebuilderImagePipelineSchedule,
)
from cdktf_cdktf_provider_aws.imagebuilder_image_recipe import ImagebuilderImageRecipe
from cdktf_cdktf_provider_aws.imagebuilder_infrastructure_configuration import (
    ImagebuilderInfrastructureConfiguration,
)

from estate import names
from estate.estate import Estate
from estate.models.ami_image import AmiImage
from estate.models.image_scanning import SCANNING_REPOSITORY, ImageScanning
from estate.models.images import Image
from estate.models.schedule import Schedule
from stacks.image.logs import LogGroups
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
    image: Image,
    recipe: ImagebuilderImageRecipe | ImagebuilderContainerRecipe,
    infrastructure: ImagebuilderInfrastructureConfiguration,
    distribution: ImagebuilderDistributionConfiguration,
    workflows: PipelineWorkflows,
    log_groups: LogGroups | None,
) -> ImagebuilderImagePipeline:
    """The pipeline. Without a schedule it builds only when someone starts it."""
    pipeline = ImagebuilderImagePipeline(
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
        image_scanning_configuration=_scanning(image.image_scanning),
        enhanced_image_metadata_enabled=image.enhanced_image_metadata_enabled,
        workflow=workflows.blocks,
        execution_role=workflows.execution_role,
        schedule=_schedule(image.schedule) if image.schedule else None,
        depends_on=[workflows.role_policy] if workflows.role_policy else None,
        lifecycle=_kept(image, workflows),
    )
    if log_groups:
        # the bindings are those of an earlier provider (hashicorp/terraform-provider-aws#45749)
        pipeline.add_override(
            "logging_configuration",
            {
                "image_log_group_name": log_groups.build.name,
                "pipeline_log_group_name": log_groups.pipeline.name,
            },
        )
    return pipeline


def _scanning(scanning: ImageScanning) -> ImagebuilderImagePipelineImageScanningConfiguration:
    ecr = scanning.ecr_configuration
    return ImagebuilderImagePipelineImageScanningConfiguration(
        image_scanning_enabled=scanning.image_scanning_enabled,
        ecr_configuration=ImagebuilderImagePipelineImageScanningConfigurationEcrConfiguration(
            repository_name=ecr.repository_name, container_tags=list(ecr.container_tags) or None
        )
        if ecr
        else None,
    )


def _kept(image: Image, workflows: PipelineWorkflows) -> TerraformResourceLifecycle | None:
    """Stops where AWS's provider would keep what the estate names no more: the blocks `workflow` and
    `ecr_configuration` are optional and computed, in provider 5.100 as in 6."""
    rules = [] if workflows.blocks else [_workflows_gone(image)]
    scanning = image.image_scanning
    if not isinstance(image, AmiImage) and scanning.image_scanning_enabled and not scanning.ecr_configuration:
        rules.append(_repository_gone(image))
    return stopping(*rules) if rules else None


def _workflows_gone(image: Image) -> tuple[str, str]:
    """AWS refuses the workflows that stay, because their role is gone."""
    made = "image" if isinstance(image, AmiImage) else "container"
    known = r":aws:workflow/(build/build|test/test|distribution/distribute)-(image|container)/"
    build, test = (names.managed_workflow(image.home, stage, f"{stage}-{made}") for stage in ("build", "test"))
    return (
        f'alltrue([for each in self.workflow : can(regex("{known}", each.workflow_arn))])',
        f"Image {image.name}: its pipeline has workflows, and AWS's provider cannot take them away. Name Image "
        f"Builder's own in their place: workflows: {{build: {build}, test: [{test}]}}.",
    )


def _repository_gone(image: Image) -> tuple[str, str]:
    """Builds would go on to push where they may not any more."""
    return (
        # a pipeline that was changed by hand may lack the block; an index that fails would stop a destroy, too
        "alltrue([for each in try(self.image_scanning_configuration[0].ecr_configuration, []) : "
        f'contains(["", "{SCANNING_REPOSITORY}"], each.repository_name)])',
        f"Image {image.name}: its pipeline has a repository for scans, and AWS's provider cannot take it away. Name "
        "one in its place: image_scanning.ecr_configuration: {repository_name: …}.",
    )


def _schedule(schedule: Schedule) -> ImagebuilderImagePipelineSchedule:
    return ImagebuilderImagePipelineSchedule(
        schedule_expression=schedule.expression,
        timezone=schedule.timezone,
        pipeline_execution_start_condition=_START_CONDITIONS[schedule.when],
    )
