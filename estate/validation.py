"""Pydantic's errors in our words: rule, what was there, what to do."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from estate.problems import Key, Problem, RuleError, did_you_mean, shown

_RULES = {
    "missing": "is required",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "tuple_type": "must be a list",
    "too_short": "must not be empty",
    "too_long": "must have at most {max_length}",
    "string_too_short": "must not be empty",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_long": "must have at most {max_length} characters",
    "literal_error": "must be {expected}",
}

_NOT_WRITTEN = (
    "[key]",
    "[reference]",
    "[base]",
    "[disk]",
    "[public]",
    "[permission]",
    "[existing]",
    "[made]",
    "[none]",
    "[role]",
)
"""Steps that only pydantic sees: where a key of a mapping is wrong, and of which kind a value is."""


def problems_of(error: ValidationError, *, value: Any, model: type[BaseModel], key: Key) -> list[Problem]:
    """Every error of a model as a problem; `key` is where its `value` stands in the configuration."""
    found = error.errors(include_url=False)
    return [_problem(details, value, model, key) for details in found if not _follows(details, found)]


def _follows(details: ErrorDetails, found: Sequence[ErrorDetails]) -> bool:
    """Whether it only says that nothing is left of a list whose items are all wrong."""
    here = details["loc"]
    return details["type"] == "too_short" and any(
        other["loc"][: len(here)] == here and other is not details for other in found
    )


def _problem(details: ErrorDetails, value: Any, model: type[BaseModel], key: Key) -> Problem:
    kind, context = details["type"], details.get("ctx", {})
    location = tuple(part for part in details["loc"] if part not in _NOT_WRITTEN)
    place: Key = (*key, *_written(location, value))
    if kind == "extra_forbidden":
        known, written = _fields(model, location[:-1], value), details["loc"][-1]
        return Problem(place, "unknown key", shown(written), did_you_mean(str(written), known))
    if isinstance(context.get("error"), RuleError):
        rule = context["error"]
        return Problem((*place, *rule.key), rule.rule, rule.got, rule.remedy)
    text = _RULES[kind].format(**context) if kind in _RULES else "cannot be used here"
    if kind == "missing":
        return Problem(place, text)
    return Problem(place, text, shown(details["input"]), _remedy(kind, details["input"]))


def _written(location: Key, value: Any) -> Key:
    """The location as the reader wrote it: short forms lack a step (`subnets: [subnet-…]` has no `ids`)."""
    written: list[str | int] = []
    for part in location:
        # the name is the key above it
        if location == ("name",) or (isinstance(value, str | list) and isinstance(part, str)):
            continue
        written.append(part)
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int):
            value = value[part]
    return tuple(written)


def _remedy(kind: str, value: Any) -> str:
    if value is None:
        return "write a value, or delete the line"
    if kind == "string_type" and isinstance(value, int | float):
        return "write it in quotes"
    if kind == "int_type" and isinstance(value, str) and value.isdecimal():
        return "delete the quotes"
    if kind == "tuple_type" and isinstance(value, str):
        return "write it in brackets"
    return ""


def _fields(model: type[BaseModel], location: Key, value: Any) -> list[str]:
    """The keys that the mapping at `location` of a value may have, from the model's JSON Schema.

    Of a choice they are those of the mapping that has most of what is written.
    """
    schema = model.model_json_schema()
    node: dict[str, Any] = schema
    for part in location:
        value = _inside(value, part)
        what = "items" if isinstance(part, int) else "properties"
        node = _having(what, node, schema)
        if what not in node:  # a mapping of names to what it is
            node = next(iter(_having("patternProperties", node, schema)["patternProperties"].values()))
        else:
            node = node["items"] if isinstance(part, int) else node["properties"][part]
    written = set(value) if isinstance(value, dict) else set()
    return max(_mappings(node, schema), key=lambda fields: len(written.intersection(fields)))


def _inside(value: Any, part: str | int) -> Any:
    """What is at one step of a location; a short form has fewer steps."""
    if isinstance(value, dict):
        return value.get(part)
    return value[part] if isinstance(value, list) and isinstance(part, int) else value


def _mappings(node: dict[str, Any], schema: dict[str, Any]) -> list[list[str]]:
    """The keys of each mapping that a reference or a choice stands for."""
    if "$ref" in node:
        return _mappings(schema["$defs"][node["$ref"].rpartition("/")[2]], schema)
    found = [list(node["properties"])] if "properties" in node else []
    return found + [each for choice in node.get("anyOf", ()) for each in _mappings(choice, schema)]


def _having(what: str, node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Of what a reference or a choice stands for, the one that has `items` or `properties`."""
    if "$ref" in node:
        return _having(what, schema["$defs"][node["$ref"].rpartition("/")[2]], schema)
    choices = (_having(what, choice, schema) for choice in node.get("anyOf", ()))
    return next((choice for choice in choices if what in choice), node)
