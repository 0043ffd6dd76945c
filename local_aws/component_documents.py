"""Component documents (YAML): what Image Builder reads from them when a component is created."""

from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from local_aws.service_model import AwsError


def read_document(text: str) -> dict[str, Any]:
    """The fields of a component that follow from its document: `type` and `parameters`.

    A document whose only phase is named test makes a TEST component, any other a BUILD component
    (CreateComponent in the service model). Raises `AwsError` InvalidParameterValueException.
    """
    try:
        document = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise _invalid(f"it is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict):
        raise _invalid("it is not a mapping")
    if str(document.get("schemaVersion")) != "1.0":
        raise _invalid("schemaVersion must be 1.0")
    phases = _phases(document)
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


def _phases(document: Mapping[str, Any]) -> list[str]:
    phases = document.get("phases")
    if not isinstance(phases, list) or not phases:
        raise _invalid("it has no phases")
    names = []
    for phase in phases:
        if not isinstance(phase, dict) or phase.get("name") not in ("build", "validate", "test"):
            raise _invalid("each phase must be named build, validate or test")
        steps = phase.get("steps")
        if not isinstance(steps, list) or not all(isinstance(s, dict) and s.get("action") for s in steps):
            raise _invalid(f"phase {phase['name']} has no steps, or a step without an action")
        names.append(phase["name"])
    return names


def _parameter(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict) or len(entry) != 1:
        raise _invalid("each parameter must be a mapping from its name to its type")
    name, fields = next(iter(entry.items()))
    if not isinstance(fields, dict) or fields.get("type") != "string":
        raise _invalid(f"parameter {name} must have type string")
    return {
        "name": name,
        "type": "string",
        "defaultValue": [str(fields["default"])] if "default" in fields else None,
        "description": fields.get("description"),
    }


def _invalid(reason: str) -> AwsError:
    return AwsError(
        code="InvalidParameterValueException",
        message=f"The value supplied for parameter 'data' is not valid. The component document: {reason}.",
    )
