"""When rollouts may start: the `window:` of a fleet, and the `freeze:` of the settings."""

from datetime import date
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from estate.models.days import Day
from estate.models.time_zones import TimeZone, check_time_zone
from estate.models.types import FROZEN, Distinct
from estate.problems import RuleError, shown
from lambda_src.rollout import windows

MOST_WINDOWS = 20
MOST_FREEZES = 100
LONGEST_REASON = 200

_EXAMPLE = "mon-thu 10:00-16:00 Asia/Tokyo"


def _check(text: str) -> str:
    words = text.split()
    if len(words) == windows.WORDS:
        check_time_zone(words[-1])
    try:
        return windows.parse_window(text).text
    except ValueError as error:
        raise RuleError(str(error), got=shown(text), remedy=f'write for example "{_EXAMPLE}"') from None


def _as_list(value: Any) -> Any:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list | tuple):
        remedy = f'write for example "{_EXAMPLE}"'
        raise RuleError("must be a window, or a list of windows", got=shown(value), remedy=remedy)
    return value


WrittenWindow = Annotated[str, AfterValidator(_check)]
"""Days, times and a time zone, as `lambda_src.rollout.windows` reads them."""
WrittenWindows = Annotated[
    tuple[WrittenWindow, ...],
    Field(min_length=1, max_length=MOST_WINDOWS),
    Distinct(),
    BeforeValidator(_as_list, json_schema_input_type=str | tuple[WrittenWindow, ...]),
]


class Freeze(BaseModel):
    """Days on which no rollout starts."""

    model_config = ConfigDict(**FROZEN, validate_by_name=True)

    from_: Annotated[Day, Field(alias="from")]
    """The first of the days."""
    to: Day
    """The last of the days."""
    why: Annotated[str, Field(min_length=1, max_length=LONGEST_REASON)]
    """The reason, for people who wait."""
    time_zone: TimeZone = "UTC"
    """The time zone of the days, such as `Asia/Tokyo`. Default: UTC."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        rule, got, remedy = "", str(self.to), "write an earlier day"
        if self.to < self.from_:
            rule, got, remedy = "must not be before the first day", f"{self.from_} to {got}", "exchange the two days"
        elif self.to == date.max:
            rule = "is the last day that there is"
        if rule:
            raise RuleError(rule, got=got, remedy=remedy, key=("to",))
        return self

    @property
    def days(self) -> windows.Freeze:
        """The same for those who start rollouts."""
        return windows.Freeze(start=self.from_, end=self.to, zone=ZoneInfo(self.time_zone), why=self.why)
