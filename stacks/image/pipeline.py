"""The image pipeline: recipe, infrastructure, distribution and workflows together, and its schedule."""

from cdktf import TerraformResourceLifecycle, TerraformStack
from cdktf_cdktf_provider_aws.imagebuilder_image_pipeline import (
    ImagebuilderImagePipeline,
    ImagebuilderImagePipelineImageScanningConfiguration,
    ImagebuilderImagePipelineImageScanningConfigurationEcrConfiguration,
    ImagebuilderImagePipelineImageTestsConfiguration,
    ImagebuilderImagePipelineSchedule,
)
from cdktf_cdktf_provider_aws.imagebuilder_infrastructure_configuration import (
    ImagebuilderInfrastructureConfiguration,
)

from estate import names
from estate.models.image_scanning import ImageScanning
from estate.models.schedule import Schedule
from stacks.image.logs import LogGroups
from stacks.image.scope import Contents, ImageScope
from stacks.image.workflows import PipelineWorkflows
from stacks.terraform import literal, stopping

_START_CONDITIONS = {
    "always": "EXPRESSION_MATCH_ONLY",
    "dependency-updates": "EXPRESSION_MATCH_AND_DEPENDENCY_UPDATES_AVAILABLE",
}


def add_pipeline(
    stack: TerraformStack,
    scope: ImageScope,
    *,
    contents: Contents,
    infrastructure: ImagebuilderInfrastructureConfiguration,
    workflows: PipelineWorkflows,
    log_groups: LogGroups | None,
) -> ImagebuilderImagePipeline:
    """The pipeline. Without a schedule it builds only when somebody starts it."""
    image = scope.image
    pipeline = ImagebuilderImagePipeline(
        stack,
        "pipeline",
        name=scope.names.image_builder,
        description=literal(image.description) if image.description else None,
        image_recipe_arn=contents.image_recipe,
        container_recipe_arn=contents.container_recipe,
        infrastructure_configuration_arn=infrastructure.arn,
        distribution_configuration_arn=contents.distribution,
        image_tests_configuration=ImagebuilderImagePipelineImageTestsConfiguration(
            image_tests_enabled=image.image_tests.image_tests_enabled,
            timeout_minutes=image.image_tests.timeout.count("minute"),
        ),
        # always written, because the provider keeps what is left out
        image_scanning_configuration=_scanning(image.image_scanning),
        enhanced_image_metadata_enabled=image.enhanced_image_metadata_enabled,
        workflow=workflows.blocks,
        execution_role=workflows.execution_role,
        schedule=_schedule(image.schedule) if image.schedule else None,
        depends_on=[workflows.role_policy] if workflows.role_policy else None,
        lifecycle=_kept(scope, workflows),
    )
    if log_groups:
        # missing in the bindings, which are of an earlier provider (hashicorp/terraform-provider-aws#45749)
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


def _kept(scope: ImageScope, workflows: PipelineWorkflows) -> TerraformResourceLifecycle | None:
    """Stops a plan where AWS's provider would keep what is no longer configured."""
    rules = [*([] if workflows.blocks else [_workflows_gone(scope)]), *scope.kind.pipeline_guards()]
    return stopping(*rules) if rules else None


def _workflows_gone(scope: ImageScope) -> tuple[str, str]:
    """The block `workflow` is optional and computed, in provider 5.100 and in 6, so the provider keeps it. AWS refuses
    workflows without their role."""
    image = scope.image
    build, test = (names.managed_workflow(image.home, stage, f"{stage}-{image.output}") for stage in ("build", "test"))
    return (
        f'alltrue([for each in self.workflow : can(regex("{names.MANAGED_WORKFLOWS}", each.workflow_arn))])',
        f"Image {image.name}: its pipeline has workflows, and AWS's provider cannot remove them. Name Image "
        f"Builder's own instead: workflows: {{build: {build}, test: [{test}]}}.",
    )


def _schedule(schedule: Schedule) -> ImagebuilderImagePipelineSchedule:
    return ImagebuilderImagePipelineSchedule(
        schedule_expression=schedule.expression,
        timezone=schedule.timezone,
        pipeline_execution_start_condition=_START_CONDITIONS[schedule.when],
    )
