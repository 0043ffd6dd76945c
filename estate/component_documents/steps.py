"""Phases and steps of a component document: text in its right form, for the platform that it is used for.

Source: "Use the AWSTOE component document framework for custom components" in the user guide of EC2 Image Builder,
and what CreateComponent answers. Keys of problems are places in the YAML.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, TypeGuard

from estate.component_documents.action_modules import ACTION_MODULES, OPERATORS, ActionModule
from estate.component_documents.references import BUILD_STAGE, TEST_STAGE
from estate.problems import Key, Problem, did_you_mean, shown

PHASES = (*BUILD_STAGE, *TEST_STAGE)
"""The phases that Image Builder runs."""

_ALMOST = r"(build|validat|test)[a-z]*"
"""What is meant as one of them and is none: `Build`, `tests`, `validation`."""

_STEP = ("name", "action", "timeoutSeconds", "onFailure", "maxAttempts", "inputs", "if", "loop")
_ON_FAILURE = ("Abort", "Continue", "Ignore")
_LOOP = ("name", "for", "forEach")
_FOR = ("start", "end", "updateBy")
_NOT_OPERATORS = ("value", "then", "else", "path")

# what a script ends with that restarts the instance, and how the executor gets to know (the guide on ExecuteBash and
# ExecutePowerShell: "If you start a reboot without the exit code, the build process may fail")
_RESTARTS = {
    "ExecuteBash": (
        r"(sudo )?(/usr)?(/sbin/)?(reboot|shutdown (-r|--reboot)|systemctl reboot|(tel)?init 6)(?=$|[\s;&|<>]).*",
        "exit 194",
    ),
    "ExecutePowerShell": (r"(?i:Restart-Computer|shutdown(\.exe)? [/-]r)(?=$|[\s;|]).*", "3010"),
}
# what is no command, or not the whole of one: PowerShell's comments of several lines, and ends of lines that go on
_NO_COMMANDS = {"ExecuteBash": r"\\\n", "ExecutePowerShell": r"(?s)<#.*?#>|`\n"}


def problems_of(phases: Any, platform: str | None) -> Iterator[Problem]:
    """Everything that is wrong with the value of `phases:`; without a platform, actions of any will do."""
    if not isinstance(phases, list) or not phases:
        yield Problem(("phases",), "must be a list of phases", shown(phases), "write - name: build")
        return
    seen: set[str] = set()
    for index, phase in enumerate(phases):
        key: Key = ("phases", index)
        name = phase.get("name") if isinstance(phase, dict) else phase
        if not isinstance(name, str) or not name or not isinstance(phase, dict):
            remedy = f"write - name: {phase}" if isinstance(phase, str) else f"choose one of {', '.join(PHASES)}"
            yield Problem(key, "a phase needs a name", shown(name), remedy)
            continue
        if name not in PHASES and (meant := _meant(name)):
            yield Problem(key, "unknown phase", shown(name), f"did you mean {meant!r}?")
        if name in seen:
            yield Problem(key, "each phase is there once", shown(name), "put their steps into one")
        seen.add(name)
        yield from _unknown(phase, ("name", "steps"), key, "a phase")
        yield from _steps(phase.get("steps"), key, platform)


def _meant(name: str) -> str | None:
    """The phase as which an unknown one is meant, if it is: AWS takes any other, and runs none of them."""
    near = get_close_matches(name.lower(), PHASES, n=1, cutoff=0.8)
    if not near and re.fullmatch(_ALMOST, name.lower()):
        near = get_close_matches(name.lower(), PHASES, n=1, cutoff=0)
    return near[0] if near else None


def _steps(steps: Any, key: Key, platform: str | None) -> Iterator[Problem]:
    if not isinstance(steps, list) or not steps:
        yield Problem(key, "a phase needs steps", shown(steps))
        return
    names: set[str] = set()
    loops: set[str] = set()
    for number, step in enumerate(steps):
        place: Key = (*key, "steps", number)
        if not (isinstance(step, dict) and isinstance(step.get("name"), str) and isinstance(step.get("action"), str)):
            yield Problem(place, "a step needs name and action", shown(step))
            continue
        if step["name"] in names:
            yield Problem((*place, "name"), "each step of a phase has its own name", shown(step["name"]), "rename it")
        names.add(step["name"])
        if not re.fullmatch(r"[A-Za-z0-9_-]+", step["name"]):
            yield Problem((*place, "name"), "a step's name has letters, digits, - and _", shown(step["name"]))
        yield from _unknown(step, _STEP, place, "a step")
        yield from _action(step, place, platform)
        yield from _running(step, place)
        if "loop" in step:
            yield from _loop(step["loop"], (*place, "loop"), loops)
        if "if" in step:
            yield from _condition(step["if"], (*place, "if"))


def _unknown(fields: Mapping[str, Any], known: tuple[str, ...], key: Key, of: str) -> Iterator[Problem]:
    for name in fields:
        if name not in known:
            yield Problem((*key, name), f"unknown key of {of}", shown(name), did_you_mean(name, known))


def _action(step: Mapping[str, Any], key: Key, platform: str | None) -> Iterator[Problem]:
    action = step["action"]
    module = ACTION_MODULES.get(action)
    if module is None:
        remedy = did_you_mean(action, ACTION_MODULES)
        yield Problem((*key, "action"), "unknown action", shown(action), remedy)
        return
    if platform and platform not in module.platforms:
        rule = f"{action} is for {' and '.join(module.platforms)}, and this is a document for {platform}"
        remedy = {"ExecuteBash": "use ExecutePowerShell", "ExecutePowerShell": "use ExecuteBash"}.get(action, "")
        yield Problem((*key, "action"), rule, remedy=remedy)
    if module.runs_once:
        for field, only in (("timeoutSeconds", -1), ("maxAttempts", 1)):
            if step.get(field, only) != only:
                yield Problem((*key, field), f"{action} takes no other than {only}", shown(step[field]), "delete it")
    inputs, place = step.get("inputs"), (*key, "inputs")
    if action == "Assert":
        yield from _condition(inputs, place)
    elif inputs in (None, []):
        if module.needed:
            yield Problem(place, f"{action} needs inputs", shown(inputs), f"write {_example(module)}")
    elif isinstance(inputs, list) and module.listed:
        for index, each in enumerate(inputs):
            yield from _inputs(each, module, action, (*place, index))
    else:
        yield from _inputs(inputs, module, action, place)
    yield from _restart(step, key)


def _example(module: ActionModule) -> str:
    return f"inputs: {'[' * module.listed}{{{', '.join(f'{name}: …' for name in module.needed)}}}{']' * module.listed}"


def _inputs(inputs: Any, module: ActionModule, action: str, key: Key) -> Iterator[Problem]:
    if not isinstance(inputs, dict):
        yield Problem(key, f"the inputs of {action} are a mapping", shown(inputs), f"write {_example(module)}")
        return
    for name in inputs:
        if name not in module.inputs:
            yield Problem((*key, name), f"{action} has no such input", shown(name), did_you_mean(name, module.inputs))
    for name in module.required:
        if name not in inputs:
            yield Problem(key, f"{action} needs {name}", remedy=f"write {name}: …")
    if module.one_of and len([name for name in module.one_of if name in inputs]) != 1:
        yield Problem(key, f"{action} needs exactly one of {' and '.join(module.one_of)}")
    for name in ("commands", "arguments"):
        if name in inputs and name in module.inputs:
            yield from _lines(inputs[name], (*key, name))


def _lines(lines: Any, key: Key) -> Iterator[Problem]:
    if not isinstance(lines, list):
        yield Problem(key, "must be a list", shown(lines), "write a - before it")
        return
    for index, line in enumerate(lines):
        if isinstance(line, dict | list | None):
            # YAML reads a command with a colon and a space in it as a mapping
            yield Problem((*key, index), "must be text", shown(line), "put it in quotes")


def _restart(step: Mapping[str, Any], key: Key) -> Iterator[Problem]:
    """A script that restarts the instance behind the executor's back."""
    inputs = step.get("inputs")
    commands = inputs.get("commands") if isinstance(inputs, dict) else None
    if step["action"] not in _RESTARTS or not isinstance(commands, list):
        return
    restart, tells = _RESTARTS[step["action"]]
    texts = [text for text in commands if isinstance(text, str)]
    joined = (re.sub(_NO_COMMANDS[step["action"]], " ", text) for text in texts)
    lines = [line.strip() for text in joined for line in text.splitlines() if line.strip() and line.strip()[0] != "#"]
    if not lines or not re.fullmatch(restart, lines[-1]) or any(tells in text for text in texts):
        return
    if any(lines[-1].count(quote) % 2 for quote in "\"'"):
        return  # the end of a text that begins on another line
    code = "[System.Environment]::Exit(3010)" if tells == "3010" else tells
    rule = "a script that restarts the instance without telling the executor can fail the build"
    remedy = f"end with {code} instead, or add a step with action: Reboot"
    yield Problem((*key, "inputs", "commands", len(commands) - 1), rule, shown(lines[-1]), remedy)


def _running(step: Mapping[str, Any], key: Key) -> Iterator[Problem]:
    timeout, attempts, on_failure = (step.get(field) for field in ("timeoutSeconds", "maxAttempts", "onFailure"))
    if "timeoutSeconds" in step and not (_is_number(timeout) and (timeout == -1 or timeout > 0)):
        rule = "must be a whole number of seconds, or -1 for no limit"
        yield Problem((*key, "timeoutSeconds"), rule, shown(timeout))
    if "maxAttempts" in step and not (_is_number(attempts) and attempts > 0):
        yield Problem((*key, "maxAttempts"), "must be a whole number from 1 on", shown(attempts))
    if "onFailure" in step and on_failure not in _ON_FAILURE:
        remedy = did_you_mean(on_failure, _ON_FAILURE) if isinstance(on_failure, str) else ""
        yield Problem((*key, "onFailure"), "must be Abort, Continue or Ignore", shown(on_failure), remedy)


def _is_number(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _loop(loop: Any, key: Key, names: set[str]) -> Iterator[Problem]:
    if not isinstance(loop, dict) or ("for" in loop) == ("forEach" in loop):
        yield Problem(key, "a loop has either for or forEach", shown(loop))
        return
    yield from _unknown(loop, _LOOP, key, "a loop")
    if "name" in loop:
        if str(loop["name"]) in names:
            yield Problem((*key, "name"), "each loop of a phase has its own name", shown(loop["name"]), "rename it")
        names.add(str(loop["name"]))
    counted, each = loop.get("for"), loop.get("forEach")
    if "for" in loop:
        if not isinstance(counted, dict) or not all(_is_number(counted.get(field)) for field in _FOR):
            yield Problem((*key, "for"), "has three whole numbers, start, end and updateBy", shown(counted))
        else:
            yield from _unknown(counted, _FOR, (*key, "for"), "for")
            way = counted["end"] - counted["start"]
            if counted["updateBy"] == 0 or way * counted["updateBy"] < 0:
                got = f"{counted['start']} to {counted['end']} by {counted['updateBy']}"
                yield Problem((*key, "for"), "would never end", got, "change updateBy")
    elif isinstance(each, dict):
        yield from _unknown(each, ("list", "delimiter"), (*key, "forEach"), "forEach")
        if not isinstance(each.get("list"), str):
            yield Problem((*key, "forEach"), "needs list, the values in one text", shown(each.get("list")))
    elif not isinstance(each, str) and not (isinstance(each, list) and each):
        yield Problem((*key, "forEach"), "must be a list of values, or list and delimiter", shown(each))


def _condition(condition: Any, key: Key) -> Iterator[Problem]:
    """AWS adds operators, so an unknown one passes, unless it is a known one misspelt."""
    if isinstance(condition, list) and condition:
        for index, each in enumerate(condition):
            yield from _condition(each, (*key, index))
    elif not isinstance(condition, dict) or not any(name not in _NOT_OPERATORS for name in condition):
        remedy = "write for instance stringEquals: and value:"
        yield Problem(key, "a condition needs an operator", shown(condition), remedy)
    else:
        for name, value in condition.items():
            if name in ("and", "or", "not"):
                yield from _condition(value, (*key, name))
            elif name not in OPERATORS and (near := get_close_matches(name, OPERATORS, n=1, cutoff=0.9)):
                yield Problem((*key, name), "unknown operator", shown(name), f"did you mean {near[0]!r}?")
