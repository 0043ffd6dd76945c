"""References in a component document, `{{ … }}`: whether what they name is there, and there in time.

The executor puts in parameters and constants by name, `{{ loop.value }}` of a step's own loop, and inputs and outputs
of earlier steps. Sources: "Use variables in your custom component document", "Input and output chaining" and "Use
looping constructs in AWSTOE" in the user guide of EC2 Image Builder.
"""

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any, Self

from estate.component_documents.action_modules import ACTION_MODULES
from estate.problems import Key, Problem, Words, did_you_mean, shown

BUILD_STAGE = ("build", "validate")
"""The phases that Image Builder runs on the instance that builds."""
TEST_STAGE = ("test", "container-host-test")
"""Those that it runs on another instance, the last one for container images only. It takes any further phase, and runs
none."""

# what looks like a reference; `{{ range . }}` or `awk '{{print $1}}'` does not
_REFERENCE = re.compile(r"(\{\{[ \t]*(\.?[A-Za-z0-9_-][A-Za-z0-9_.\[\]-]*)[ \t]*\}\})")
_CHAINED = re.compile(
    r"(?P<phase>[^.]+)\.(?P<step>[^.]+)\.(?P<side>inputs|outputs)(\[(?P<index>\d+)\])?\.(?P<field>.+)"
)
_REFERRING = ("inputs", "if", "loop")


@dataclass(frozen=True)
class _Step:
    """A step that can be referred to."""

    position: tuple[int, int]
    phase: str
    fields: Mapping[str, Any]

    @property
    def loops(self) -> tuple[str, ...]:
        """The names of its loop."""
        loop = self.fields.get("loop")
        if not isinstance(loop, dict):
            return ()
        return ("loop", loop["name"]) if isinstance(loop.get("name"), str) else ("loop",)

    @property
    def place(self) -> Key:
        """Its place in the YAML."""
        return ("phases", self.position[0], "steps", self.position[1])


@dataclass(frozen=True)
class _Steps:
    """All steps, and how to find one."""

    all: tuple[_Step, ...]
    by_name: Mapping[tuple[str, str], _Step]
    """By phase and name, the first of each."""
    names: Mapping[str, Words]
    """The names of each phase's steps."""

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """Those of a document."""
        steps = tuple(_steps(content))
        named = [(step.phase, str(step.fields["name"]), step) for step in steps if "name" in step.fields]
        names: dict[str, list[str]] = {step.phase: [] for step in steps}
        for phase, name, _ in named:
            names[phase].append(name)
        return cls(
            steps,
            {(phase, name): step for phase, name, step in reversed(named)},
            {phase: Words(each) for phase, each in names.items()},
        )


def quoted_names(content: Mapping[str, Any]) -> Set[str]:
    """The names that a script has between single quotes on one line."""
    return _names_between(content, r"'([^'\n]*)'", ("ExecuteBash", "ExecutePowerShell"))


def here_string_names(content: Mapping[str, Any]) -> Set[str]:
    """The names that a PowerShell script has in a here-string of single quotes."""
    return _names_between(content, r"(?s)@'[ \t]*\n(.*?)\n'@", ("ExecutePowerShell",))


def problems_of(content: Mapping[str, Any], declared: Set[str]) -> Iterator[tuple[Problem, str]]:
    """Each reference to what is not there, and how it is written."""
    steps = _Steps.of(content)
    for step in steps.all:
        for key, text in _texts(step):
            for written, reference in dict(_REFERENCE.findall(text)).items():
                for rule, remedy in _rules(reference, step, steps, declared):
                    yield Problem(key, rule, shown(written), remedy), written


def _names_between(content: Mapping[str, Any], pattern: str, actions: tuple[str, ...]) -> Set[str]:
    """The names in what the pattern's group finds in the scripts of these actions."""
    scripts = (
        text
        for step in _steps(content)
        for key, text in _texts(step)
        if step.fields.get("action") in actions and key[-2:-1] == ("commands",)
    )
    between = (found for script in scripts for found in re.findall(pattern, script))
    return {reference for text in between for _, reference in _REFERENCE.findall(text)}


def _steps(content: Mapping[str, Any]) -> Iterator[_Step]:
    phases = content.get("phases")
    for index, phase in enumerate(phases if isinstance(phases, list) else ()):
        steps = phase.get("steps") if isinstance(phase, dict) else None
        for number, step in enumerate(steps if isinstance(steps, list) else ()):
            if isinstance(step, dict):
                name = phase.get("name")
                yield _Step((index, number), name if isinstance(name, str) else "", step)


def _texts(step: _Step) -> Iterator[tuple[Key, str]]:
    for field in _REFERRING:
        yield from _inside(step.fields.get(field), (*step.place, field))


def _inside(value: Any, key: Key) -> Iterator[tuple[Key, str]]:
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict | list):
        for name, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _inside(each, (*key, name))


def _rules(reference: str, step: _Step, steps: _Steps, declared: Set[str]) -> Iterator[tuple[str, str]]:
    """The rule that a reference breaks, and the remedy."""
    first, _, rest = reference.partition(".")
    if not first:
        remedy = f"declare a constant with it as value, and write the constant's name: '{{{{ {rest.lower()}-text }}}}'"
        yield "the executor takes every {{ … }} for its own, and knows no other way to write braces", remedy
    elif not rest:
        if reference not in declared:
            remedy = did_you_mean(reference, declared, otherwise="declare it under parameters:")
            yield "no parameter or constant has this name", remedy or "declare it under parameters:"
    elif first in step.loops:
        if rest not in ("index", "value"):
            yield "a loop has index and value", did_you_mean(rest, ("index", "value"))
    elif first == "loop":
        yield "the step has no loop", "give it one, or name what is meant"
    elif chained := _CHAINED.fullmatch(reference):
        yield from _chained(chained.groupdict(), step, steps)
    else:
        yield "is no reference", "write {{ phase.step.outputs.stdout }}, {{ phase.step.inputs[0].path }} or a name"


def _chained(parts: Mapping[str, str | None], step: _Step, steps: _Steps) -> Iterator[tuple[str, str]]:
    phase, name, side, index = (str(parts[part]) for part in ("phase", "step", "side", "index"))
    found = steps.by_name.get((phase, name))
    if phase not in steps.names:
        yield "the document has no such phase", did_you_mean(phase, steps.names.keys() - {""})
    elif found is None:
        yield f"phase {phase} has no such step", did_you_mean(name, steps.names[phase])
    elif phase not in (*BUILD_STAGE, *TEST_STAGE) and step.phase != phase:
        yield f"Image Builder does not run phase {phase}", "do the work in this phase"
    elif (phase in TEST_STAGE) != (step.phase in TEST_STAGE):
        yield f"phase {phase} runs on another instance than phase {step.phase}", "do the work in this phase again"
    elif found.position >= step.position:
        yield "a step refers to earlier steps only", f"put {name} before it"
    else:
        field = re.sub(r"\[\d+\]", "", str(parts["field"])).partition(".")[0]
        if side == "outputs":
            yield from _output(field, found)
        else:
            # no step has so many inputs that a longer number would be one of them
            yield from _input(field, int(index[:9]) if index.isdecimal() else 0, found)


def _output(field: str, step: _Step) -> Iterator[tuple[str, str]]:
    action = str(step.fields.get("action"))
    module = ACTION_MODULES.get(action)
    if module and module.outputs is not None and field not in module.outputs:
        yield f"{action} has no such output", did_you_mean(field, module.outputs) or f"{action} has none"


def _input(field: str, index: int, step: _Step) -> Iterator[tuple[str, str]]:
    inputs = step.fields.get("inputs")
    listed: list[Any] = inputs if isinstance(inputs, list) else [inputs]
    name = step.fields.get("name")
    if index >= len(listed):
        yield f"step {name} has {len(listed)} inputs", "count from 0"
    elif isinstance(listed[index], dict) and field not in listed[index]:
        yield f"step {name} has no such input", did_you_mean(field, listed[index])
