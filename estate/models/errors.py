"""Pydantic's errors as problems: the rule, the value that breaks it, and what to do."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from estate.models.renamed import instead_of
from estate.problems import UNSEEN, Key, Problem, RuleError, did_you_mean, shown

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

_OF_A_KEY = "[key]"
"""The step by which pydantic says that the key of a mapping is wrong, not its value."""


def problems_of(error: ValidationError, *, value: Any, model: type[BaseModel], key: Key) -> list[Problem]:
    """Every error of a model as a problem; `key` is where its `value` is in the configuration."""
    found = error.errors(include_url=False)
    follow = _emptied(found)
    known: dict[Key, frozenset[str]] = {}
    return [_problem(details, value, model, key, known) for details in found if details["loc"] not in follow]


def problems_inside(error: ValidationError) -> list[Problem]:
    """The problems of an `EstateError` that validators raised, with the keys that lead there."""
    return [
        replace(problem, key=(*details["loc"], *problem.key))
        for details in error.errors(include_url=False)
        for problem in details["ctx"]["error"].problems
    ]


def _emptied(found: Sequence[ErrorDetails]) -> set[Key]:
    """The places of errors that only say that nothing is left of a list, because all its items are wrong."""
    short = {details["loc"] for details in found if details["type"] == "too_short"}
    if not short:
        return short
    inner = {details["loc"][:length] for details in found for length in range(len(details["loc"]))}
    return short & inner


def _problem(
    details: ErrorDetails, value: Any, model: type[BaseModel], key: Key, known: dict[Key, frozenset[str]]
) -> Problem:
    """One error as a problem; `known` caches the keys that mappings may have, by their locations."""
    kind, context = details["type"], details.get("ctx", {})
    location = _location(details)
    place: Key = (*key, *_written(location, value))
    if kind == "extra_forbidden":
        where, written = location[:-1], str(details["loc"][-1])
        if where not in known:
            known[where] = frozenset(_fields(model, where, value))
        if not where and written in (refused := getattr(model, "refused", {})):
            return Problem(place, "is for an image that this estate makes", shown(written), refused[written])
        remedy = instead_of(written, details["input"], known[where]) or did_you_mean(written, known[where])
        return Problem(place, "unknown key", shown(written), remedy)
    if isinstance(context.get("error"), RuleError):
        rule = context["error"]
        return Problem((*place, *rule.key), rule.rule, rule.got, rule.remedy)
    text = _RULES[kind].format(**context) if kind in _RULES else "cannot be used here"
    if kind == "missing":
        return Problem(place, text)
    return Problem(place, text, shown(details["input"]), _remedy(kind, details["input"]))


def _location(details: ErrorDetails) -> Key:
    """Where an error is, without the steps that pydantic adds."""
    location = tuple(part for part in details["loc"] if not (isinstance(part, str) and part.startswith(UNSEEN)))
    # a configuration may have a key of this text itself; then that key is unknown, or its value is wrong
    of_a_key = location[-1:] == (_OF_A_KEY,) and details["type"] != "extra_forbidden"
    return location[:-1] if of_a_key and location[-2:-1] == (details["input"],) else location


def _written(location: Key, value: Any) -> Key:
    """The location as the reader wrote it: short forms lack a step (`subnets: [subnet-…]` has no `ids`)."""
    written: list[str | int] = []
    for part in location:
        # the name is the key above it
        if location == ("name",) or (isinstance(value, str | list) and isinstance(part, str)):
            continue
        written.append(part)
        value = _inside(value, part)
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

    If the value may be one of several mappings, it is taken for the one that has most of the keys that are written.
    """
    schema = _schema(model)
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


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


def _inside(value: Any, part: str | int) -> Any:
    """The value at the next step of a location; a short form has fewer steps."""
    if isinstance(value, dict):
        return value.get(part)
    return value[part] if isinstance(value, list) and isinstance(part, int) else value


def _mappings(node: dict[str, Any], schema: dict[str, Any]) -> list[list[str]]:
    """The keys of each mapping that a reference or a choice allows."""
    if "$ref" in node:
        return _mappings(schema["$defs"][node["$ref"].rpartition("/")[2]], schema)
    found = [list(node["properties"])] if "properties" in node else []
    return found + [each for choice in node.get("anyOf", ()) for each in _mappings(choice, schema)]


def _having(what: str, node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The alternative of a reference or a choice that has `items` or `properties`."""
    if "$ref" in node:
        return _having(what, schema["$defs"][node["$ref"].rpartition("/")[2]], schema)
    choices = (_having(what, choice, schema) for choice in node.get("anyOf", ()))
    return next((choice for choice in choices if what in choice), node)
