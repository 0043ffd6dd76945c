"""Days of the calendar in a configuration."""

from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator

from estate.problems import RuleError, shown


def _day(value: Any) -> Any:
    """YAML reads 2027-01-31 as a date; in quotes it is text."""
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    if type(value) is not date:
        raise RuleError(
            "must be a day",
            got=shown(str(value) if isinstance(value, datetime) else value),
            remedy="write it as 2027-01-31",
        )
    return value


Day = Annotated[date, BeforeValidator(_day)]
