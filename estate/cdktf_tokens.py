"""Text and numbers that cdktf would take for its own references.

cdktf passes references through plain text, lists, mappings and numbers, and recognizes them by their form
(`lib/tokens/private/encoding.js` and `resolve.js` of cdktf 0.21): text of a configuration in the same form would be
replaced, or stop the synthesis. So it is refused everywhere.
"""

import re
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from estate.problems import Key, Problem, shown

_MARKER = re.compile(r"[$#&]\{TfToken\[[^\]]*\]?\}?")
# a run of digits and of characters that may be between them: without the first part, each digit would start a search
_NUMBER = re.compile(r"(?<![-|0-9.+])[-|0-9.+]++e[-|0-9.eE+]+")
_FLOAT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[-+]?[0-9]+)?", re.IGNORECASE)
_WHOLE = ("String Map Token Value", "Any Map Token Value", -123456789)
_MARKS = (0xFDFF, 0xFBFF)
"""The first two bytes of a double that is a reference to a number, and of one to a list of numbers: about -8.2e298 and
-1.9e289. cdktf searches text for the first kind."""


def token_in(value: object) -> str:
    """The part of a text, or the number, that cdktf would replace; empty if there is none."""
    if isinstance(value, str):
        if "{TfToken[" in value and (marker := _MARKER.search(value)):
            return marker[0]
        if value in _WHOLE:
            return value
        return next((each for each in _NUMBER.findall(value) if _mark(_leading_float(each)) in _MARKS), "")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value) if value in _WHOLE or _mark(value) in _MARKS else ""
    return ""


def token_problem(value: object, key: Key = (), place: str = "") -> Problem | None:
    """The problem of a value that cdktf would replace; None for other values."""
    found = token_in(value)
    rule = "looks like a reference of cdktf, which would replace it"
    return Problem(key, rule, shown(found), "write it in another way", place) if found else None


def tokens_in_lines(text: str, *, source: str) -> Iterator[Problem]:
    """The problem of each line of a document that cdktf would replace; `source` is how problems name the file."""
    for number, line in enumerate(text.split("\n"), start=1):
        if problem := token_problem(line, place=f"{source}:{number}"):
            yield problem


def tokens_in_model(model: BaseModel, key: Key) -> Iterator[Problem]:
    """The problem of each value of a model that cdktf would replace; the model is at `key` in the configuration."""
    for place, value in values_of(model.model_dump(by_alias=True), key):
        if problem := token_problem(value, place[:-1] if place[-1] == "use" else place):
            yield problem


def values_of(value: Any, key: Key = ()) -> Iterator[tuple[Key, Any]]:
    """All values, and all keys of mappings, inside a value, each with its place."""
    if isinstance(value, str):  # most are, and the other questions take longer
        yield key, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield (*key, name), name
            yield from values_of(inner, (*key, name))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from values_of(inner, (*key, index))
    else:
        yield key, value


def _leading_float(text: str) -> float:
    """The number at the start of a text, as JavaScript's `parseFloat` reads it."""
    found = _FLOAT.match(text)
    return float(found[0]) if found else 0.0


def _mark(number: float) -> int:
    try:
        return int.from_bytes(struct.pack(">d", float(number))[:2])
    except OverflowError:  # JavaScript has no such number
        return 0
