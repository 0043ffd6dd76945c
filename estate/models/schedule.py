"""When a pipeline builds: the cron and rate expressions that EC2 Image Builder takes.

AWS refuses a bad expression only when the plan is applied, and accepts some that never start a build. Both are found
here. Syntax: "Use cron expressions in EC2 Image Builder" in AWS's user guide.
"""

import re
from calendar import monthrange
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, model_validator

from estate.limits import SCHEDULE
from estate.models.durations import SECONDS, Counted, Duration
from estate.models.time_zones import TimeZone
from estate.models.types import exactly_one
from estate.problems import RuleError, shown

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

# name, lowest, highest, names of the values from the lowest on
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of week", 1, 7, _DAYS),
    ("year", 1970, 2199, ()),
)
_DAY_OF_MONTH, _MONTH, _DAY_OF_WEEK, _YEAR = 2, 3, 4, 5

_NUMBER = re.compile(r"[0-9]{1,4}")


def _bare(rate: Any) -> Any:
    if isinstance(rate, str):
        _without_brackets(rate, "rate")
    return rate


Rate = Annotated[Duration, Counted("hour", least=1, most=876_000), BeforeValidator(_bare)]
"""Image Builder takes hours and days."""


class Schedule(BaseModel):
    """The `schedule:` of an image. Without a schedule, the pipeline builds only when somebody starts it."""

    model_config = exactly_one("cron", "rate")

    cron: Annotated[str, AfterValidator(lambda text: _check_cron(text)), SCHEDULE] | None = None
    """Six fields: minute, hour, day of month, month, day of week, year; one of the two days is `?`. Default: none;
    `rate` is used."""
    rate: Rate | None = None
    """An interval, such as `7 days`. Default: none; `cron` is used."""
    timezone: TimeZone = "UTC"
    """The time zone of the cron expression, such as `Asia/Tokyo`. Default: UTC."""
    when: Literal["always", "dependency-updates"] = "dependency-updates"
    """`dependency-updates` builds only if the parent image or a managed component has a new version; `always` builds
    every time. Default: dependency-updates."""

    @model_validator(mode="after")
    def _one_expression(self) -> Self:
        if (self.cron is None) == (self.rate is None):
            raise RuleError(
                "must have exactly one of cron and rate",
                got="both" if self.cron is not None else "neither",
                remedy='write for example cron: "0 3 ? * sun *"',
            )
        if self.rate and self.timezone != "UTC":
            raise RuleError("a rate has no time zone", got=shown(self.timezone), remedy="delete timezone, or use cron")
        return self

    @property
    def expression(self) -> str:
        """The expression as Image Builder takes it."""
        if self.rate is None:
            return f"cron({self.cron})"
        is_whole = self.rate.unit != "hour" and self.rate.seconds % SECONDS["day"] == 0
        unit = "day" if is_whole else "hour"
        return f"rate({Duration(self.rate.count(unit), unit)})"


def _check_cron(text: str) -> str:
    _without_brackets(text, "cron")
    parts = text.lower().split()
    if len(parts) != len(_FIELDS):
        raise RuleError(
            "a cron expression has six fields: minute, hour, day of month, month, day of week, year",
            got=shown(text),
            remedy='write for example "0 3 ? * sun *"',
        )
    values = [_field_values(part, index, text) for index, part in enumerate(parts)]
    if (parts[_DAY_OF_MONTH] == "?") == (parts[_DAY_OF_WEEK] == "?"):
        raise RuleError("exactly one of day of month and day of week must be ?", got=shown(text))
    days, months, years = values[_DAY_OF_MONTH], values[_MONTH], values[_YEAR]
    # every month has 28 days; only for later days are the months of two centuries compared
    if days and min(days) > 28 and min(days) > max(monthrange(year, month)[1] for year in years for month in months):
        raise RuleError("has a day that none of its months has, so it would never start a build", got=shown(text))
    return " ".join(text.split())


def _field_values(part: str, index: int, text: str) -> set[int]:
    """The values that a field allows; empty where they cannot be listed (`L`, `6#3`, `?`)."""
    name, low, high, words = _FIELDS[index]

    def number(token: str) -> int:
        value = words.index(token) + low if token in words else int(token) if _NUMBER.fullmatch(token) else -1
        if not low <= value <= high:
            raise RuleError(f"the {name} must lie between {low} and {high}", got=shown(text))
        return value

    if part == "?" and index in (_DAY_OF_MONTH, _DAY_OF_WEEK):
        return set()
    if _is_special(part, index):
        return {int(part[:-1])} if part[:-1].isdecimal() and index == _DAY_OF_MONTH else set()
    values: set[int] = set()
    for item in part.split(","):
        span, _, step = item.partition("/")
        first, dash, last = span.partition("-")
        if "/" in item and index == _DAY_OF_WEEK:
            raise RuleError("the day of week cannot have steps", got=shown(text), remedy="list the days: mon,thu")
        if "/" in item and not (_NUMBER.fullmatch(step) and int(step) > 0):
            raise RuleError(f"the {name} has a step that is not a positive number", got=shown(text))
        begin, end = (low, high) if span == "*" else (number(first), number(last if dash else first))
        if step and not dash:
            end = high
        if begin > end:
            raise RuleError(f"the {name} has a range that runs backwards", got=shown(text))
        values.update(range(begin, end + 1, int(step or 1)))
    return values


def _is_special(part: str, index: int) -> bool:
    """`L` and `15W` among the days of a month; `L`, `6L` and `6#3` among those of a week."""
    if index == _DAY_OF_MONTH:
        return re.fullmatch(r"l|lw|([1-9]|[12][0-9]|3[01])w", part) is not None
    weekday = "|".join((*_DAYS, "[1-7]"))
    return index == _DAY_OF_WEEK and re.fullmatch(rf"l|({weekday})(l|#[1-5])", part) is not None


def _without_brackets(text: str, kind: str) -> None:
    if text.strip().startswith(f"{kind}("):
        inner = text.strip().removeprefix(f"{kind}(").removesuffix(")")
        raise RuleError(f"is written without {kind}( )", got=shown(text), remedy=f'write "{inner}"')
