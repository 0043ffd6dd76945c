"""Variables of a workflow document, `$.…`: whether what they name is there, and there in time.

A variable is the whole value of an input whose name ends in `.$`, the `value` of a condition or of an output, or stands
in text as `{{ $.… }}`. Source: "Use dynamic variables in your workflow document" in the user guide of EC2 Image
Builder.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from estate.problems import Key, Problem, did_you_mean, shown
from estate.workflow_documents.actions import STEP_ACTIONS, SYSTEM_VARIABLES
from estate.workflow_documents.steps import DYNAMIC, IN_TEXT

_NODES = ("parameters", "stepOutputs", "workflowOutputs", "imagebuilder")
_REFERRING = ("inputs", "if", "rollbackEnabled")


@dataclass(frozen=True)
class _Variable:
    """A variable where it stands. `after` is the number of steps before it."""

    key: Key
    text: str
    after: int

    @property
    def parts(self) -> tuple[str, ...]:
        """`$.stepOutputs.Run.output[0]` as stepOutputs, Run, output."""
        return tuple(re.sub(r"\[.*\]$", "", part) for part in self.text.removeprefix("$.").split("."))


def workflow_outputs_in(content: Mapping[str, Any]) -> list[str]:
    """All names of earlier workflows' outputs to which a document refers, each once."""
    found = (each.parts for each in _variables(content))
    return list(dict.fromkeys(parts[1] for parts in found if parts[0] == "workflowOutputs" and len(parts) > 1))


def problems_of(content: Mapping[str, Any]) -> Iterator[Problem]:
    """Each variable that names what is not there, or stands where it is taken for text."""
    steps = [step for step in _list(content, "steps") if isinstance(step, dict)]
    declared = [str(each.get("name")) for each in _list(content, "parameters") if isinstance(each, dict)]
    for variable in _variables(content):
        for rule, remedy in _rules(variable, steps, declared):
            yield Problem(variable.key, rule, shown(variable.text), remedy)
    for index, step in enumerate(_list(content, "steps")):
        inputs = step.get("inputs") if isinstance(step, dict) else None
        for key, text in _texts(inputs, ("steps", index, "inputs")):
            name = str(key[-1])
            if text.startswith("$.") and len(key) > 3 and not name.endswith(DYNAMIC):
                last = name if isinstance(key[-1], str) else str(key[-2])
                if not last.endswith(DYNAMIC):
                    rule = "Image Builder takes it for text, not for a variable"
                    remedy = f"write {last}.$" if isinstance(key[-1], str) else f"write '{{{{ {text} }}}}'"
                    yield Problem(key, rule, shown(text), remedy)


def _list(content: Mapping[str, Any], section: str) -> list[Any]:
    entries = content.get(section)
    return entries if isinstance(entries, list) else []


def _variables(content: Mapping[str, Any]) -> Iterator[_Variable]:
    steps = _list(content, "steps")
    for index, step in enumerate(steps):
        if isinstance(step, dict):
            for field in _REFERRING:
                yield from _in(step.get(field), ("steps", index, field), index)
    for index, output in enumerate(_list(content, "outputs")):
        if isinstance(output, dict):
            yield from _in(output.get("value"), ("outputs", index, "value"), len(steps))


def _in(value: Any, key: Key, after: int) -> Iterator[_Variable]:
    for place, text in _texts(value, key):
        if re.fullmatch(r"\$\.\S+", text):
            yield _Variable(place, text, after)
        for found in IN_TEXT.findall(text):
            yield _Variable(place, found, after)


def _texts(value: Any, key: Key) -> Iterator[tuple[Key, str]]:
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _texts(each, (*key, name))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _texts(each, (*key, index))


def _rules(variable: _Variable, steps: list[Any], declared: list[str]) -> Iterator[tuple[str, str]]:
    """The rule that a variable breaks, and the remedy."""
    node, *rest = variable.parts
    if node not in _NODES:
        if node.lower() != "imagebuilder":  # the guide writes it both ways
            yield "is no variable of a workflow", did_you_mean(node, _NODES)
    elif not rest:
        yield "names nothing", f"write $.{node}.…"
    elif node == "parameters" and rest[0] not in declared:
        remedy = did_you_mean(rest[0], declared) if declared else ""
        yield "no parameter has this name", remedy or "declare it under parameters:"
    elif node == "stepOutputs":
        yield from _step_output(rest, variable, steps)
    elif node == "imagebuilder":
        # AWS adds variables, so an unknown one passes, unless it is a known one misspelt
        known = {each.lower(): each for each in SYSTEM_VARIABLES}
        name = rest[0].lower()
        if name not in known and (near := get_close_matches(name, known, n=1, cutoff=0.85)):
            yield "Image Builder has no such variable", f"did you mean {known[near[0]]!r}?"


def _step_output(rest: list[str], variable: _Variable, steps: list[Any]) -> Iterator[tuple[str, str]]:
    names = [str(step.get("name")) for step in steps]
    if rest[0] not in names:
        yield "no step has this name", did_you_mean(rest[0], names)
    elif names.index(rest[0]) >= variable.after:
        yield "a step refers to earlier steps only", f"put {rest[0]} before it"
    else:
        name = str(steps[names.index(rest[0])].get("action"))
        action = STEP_ACTIONS.get(name)
        if len(rest) < 2:
            yield "names no output of the step", f"write $.stepOutputs.{rest[0]}.…"
        elif action and rest[1] not in action.outputs:
            remedy = did_you_mean(rest[1], action.outputs) or f"{name} has none"
            yield f"{name} has no such output", remedy
