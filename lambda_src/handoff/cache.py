"""What the function knew at the end of its last run, so that the next one does not read what has not changed.

It is an object in the history bucket. Nothing depends on it: what it says about a channel counts only while Parameter
Store shows the same version, and without it everything is read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .channels import Channel, Version
from .failures import Failures
from .history import History

_FORMAT = 1
"""Counts the changes of the object's form; one of another form is ignored."""


@dataclass(kw_only=True)
class Cache:
    """What is known from the last run."""

    number: int = 0
    """All moves up to this one are completed, or something else came after them."""
    last: int = 0
    """The number of the last move that was read or written."""
    channels: dict[str, dict[str, Channel]] = field(default_factory=dict)
    """By region and name."""
    gone: dict[str, list[str]] = field(default_factory=dict)
    """The AMIs of revoked builds that do not exist any more, by region. An ID is not used again."""
    sent: tuple[str, ...] = ()
    """What was sent about, and is still so: keys of `notices`."""

    def take(self, other: Cache) -> None:
        """Know what another one knows."""
        vars(self).update(vars(other))

    def to_json(self) -> str:
        """The object's text, the same for equal caches."""
        regions = {
            region: {name: [_written(version) for version in channel.versions] for name, channel in channels.items()}
            for region, channels in self.channels.items()
        }
        gone = {region: amis for region, amis in self.gone.items() if amis}
        numbers = {"format": _FORMAT, "number": self.number, "last": self.last}
        return json.dumps({**numbers, "sent": list(self.sent), "channels": regions, "gone": gone}, sort_keys=True)

    @staticmethod
    def from_json(written: str) -> Cache | None:
        """From an object's text; None for any other text."""
        try:
            members = json.loads(written)
            if members["format"] != _FORMAT:
                return None
            return Cache(
                number=int(members["number"]),
                last=int(members["last"]),
                sent=tuple(map(str, members.get("sent", ()))),
                channels={
                    region: {name: Channel(tuple(map(_version, versions))) for name, versions in channels.items()}
                    for region, channels in members["channels"].items()
                },
                gone={region: [str(ami) for ami in amis] for region, amis in members.get("gone", {}).items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None


def read_cache(history: History, failures: Failures) -> Cache | None:
    """The cache; None when there is none. That it cannot be read is a failure only because the run takes longer."""
    with failures.collected("history"):
        return Cache.from_json(history.read_cache() or "")
    return None


def _written(version: Version) -> list[Any]:
    return [version.value, version.version, version.modified.isoformat(), dict(version.record), version.user]


def _version(written: list[Any]) -> Version:
    value, version, modified, record, user = written
    if not (isinstance(value, str) and isinstance(version, int) and isinstance(record, Mapping)):
        raise TypeError("no version")
    return Version(value, version, datetime.fromisoformat(modified), record, str(user))
