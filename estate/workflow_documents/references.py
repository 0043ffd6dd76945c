"""Variables of a workflow document, `$.…`: whether what they name exists, and exists in time.

A variable is the whole value of an input whose name ends in `.$`, the `value` of a condition or of an output, or a part
of a text, as `{{ $.… }}`. Source: "Use dynamic variables in your workflow document" in the user guide of EC2 Image
Builder.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from estate.documents import Reference, mappings, texts
from estate.problems import Key, Problem, did_you_mean, shown
from estate.workflow_documents.actions import IN_TEXT, STEP_ACTIONS, SYSTEM_VARIABLES
from estate.workflow_documents.steps import DYNAMIC

_NODES = ("parameters", "stepOutputs", "workflowOutputs", "imagebuilder")
_WHOLE = re.compile(r"^\$\.\S+\Z")


def workflow_outputs_in(content: Mapping[str, Any]) -> tuple[str, ...]:
    """All names of earlier workflows' outputs to which a document refers, each once."""
    found = (_parts(variable) for _, text in _texts(content) for variable in _variables(text))
    return tuple(dict.fromkeys(parts[1] for parts in found if parts[0] == "workflowOutputs" and len(parts) > 1))


def problems_of(content: Mapping[str, Any]) -> Iterator[Reference]:
    """What is wrong with each variable whose name does not exist, or that is in a place where it is taken for text."""
    steps = {str(step.get("name")): (index, step) for index, step in reversed(mappings(content.get("steps")))}
    declared = [str(each.get("name")) for _, each in mappings(content.get("parameters"))]
    for key, text in _texts(content):
        for variable in _variables(text):
            for rule, remedy in _rules(variable, key, steps, declared):
                yield Problem(key, rule, shown(variable), remedy), variable
        name = next(str(part) for part in reversed(key) if isinstance(part, str))
        if text.startswith("$.") and key[2] == "inputs" and len(key) > 3 and not name.endswith(DYNAMIC):
            remedy = f"write {name}.$" if name == key[-1] else f"write '{{{{ {text} }}}}'"
            yield Problem(key, "Image Builder reads it as text, not as a variable", shown(text), remedy), ""


def _texts(content: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    """The texts in which variables can stand."""
    for section, fields in (("steps", ("inputs", "if", "rollbackEnabled")), ("outputs", ("value",))):
        for index, entry in mappings(content.get(section)):
            for field in fields:
                yield from texts(entry.get(field), (section, index, field))


def _variables(text: str) -> Iterable[str]:
    """The variables in a text, each once."""
    return dict.fromkeys([*_WHOLE.findall(text), *IN_TEXT.findall(text)])


def _parts(variable: str) -> list[str]:
    """`$.stepOutputs.Run.output[0]` as stepOutputs, Run, output."""
    return [re.sub(r"\[.*\]$", "", part) for part in variable.removeprefix("$.").split(".")]


def _rules(
    variable: str, key: Key, steps: Mapping[str, tuple[int, dict[str, Any]]], declared: list[str]
) -> Iterator[tuple[str, str]]:
    """The rule that a variable breaks, and the remedy."""
    node, *rest = _parts(variable)
    if node not in _NODES:
        if node.lower() != "imagebuilder":  # the guide writes it both ways
            yield "is not a variable of a workflow", did_you_mean(node, _NODES)
    elif not rest:
        yield "is incomplete", f"write $.{node}.…"
    elif node == "parameters" and rest[0] not in declared:
        remedy = did_you_mean(rest[0], declared) or "declare it under parameters:"
        yield "no parameter has this name", remedy
    elif node == "stepOutputs" and rest[0] not in steps:
        yield "no step has this name", did_you_mean(rest[0], steps)
    elif node == "stepOutputs":
        place, step = steps[rest[0]]
        if key[0] == "steps" and (place,) >= key[1:2]:
            yield "a step refers to earlier steps only", f"put {rest[0]} before it"
        elif len(rest) < 2:
            yield "does not name an output of the step", f"write $.stepOutputs.{rest[0]}.…"
        elif action := STEP_ACTIONS.get(str(step.get("action"))):
            yield from action.output_rules(rest[1])
    elif node == "imagebuilder":
        # AWS adds variables, so an unknown one is accepted, unless it is a known one misspelt
        known = {each.lower(): each for each in SYSTEM_VARIABLES}
        name = rest[0].lower()
        if name not in known and (near := get_close_matches(name, known, n=1, cutoff=0.85)):
            yield "Image Builder has no such variable", f"did you mean {known[near[0]]!r}?"
