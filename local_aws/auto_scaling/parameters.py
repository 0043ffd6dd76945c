"""Parameters of requests to Auto Scaling, checked by the service model that botocore ships.

botocore's clients check required members, types and minimums; AWS checks also maximums, lengths and values, with the
messages that are written here (users have posted them, as in cloudposse/terraform-aws-ec2-autoscale-group#121).
"""

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, ServiceModel, Shape, StringShape, StructureShape

from local_aws.errors import AwsError


def parameters(operation: str, tree: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a request, as numbers, truth values, texts, lists and mappings, by their names in the API.

    Raises ValidationError for what the model does not allow, with all problems.
    """
    model = _model()
    if operation not in model.operation_names:
        return {}
    shape = model.operation_model(operation).input_shape
    if shape is None:
        return {}
    problems: list[str] = []
    given: dict[str, Any] = _typed(tree, shape, "", problems)
    if problems:
        count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected: "
        raise AwsError(code="ValidationError", message=count + "; ".join(problems))
    return given


def _typed(value: Any, shape: Shape, name: str, problems: list[str]) -> Any:
    if isinstance(shape, StructureShape):
        given = value if isinstance(value, Mapping) else {}
        for member in shape.required_members:
            if member not in given:
                problems.append(_problem("null", _inner(name, member), "Member must not be null"))
        return {
            member: _typed(given[member], inner, _inner(name, member), problems)
            for member, inner in shape.members.items()
            if member in given
        }
    if isinstance(shape, ListShape):
        # an empty list is sent as an empty text
        values = value if isinstance(value, list) else []
        problems += [_problem(value, name, rule) for rule in _size_rules(len(values), shape, "length ")]
        return [_typed(each, shape.member, f"{name}.{index}.member", problems) for index, each in enumerate(values, 1)]
    typed = _scalar(value, shape)
    if typed is None:
        problems.append(_problem(value, name, f"Member must be of type {shape.type_name}"))
    else:
        problems += [_problem(value, name, rule) for rule in _rules(typed, shape)]
    return typed


def _scalar(value: Any, shape: Shape) -> Any:
    """A value in the type of its shape; None if it is not one."""
    try:
        match shape.type_name:
            case "integer":
                return int(value)
            case "double" | "float":
                return float(value)
            case "boolean":
                return {"true": True, "false": False}.get(value.lower())
            case _:
                return value if isinstance(value, str) else None
    except (ValueError, TypeError, AttributeError):
        return None


def _rules(value: Any, shape: Shape) -> Iterator[str]:
    if isinstance(shape, StringShape) and shape.enum:
        if value not in shape.enum:
            yield f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
    elif isinstance(value, str):
        yield from _size_rules(len(value), shape, "length ")
    else:
        yield from _size_rules(value, shape, "value ")


def _size_rules(size: float, shape: Shape, what: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield f"Member must have {what}greater than or equal to {least}"
    if most is not None and size > most:
        yield f"Member must have {what}less than or equal to {most}"


def _problem(value: Any, name: str, rule: str) -> str:
    shown = "Value null" if value == "null" else f"Value '{value}'"
    return f"{shown} at '{name}' failed to satisfy constraint: {rule}"


def _inner(name: str, member: str) -> str:
    own = member[0].lower() + member[1:]
    return f"{name}.{own}" if name else own


@functools.cache
def _model() -> ServiceModel:
    return ServiceModel(Loader().load_service_model("autoscaling", "service-2"), "autoscaling")
