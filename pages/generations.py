"""The page on generations: what old builds cost and what a retention saves, by the prices in `pages/prices.yaml`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from estate.models.ages import in_days
from estate.models.retention import KEEP_NEWEST, ExclusionRules, Retention
from estate.names import IN_USE_TAG, NEWEST_TAG, RETENTION_TAG

_TEXT = Path(__file__).with_name("generations.in.md")
_DAYS_OF_MONTH = 365 / 12
_MONTHS = 24


@dataclass(frozen=True)
class Schedule:
    """How often an image is built."""

    name: str
    days_between: float


SCHEDULES = (Schedule("every day", 1), Schedule("every week", 7), Schedule("every month", _DAYS_OF_MONTH))
RETENTIONS = (
    Retention(keep_newest=5),
    Retention(keep_newest=5, delete_after="90 days"),
    Retention(keep_newest=5, delete_after="1 year"),
)
RELEASED_EVERY = 3
"""Of how many builds one is released, so that a channel of the operators points to it at some time."""
REMEMBERED = 100
"""Of how many moves of a channel Parameter Store knows."""


def kept(retention: Retention | None, *, schedule: Schedule, months: int) -> int:
    """How many builds are there after some months: the younger ones, the newest, and those that were released.

    Each build is taken to be launched on its first day only, so it is spared as long as a recent launch spares it.
    """
    ages = [number * schedule.days_between for number in range(built(schedule, months=months))]
    if retention is None:
        return len(ages)
    spared = in_days(retention.exclusion_rules.last_launched)
    young = max(in_days(retention.rules["DELETE"]), spared)
    return sum(
        number < retention.newest
        or age < young
        or (number % RELEASED_EVERY == 0 and number < RELEASED_EVERY * REMEMBERED)
        for number, age in enumerate(ages)
    )


def built(schedule: Schedule, *, months: int) -> int:
    """How many builds there were in some months."""
    return round(months * _DAYS_OF_MONTH / schedule.days_between)


def generations_page() -> str:
    """`docs/generations.md`."""
    prices = YAML(typ="safe").load(Path(__file__).with_name("prices.yaml").read_text(encoding="utf-8"))
    each = prices["ami_size_in_gb"] * prices["snapshot_per_gb_and_month"]
    container = prices["container_size_in_gb"] * prices["container_per_gb_and_month"]
    values = {
        **{key: _plain(value) for key, value in prices.items()},
        "ami": _money(prices, each),
        "ami_everywhere": _money(prices, each * prices["regions"]),
        "container": _money(prices, container),
        "container_everywhere": _money(prices, container * prices["regions"]),
        "released_every": str(RELEASED_EVERY),
        "months": str(_MONTHS),
        "keep_newest": str(KEEP_NEWEST),
        "last_launched": ExclusionRules().last_launched,
        "in_use": next(iter(IN_USE_TAG)),
        "newest": next(iter(NEWEST_TAG)),
        "retention": RETENTION_TAG,
        "table": "\n".join(_table(prices, each * prices["regions"])),
        "chart": "\n".join(_chart(each * prices["regions"])),
    }
    text = _TEXT.read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace(f"<<{key}>>", value)
    return text


def _table(prices: dict[str, Any], each: float) -> Iterator[str]:
    yield f"| built | without | {' | '.join(f'`{_written(retention)}`' for retention in RETENTIONS)} |"
    yield "| --- |" + " ---: |" * (1 + len(RETENTIONS))
    for schedule in SCHEDULES:
        cells = [
            f"{count} builds, {_money(prices, count * each)}"
            for retention in (None, *RETENTIONS)
            for count in [kept(retention, schedule=schedule, months=_MONTHS)]
        ]
        yield f"| {schedule.name} | {' | '.join(cells)} |"


def _chart(each: float) -> Iterator[str]:
    """Dollars a month over time, of an image that is built every week: without a policy, and with the second one."""
    months = range(0, _MONTHS + 1, 3)
    weekly = SCHEDULES[1]
    lines = [
        [kept(retention, schedule=weekly, months=month) * each for month in months]
        for retention in (None, RETENTIONS[1])
    ]
    yield "xychart-beta"
    yield f'    title "An image built every week: {_written(RETENTIONS[1])}, and without"'
    yield f'    x-axis "months" [{", ".join(map(str, months))}]'
    yield f'    y-axis "a month" 0 --> {round(max(lines[0]) + 5)}'
    for line in lines:
        yield f"    line [{', '.join(f'{value:.2f}' for value in line)}]"


def _written(retention: Retention) -> str:
    """As it stands in YAML."""
    given = retention.model_dump(exclude_none=True, exclude_defaults=True)
    return ", ".join(f"{key}: {value}" for key, value in given.items())


def _money(prices: dict[str, Any], amount: float) -> str:
    return f"{prices['currency']}{amount:.2f}"


def _plain(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
