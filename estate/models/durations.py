"""Durations: a whole number and a unit, written as `90 days` or `15 minutes`, everywhere in a configuration.

A month counts 30 days and a year 365. What AWS counts in one unit is a whole number of that unit, within AWS's limits.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from estate.problems import RuleError, shown

SECONDS = {
    "second": 1,
    "minute": 60,
    "hour": 3600,
    "day": 86_400,
    "week": 7 * 86_400,
    "month": 30 * 86_400,
    "year": 365 * 86_400,
}
"""The units, and how many seconds each has."""
UNITS = tuple(SECONDS)


@dataclass(frozen=True)
class Duration:
    """A length of time, in the unit in which it is written."""

    value: int
    unit: str
    """One of `UNITS`, in the singular."""

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The duration that a text such as `1 day` or `90 days` says; None for other text."""
        match = re.fullmatch(r"(0|[1-9][0-9]{0,8}) ([a-z]+?)(s?)", text)
        if match is None or match[2] not in SECONDS or (match[1] == "1") == bool(match[3]):
            return None
        return cls(int(match[1]), match[2])

    @property
    def seconds(self) -> int:
        """The length in seconds."""
        return self.value * SECONDS[self.unit]

    def count(self, unit: str) -> int:
        """How many whole units of a kind it has."""
        return self.seconds // SECONDS[unit]

    @property
    def as_image_builder(self) -> tuple[int, str]:
        """Value and unit as Image Builder takes them: `90 days` is `(90, "DAYS")`."""
        return self.value, f"{self.unit.upper()}S"

    def __str__(self) -> str:
        return f"{self.value} {self.unit}{'' if self.value == 1 else 's'}"


@dataclass(frozen=True)
class Counted:
    """The annotation of a field that AWS counts in one unit: `Annotated[Duration, Counted("day", least=1, most=3653)]`.

    In Python a field takes the text, too.
    """

    unit: str
    least: int
    most: int

    def check(self, duration: Duration) -> None:
        """Raises `RuleError` for what AWS would not take."""
        count = duration.count(self.unit)
        if duration.seconds % SECONDS[self.unit]:
            raise RuleError(f"must be a whole number of {self.unit}s", got=shown(str(duration)))
        if not self.least <= count <= self.most:
            first, last = Duration(self.least, self.unit), Duration(self.most, self.unit)
            raise RuleError(f"must be {first} to {last}", got=shown(str(duration)))

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _core_schema(self)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return _json_schema(UNITS, example=self.unit, least=self.least)


@dataclass(frozen=True)
class InItsUnit:
    """The annotation of a field that AWS takes in several units, with a most of each: lifecycle policies do."""

    units: tuple[str, ...]
    most: int

    def check(self, duration: Duration) -> None:
        """Raises `RuleError` for what AWS would not take."""
        if duration.unit not in self.units:
            *first, last = (f"{unit}s" for unit in self.units)
            raise RuleError(f"is counted in {', '.join(first)} or {last}", got=shown(str(duration)))
        if not 1 <= duration.value <= self.most:
            rule = f"must be 1 to {self.most} of its unit"
            remedy = "write it in a larger unit" if duration.value else ""
            raise RuleError(rule, got=shown(str(duration)), remedy=remedy)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _core_schema(self)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return _json_schema(self.units, example=self.units[0])


def _core_schema(limits: Counted | InItsUnit) -> CoreSchema:
    def read(value: Any) -> Duration:
        duration = value if isinstance(value, Duration) else Duration.parse(str(value))
        if duration is None:
            example = Duration(2, limits.unit if isinstance(limits, Counted) else limits.units[0])
            rule, remedy = "must be a duration", f'write a whole number and a unit, such as "{example}"'
            raise RuleError(rule, got=shown(value), remedy=remedy)
        limits.check(duration)
        return duration

    return core_schema.no_info_plain_validator_function(
        read, serialization=core_schema.to_string_ser_schema(when_used="json")
    )


def _json_schema(units: Sequence[str], *, example: str, least: int = 1) -> JsonSchemaValue:
    many, one = "|".join(f"{unit}s" for unit in units), "|".join(units)
    return {
        "type": "string",
        "pattern": f"^(1 ({one})|({'' if least else '0|'}[2-9]|[1-9][0-9]{{1,8}}) ({many}))$",
        "$comment": f"a duration such as `2 {example}s`",
    }


Age = Annotated[Duration, InItsUnit(("day", "week", "month", "year"), most=1000)]
"""An age as Image Builder's lifecycle policies take it."""
ShortAge = Annotated[Duration, InItsUnit(("day", "week", "month", "year"), most=365)]
"""At most 365 of its unit."""
