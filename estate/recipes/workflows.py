"""Image -> the workflows of its pipeline, as plain values: those of the team, and Image Builder's own between them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from estate import names
from estate.estate import EstateImage, Kind
from estate.models.ami_image import ImageBase
from estate.models.workflows import WorkflowTest, WorkflowUse
from estate.recipes.document import MadeDocument
from estate.workflow_documents.actions import Stage
from estate.workflow_documents.document import WorkflowDocument


@dataclass(frozen=True, kw_only=True)
class Workflow(MadeDocument):
    """A workflow that the stack makes."""

    folder: ClassVar[str] = "workflows"

    type: str


@dataclass(frozen=True)
class WorkflowRun:
    """One workflow of the pipeline: one that the stack makes, or one known by its ARN."""

    stage: Stage
    workflow: Workflow | str
    parameters: tuple[tuple[str, str], ...] = ()
    parallel_group: str | None = None
    on_failure: str | None = None
    document: WorkflowDocument | None = None
    """What is known of what it does; None where that is Image Builder's own affair."""

    @property
    def short_name(self) -> str:
        """The name of one that the stack makes, without namespace and image."""
        return self.workflow.name.rpartition("_")[2] if isinstance(self.workflow, Workflow) else self.workflow


def runs_of(declared: EstateImage[Kind]) -> tuple[WorkflowRun, ...]:
    """All workflows of a checked estate's image in the order in which they run; none where it names none.

    A pipeline that names workflows runs no other, and one without a build workflow gives out its parent as its image
    (AWS's own guide to agents, "custom image workflows"). So stages without any are filled up.
    """
    named = [(stage, use) for stage, _, use in declared.image.workflows.placed]
    if not named:
        return ()
    runs: list[WorkflowRun] = []
    for stage in ("build", "test", "distribution"):
        found = [_run(stage, use, declared) for each, use in named if each == stage]
        runs += found or _default(stage, declared.image)
    return tuple(runs)


def _default(stage: Stage, image: ImageBase) -> Iterator[WorkflowRun]:
    """Image Builder's own workflow of a stage. It distributes without one, by the distribution configuration."""
    if stage == "build" or (stage == "test" and image.image_tests.image_tests_enabled):
        yield WorkflowRun(stage, names.managed_workflow(image.home, stage, f"{stage}-{image.output}"))


def _run(stage: Stage, use: WorkflowUse, declared: EstateImage[Kind]) -> WorkflowRun:
    document = declared.estate.workflow_documents[use.use, stage] if use.is_own else None
    name = use.short_name
    workflow: Workflow | str = use.use
    if document:
        workflow = Workflow(
            name=declared.names.workflow(name),
            type=stage.upper(),
            description=document.description or f"{name}, for image {declared.image.name}",
            data=document.text,
        )
    return WorkflowRun(
        stage=stage,
        workflow=workflow,
        parameters=tuple(sorted(use.with_.items())),
        parallel_group=use.parallel_group if isinstance(use, WorkflowTest) else None,
        on_failure=use.on_failure if isinstance(use, WorkflowTest) else None,
        document=document,
    )
