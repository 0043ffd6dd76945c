"""Workflow documents: text -> checked document.

The schema is that of "Create a YAML workflow document" in the user guide of EC2 Image Builder. As with component
documents, what is wrong is said with its file and line before anything is synthesized, and what AWS takes is taken.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

from estate.limits import DESCRIPTION, DOCUMENT, STEP_DESCRIPTION, WORKFLOW_NAME, text_problems
from estate.problems import EstateError, Key, Problem, did_you_mean, shown
from estate.workflow_documents import references as workflow_references
from estate.workflow_documents import steps as workflow_steps
from estate.workflow_documents.actions import Stage
from estate.workflow_documents.steps import DYNAMIC, IN_TEXT
from estate.yaml import Yaml, read

ParameterType = Literal["string", "integer", "boolean", "stringList"]

MOST_PARAMETERS = 25
MOST_OUTPUTS = 25
"""Of one document ("Workflow resource constraints" in the user guide)."""

_KEYS = ("name", "description", "schemaVersion", "parameters", "steps", "outputs")
_PARAMETER = ("name", "type", "default", "description")
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
        """What a value of an image is, in words. A list has one item: AWS's provider takes one value."""
        return "text" if self.type == "stringList" else _TYPES[self.type][1]

    def takes(self, value: str) -> bool:
        """Whether a value, as Image Builder gets it, is of the type."""
        if self.type == "integer":
            return re.fullmatch(r"-?[0-9]+", value) is not None
        return self.type != "boolean" or value in ("true", "false")


@dataclass(frozen=True)
class WorkflowStep:
    """A step as far as others care: what it does, and with what."""

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
    """The names to which it refers of the outputs of earlier workflows."""

    def does(self, action: str) -> bool:
        """Whether a step has the action."""
        return any(step.action == action for step in self.steps)

    def values_of(self, action: str, name: str, given: Mapping[str, str]) -> Iterator[str | None]:
        """What the steps with an action have as an input, as far as it is known before a build: as written, with the
        values that are `given` to parameters, or their defaults. None where it is not."""
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
    yaml = read(text, source=source)
    problems = [*yaml.problems, *_placed(_problems(text, yaml.value, stage), yaml, source)]
    if problems:
        raise EstateError(sorted(problems, key=lambda problem: int(problem.place.rpartition(":")[2])))
    content = yaml.value
    return WorkflowDocument(
        text=text,
        description=str(content.get("description", "")),
        parameters=MappingProxyType(
            {
                fields["name"]: WorkflowParameter(fields.get("type", "string"), fields.get("default"))
                for fields in content.get("parameters") or ()
            }
        ),
        steps=tuple(
            WorkflowStep(step["action"], MappingProxyType(dict(step.get("inputs") or {}))) for step in content["steps"]
        ),
        outputs=tuple(output["name"] for output in content.get("outputs") or ()),
        workflow_outputs=tuple(workflow_references.workflow_outputs_in(content)),
    )


def _placed(problems: Iterator[Problem], yaml: Yaml, source: str) -> Iterator[Problem]:
    """The problems with file and line, and with steps, parameters and outputs by their names."""
    for problem in problems:
        place = f"{source}:{yaml.marks.line(problem.key)}"
        yield replace(problem, key=_named(problem.key, yaml.value), place=place)


def _named(key: Key, content: Any) -> Key:
    """`steps.1.inputs` as `steps.Install.inputs`."""
    if len(key) > 1 and key[0] in ("steps", "parameters", "outputs") and isinstance(key[1], int):
        entry = content[key[0]][key[1]]
        if isinstance(entry, dict) and isinstance(entry.get("name"), str):
            return (key[0], entry["name"], *key[2:])
    return key


def _problems(text: str, content: Any, stage: Stage) -> Iterator[Problem]:
    if not isinstance(content, dict):
        yield Problem((), "a workflow document is a mapping", shown(content), "begin with schemaVersion: 1.0")
        return
    yield from _top(text, content)
    yield from _entries(content, "parameters", MOST_PARAMETERS, "write - {name: …, type: string}")
    for index, fields in _mappings(content, "parameters"):
        yield from _parameter(fields, ("parameters", index))
    steps = content.get("steps")
    yield from workflow_steps.problems_of(steps, stage)
    yield from _entries(content, "outputs", MOST_OUTPUTS, "write - {name: …, value: $.stepOutputs.…}")
    for index, fields in _mappings(content, "outputs"):
        yield from _output(fields, ("outputs", index))
    yield from workflow_references.problems_of(content)


def _top(text: str, content: Mapping[str, Any]) -> Iterator[Problem]:
    for key in content:
        if key not in _KEYS:
            rule = "unknown key of a workflow document"
            remedy = "that is a component document: write it under build: or test:" if key == "phases" else ""
            yield Problem((key,), rule, shown(key), remedy or did_you_mean(key, _KEYS))
    for field in ("name", "description"):
        limit = DESCRIPTION if field == "description" else STEP_DESCRIPTION
        yield from text_problems((field,), content.get(field, "none"), limit)
    if str(content.get("schemaVersion")) not in ("1.0", "1"):
        version = content.get("schemaVersion")
        yield Problem(("schemaVersion",), "must be 1.0", shown(version), "write schemaVersion: 1.0")
    if not DOCUMENT.fits(text):
        rule, remedy = f"a workflow {DOCUMENT.rule}", "put the work into components"
        yield Problem((), rule, str(DOCUMENT.size_of(text)), remedy)


def _entries(content: Mapping[str, Any], section: str, most: int, example: str) -> Iterator[Problem]:
    """What is wrong with the list of a section, and with the names in it."""
    entries = content.get(section, [])
    if not isinstance(entries, list):
        yield Problem((section,), "must be a list", shown(entries), example)
        return
    if len(entries) > most:
        yield Problem((section,), f"a document has at most {most}", str(len(entries)), "delete some")
    names: set[str] = set()
    for index, entry in enumerate(entries):
        name = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not name:
            yield Problem((section, index), "needs a name", shown(entry), example)
        elif name in names:
            yield Problem((section, index), "is declared twice", shown(name), "delete or rename one")
        elif not WORKFLOW_NAME.fits(name):
            rule, got = f"a name {WORKFLOW_NAME.rule}", str(WORKFLOW_NAME.size_of(name))
            yield Problem((section, index), rule, got, WORKFLOW_NAME.remedy)
        names.add(str(name))


def _mappings(content: Mapping[str, Any], section: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    entries = content.get(section)
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict):
            yield index, entry


def _parameter(fields: Mapping[str, Any], key: Key) -> Iterator[Problem]:
    yield from workflow_steps.unknown(fields, _PARAMETER, key, "a parameter")
    kind = fields.get("type", "string")
    if not isinstance(kind, str) or kind not in _TYPES:
        remedy = did_you_mean(kind, _TYPES) if isinstance(kind, str) else f"write one of {', '.join(_TYPES)}"
        yield Problem((*key, "type"), "unknown type of a parameter", shown(kind), remedy)
    elif "default" in fields:
        default, (python, words) = fields["default"], _TYPES[kind]
        # to Python, true is a whole number too
        fits = isinstance(default, python) and isinstance(default, bool) == (python is bool)
        if not fits or (kind == "stringList" and not all(isinstance(each, str) for each in default)):
            yield Problem((*key, "default"), f"must be {words}, as its type says", shown(default))


def _output(fields: Mapping[str, Any], key: Key) -> Iterator[Problem]:
    yield from workflow_steps.unknown(fields, ("name", "value"), key, "an output")
    if not isinstance(fields.get("value"), str):
        remedy = "write for instance $.stepOutputs.CreateOutputAMI.imageId"
        yield Problem((*key, "value"), "an output needs a value", shown(fields.get("value")), remedy)
