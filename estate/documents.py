"""Component documents: text -> checked document.

The schema is that of AWS's Task Orchestrator and Executor ("Component document framework" in the user guide of
EC2 Image Builder). What is wrong with a document is said with its file and line.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from estate.problems import EstateError, Key, Problem, did_you_mean, shown
from estate.yaml_text import read

LONGEST_DESCRIPTION = 1024
LONGEST_INLINE = 16_000
"""Characters of a document that Image Builder takes inline (botocore: `inlineComponentData`)."""

_PHASES = ("build", "validate", "test")
_KEYS = ("name", "description", "schemaVersion", "parameters", "constants", "phases")
_PARAMETER_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_-]{3,128}")
_PARAMETER_KEYS = ("type", "default", "description")


@dataclass(frozen=True)
class Parameter:
    """A declared parameter; one without a default must be given a value."""

    default: str | None
    description: str = ""


@dataclass(frozen=True)
class Document:
    """A component document as it is sent to Image Builder, and what is known of it."""

    text: str
    description: str
    parameters: Mapping[str, Parameter]


def parse(text: str, *, source: str) -> Document:
    """Reads and checks a document. `source` is how errors name the file.

    Raises `EstateError` with every problem of the document.
    """
    yaml = read(text, source=source)
    content = yaml.value
    problems = [
        *yaml.problems,
        *(replace(problem, place=f"{source}:{yaml.marks.line(problem.key)}") for problem in _problems(text, content)),
    ]
    if problems:
        raise EstateError(problems)
    declared = {name: fields for entry in content.get("parameters", ()) for name, fields in entry.items()}
    return Document(
        text=text,
        description=str(content.get("description", "")),
        parameters=MappingProxyType(
            {
                name: Parameter(
                    default=str(fields["default"]) if "default" in fields else None,
                    description=str(fields.get("description", "")),
                )
                for name, fields in declared.items()
            }
        ),
    )


def _problems(text: str, content: Any) -> list[Problem]:
    if not isinstance(content, dict):
        return [Problem((), "a component document is a mapping", shown(content), "begin with schemaVersion: 1.0")]
    found = [
        Problem((key,), "unknown key of a component document", shown(key), did_you_mean(key, _KEYS))
        for key in content
        if key not in _KEYS
    ]
    description = content.get("description", "none")
    if not isinstance(description, str) or not 1 <= len(description) <= LONGEST_DESCRIPTION:
        rule = f"must be text of 1 to {LONGEST_DESCRIPTION} characters"
        found.append(Problem(("description",), rule, shown(description)))
    if str(content.get("schemaVersion")) != "1.0":
        version = content.get("schemaVersion")
        found.append(Problem(("schemaVersion",), "must be 1.0", shown(version), "write schemaVersion: 1.0"))
    if len(text) > LONGEST_INLINE:
        found.append(
            Problem((), f"a document has at most {LONGEST_INLINE} characters", str(len(text)), "split it in two")
        )
    return [
        *found,
        *_parameter_problems(content.get("parameters", [])),
        *_phase_problems(content.get("phases")),
    ]


def _parameter_problems(parameters: Any) -> list[Problem]:
    if not isinstance(parameters, list):
        return [Problem(("parameters",), "must be a list", shown(parameters), "write - name: {type: string}")]
    found = []
    names: set[str] = set()
    for index, entry in enumerate(parameters):
        key: Key = ("parameters", index)
        if not (isinstance(entry, dict) and len(entry) == 1 and isinstance(next(iter(entry.values())), dict)):
            found.append(Problem(key, "a parameter is one name and its fields", shown(entry)))
            continue
        ((name, fields),) = entry.items()
        if not _PARAMETER_NAME.fullmatch(name):
            found.append(Problem(key, "a parameter's name has 3 to 128 letters, digits, - and _", shown(name)))
        if name in names:
            found.append(Problem(key, "is declared twice", shown(name), "delete or rename one"))
        names.add(name)
        found += [
            Problem(
                (*key, name, field), "unknown key of a parameter", shown(field), did_you_mean(field, _PARAMETER_KEYS)
            )
            for field in fields
            if field not in _PARAMETER_KEYS
        ]
        if fields.get("type") != "string":
            found.append(Problem(key, "a parameter's type is string", shown(fields.get("type"))))
        if isinstance(fields.get("default", ""), dict | list | None):
            found.append(Problem((*key, name, "default"), "must be text", shown(fields["default"])))
    return found


def _phase_problems(phases: Any) -> list[Problem]:
    if not isinstance(phases, list) or not phases:
        return [Problem(("phases",), "must be a list of phases", shown(phases), "write - name: build")]
    found = []
    seen: set[str] = set()
    for index, phase in enumerate(phases):
        key: Key = ("phases", index)
        if not isinstance(phase, dict) or phase.get("name") not in _PHASES:
            got = shown(phase.get("name") if isinstance(phase, dict) else phase)
            found.append(Problem(key, "unknown phase", got, f"choose one of {', '.join(_PHASES)}"))
        elif phase["name"] in seen:
            found.append(Problem(key, "each phase is there once", shown(phase["name"]), "put their steps into one"))
        elif not isinstance(phase.get("steps"), list) or not phase["steps"]:
            found.append(Problem(key, "a phase needs steps", shown(phase.get("steps"))))
        else:
            seen.add(phase["name"])
            found += [
                Problem((*key, "steps", number), "a step needs name and action", shown(step))
                for number, step in enumerate(phase["steps"])
                if not (isinstance(step, dict) and isinstance(step.get("name"), str) and step.get("action"))
            ]
    return found
