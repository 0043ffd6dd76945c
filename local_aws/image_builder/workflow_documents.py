"""Workflow documents (YAML): how Image Builder reads and checks them when a workflow is created, and when it is used.

Messages are AWS's where they are known: from aws/aws-cdk#29910, and "custom image workflows" in AWS's toolkit for
agents.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from local_aws.errors import AwsError
from local_aws.image_builder.refusals import invalid

_MOST_STEPS = 15
_MOST_WORKFLOWS = 10
_TYPES = ("string", "integer", "boolean", "stringList")
_ONLY_IN = {
    "ApplyImageConfigurations": ("DISTRIBUTION",),
    "CollectImageScanFindings": ("TEST",),
    "DistributeContainerImage": ("DISTRIBUTION",),
    "DistributeImage": ("DISTRIBUTION",),
    "ExecuteComponents": ("BUILD", "TEST"),
    "ModifyImageAttributes": ("DISTRIBUTION",),
}
"""Actions that only some types of workflows can have."""
_ANYWHERE = (
    "BootstrapInstanceForContainer",
    "CollectImageMetadata",
    "CreateImage",
    "CreateImageFromIso",
    "ExecuteStateMachine",
    "LaunchInstance",
    "RegisterImage",
    "RunCommand",
    "RunSysPrep",
    "SanitizeInstance",
    "TerminateInstance",
    "WaitForAction",
    "WaitForSSMAgent",
)


def read_workflow(text: str, *, type: str) -> dict[str, Any]:
    """The field of a workflow that follows from its document: `parameters`.

    Raises `AwsError` for an invalid document, and for steps that a workflow of the `type` cannot run.
    """
    try:
        document = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise invalid("data", f"It is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict):
        raise invalid("data", "It is not a mapping.")
    if str(document.get("schemaVersion")) not in ("1.0", "1"):
        raise invalid("data", "schemaVersion must be 1.0.")
    steps = document.get("steps")
    if not isinstance(steps, list) or not 1 <= len(steps) <= _MOST_STEPS:
        raise invalid("data", f"It must have 1 to {_MOST_STEPS} steps.")
    names: set[str] = set()
    for step in steps:
        _check_step(step, type, names)
    return {"parameters": [_parameter(each) for each in document.get("parameters") or ()] or None}


def check_workflows(params: Mapping[str, Any], found: Sequence[Mapping[str, Any] | None]) -> None:
    """Refuse workflows that a pipeline or image cannot have; `found` has those that this account owns, else None."""
    entries = params.get("workflows", ())
    if entries and "executionRole" not in params:
        raise AwsError(
            code="InvalidParameterCombinationException", message="An execution role is required to provide workflows."
        )
    if len(entries) > _MOST_WORKFLOWS:
        raise invalid("workflows", f"There are more than {_MOST_WORKFLOWS}.")
    types = [_type(entry["workflowArn"]) for entry in entries]
    for kind in ("BUILD", "DISTRIBUTION"):
        if types.count(kind) > 1:
            raise invalid("workflows", f"There is more than one {kind} workflow.")
    for entry, kind, workflow in zip(entries, types, found, strict=True):
        arn = entry["workflowArn"]
        if ":aws:workflow/" in arn and not arn.endswith("/x.x.x"):
            raise invalid("workflows", f"AWS managed workflows must have latest version 'x.x.x' for '{arn}'")
        if kind != "TEST" and ("onFailure" in entry or "parallelGroup" in entry):
            raise invalid("workflows", f"onFailure and parallelGroup are for test workflows, and '{arn}' is not one.")
        if workflow:
            _check_values(entry, workflow)


def _check_step(step: Any, type: str, names: set[str]) -> None:
    if not isinstance(step, dict) or not isinstance(step.get("name"), str) or "action" not in step:
        raise invalid("data", "Each step must have a name and an action.")
    name, action = step["name"], step["action"]
    if name in names:
        raise invalid("data", f"The step name '{name}' is declared more than once.")
    names.add(name)
    if action not in _ONLY_IN and action not in _ANYWHERE:
        raise invalid("data", f"The step action '{action}' of step '{name}' is not supported.")
    if type not in _ONLY_IN.get(action, (type,)):
        raise invalid("data", f"The step action '{action}' of step '{name}' is not supported in {type} workflows.")


def _parameter(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise invalid("data", "Each parameter must have a name.")
    kind, default = entry.get("type", "string"), entry.get("default")
    if kind not in _TYPES:
        raise invalid("data", f"Parameter {entry['name']} must have one of the types {', '.join(_TYPES)}.")
    values = default if isinstance(default, list) else [default]
    texts = [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
    parameter = {"name": entry["name"], "type": kind, "defaultValue": None if default is None else texts}
    return {**parameter, "description": entry.get("description")}


def _check_values(entry: Mapping[str, Any], workflow: Mapping[str, Any]) -> None:
    declared = {each["name"]: each for each in workflow.get("parameters") or ()}
    given = {each["name"] for each in entry.get("parameters", ())}
    for name in sorted(given - set(declared)):
        raise invalid("workflows", f"The workflow '{workflow['arn']}' has no parameter '{name}'.")
    for name, parameter in declared.items():
        if name not in given and parameter["defaultValue"] is None:
            raise invalid("workflows", f"The workflow '{workflow['arn']}' requires a value for parameter '{name}'.")


def _type(arn: str) -> str:
    return arn.split("/")[1].upper()
