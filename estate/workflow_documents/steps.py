"""Steps of a workflow document: their actions, inputs and conditions.

Sources: "Create a YAML workflow document", "Supported step actions for your workflow document" and "Use conditional
statements in your workflow steps" in the user guide of EC2 Image Builder. Keys of problems are places in the YAML.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from estate.limits import STEP_DESCRIPTION, text_problems
from estate.problems import Key, Problem, did_you_mean, shown
from estate.workflow_documents.actions import OPERATORS, STEP_ACTIONS, Stage, StepAction

MOST_STEPS = 15
"""Of one document ("Workflow resource constraints" in the user guide)."""

DYNAMIC = ".$"
"""The end of an input's name whose value is a variable."""
IN_TEXT = re.compile(r"\{\{\s*(\$\.[^\s{}]+)\s*\}\}")
"""A variable within text."""

_STEP = ("name", "action", "description", "if", "inputs", "onFailure", "rollbackEnabled", "timeoutSeconds")
_BRANCHES = ("and", "or")
_DEEPEST = 4
_MOST_CHILDREN = 10
_OF_AMIS = ("DistributeImage", "ModifyImageAttributes", "ApplyImageConfigurations")


def problems_of(steps: Any, stage: Stage) -> Iterator[Problem]:
    """Everything that is wrong with the value of `steps:`, but for references."""
    if not isinstance(steps, list) or not steps:
        remedy = "write - {name: …, action: …, inputs: {…}}"
        yield Problem(("steps",), "must be a list of steps", shown(steps), remedy)
        return
    if len(steps) > MOST_STEPS:
        rule, remedy = f"a workflow has at most {MOST_STEPS} steps", "put the work into components"
        yield Problem(("steps",), rule, str(len(steps)), remedy)
    names: set[str] = set()
    for index, step in enumerate(steps):
        key: Key = ("steps", index)
        if not (isinstance(step, dict) and isinstance(step.get("name"), str) and isinstance(step.get("action"), str)):
            yield Problem(key, "a step needs name and action", shown(step))
            continue
        name = step["name"]
        if name in names:
            yield Problem((*key, "name"), "each step has its own name", shown(name), "rename it")
        names.add(name)
        if not re.fullmatch(r"[A-Za-z0-9_]{3,128}", name):
            yield Problem((*key, "name"), "a step's name has 3 to 128 letters, digits and _", shown(name))
        yield from unknown(step, _STEP, key, "a step")
        yield from _action(step, key, stage)
        yield from _running(step, key)
        if "if" in step:
            yield from _condition(step["if"], (*key, "if"), level=1)
    yield from _both_distributions(steps)


def unknown(fields: Mapping[str, Any], known: tuple[str, ...], key: Key, of: str) -> Iterator[Problem]:
    """Keys that are not known."""
    for name in fields:
        if name not in known:
            yield Problem((*key, name), f"unknown key of {of}", shown(name), did_you_mean(name, known))


def _action(step: Mapping[str, Any], key: Key, stage: Stage) -> Iterator[Problem]:
    name = step["action"]
    action = STEP_ACTIONS.get(name)
    if action is None:
        yield Problem((*key, "action"), "unknown action", shown(name), did_you_mean(name, STEP_ACTIONS))
        return
    if stage not in action.stages:
        rule = f"is for {' and '.join(action.stages)} workflows, and this is a {stage} workflow"
        yield Problem((*key, "action"), rule, shown(name))
    longest, timeout = action.longest_in_seconds, step.get("timeoutSeconds")
    if "timeoutSeconds" in step and (not isinstance(timeout, int) or isinstance(timeout, bool) or timeout < 1):
        yield Problem((*key, "timeoutSeconds"), "must be a whole number of seconds", shown(timeout))
    elif isinstance(timeout, int) and timeout > longest:
        yield Problem((*key, "timeoutSeconds"), f"{name} takes at most {longest}", str(timeout))
    inputs = step.get("inputs", {})
    if isinstance(inputs, dict):
        yield from _inputs(inputs, action, name, (*key, "inputs"))
    else:
        yield Problem((*key, "inputs"), "must be a mapping", shown(inputs))


def _inputs(inputs: Mapping[str, Any], action: StepAction, name: str, key: Key) -> Iterator[Problem]:
    given = {each.removesuffix(DYNAMIC): value for each, value in inputs.items()}
    for each in inputs:
        if each.removesuffix(DYNAMIC) not in action.inputs:
            yield Problem((*key, each), f"{name} has no such input", shown(each), did_you_mean(each, action.inputs))
    for each in action.required:
        if each not in given:
            example = action.choices[each][0] if each in action.choices else "…"
            remedy = f"write {each}: {example}"
            if each == "instanceId":
                remedy = "write instanceId.$: $.stepOutputs.NAME-OF-THE-STEP-THAT-LAUNCHES-IT.instanceId"
            yield Problem(key, f"{name} needs {each}", remedy=remedy)
    for each in action.json:
        yield from _json(inputs.get(each, "{}"), (*key, each))
    for each, choices in action.choices.items():
        if each in inputs and inputs[each] not in choices:
            rule = f"must be {' or '.join(choices)}"
            yield Problem((*key, each), rule, shown(inputs[each]))


def _json(value: Any, key: Key) -> Iterator[Problem]:
    """Whether a value is JSON text once its variables have values, of which a number fits wherever one may stand."""
    if isinstance(value, str) and value.startswith("$."):
        return  # taken for text, which is said of all inputs
    try:
        json.loads(IN_TEXT.sub("0", value if isinstance(value, str) else ""))
    except ValueError:
        remedy = """write for instance '{"imageId": "{{ $.stepOutputs.….imageId }}"}'"""
        yield Problem(key, "must be JSON, as text", shown(value), remedy)


def _running(step: Mapping[str, Any], key: Key) -> Iterator[Problem]:
    yield from text_problems((*key, "description"), step.get("description", "none"), STEP_DESCRIPTION)
    on_failure, rollback = step.get("onFailure"), step.get("rollbackEnabled", True)
    if "onFailure" in step and on_failure not in ("Abort", "Continue"):
        remedy = did_you_mean(on_failure, ("Abort", "Continue")) if isinstance(on_failure, str) else ""
        yield Problem((*key, "onFailure"), "must be Abort or Continue", shown(on_failure), remedy)
    if not isinstance(rollback, bool) and not (isinstance(rollback, str) and rollback.startswith("$.")):
        yield Problem((*key, "rollbackEnabled"), "must be true, false or a variable", shown(rollback))


def _condition(condition: Any, key: Key, *, level: int) -> Iterator[Problem]:
    if isinstance(condition, list) and len(condition) == 1:  # the guide writes a single one so, too
        condition, key = condition[0], (*key, 0)
    if not isinstance(condition, dict) or not condition:
        remedy = "write for instance stringEquals: and value:"
        yield Problem(key, "a condition is a mapping with an operator", shown(condition), remedy)
        return
    if level > _DEEPEST:
        yield Problem(key, f"conditions have at most {_DEEPEST} levels", remedy="put some side by side")
        return
    known = (*_BRANCHES, "not", *OPERATORS)
    yield from unknown(condition, (*known, "value"), key, "a condition")
    found = [name for name in condition if name in known]
    if list(condition) == ["value"]:
        yield Problem(key, "a condition needs an operator", shown(condition), "write for instance stringEquals: …")
    if len(found) > 1:
        yield Problem(key, "a condition has one operator", shown(condition), "write and:, and them below it in a list")
    for name in found:
        inner = condition[name]
        if name in _BRANCHES:
            if not isinstance(inner, list) or not 1 <= len(inner) <= _MOST_CHILDREN:
                rule = f"must be a list of 1 to {_MOST_CHILDREN} conditions"
                yield Problem((*key, name), rule, shown(inner))
                continue
            for index, each in enumerate(inner):
                yield from _condition(each, (*key, name, index), level=level + 1)
        elif name == "not":
            yield from _condition(inner, (*key, name), level=level + 1)
        else:
            yield from _comparison(name, inner, condition, key)


def _comparison(name: str, operand: Any, condition: Mapping[str, Any], key: Key) -> Iterator[Problem]:
    if "value" not in condition:
        yield Problem(key, f"{name} needs a value to compare", remedy="write value: $.parameters.…")
    variable = isinstance(operand, str) and operand.startswith("$.")
    if name == "booleanEquals" and not isinstance(operand, bool) and not variable:
        yield Problem((*key, name), "must be true or false", shown(operand))
    number = isinstance(operand, int | float) and not isinstance(operand, bool)
    if name.startswith("number") and not variable and not (number or re.fullmatch(r"-?[0-9]+\.?[0-9]*", str(operand))):
        yield Problem((*key, name), "must be a number", shown(operand))


def _both_distributions(steps: list[Any]) -> Iterator[Problem]:
    """A workflow distributes AMIs or container images (the guide on DistributeContainerImage)."""
    actions = [step.get("action") if isinstance(step, dict) else None for step in steps]
    if "DistributeContainerImage" in actions and (others := [each for each in actions if each in _OF_AMIS]):
        rule = "a workflow distributes AMIs or container images, not both"
        yield Problem(("steps", actions.index(others[0]), "action"), rule, shown(others[0]), "delete one of them")
