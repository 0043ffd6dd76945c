"""The page on old builds: what stays of them, and what that costs by the prices in `pages/prices.yaml`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from estate.models.durations import Duration
from estate.models.retention import KEEP_NEWEST, ExclusionRules, Retention
from estate.names import IN_USE_TAG, NEWEST_TAG, RETENTION_TAG

_TEXT = Path(__file__).with_name("generations.in.md")
_BUILDS_A_YEAR = {"every day": 365, "every week": 52, "every month": 12}
_RETENTION = Retention(keep_newest=5, delete_after=Duration(90, "day"))


def generations_page() -> str:
    """`docs/generations.md`."""
    prices = YAML(typ="safe").load(Path(__file__).with_name("prices.yaml").read_text(encoding="utf-8"))
    values = {
        **{key: _plain(value) for key, value in prices.items()},
        "costs": "\n".join(_costs(prices)),
        "keep_newest": str(KEEP_NEWEST),
        "last_launched": str(ExclusionRules().last_launched),
        "in_use": next(iter(IN_USE_TAG)),
        "newest": next(iter(NEWEST_TAG)),
        "retention": RETENTION_TAG,
    }
    text = _TEXT.read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace(f"<<{key}>>", value)
    return text


def _costs(prices: dict[str, Any]) -> Iterator[str]:
    """What the builds of a year cost a month, all of them and those that a retention keeps."""
    each = prices["ami_size_in_gb"] * prices["snapshot_per_gb_and_month"] * prices["regions"]
    written = ", ".join(f"{key}: {value}" for key, value in _RETENTION.model_dump(exclude_defaults=True).items())
    yield f"| built | without `retention` | with `{written}` |\n| --- | ---: | ---: |"
    for schedule, builds in _BUILDS_A_YEAR.items():
        younger = round(builds * _RETENTION.rules["DELETE"].count("day") / 365)
        counts = (builds, max(younger, _RETENTION.newest))
        cells = [f"{count} builds, {prices['currency']}{count * each:.2f} a month" for count in counts]
        yield f"| {schedule} | {' | '.join(cells)} |"


def _plain(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
