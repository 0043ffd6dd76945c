"""Ages as AWS takes them: a whole number of days, weeks, months or years, written as `90 days`."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic.json_schema import WithJsonSchema

from estate.problems import RuleError, shown

_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}


def _check(most: int) -> BeforeValidator:
    def check(value: Any) -> Any:
        match = re.fullmatch(r"([1-9][0-9]{0,3}) (day|week|month|year)(s?)", str(value))
        if value is not None and (not match or (match[1] == "1") == bool(match[3])):
            rule = "an age is a whole number of days, weeks, months or years"
            raise RuleError(rule, got=shown(value), remedy='write "1 day" or "6 months"')
        if match and int(match[1]) > most:
            remedy = "write it in a larger unit"
            raise RuleError(f"an age has at most {most} of its unit", got=shown(value), remedy=remedy)
        return value

    return BeforeValidator(check)


_SCHEMA = {
    "type": "string",
    "pattern": "^(1 (day|week|month|year)|([2-9]|[1-9][0-9]{1,3}) (days|weeks|months|years))$",
    "$comment": "an age such as `90 days`",
}
Age = Annotated[str, _check(1000), WithJsonSchema(_SCHEMA)]
ShortAge = Annotated[str, _check(365), WithJsonSchema(_SCHEMA)]
"""At most 365 of the unit."""


def in_aws_words(age: str) -> tuple[int, str]:
    """An age as Image Builder takes it: `90 days` is `(90, "DAYS")`."""
    value, unit = age.split()
    return int(value), f"{unit.removesuffix('s').upper()}S"


def in_days(age: str) -> int:
    """About how many days an age is: a month counts as 30 days, a year as 365."""
    value, unit = age.split()
    return int(value) * _DAYS[unit.removesuffix("s")]
