"""Image -> the workflows of its pipeline, as plain values: the image's own, and Image Builder's for the other
stages."""

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
    """A workflow that the stack creates."""

    folder: ClassVar[str] = "workflows"

    type: str


@dataclass(frozen=True)
class WorkflowRun:
    """One workflow of the pipeline: one that the stack creates, or one known by its ARN."""

    stage: Stage
    workflow: Workflow | str
    parameters: tuple[tuple[str, str], ...] = ()
    parallel_group: str | None = None
    on_failure: str | None = None
    document: WorkflowDocument | None = None
    """The document of a workflow that the stack creates; None for those of AWS, whose content is not known."""

    @property
    def short_name(self) -> str:
        """The name without namespace and image of a workflow that the stack creates; otherwise the ARN."""
        return self.workflow.name.rpartition("_")[2] if isinstance(self.workflow, Workflow) else self.workflow


def runs_of(declared: EstateImage[Kind]) -> tuple[WorkflowRun, ...]:
    """All workflows of a checked estate's image in the order in which they run; none if the image names none.

    A pipeline that names workflows runs no others, and without a build workflow its result is the unchanged parent
    (AWS's own guide to agents, "custom image workflows"). So Image Builder's workflows are added for stages without
    one.
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
    """Image Builder's own workflow of a stage. None for distribution, which the distribution configuration does."""
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
