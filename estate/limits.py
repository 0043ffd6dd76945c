"""How long the texts that AWS gets through Terraform may be, and what each limit counts.

AWS's service models count characters. AWS's provider counts the bytes of UTF-8, as Go's `len` does, and fails the plan:
a Japanese character has three bytes. What the provider counts is measured with `terraform validate` and 5.100; where it
counts nothing, the limit is AWS's own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from estate.problems import Key, Problem, RuleError, shown


@dataclass(frozen=True)
class TextLimit:
    """The longest that a text may be. It is also an annotation for a model's field: `Annotated[str, DESCRIPTION]`."""

    most: int
    counts: Literal["bytes", "characters"]
    remedy: str = "shorten it"

    def size_of(self, text: str) -> int:
        """The length of a text, as the limit counts it."""
        return len(text.encode()) if self.counts == "bytes" else len(text)

    def fits(self, text: str) -> bool:
        """Whether a text is not too long."""
        return self.size_of(text) <= self.most

    @property
    def rule(self) -> str:
        """The rule as a message has it."""
        return f"has at most {self.most} {self.counts}"

    def _check(self, value: str) -> str:
        if not self.fits(value):
            raise RuleError(self.rule, got=str(self.size_of(value)), remedy=self.remedy)
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        # JSON Schema counts characters, of which there are never more than bytes
        return {"$comment": f"text of at most {self.most} {self.counts}", **handler(schema), "maxLength": self.most}


DESCRIPTION = TextLimit(1024, "bytes")
"""Of a component, recipe, pipeline or workflow."""
INLINE = TextLimit(16_000, "bytes")
"""A document or Dockerfile template in the request itself; a longer one is put into a bucket."""
DOCUMENT = TextLimit(64 * 1024, "bytes", "split it in two")
"""Of a document, in the request or in a bucket (botocore, CreateComponent: "your service quota for component size,
which is 64 KB by default"; CreateWorkflow mentions a quota without a number)."""
CONTAINER_RECIPE = TextLimit(
    25 * 1024, "bytes", "move work from the Dockerfile template or from values into components"
)
"""Of a container recipe, with its Dockerfile template ("Create a new version of a container recipe" in the user guide
of EC2 Image Builder)."""
PARENT = TextLimit(900, "characters")
"""Of a parent image: Image Builder takes 1,024, and the recipe's description repeats it."""
ARN = TextLimit(1024, "bytes")
"""Of an ARN that the provider takes and the estate did not make."""
SCHEDULE = TextLimit(1024 - len("cron()"), "bytes", "write ranges and steps instead of lists")
"""Of a pipeline's cron expression."""
WORKFLOW_VALUE = TextLimit(1024, "characters")
"""Of a value for a workflow's parameter ("Workflow resource constraints" in the user guide of EC2 Image Builder)."""
WORKFLOW_NAME = TextLimit(128, "bytes")
"""Of a workflow's parameter's name."""
STEP_DESCRIPTION = TextLimit(1024, "characters")
"""Of a step of a workflow, or of its name: the provider checks neither."""
USER_DATA = TextLimit(16_384, "bytes", "move work into the image")
"""Of the user data of a fleet's instances, before it is encoded."""
AMI_DESCRIPTION = TextLimit(255, "characters")
"""Of an AMI that EC2 registers."""
ROLE_PATH = TextLimit(512, "bytes")
"""Of a role's path."""
KEY_PREFIX = TextLimit(900, "bytes")
"""Of a folder in a bucket: S3 allows 1,024 for a key, and names follow the folder."""
TAG_KEY = TextLimit(128, "characters")
TAG_VALUE = TextLimit(256, "characters")
"""Of a tag."""


def text_problems(key: Key, value: object, limit: TextLimit) -> Iterator[Problem]:
    """What is wrong with a value of a document that must be a text and not empty."""
    if not isinstance(value, str) or not value:
        yield Problem(key, f"must be text of 1 to {limit.most} {limit.counts}", shown(value))
    elif not limit.fits(value):
        yield Problem(key, limit.rule, str(limit.size_of(value)), limit.remedy)
