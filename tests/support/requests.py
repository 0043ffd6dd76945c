"""A synthesized resource as a request of AWS's: the service model has the names and shapes of Terraform's arguments."""

from collections.abc import Mapping
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

_OF_TERRAFORM = ("lifecycle", "depends_on", "provider", "//")
_OTHER_NAMES = {"version": "semanticVersion", "user_data_base64": "userDataOverride"}


def request(arguments: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    """The parameters of an operation with this input."""
    found: dict[str, Any] = _request({key: arguments[key] for key in arguments if key not in _OF_TERRAFORM}, shape)
    return found


def _request(value: Any, shape: Shape) -> Any:
    if isinstance(shape, StructureShape):
        (block,) = value if isinstance(value, list) else [value]
        members = {key: _member(key, shape) for key in block}
        return {member: _request(block[key], shape.members[member]) for key, member in members.items()}
    if isinstance(shape, ListShape):
        return [_request(inner, shape.member) for inner in (value if isinstance(value, list) else [value])]
    if isinstance(shape, MapShape):
        return value
    return value in (True, "true") if shape.type_name == "boolean" else value


def _member(key: str, shape: StructureShape) -> str:
    first, *rest = key.split("_")
    camel = _OTHER_NAMES.get(key, first + "".join(map(str.capitalize, rest)))
    return camel if camel in shape.members else f"{camel}s"
