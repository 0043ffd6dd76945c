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

from .builds import time_in
from .channels import Channel, Version
from .failures import Failures
from .history import History

_FORMAT = 2
"""Counts the changes of the object's form; one of another form is ignored."""


@dataclass(kw_only=True)
class Cache:
    """What is known from the last run."""

    read: int = 0
    """All moves up to this one have been read, by this run or an earlier one."""
    last: int = 0
    """The greatest number of a move in the history or in a record; the next move takes the next one."""
    announced: int = 0
    """The number of the last move about which people were notified."""
    unfinished: dict[str, dict[str, int]] = field(default_factory=dict)
    """By region and channel, the number of the last move if the region may not show it yet."""
    channels: dict[str, dict[str, Channel]] = field(default_factory=dict)
    """By region and name."""
    noted: dict[str, set[tuple[str, datetime]]] = field(default_factory=dict)
    """By region, the channels and times of versions that are noted in the history, and newer than `channels`."""
    gone: dict[str, list[str]] = field(default_factory=dict)
    """The AMIs of revoked builds that do not exist any more, by region. An ID is not used again."""
    refused: dict[str, dict[str, str]] = field(default_factory=dict)
    """Why the gate lets builds not pass, by ARN; the first key is the gate's text."""
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
        unfinished = {region: numbers for region, numbers in self.unfinished.items() if numbers}
        numbers = {"format": _FORMAT, "read": self.read, "last": self.last, "announced": self.announced}
        noted = {
            region: sorted([name, time.isoformat()] for name, time in versions)
            for region, versions in self.noted.items()
            if versions
        }
        known = {
            "unfinished": unfinished,
            "noted": noted,
            "sent": list(self.sent),
            "channels": regions,
            "gone": gone,
            "refused": self.refused,
        }
        return json.dumps({**numbers, **known}, sort_keys=True)

    @staticmethod
    def from_json(written: str) -> Cache | None:
        """From an object's text; None for any other text."""
        try:
            members = json.loads(written)
            if members["format"] != _FORMAT:
                return None
            return Cache(
                read=_number(members["read"]),
                last=_number(members["last"]),
                unfinished={
                    region: {name: _number(number) for name, number in numbers.items()}
                    for region, numbers in members["unfinished"].items()
                },
                announced=_number(members["announced"]),
                sent=tuple(map(str, members.get("sent", ()))),
                channels={
                    region: {name: _channel(versions) for name, versions in channels.items()}
                    for region, channels in members["channels"].items()
                },
                noted={
                    region: {(str(name), _time(at)) for name, at in versions}
                    for region, versions in members["noted"].items()
                },
                refused={gate: _texts(reasons) for gate, reasons in members["refused"].items()},
                gone={region: [str(ami) for ami in amis] for region, amis in members.get("gone", {}).items()},
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None


def read_cache(history: History, failures: Failures) -> Cache | None:
    """The cache; None when there is none. That it cannot be read is a failure only because the run takes longer."""
    with failures.collected("history"):
        return Cache.from_json(history.read_cache() or "")
    return None


def _number(written: Any) -> int:
    if not isinstance(written, int):
        raise TypeError("no number")
    return written


def _time(written: Any) -> datetime:
    if not (time := time_in(written)):
        raise TypeError("no time")
    return time


def _texts(written: Mapping[Any, Any]) -> dict[str, str]:
    return {str(key): str(text) for key, text in written.items()}


def _channel(written: list[Any]) -> Channel:
    if not written:
        raise TypeError("no version")
    return Channel(tuple(map(_version, written)))


def _written(version: Version) -> list[Any]:
    return [version.value, version.version, version.modified.isoformat(), dict(version.record), version.user]


def _version(written: list[Any]) -> Version:
    value, version, modified, record, user = written
    if not (isinstance(value, str) and isinstance(record, Mapping)):
        raise TypeError("no version")
    return Version(value, _number(version), _time(modified), _texts(record), str(user))
