"""Steps of a workflow document: their actions, inputs and conditions.

Sources: "Create a YAML workflow document", "Supported step actions for your workflow document" and "Use conditional
statements in your workflow steps" in the user guide of EC2 Image Builder.
"""

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from estate.documents import (
    IS_STEP,
    below,
    is_mapping,
    is_number,
    list_problems,
    mappings,
    must,
    repeated_names,
    shapes,
)
from estate.limits import STEP_DESCRIPTION, text_problems
from estate.problems import Key, Problem, shown
from estate.workflow_documents.actions import OPERATORS, STEP_ACTIONS, Stage, is_variable

MOST_STEPS = 15
"""Of one document ("Workflow resource constraints" in the user guide)."""

DYNAMIC = ".$"
"""The end of an input's name whose value is a variable."""

_ON_FAILURE = ("Abort", "Continue")
_DEEPEST = 4
_MOST_CHILDREN = 10
_OF_AMIS = ("DistributeImage", "ModifyImageAttributes", "ApplyImageConfigurations")
_EXAMPLES = {
    "instanceId": "instanceId.$: $.stepOutputs.NAME-OF-THE-STEP-THAT-LAUNCHES-IT.instanceId",
    "waitFor": "waitFor: ssmAgent",
}


def problems_of(steps: Any, stage: Stage) -> Iterator[Problem]:
    """What is wrong with the value of `steps:`, except for references."""
    if isinstance(steps, list) and len(steps) > MOST_STEPS:
        rule, remedy = f"a workflow has at most {MOST_STEPS} steps", "put the work into components"
        yield Problem((), rule, str(len(steps)), remedy)
    yield from repeated_names(steps, "name", rule="each step has its own name", remedy="rename it")
    check, remedy = partial(_step, stage=stage), "write - {name: …, action: …, inputs: {…}}"
    yield from list_problems(steps, IS_STEP, check, remedy, rule="must be a list of steps", least=1)
    # a workflow distributes AMIs or container images (the guide on DistributeContainerImage)
    actions = [(index, step.get("action")) for index, step in mappings(steps)]
    of_amis = [(index, action) for index, action in actions if action in _OF_AMIS]
    if of_amis and any(action == "DistributeContainerImage" for _, action in actions):
        (index, action), *_ = of_amis
        rule = "a workflow distributes AMIs or container images, not both"
        yield Problem((index, "action"), rule, shown(action), "delete one of them")


def _step(step: dict[str, Any], stage: Stage) -> Iterator[Problem]:
    name, timeout, inputs = step["action"], step.get("timeoutSeconds", 1), step.get("inputs", {})
    if action := STEP_ACTIONS.get(name):
        stages, longest = action.notes.get("only", stage).split(), int(action.notes.get("hours", 12)) * 3600
        if stage not in stages:
            rule = f"is for {' and '.join(stages)} workflows, and this is a {stage} workflow"
            yield Problem(("action",), rule, shown(name))
        if not is_number(timeout, least=1):
            yield Problem(("timeoutSeconds",), "must be a whole number of seconds", shown(timeout))
        elif timeout > longest:
            yield Problem(("timeoutSeconds",), f"{name} takes at most {longest}", str(timeout))
        if is_mapping(inputs):
            names = {each.removesuffix(DYNAMIC) for each in inputs}
            variables = {f"{each}{DYNAMIC}" for each in action.inputs.checks}
            written = {each: value for each, value in inputs.items() if each not in variables}
            yield from below(("inputs",), [*action.inputs.problems(written), *action.missing(names, _EXAMPLES)])
    yield from _SHAPES["a step"].problems(step)


def _condition(condition: Any, key: Key = (), level: int = 1) -> Iterator[Problem]:
    if isinstance(condition, list) and len(condition) == 1:  # the guide also writes a single condition as a list
        condition, key = condition[0], (*key, 0)
    if not is_mapping(condition) or not condition:
        remedy = "write for example stringEquals: and value:"
        yield Problem(key, "a condition is a mapping with an operator", shown(condition), remedy)
        return
    if level > _DEEPEST:
        yield Problem(key, f"conditions have at most {_DEEPEST} levels", remedy="put some side by side")
        return
    operators = [name for name in condition if name in ("and", "or", "not", *OPERATORS)]
    if [*condition] == ["value"]:
        yield Problem(key, "a condition needs an operator", shown(condition), "write for example stringEquals: …")
    if len(operators) > 1:
        yield Problem(key, "a condition has one operator", shown(condition), "write and: with a list of them")
    for name in operators:
        inner = condition[name]
        if name == "not":
            yield from _condition(inner, (*key, name), level + 1)
        elif name in OPERATORS and "value" not in condition:
            yield Problem(key, f"{name} needs a value to compare", remedy="write value: $.parameters.…")
        elif name in ("and", "or") and _is_branch(inner):
            for index, each in enumerate(inner):
                yield from _condition(each, (*key, name, index), level + 1)
    yield from below(key, _SHAPES["a condition"].problems(condition))


def _is_branch(conditions: Any) -> bool:
    return isinstance(conditions, list) and 1 <= len(conditions) <= _MOST_CHILDREN


def _is_boolean(value: Any) -> bool:
    return isinstance(value, bool) or is_variable(value)


def _is_numeric(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number or is_variable(value) or re.fullmatch(r"-?[0-9]+\.?[0-9]*", str(value)) is not None


_SHAPES = shapes(
    f"""
a step: name action timeoutSeconds inputs description onFailure rollbackEnabled if
a condition: and or not value {" ".join(OPERATORS)}
""",
    checks={
        "name": must("a step's name has 3 to 128 letters, digits and _", re.compile(r"[A-Za-z0-9_]{3,128}").fullmatch),
        "action": must("unknown action", STEP_ACTIONS.__contains__, words=STEP_ACTIONS),
        "description": lambda text: text_problems((), text, STEP_DESCRIPTION),
        "inputs": must("must be a mapping", is_mapping),
        "onFailure": must("must be Abort or Continue", _ON_FAILURE.__contains__, words=_ON_FAILURE),
        "rollbackEnabled": must("must be true, false or a variable", _is_boolean),
        "if": _condition,
        **dict.fromkeys(("and", "or"), must(f"must be a list of 1 to {_MOST_CHILDREN} conditions", _is_branch)),
        **{name: must("must be a number", _is_numeric) for name in OPERATORS if name.startswith("number")},
        "booleanEquals": must("must be true or false", _is_boolean),
    },
)
