"""When a rollout may start: inside one of its windows, and outside all freezes.

A window is text such as `mon-thu 10:00-16:00 Asia/Tokyo`: days, times and a time zone, with a space between them.

    days    `mon`, `mon-thu`, `mon,wed-fri`, or `daily`; `fri-mon` has four days
    times   `HH:MM-HH:MM`; a window that ends before it begins ends on the next day; 24:00 is the end of a day
    zone    a name of the IANA database

A window is open while the clocks of its zone show its times. So when clocks are put forward, a window may be shorter or
left out, and when they are put back, it may be longer, or open a second time. A freeze holds while the calendars of its
zone show its days.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

WORDS = 3
"""Days, times and time zone."""

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = timedelta(days=1)
_UTC = ZoneInfo("UTC")
_LONGEST_SEARCH = 16
"""In days: every window is open each week, but for one that the clocks leave out, which is open in the week after."""


@dataclass(frozen=True)
class Window:
    """Times of some days of each week."""

    days: frozenset[int]
    """On which it begins; Monday is 0."""
    start: timedelta
    """How long after the midnight of its day it begins, as the clocks show it."""
    end: timedelta
    """How long after the midnight of its day it ends, always later than `start`: at 2:00 of the next day it is 26
    hours."""
    zone: ZoneInfo
    text: str
    """As it is written."""

    def is_open(self, time: datetime) -> bool:
        """Whether it is open at a time."""
        local = time.astimezone(self.zone).replace(tzinfo=None)
        midnight = datetime.combine(local.date(), datetime.min.time())
        since = local - midnight
        return any(
            (midnight - before).weekday() in self.days and self.start <= since + before < self.end
            for before in (timedelta(0), _DAY)
        )


@dataclass(frozen=True)
class Freeze:
    """Days on which no rollout starts."""

    start: date
    """The first of them."""
    end: date
    """The last of them."""
    zone: ZoneInfo
    why: str

    @property
    def begins(self) -> datetime:
        """The moment at which it begins, in UTC."""
        return _reached(self.start, timedelta(0), self.zone)[0]

    @property
    def ends(self) -> datetime:
        """The moment at which it ends, in UTC. Raises `OverflowError` if it ends with the last day that there is."""
        return _reached(self.end + _DAY, timedelta(0), self.zone)[-1]

    def holds(self, time: datetime) -> bool:
        """Whether a time is on one of its days."""
        return self.start <= time.astimezone(self.zone).date() <= self.end

    @property
    def reason(self) -> str:
        """Until when and why: `freeze until Tue 5 Jan: year end`."""
        return f"freeze until {self.end:%a} {self.end.day} {self.end:%b}: {self.why}"


@dataclass(frozen=True)
class Opening:
    """Whether a rollout may start."""

    is_open: bool
    reason: str
    """Why it may not; empty if it may."""
    opens: datetime | None
    """When it may, in UTC: times of one zone are compared by what its clocks show, not by which comes first. The time
    that was asked for if it may start then, None if never."""
    zone: ZoneInfo
    """The time zone of the window that opens, or of the freeze that ends."""

    @property
    def when(self) -> str:
        """When it may, for people: `Mon 5 Oct 10:00 Asia/Tokyo`."""
        if self.opens is None:
            return "never"
        local = self.opens.astimezone(self.zone)
        return f"{local:%a} {local.day} {local:%b %H:%M} {self.zone.key}"


def parse_window(text: str) -> Window:
    """A window from its text. Raises `ValueError` with what is wrong with the text."""
    words = text.split()
    if len(words) != WORDS:
        raise ValueError("a window has days, times and a time zone")
    days, times, zone = words
    start, end = _times(times)
    return Window(_days(days), start, end, _zone(zone), " ".join(words))


def opening(windows: Sequence[Window], freezes: Sequence[Freeze], *, now: datetime) -> Opening:
    """Whether a rollout may start now, and if not, why not, and when it may. Without windows it may start at any time
    outside the freezes. `now` has a time zone."""
    now = now.astimezone(UTC)
    reason = _reason(windows, freezes, now)
    try:
        opens, zone = _next(windows, freezes, now)
    except OverflowError:  # after the last day that there is
        opens, zone = None, _UTC
    return Opening(not reason, reason, opens, zone)


def _reason(windows: Sequence[Window], freezes: Sequence[Freeze], now: datetime) -> str:
    if frozen := [freeze for freeze in freezes if freeze.holds(now)]:
        return max(frozen, key=lambda freeze: freeze.end).reason
    if not windows or any(window.is_open(now) for window in windows):
        return ""
    *others, last = (window.text for window in windows)
    return f"outside its windows {', '.join(others)} and {last}" if others else f"outside its window {last}"


def _next(windows: Sequence[Window], freezes: Sequence[Freeze], now: datetime) -> tuple[datetime | None, ZoneInfo]:
    """The first moment from now on at which it is open, and the zone in which that is written. Each turn leaves a
    freeze behind, or comes to a window, in which it may be frozen again."""
    time: datetime | None = now
    zone = _UTC
    while time:
        if frozen := next((freeze for freeze in freezes if freeze.holds(time)), None):
            midnights = _reached(frozen.end + _DAY, timedelta(0), frozen.zone)
            time, zone = next(midnight for midnight in midnights if midnight > time), frozen.zone
        elif not windows:
            break
        elif window := next((window for window in windows if window.is_open(time)), None):
            return time, window.zone
        else:
            time = _begins(windows, after=time)
    return time, zone


def _begins(windows: Sequence[Window], *, after: datetime) -> datetime | None:
    """When the next of some windows begins, of which none is open."""
    moments = sorted(moment for window in windows for moment in _moments(window, near=after) if moment > after)
    return next((moment for moment in moments if any(window.is_open(moment) for window in windows)), None)


def _moments(window: Window, *, near: datetime) -> Iterator[datetime]:
    """The moments, from the day before a time on, at which a window may begin: when the clocks show its start, and when
    they are changed."""
    first = near.astimezone(window.zone).date()
    for days in range(-1, _LONGEST_SEARCH):
        day = first + timedelta(days=days)
        if day.weekday() in window.days:
            yield from _reached(day, window.start, window.zone)
        begin = near + timedelta(days=days)
        if changed := _clocks_changed(begin, begin + _DAY, window.zone):
            yield changed


def _reached(day: date, since: timedelta, zone: ZoneInfo) -> Sequence[datetime]:
    """The moments, in order, at which the clocks of a zone show so much after a midnight: one, or two if they are put
    back. If they are put forward over it, the moment at which they are."""
    local = datetime.combine(day, datetime.min.time()) + since
    earlier, later = sorted(local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    shown = [each for each in (earlier, later) if each.astimezone(zone).replace(tzinfo=None) == local]
    return list(dict.fromkeys(shown)) or [_clocks_changed(earlier, later, zone) or later]


def _clocks_changed(begin: datetime, end: datetime, zone: ZoneInfo) -> datetime | None:
    """The moment in between, to the second, from which the clocks of a zone show another offset; None if they do not
    change."""
    begin, end = begin.astimezone(UTC).replace(microsecond=0), end.astimezone(UTC).replace(microsecond=0)
    offset = begin.astimezone(zone).utcoffset()
    if end.astimezone(zone).utcoffset() == offset:
        return None
    while end - begin > timedelta(seconds=1):
        middle = begin + timedelta(seconds=(end - begin) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == offset:
            begin = middle
        else:
            end = middle
    return end


def _days(text: str) -> frozenset[int]:
    if text == "daily":
        return frozenset(range(7))
    found: set[int] = set()
    for item in text.split(","):
        first, dash, last = item.partition("-")
        begin, end = _day(first), _day(last if dash else first)
        span = {(begin + index) % 7 for index in range((end - begin) % 7 + 1)}
        if found & span:
            raise ValueError(f"has {_DAYS[min(found & span)]} twice")
        found |= span
    return frozenset(found)


def _day(text: str) -> int:
    if text not in _DAYS:
        raise ValueError(f"a day is one of {', '.join(_DAYS)}, or daily")
    return _DAYS.index(text)


def _times(text: str) -> tuple[timedelta, timedelta]:
    match = re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]|24(?=:00)):([0-5][0-9])", text, re.ASCII)
    if match is None:
        raise ValueError("times are written as HH:MM-HH:MM, from 00:00 to 24:00")
    hours = [int(each) for each in match.groups()]
    start, end = timedelta(hours=hours[0], minutes=hours[1]), timedelta(hours=hours[2], minutes=hours[3])
    if start == end:
        raise ValueError("begins and ends at the same time; a whole day is 00:00-24:00")
    return start, end if end > start else end + _DAY


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ValueError, OSError, KeyError):  # no name, a folder, not found
        raise ValueError(f"unknown time zone {text!r}") from None
