"""Dates as AWS's APIs write them, and the two other forms of Image Builder."""

from datetime import UTC, datetime


def api_date() -> str:
    """Now, as APIs write it: `2022-07-28T01:13:45.123Z`."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def build_date() -> str:
    """Now, as a value of `{{ imagebuilder:buildDate }}`: `2022-10-26T22-30-05.912619Z`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S.%fZ")


def message_date(date: str) -> str:
    """A date of the API in the form of SNS messages: `Jul 28, 2022 1:13:45 AM`, without leading zeros."""
    moment = datetime.fromisoformat(date)
    return f"{moment:%b} {moment.day}, {moment.year} {moment.hour % 12 or 12}:{moment:%M:%S %p}"
