"""References in a component document, `{{ … }}`: whether what they name exists, and exists in time.

The executor replaces parameters and constants by name, `{{ loop.value }}` of a step's own loop, and inputs and outputs
of earlier steps. Sources: "Use variables in your custom component document", "Input and output chaining" and "Use
looping constructs in AWSTOE" in the user guide of EC2 Image Builder.
"""

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

from estate.component_documents.action_modules import ACTION_MODULES
from estate.documents import Reference, is_mapping, mappings, texts
from estate.problems import Problem, Words, did_you_mean, shown

BUILD_STAGE = ("build", "validate")
"""The phases that Image Builder runs on the instance that builds."""
TEST_STAGE = ("test", "container-host-test")
"""The phases that it runs on another instance, the last one only for container images. It accepts any further phase,
but does not run it."""

# what looks like a reference; `{{ range . }}` or `awk '{{print $1}}'` does not
_REFERENCE = re.compile(r"(\{\{[ \t]*(\.?[A-Za-z0-9_-][A-Za-z0-9_.\[\]-]*)[ \t]*\}\})")
_CHAINED = re.compile(r"([^.]+)\.([^.]+)\.(inputs|outputs)(?:\[(\d+)\])?\.(.+)")


@dataclass(frozen=True)
class _Step:
    """A step that can be referred to."""

    position: tuple[int, int]
    phase: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class _Names:
    """What references can name: parameters and constants, steps by phase and name, and the names of each phase."""

    declared: Words
    steps: Mapping[tuple[str, str], _Step]
    phases: Mapping[str, Words]


def names_in(text: str) -> Set[str]:
    """What a text refers to."""
    return {name for _, name in _REFERENCE.findall(text)}


def problems_of(content: Mapping[str, Any]) -> Iterator[Reference]:
    """What is wrong with each reference to what does not exist."""
    sections = (content.get(section) for section in ("parameters", "constants"))
    steps = [
        _Step((index, number), phase["name"] if is_mapping(phase, "name") else "", step)
        for index, phase in mappings(content.get("phases"))
        for number, step in mappings(phase.get("steps"))
    ]
    by_name = {(step.phase, str(step.fields["name"])): step for step in reversed(steps) if "name" in step.fields}
    phases: dict[str, list[str]] = {step.phase: [] for step in steps}
    for phase, name in by_name:
        phases[phase].append(name)
    names = _Names(
        Words(name for entries in sections for _, entry in mappings(entries) for name in entry),
        by_name,
        {phase: Words(names) for phase, names in phases.items()},
    )
    for step in steps:
        for field in ("inputs", "if", "loop"):
            place = ("phases", step.position[0], "steps", step.position[1], field)
            for key, text in texts(step.fields.get(field), place):
                for written, reference in dict(_REFERENCE.findall(text)).items():
                    for rule, remedy in _rules(reference, step, names):
                        yield Problem(key, rule, shown(written), remedy), written


def _rules(reference: str, step: _Step, names: _Names) -> Iterator[tuple[str, str]]:
    """The rule that a reference breaks, and the remedy."""
    first, _, rest = reference.partition(".")
    loop = step.fields.get("loop")
    if not first:
        remedy = f"declare a constant with it as value, and write the constant's name: '{{{{ {rest.lower()}-text }}}}'"
        yield "the executor reads every {{ … }} as a reference, and braces cannot be escaped", remedy
    elif not rest:
        if reference not in names.declared:
            otherwise = "declare it under parameters:"
            yield "no parameter or constant has this name", did_you_mean(reference, names.declared, otherwise=otherwise)
    elif is_mapping(loop) and first in ("loop", loop.get("name")):
        if rest not in ("index", "value"):
            yield "a loop has index and value", did_you_mean(rest, ("index", "value"))
    elif first == "loop":
        yield "the step has no loop", "add a loop, or name what is meant"
    elif chained := _CHAINED.fullmatch(reference):
        yield from _chained(*chained.groups(), step=step, names=names)
    else:
        yield "is not a reference", "write {{ phase.step.outputs.stdout }}, {{ phase.step.inputs[0].path }} or a name"


def _chained(
    phase: str, name: str, side: str, index: str | None, field: str, *, step: _Step, names: _Names
) -> Iterator[tuple[str, str]]:
    other = names.steps.get((phase, name))
    field = re.sub(r"\[\d+\]", "", field).partition(".")[0]
    if phase not in names.phases:
        yield "the document has no such phase", did_you_mean(phase, names.phases.keys() - {""})
    elif other is None:
        yield f"phase {phase} has no such step", did_you_mean(name, names.phases[phase])
    elif phase not in (*BUILD_STAGE, *TEST_STAGE) and step.phase != phase:
        yield f"Image Builder does not run phase {phase}", "do the work in this phase"
    elif (phase in TEST_STAGE) != (step.phase in TEST_STAGE):
        yield f"phase {phase} runs on another instance than phase {step.phase}", "do the work in this phase again"
    elif other.position >= step.position:
        yield "a step refers to earlier steps only", f"put {name} before it"
    elif side == "outputs":
        action = ACTION_MODULES.get(str(other.fields.get("action")))
        yield from action.output_rules(field) if action else ()
    else:
        inputs = other.fields.get("inputs")
        listed: list[Any] = inputs if isinstance(inputs, list) else [inputs]
        # no step has so many inputs that a longer number would be one of them
        number = int((index or "0")[:9])
        if number >= len(listed):
            yield f"step {name} has {len(listed)} inputs", "inputs are counted from 0"
        elif is_mapping(listed[number]) and field not in listed[number]:
            yield f"step {name} has no such input", did_you_mean(field, listed[number])
