"""Values that differ from a value in one place each."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any


def mutations(value: Any) -> Iterator[Any]:
    """Each value that differs from this one in one thing, whatever fields it has."""
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            for mutated in mutations(getattr(value, field.name)):
                yield replace(value, **{field.name: mutated})
    elif isinstance(value, tuple):
        yield (*value, "more")
        if value:
            yield value[1:]
            if value[::-1] != value:
                yield value[::-1]
        for index, item in enumerate(value):
            for mutated in mutations(item):
                yield (*value[:index], mutated, *value[index + 1 :])
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, str):
        yield value + " "
        yield value.swapcase()
    else:
        assert value is None or isinstance(value, int), f"a kind of argument that this test does not know: {value!r}"
        yield 1 if value is None else None
        yield (value or 0) + 7
