"""Workflow documents: text -> checked document.

The schema is that of "Create a YAML workflow document" in the user guide of EC2 Image Builder. As with component
documents, problems are reported with file and line before anything is synthesized, and what AWS accepts is accepted.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

from estate.documents import Check, below, is_mapping, list_problems, must, read_document, repeated_names, shapes
from estate.limits import STEP_DESCRIPTION, WORKFLOW_NAME, text_problems
from estate.problems import Key, Problem, did_you_mean, shown
from estate.workflow_documents import references, steps
from estate.workflow_documents.actions import IN_TEXT, Stage
from estate.workflow_documents.steps import DYNAMIC

ParameterType = Literal["string", "integer", "boolean", "stringList"]

MOST_ENTRIES = 25
"""Parameters of one document, and outputs ("Workflow resource constraints" in the user guide)."""

_TYPES: Mapping[str, tuple[type, str]] = {
    "string": (str, "text"),
    "integer": (int, "a whole number"),
    "boolean": (bool, "true or false"),
    "stringList": (list, "a list of texts"),
}


@dataclass(frozen=True)
class WorkflowParameter:
    """A declared parameter; one without a default must be given a value."""

    type: ParameterType
    default: Any = None

    @property
    def kind(self) -> str:
        """The kind of a value of an image, as text. A list has one item: AWS's provider takes one value."""
        return "text" if self.type == "stringList" else _TYPES[self.type][1]

    def takes(self, value: str) -> bool:
        """Whether a value, as Image Builder gets it, is of the type."""
        if self.type == "integer":
            return re.fullmatch(r"-?[0-9]+", value) is not None
        return self.type != "boolean" or value in ("true", "false")


@dataclass(frozen=True)
class WorkflowStep:
    """A step as far as other modules need it: its action and inputs."""

    action: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True)
class WorkflowDocument:
    """A workflow document as it is sent to Image Builder, and what is known of it."""

    text: str
    description: str
    parameters: Mapping[str, WorkflowParameter]
    steps: tuple[WorkflowStep, ...]
    outputs: tuple[str, ...]
    """The names that later workflows can refer to."""
    workflow_outputs: tuple[str, ...]
    """The names of outputs of earlier workflows to which it refers."""

    def does(self, action: str) -> bool:
        """Whether a step has the action."""
        return any(step.action == action for step in self.steps)

    def values_of(self, action: str, name: str, given: Mapping[str, str]) -> Iterator[str | None]:
        """The values that the steps with an action have for an input, with the values that are `given` to parameters,
        or their defaults. None for a value that is not known before a build."""
        for step in self.steps:
            if step.action == action and name in step.inputs:
                yield self._known(str(step.inputs[name]), given)
            elif step.action == action and (variable := step.inputs.get(f"{name}{DYNAMIC}")):
                yield self._known(re.sub(r"(\$\..*)", r"{{ \1 }}", str(variable)), given)

    def _known(self, text: str, given: Mapping[str, str]) -> str | None:
        values: dict[str, str] = {}
        for variable in IN_TEXT.findall(text):
            parameter = variable.removeprefix("$.parameters.")
            default = self.parameters[parameter].default if parameter in self.parameters else None
            value = given.get(parameter, default)
            if value is None:
                return None
            values[variable] = str(value)
        return IN_TEXT.sub(lambda match: values[match[1]], text)


def parse_workflow(text: str, *, source: str, stage: Stage) -> WorkflowDocument:
    """Reads and checks a document. `source` is how errors name the file, `stage` what the workflow is used for.

    Raises `EstateError` with every problem of the document.
    """
    content = read_document(
        text,
        source=source,
        shape=_SHAPES["a workflow document"],
        check=partial(_problems, stage=stage),
        references=references.problems_of,
        named=_named,
        too_long=("a workflow", "put the work into components"),
    )
    parameters = {
        fields["name"]: WorkflowParameter(fields.get("type", "string"), fields.get("default"))
        for fields in content.get("parameters", ())
    }
    return WorkflowDocument(
        text=text,
        description=content.get("description", ""),
        parameters=MappingProxyType(parameters),
        steps=tuple(
            WorkflowStep(step["action"], MappingProxyType(step.get("inputs", {}))) for step in content["steps"]
        ),
        outputs=tuple(output["name"] for output in content.get("outputs", ())),
        workflow_outputs=references.workflow_outputs_in(content),
    )


def _named(key: Key, content: dict[str, Any]) -> Key:
    """`steps.1.inputs` as `steps.Install.inputs`."""
    listed = len(key) > 1 and key[0] in ("parameters", "steps", "outputs") and isinstance(key[1], int)
    entry = content[str(key[0])][key[1]] if listed else None
    return (key[0], entry["name"], *key[2:]) if is_mapping(entry, "name") else key


def _problems(content: dict[str, Any], stage: Stage) -> Iterator[Problem]:
    yield from text_problems(("name",), content.get("name", "none"), STEP_DESCRIPTION)
    for section, check, example in (
        ("parameters", _parameter, "write - {name: …, type: string}"),
        ("outputs", _output, "write - {name: …, value: $.stepOutputs.…}"),
    ):
        entries, remedy = content.get(section, []), "delete or rename one"
        if isinstance(entries, list) and len(entries) > MOST_ENTRIES:
            yield Problem((section,), f"a document has at most {MOST_ENTRIES}", str(len(entries)), "delete some")
        yield from below((section,), repeated_names(entries, rule="is declared twice", remedy=remedy))
        form = must("needs a name", is_mapping, example)
        yield from below((section,), list_problems(entries, form, partial(_entry, check, example), example))
    yield from below(("steps",), steps.problems_of(content.get("steps"), stage))


def _entry(check: Check, example: str, fields: dict[str, Any]) -> Iterator[Problem]:
    if not is_mapping(fields, "name") or not fields["name"]:
        yield Problem((), "needs a name", shown(fields), example)
    elif not WORKFLOW_NAME.fits(name := fields["name"]):
        yield Problem((), f"a name {WORKFLOW_NAME.rule}", str(WORKFLOW_NAME.size_of(name)), WORKFLOW_NAME.remedy)
    yield from check(fields)


def _parameter(fields: dict[str, Any]) -> Iterator[Problem]:
    yield from _SHAPES["a parameter"].problems(fields)
    kind = fields.get("type", "string")
    if not isinstance(kind, str) or kind not in _TYPES:
        yield Problem(("type",), "unknown type of a parameter", shown(kind), did_you_mean(str(kind), _TYPES))
    elif "default" in fields:
        default, (python, words) = fields["default"], _TYPES[kind]
        # to Python, true is a whole number too
        fits = isinstance(default, python) and isinstance(default, bool) == (python is bool)
        if not fits or (kind == "stringList" and not all(isinstance(each, str) for each in default)):
            yield Problem(("default",), f"must be {words}, as its type says", shown(default))


def _output(fields: dict[str, Any]) -> Iterator[Problem]:
    yield from _SHAPES["an output"].problems(fields)
    if not is_mapping(fields, "value"):
        remedy = "write for example $.stepOutputs.CreateOutputAMI.imageId"
        yield Problem(("value",), "an output needs a value", shown(fields.get("value")), remedy)


_OF_COMPONENTS = Problem(
    (),
    "unknown key of a workflow document",
    "'phases'",
    "that is a component document: write it under build: or test:",
)
_SHAPES = shapes(
    """
a workflow document: name description schemaVersion parameters steps outputs phases
a parameter: name type default description
an output: name value
""",
    checks={"phases": lambda _: [_OF_COMPONENTS]},
)
