"""The sound part of a broken declaration, so that one run finds the other problems of the estate too."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from estate.catalogue.operating_systems import CATALOGUE
from estate.models.errors import problems_of
from estate.problems import Key, Problem, nearest

_STAND_INS: Mapping[str, Any] = {
    "namespace": "xx",
    "name": "stand-in",
    "os": "amazon-linux-2023",
    "regions": ["us-east-1"],
    "image": "stand-in",
    "channel": "latest",
    "region": "us-east-1",
    "instance_type": "t3.small",
    "subnets": ["subnet-0"],
    "capacity": {"min": 0, "max": 0},
}
"""For required fields that are broken. Broken fields are known by their keys, and nothing is said of stand-ins."""

_Model = TypeVar("_Model", bound=BaseModel)


def model_of(model: type[_Model], value: Any, *, key: Key, problems: list[Problem], broken: set[Key]) -> _Model | None:
    """The model of the value at `key`, or what is sound of it, or None.

    What is wrong is added to `problems`; the keys of the fields, and of components, that are, to `broken`.
    """
    while True:
        try:
            return model.model_validate(value)
        except ValidationError as error:
            found = problems_of(error, value=value, model=model, key=key)
        problems += found
        if not isinstance(value, dict):
            return None
        # copies of the lists too, because their items are replaced
        rest = {field: list(inner) if isinstance(inner, list) else inner for field, inner in value.items()}
        for problem in found:
            path = problem.key[len(key) :] or ("name",)
            if not _mended(rest, path, model):
                broken.update({(*key, *path[:1]), (*key, *path[:2])})
        if rest == value:
            return None
        value = rest


def _mended(fields: dict[str, Any], path: Key, model: type[BaseModel]) -> bool:
    """Replaces what is broken at `path`, or drops it. Whether it is now what was probably meant."""
    field, item = str(path[0]), path[1] if len(path) > 1 else None
    written = fields.get(field)
    if field not in model.model_fields:
        fields.pop(field, None)
        return False
    if field == "os" and isinstance(written, str) and (near := nearest(written, CATALOGUE)):
        fields[field] = near
        # a guess is no reason to ask for a parent
        return not CATALOGUE[near].needs_parent
    if field in ("build", "test") and isinstance(written, list) and isinstance(item, int):
        written[item] = "update-os"
    elif field == "parent" and "kind" in model.model_fields:
        fields[field] = "stand-in:latest"  # a container image needs one
    elif field in _STAND_INS:
        fields[field] = _STAND_INS[field]
    else:
        fields.pop(field, None)
    return False
