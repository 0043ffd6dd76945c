"""Component documents (YAML): how Image Builder reads and checks them when a component is created."""

import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from local_aws.errors import AwsError
from local_aws.image_builder.refusals import invalid

_LARGEST = 64 * 1024
"""Bytes of a document: the service quota, mentioned in the service model for CreateComponent's `uri`."""

_PLATFORMS = {"ExecuteBash": ("Linux", "macOS"), "ExecutePowerShell": ("Windows",)}


def read_document(text: str, *, platform: str) -> dict[str, Any]:
    """The fields of a component that follow from its document: `type` and `parameters`.

    A document whose only phase is named test makes a TEST component, any other a BUILD component
    (CreateComponent in the service model). Raises `AwsError` InvalidParameterValueException, with AWS's own messages
    where users have quoted them (aws/aws-cdk#19909, aws-samples/cdk-image-pipeline#135,
    CloudSnorkel/cdk-github-runners#964).
    """
    if len(text.encode()) > _LARGEST:
        raise _invalid(f"It has more than {_LARGEST} bytes.")
    try:
        document = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise _invalid(f"It is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict):
        raise _invalid("It is not a mapping.")
    if str(document.get("schemaVersion")) not in ("1.0", "1"):
        raise _invalid("schemaVersion must be 1.0.")
    phases = _phases(document, platform)
    return {
        "type": "TEST" if phases == ["test"] else "BUILD",
        "parameters": [_parameter(entry) for entry in document.get("parameters") or ()] or None,
    }


def check_values(given: Mapping[str, Any], *, component: Mapping[str, Any]) -> None:
    """Refuse parameter values of a recipe that do not fit the component's declared parameters.

    "You must supply a value for every component parameter that has no default value, and you can only
    supply parameters that the component defines" (ComponentConfiguration in the service model).
    """
    declared = {parameter["name"]: parameter for parameter in component.get("parameters") or ()}
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise AwsError(
            code="InvalidParameterValueException",
            message=f"The component '{component['arn']}' has no parameter '{unknown[0]}'.",
        )
    missing = [name for name, parameter in declared.items() if not parameter.get("defaultValue")]
    for name in missing:
        if name not in given:
            raise AwsError(
                code="InvalidParameterValueException",
                message=f"The component '{component['arn']}' requires a value for parameter '{name}'.",
            )


def _phases(document: Mapping[str, Any], platform: str) -> list[str]:
    phases = document.get("phases")
    if not isinstance(phases, list) or not phases:
        raise _invalid("It has no phases.")
    names = []
    for phase in phases:
        if not isinstance(phase, dict) or not isinstance(phase.get("name"), str) or not phase["name"]:
            raise _invalid("Each phase must have a name.")
        steps = phase.get("steps")
        if not isinstance(steps, list) or not all(isinstance(s, dict) and s.get("action") for s in steps):
            raise _invalid(f"Phase {phase['name']} has no steps, or a step without an action.")
        for step in steps:
            _check_step(step, phase["name"], platform)
        names.append(phase["name"])
    return names


def _check_step(step: Mapping[str, Any], phase: str, platform: str) -> None:
    name, action = str(step.get("name", "")), step["action"]
    if not re.fullmatch(r"[0-9A-Za-z_-]+", name):
        raise _invalid(
            f"Invalid step name '{name}' in phase '{phase}'. Allowed characters are combinations of numbers [0-9], "
            "english letters [a-z,A-Z] and special characters [-_]."
        )
    failed = f"Parsing step '{name}' in phase '{phase}' failed. Error: "
    if platform not in _PLATFORMS.get(action, (platform,)):
        raise _invalid(f"{failed}Unsupported action {action} for os platform {platform.lower()}.")
    if action == "S3Download" and not step.get("inputs"):
        raise _invalid(f"{failed}Action {action} has no inputs; it requires an 'inputs'")


def _parameter(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict) or len(entry) != 1:
        raise _invalid("Each parameter must be a mapping from its name to its type.")
    name, fields = next(iter(entry.items()))
    if not isinstance(fields, dict) or fields.get("type") != "string":
        raise _invalid(f"Parameter {name} must have type string.")
    return {
        "name": name,
        "type": "string",
        "defaultValue": [str(fields["default"])] if "default" in fields else None,
        "description": fields.get("description"),
    }


def _invalid(reason: str) -> AwsError:
    return invalid("data", reason)
