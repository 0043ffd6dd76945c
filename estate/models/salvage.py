"""The valid part of a broken declaration, so that one run finds the other problems of the estate, too."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from estate.models.errors import problems_of
from estate.problems import Checked, Key


@dataclass(frozen=True)
class Guess:
    """The value that was probably meant."""

    value: Any
    is_valid: bool
    """Whether the field counts as valid with it. If not, rules that read the field are not checked."""


@dataclass(frozen=True)
class StandIn:
    """Replaces a broken value, as an annotation of its field: `Annotated[Region, StandIn("eu-west-1")]`.

    Every required field has one. A field without one is removed, so that its default is used.
    """

    value: Any = None
    item: Any = None
    """Replaces a broken item of a list; the other items stay."""
    guess: Callable[[Any], Guess | None] | None = None
    """Finds a better value from the broken one, if it can."""


Model = TypeVar("Model", bound=BaseModel)


def model_of(model: type[Model], value: Any, *, key: Key) -> Checked[tuple[Model | None, set[Key]]]:
    """The model of the value at `key`, with stand-ins for broken fields, and the keys of those fields and of broken
    items; None if the value is not a mapping."""
    broken: set[Key] = set()
    while True:
        try:
            return model.model_validate(value), broken
        except ValidationError as error:
            found = problems_of(error, value=value, model=model, key=key)
        yield from found
        if not isinstance(value, dict):
            return None, broken
        # copies of the lists too, because their items are replaced
        fields = {field: list(inner) if isinstance(inner, list) else inner for field, inner in value.items()}
        for problem in found:
            path = problem.key[len(key) :] or ("name",)
            if not _replace(fields, path, model):
                broken.update({(*key, *path[:1]), (*key, *path[:2])})
        if fields == value:
            return None, broken
        value = fields


def _replace(fields: dict[str, Any], path: Key, model: type[BaseModel]) -> bool:
    """Replaces or removes the value at `path`; True if the field counts as valid with its new value."""
    field, written = str(path[0]), fields.get(str(path[0]))
    stand_in = _stand_in(model, field)
    if stand_in.guess and (guess := stand_in.guess(written)):
        fields[field] = guess.value
        return guess.is_valid
    if stand_in.item and isinstance(written, list) and len(path) > 1 and isinstance(path[1], int):
        written[path[1]] = stand_in.item
    elif stand_in.value is not None:
        fields[field] = stand_in.value
    else:
        fields.pop(field, None)
    return False


def _stand_in(model: type[BaseModel], field: str) -> StandIn:
    annotations = model.model_fields[field].metadata if field in model.model_fields else ()
    return next((each for each in annotations if isinstance(each, StandIn)), StandIn())
