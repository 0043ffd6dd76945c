"""The workflows of an image pipeline, and the role with which Image Builder runs them."""

from collections.abc import Sequence
from dataclasses import dataclass

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy
from cdktf_cdktf_provider_aws.imagebuilder_image_pipeline import (
    ImagebuilderImagePipelineWorkflow,
    ImagebuilderImagePipelineWorkflowParameter,
)
from cdktf_cdktf_provider_aws.imagebuilder_workflow import ImagebuilderWorkflow

from estate.recipes.workflows import Workflow, WorkflowRun, runs_of
from stacks.image.components import NEW_BEFORE_OLD, add_document
from stacks.image.execution_role.statements import execution_statements
from stacks.image.scope import ImageScope
from stacks.policy import for_account
from stacks.role import add_role
from stacks.terraform import literal


@dataclass(frozen=True)
class PipelineWorkflows:
    """The workflows of a pipeline; nothing when it runs Image Builder's defaults."""

    blocks: list[ImagebuilderImagePipelineWorkflow] | None = None
    execution_role: str | None = None
    role_policy: IamRolePolicy | None = None
    """What must exist before a build starts, if the stack makes the role."""


def add_workflows(stack: TerraformStack, scope: ImageScope) -> PipelineWorkflows:
    """The image's own workflows, and a role with the permissions for all, unless a role is configured."""
    runs = runs_of(scope.declared)
    if not runs:
        return PipelineWorkflows()
    made = {
        workflow: ImagebuilderWorkflow(
            stack,
            f"workflow_{name}",
            name=workflow.name,
            version=workflow.version,
            type=workflow.type,
            description=literal(workflow.description),
            data=literal(workflow.data) if workflow.is_inline else None,
            uri=None
            if workflow.is_inline
            else add_document(
                stack,
                f"workflow_document_{name}",
                scope,
                key=workflow.object_key,
                text=workflow.data,
            ),
            lifecycle=NEW_BEFORE_OLD,
        )
        for name, workflow in {run.short_name: run.workflow for run in runs}.items()
        if isinstance(workflow, Workflow)
    }
    blocks = [_block(run, made) for run in runs]
    if configured := scope.image.workflows.execution_role:
        return PipelineWorkflows(blocks, configured)
    role, role_policy = _add_role(stack, scope, runs)
    return PipelineWorkflows(blocks, role.arn, role_policy)


def _block(run: WorkflowRun, made: dict[Workflow, ImagebuilderWorkflow]) -> ImagebuilderImagePipelineWorkflow:
    known = run.workflow
    return ImagebuilderImagePipelineWorkflow(
        workflow_arn=known if isinstance(known, str) else made[known].arn,
        parallel_group=run.parallel_group,
        on_failure=run.on_failure,
        parameter=[
            ImagebuilderImagePipelineWorkflowParameter(name=name, value=literal(value))
            for name, value in run.parameters
        ]
        or None,
    )


def _add_role(stack: TerraformStack, scope: ImageScope, runs: Sequence[WorkflowRun]) -> tuple[IamRole, IamRolePolicy]:
    return add_role(
        stack,
        "execution",
        name=scope.role_name("execution"),
        service="imagebuilder.amazonaws.com",
        statements=execution_statements(runs, scope),
        iam=scope.declared.iam,
        trust_condition=for_account(scope.account),
    )
