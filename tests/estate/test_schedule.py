"""Which cron and rate expressions Image Builder takes, and the messages about others."""

from typing import Any

import pytest
from pydantic import ValidationError

from estate.models.schedule import Schedule


@pytest.mark.parametrize(
    "cron",
    [
        "0 3 ? * sun *",
        "0 3 ? * SUN *",
        "0 3 1 * ? *",
        "*/15 8-18 ? jan,jul mon-fri 2030",
        "0,30 0/6 1-15 1-6 ? 2030-2040",
        "0 0 */2 * ? *",
        "0 3 29 feb ? *",
        "0 3 31 1,2 ? *",
        "0 3 L * ? *",
        "0 3 LW * ? *",
        "0 3 15W * ? *",
        "0 3 ? * L *",
        "0 3 ? * 6L *",
        "0 3 ? * fri#2 *",
        "0 3 ? * 2,4 *",
        "5/10 3 ? * 1 1970",
        "59 23 31 12 ? 2199",
    ],
)
def test_takes_what_aws_takes(cron: str) -> None:
    assert Schedule(cron=cron).expression == f"cron({cron})"


def test_spaces_are_written_as_aws_wants_them() -> None:
    assert Schedule(cron=" 0  3 ? * sun\t*\n").expression == "cron(0 3 ? * sun *)"


@pytest.mark.parametrize("rate", ["1 hour", "2 hours", "24 hours", "1 day", "7 days", "365 days"])
def test_takes_rates(rate: str) -> None:
    assert Schedule.model_validate({"rate": rate}).expression == f"rate({rate})"


@pytest.mark.parametrize(
    ("rate", "expected"),
    [("1 week", "7 days"), ("2 months", "60 days"), ("1440 minutes", "1 day"), ("60 minutes", "1 hour")],
)
def test_writes_rates_in_hours_or_days(rate: str, expected: str) -> None:
    assert Schedule.model_validate({"rate": rate}).expression == f"rate({expected})"


def test_a_time_zone_is_kept() -> None:
    assert Schedule(cron="0 3 ? * sun *", timezone="Asia/Tokyo").timezone == "Asia/Tokyo"
    assert Schedule(cron="0 3 ? * sun *").timezone == "UTC"


MINUTE = "the minute must lie between 0 and 59"
HOUR = "the hour must lie between 0 and 23"
DAY = "the day of month must lie between 1 and 31"
MONTH = "the month must lie between 1 and 12"
WEEKDAY = "the day of week must lie between 1 and 7"
YEAR = "the year must lie between 1970 and 2199"
FIELDS = "a cron expression has six fields: minute, hour, day of month, month, day of week, year"
DAYS = "exactly one of day of month and day of week must be ?"
NEVER = "has a day that none of its months has, so it would never start a build"


@pytest.mark.parametrize(
    ("cron", "rule"),
    [
        ("60 3 ? * sun *", MINUTE),
        ("-1 3 ? * sun *", MINUTE),
        ("? 3 ? * sun *", MINUTE),
        ("a 3 ? * sun *", MINUTE),
        ("1.5 3 ? * sun *", MINUTE),
        ("5, 3 ? * sun *", MINUTE),
        ("² 3 ? * sun *", MINUTE),
        ("٣ 3 ? * sun *", MINUTE),
        (f"{'9' * 5000} 3 ? * sun *", MINUTE),
        ("*/0 3 ? * sun *", "the minute has a step that is not a positive number"),
        ("*/x 3 ? * sun *", "the minute has a step that is not a positive number"),
        ("*/ 3 ? * sun *", "the minute has a step that is not a positive number"),
        ("30-10 3 ? * sun *", "the minute has a range that runs backwards"),
        ("0 24 ? * sun *", HOUR),
        ("0 L ? * sun *", HOUR),
        ("0 3 0 * ? *", DAY),
        ("0 3 32 * ? *", DAY),
        ("0 3 32W * ? *", DAY),
        ("0 3 W * ? *", DAY),
        ("0 3 mon * ? *", DAY),
        ("0 3 1 0 ? *", MONTH),
        ("0 3 1 13 ? *", MONTH),
        ("0 3 1 january ? *", MONTH),
        ("0 3 1 ? ? *", MONTH),
        ("0 3 ? * 0 *", WEEKDAY),
        ("0 3 ? * 8 *", WEEKDAY),
        ("0 3 ? * sunday *", WEEKDAY),
        ("0 3 ? * fri#6 *", WEEKDAY),
        ("0 3 ? * */2 *", "the day of week cannot have steps"),
        ("0 3 ? * sun 1969", YEAR),
        ("0 3 ? * sun 2200", YEAR),
        ("0 3 * * * *", DAYS),
        ("0 3 1 * mon *", DAYS),
        ("0 3 ? * ? *", DAYS),
        ("0 3 30 2 ? *", NEVER),
        ("0 3 31 2,4,6,9,11 ? *", NEVER),
        ("0 3 29 2 ? 2030", NEVER),
        ("0 3 30W 2 ? *", NEVER),
        ("0 3 * * 0", FIELDS),
        ("@daily", FIELDS),
        ("", FIELDS),
        ("0 3 ? * sun * *", FIELDS),
        ("cron(0 3 ? * sun *)", "is written without cron( )"),
    ],
)
def test_refuses_what_aws_refuses_and_what_never_fires(cron: str, rule: str) -> None:
    assert refusal(cron=cron) == rule


@pytest.mark.parametrize("rate", ["", "7", "7days", "1 days", "7 day", "-1 days", "1.5 days", 7])
def test_refuses_rates_that_are_none(rate: Any) -> None:
    assert refusal(rate=rate) == "must be a duration"


def test_refuses_rates_that_image_builder_does_not_take() -> None:
    assert refusal(rate="30 minutes") == "must be a whole number of hours"
    assert refusal(rate="0 days") == "must be 1 hour to 876000 hours"


def test_refuses_a_rate_as_aws_shows_it() -> None:
    assert refusal(rate="rate(7 days)") == "is written without rate( )"


@pytest.mark.parametrize("timezone", ["", "utc", "Asia/Tokio", "../../etc/passwd", "GMT+25"])
def test_refuses_unknown_time_zones(timezone: str) -> None:
    assert refusal(cron="0 3 ? * sun *", timezone=timezone) == "unknown time zone"


def refusal(**fields: Any) -> str:
    """The rule that a schedule breaks."""
    with pytest.raises(ValidationError) as caught:
        Schedule(**fields)
    (error,) = caught.value.errors()
    return error["msg"].removeprefix("Value error, ")
