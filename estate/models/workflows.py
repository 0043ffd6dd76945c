"""How Image Builder builds, tests and distributes an image: the `workflows:` of an image.

Without any, Image Builder runs its own. As soon as a pipeline names one workflow, it runs only the workflows that it
names. So Goldsmith names Image Builder's own for each stage that has no other.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from estate.models.parent import IMAGE_BUILDER_ARN, VERSION
from estate.models.types import FROZEN, Matching, ParameterValue, RoleArn, Text
from estate.problems import Key, RuleError, shown
from estate.workflow_documents.actions import Stage

MOST_WORKFLOWS = 10
"""The most workflows of one pipeline ("Workflow resource constraints" in the user guide of EC2 Image Builder)."""

WorkflowName = Annotated[
    Text,
    Matching(
        # of its own workflows AWS takes only the newest version (aws/aws-cdk#29910)
        rf"(?!arn:).*[/.].*|(?!arn:[^/]*:aws:)({IMAGE_BUILDER_ARN}workflow/(build|test|distribution)/{VERSION})"
        r"|arn:aws[a-z-]*:imagebuilder:[a-z0-9-]+:aws:workflow/(build|test|distribution)/[a-z0-9_-]+/x\.x\.x",
        "must be a workflow",
        "write its path, such as workflows/build.yaml, or its ARN, such as …:aws:workflow/test/test-image/x.x.x",
    ),
]

_Group = Annotated[
    str,
    Matching(
        r"[A-Za-z0-9][A-Za-z0-9_+#-]{0,99}",
        "must be 1 to 100 letters, digits and _+#-, starting with a letter or digit",
    ),
]


class WorkflowUse(BaseModel):
    """One workflow of an image, and the values of its parameters.

    In YAML its path or ARN is enough: `workflows/build.yaml` is `{use: workflows/build.yaml}`.
    """

    model_config = ConfigDict(**FROZEN, validate_by_name=True)

    use: WorkflowName
    """The path of a document of your own from the configuration's folder (`workflows/build.yaml`), or the ARN of a
    workflow that AWS manages, with the version x.x.x."""
    with_: Annotated[dict[str, ParameterValue], Field(alias="with")] = {}
    """Values of the workflow's parameters, by name. Default: the defaults of the document."""

    @property
    def is_own(self) -> bool:
        """Whether it is a document in the configuration's folder."""
        return not self.use.startswith("arn:")

    @property
    def short_name(self) -> str:
        """The name of the file of a document of your own."""
        return PurePosixPath(self.use).stem


class WorkflowTest(WorkflowUse):
    """One test workflow of an image, the values of its parameters, and how it runs together with others.

    Here, too, its path or ARN is enough in YAML.
    """

    parallel_group: _Group | None = None
    """The test workflows of one group run at the same time; a group has at most five. Default: none; it runs by itself,
    in the order of the list."""
    on_failure: Literal["CONTINUE", "ABORT"] = "ABORT"
    """What happens when it fails: `ABORT` fails the build; `CONTINUE` records the failure, and the build continues.
    Default: ABORT."""


def _from_name(value: Any) -> Any:
    if not isinstance(value, str | dict | WorkflowUse):
        remedy = "write its path or ARN, or {use: …, with: {…}}"
        raise RuleError("must be a workflow", got=shown(value), remedy=remedy)
    return {"use": value} if isinstance(value, str) else value


_Use = Annotated[WorkflowUse, BeforeValidator(_from_name, json_schema_input_type=WorkflowName | WorkflowUse)]
_Test = Annotated[WorkflowTest, BeforeValidator(_from_name, json_schema_input_type=WorkflowName | WorkflowTest)]


class Workflows(BaseModel):
    """The workflows that build, test and distribute an image, instead of Image Builder's own.

    AWS's provider cannot remove the last one from a pipeline: name Image Builder's own instead.
    """

    model_config = FROZEN

    build: _Use | None = None
    """The workflow that builds. It must run the image's components in a step `ExecuteComponents` and return the AMI in
    its output `ImageId`. It should clean the instance of keys and identities in a step `SanitizeInstance`, or
    `RunSysPrep` on Windows. Default: Image Builder's own."""
    test: tuple[_Test, ...] = ()
    """The workflows that test the finished image, in order. Default: Image Builder's own, unless tests are disabled."""
    distribution: _Use | None = None
    """The workflow that distributes. Default: none; Image Builder distributes to the image's regions."""
    execution_role: RoleArn | None = None
    """The role that Image Builder assumes to run workflows. Default: if there are workflows, the stack creates one that
    may do only what the documents require."""

    @property
    def placed(self) -> Iterator[tuple[Stage, Key, WorkflowUse]]:
        """All workflows in the order in which they run, with their places in the configuration."""
        if self.build:
            yield "build", ("build",), self.build
        for index, use in enumerate(self.test):
            yield "test", ("test", index), use
        if self.distribution:
            yield "distribution", ("distribution",), self.distribution

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for stage, key, use in self.placed:
            if not use.is_own and f":workflow/{stage}/" not in use.use:
                raise RuleError(f"must be a {stage} workflow", got=shown(use.use), key=key)
        if self.execution_role and not any(self.placed):
            raise RuleError("is only for workflows", remedy="name a workflow, or delete it", key=("execution_role",))
        return self
