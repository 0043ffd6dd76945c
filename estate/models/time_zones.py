"""Time zones by their names in the IANA database."""

from functools import cache
from importlib.resources import files
from typing import Annotated

from pydantic import AfterValidator

from estate.problems import RuleError, Words, did_you_mean, shown


@cache
def _known() -> Words:
    # the package's own list, because zoneinfo would read six hundred files
    return Words(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


def check_time_zone(text: str) -> str:
    """A time zone's name. Raises `RuleError` for other text."""
    if text not in _known():
        remedy = did_you_mean(text, _known(), otherwise="write a name such as Asia/Tokyo")
        raise RuleError("unknown time zone", got=shown(text), remedy=remedy)
    return text


TimeZone = Annotated[str, AfterValidator(check_time_zone)]
