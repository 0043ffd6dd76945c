"""Phases and steps of a component document: text in its right form, for the platform that it is used for.

Source: "Use the AWSTOE component document framework for custom components" in the user guide of EC2 Image Builder,
and what CreateComponent answers.
"""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import partial
from typing import Any

from estate.component_documents.action_modules import ACTION_MODULES, OPERATORS
from estate.component_documents.references import BUILD_STAGE, TEST_STAGE
from estate.documents import IS_STEP, Action, below, is_mapping, is_number, list_problems, must, repeated_names, shapes
from estate.problems import Key, Problem, shown

PHASES = (*BUILD_STAGE, *TEST_STAGE)
"""The phases that Image Builder runs."""

_ALMOST = r"(build|validat|test)[a-z]*"
"""Names that are almost one of these phases, and probably meant as one: `Build`, `tests`, `validation`."""

_ON_FAILURE = ("Abort", "Continue", "Ignore")
_FOR = ("start", "end", "updateBy")
_NOT_OPERATORS = {"value", "then", "else", "path"}

# the last command of a script that restarts the instance, and the exit code that the executor expects (the guide on
# ExecuteBash and ExecutePowerShell: "If you start a reboot without the exit code, the build process may fail")
_RESTARTS = {
    "ExecuteBash": (
        r"(sudo )?(/usr)?(/sbin/)?(reboot|shutdown (-r|--reboot)|systemctl reboot|(tel)?init 6)(?=$|[\s;&|<>]).*",
        "exit 194",
    ),
    "ExecutePowerShell": (r"(?i:Restart-Computer|shutdown(\.exe)? [/-]r)(?=$|[\s;|]).*", "3010"),
}
# what is not a command, or not all of one: PowerShell's comments of several lines, and ends of lines that continue
_NOT_COMMANDS = {"ExecuteBash": r"\\\n", "ExecutePowerShell": r"(?s)<#.*?#>|`\n"}


def problems_of(phases: Any, platform: str | None) -> Iterator[Problem]:
    """What is wrong with the value of `phases:`; without a platform, actions of any are accepted."""
    check, rule = partial(_phase, platform=platform), "must be a list of phases"
    yield from repeated_names(phases, rule="a phase is declared only once", remedy="put their steps into one")
    yield from list_problems(phases, _is_phase, check, "write - name: build", rule=rule, least=1)


def _is_phase(phase: Any) -> Iterator[Problem]:
    name = phase.get("name") if is_mapping(phase) else phase
    if not is_mapping(phase, "name") or not name:
        remedy = f"write - name: {phase}" if isinstance(phase, str) else f"choose one of {', '.join(PHASES)}"
        yield Problem((), "a phase needs a name", shown(name), remedy)


def _phase(phase: dict[str, Any], platform: str | None) -> Iterator[Problem]:
    name, steps = phase["name"], phase.get("steps")
    # AWS accepts any other phase, and does not run it; what is almost one of these is meant as one
    cutoff = 0 if re.fullmatch(_ALMOST, name.lower()) else 0.8
    if name not in PHASES and (near := get_close_matches(name.lower(), PHASES, n=1, cutoff=cutoff)):
        yield Problem((), "unknown phase", shown(name), f"did you mean {near[0]!r}?")
    yield from _SHAPES["a phase"].problems(phase)
    if not isinstance(steps, list) or not steps:
        yield Problem((), "a phase needs steps", shown(steps))
        return
    loops = [step.get("loop") if is_mapping(step) else None for step in steps]
    for what, named, inner in (("step", steps, ["name"]), ("loop", loops, ["loop", "name"])):
        rule = f"each {what} of a phase has its own name"
        yield from below(("steps",), repeated_names(named, *inner, rule=rule, remedy="rename it"))
    yield from below(("steps",), list_problems(steps, IS_STEP, partial(_step, platform=platform), ""))


def _step(step: dict[str, Any], platform: str | None) -> Iterator[Problem]:
    name, inputs = step["action"], step.get("inputs")
    if action := ACTION_MODULES.get(name):
        platforms = action.notes.get("only", "").split()
        if platform and platforms and platform not in platforms:
            rule = f"{name} is for {' and '.join(platforms)}, and this is a document for {platform}"
            remedy = {"ExecuteBash": "use ExecutePowerShell", "ExecutePowerShell": "use ExecuteBash"}.get(name, "")
            yield Problem(("action",), rule, remedy=remedy)
        for field, only in (("timeoutSeconds", -1), ("maxAttempts", 1)):
            if "once" in action.notes and step.get(field, only) != only:
                yield Problem((field,), f"{name} accepts only {only}", shown(step[field]), "delete it")
        yield from below(("inputs",), _condition(inputs) if name == "Assert" else _inputs(inputs, action))
        yield from below(("inputs",), _restart(inputs, name))
    yield from _SHAPES["a step"].problems(step)


def _inputs(inputs: Any, action: Action) -> Iterator[Problem]:
    example = f"{{{', '.join(f'{names[0]}: …' for names in action.needed)}}}"
    remedy = f"write inputs: [{example}]" if "listed" in action.notes else f"write inputs: {example}"
    if inputs in (None, []):
        if action.needed:
            yield Problem((), f"{action.name} needs inputs", shown(inputs), remedy)
        return
    listed = "listed" in action.notes and isinstance(inputs, list)
    for index, each in enumerate(inputs if listed else [inputs]):
        key: Key = (index,) if listed else ()
        if is_mapping(each):
            yield from below(key, [*action.inputs.problems(each), *action.missing(each)])
        else:
            yield Problem(key, f"the inputs of {action.name} are a mapping", shown(each), remedy)


def _restart(inputs: Any, action: str) -> Iterator[Problem]:
    """A script that restarts the instance without the exit code that the executor expects."""
    commands = inputs.get("commands") if is_mapping(inputs) else None
    if action not in _RESTARTS or not isinstance(commands, list):
        return
    restart, code = _RESTARTS[action]
    texts = [text for text in commands if isinstance(text, str)]
    joined = (re.sub(_NOT_COMMANDS[action], " ", text) for text in texts)
    lines = [line.strip() for text in joined for line in text.splitlines() if line.strip() and line.strip()[0] != "#"]
    if not lines or not re.fullmatch(restart, lines[-1]) or any(code in text for text in texts):
        return
    if any(lines[-1].count(quote) % 2 for quote in "\"'"):
        return  # the end of a text that begins on another line
    code = "[System.Environment]::Exit(3010)" if code == "3010" else code
    rule = "a script that restarts the instance without the exit code for a restart can fail the build"
    remedy = f"end with {code} instead, or add a step with action: Reboot"
    yield Problem(("commands", len(commands) - 1), rule, shown(lines[-1]), remedy)


def _condition(condition: Any) -> Iterator[Problem]:
    """AWS adds operators, so an unknown one is accepted, unless it is a misspelt known one."""
    if isinstance(condition, list) and condition:
        for index, each in enumerate(condition):
            yield from below((index,), _condition(each))
    elif not is_mapping(condition) or not condition.keys() - _NOT_OPERATORS:
        remedy = "write for example stringEquals: and value:"
        yield Problem((), "a condition needs an operator", shown(condition), remedy)
    else:
        for name, value in condition.items():
            if name in ("and", "or", "not"):
                yield from below((name,), _condition(value))
            elif name not in OPERATORS and (near := get_close_matches(name, OPERATORS, n=1, cutoff=0.9)):
                yield Problem((name,), "unknown operator", shown(name), f"did you mean {near[0]!r}?")


def _loop(loop: Any) -> Iterator[Problem]:
    if not is_mapping(loop) or ("for" in loop) == ("forEach" in loop):
        yield Problem((), "a loop has either for or forEach", shown(loop))
    else:
        yield from _SHAPES["a loop"].problems(loop)


def _numbers(numbers: Any) -> Iterator[Problem]:
    if not is_mapping(numbers) or not all(is_number(numbers.get(field)) for field in _FOR):
        yield Problem((), "needs three whole numbers: start, end and updateBy", shown(numbers))
        return
    start, end, step = (numbers[field] for field in _FOR)
    if step == 0 or (end - start) * step < 0:
        yield Problem((), "never ends", f"{start} to {end} by {step}", "change updateBy")
    yield from _SHAPES["for"].problems(numbers)


def _values(values: Any) -> Iterator[Problem]:
    if is_mapping(values):
        yield from _SHAPES["forEach"].problems(values)
        if not is_mapping(values, "list"):
            yield Problem((), "needs list, the values in one text", shown(values.get("list")))
    elif not isinstance(values, str) and not (isinstance(values, list) and values):
        yield Problem((), "must be a list of values, or list and delimiter", shown(values))


_SHAPES = shapes(
    """
a phase: name steps
a step: name action timeoutSeconds maxAttempts onFailure inputs if loop
a loop: name for forEach
for: start end updateBy
forEach: list delimiter
""",
    checks={
        "a step.name": must("a step's name has letters, digits, - and _", re.compile(r"[A-Za-z0-9_-]+").fullmatch),
        "action": must("unknown action", ACTION_MODULES.__contains__, words=ACTION_MODULES),
        "timeoutSeconds": must(
            "must be a whole number of seconds, or -1 for no limit", lambda it: is_number(it, -1) and it
        ),
        "maxAttempts": must("must be a whole number of at least 1", partial(is_number, least=1)),
        "onFailure": must("must be Abort, Continue or Ignore", _ON_FAILURE.__contains__, words=_ON_FAILURE),
        "if": _condition,
        "loop": _loop,
        "for": _numbers,
        "forEach": _values,
    },
)
