"""When a rollout may start: tables of cases, and clocks that are looked at minute by minute."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambda_src.rollout.windows import Freeze, Opening, opening, parse_window

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
YEAR_END = Freeze(date(2026, 12, 28), date(2027, 1, 5), ZoneInfo("UTC"), "year end")
OFFICE = "mon-thu 10:00-16:00 Asia/Tokyo"


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def opened(windows: Sequence[str], freezes: Sequence[Freeze], now: datetime) -> Opening:
    return opening([parse_window(window) for window in windows], freezes, now=now)


# --- What is written


@pytest.mark.parametrize(
    ("days", "meant"),
    [
        ("mon", "mon"),
        ("mon-thu", "mon tue wed thu"),
        ("mon,wed-fri", "mon wed thu fri"),
        ("fri-mon", "mon fri sat sun"),
        ("sun,mon", "mon sun"),
        ("daily", " ".join(DAYS)),
        ("mon-sun", " ".join(DAYS)),
    ],
)
def test_days_of_a_week(days: str, meant: str) -> None:
    window = parse_window(f"{days} 00:00-24:00 UTC")
    monday = at("2026-10-05T12:00")
    assert [day for index, day in enumerate(DAYS) if window.is_open(monday + timedelta(days=index))] == meant.split()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "a window has days, times and a time zone"),
        ("mon 10:00-16:00", "a window has days, times and a time zone"),
        ("mon, tue 10:00-16:00 UTC", "a window has days, times and a time zone"),
        ("Mon 10:00-16:00 UTC", "a day is one of mon, tue, wed, thu, fri, sat, sun, or daily"),
        ("mon- 10:00-16:00 UTC", "a day is one of mon, tue, wed, thu, fri, sat, sun, or daily"),
        ("mon,daily 10:00-16:00 UTC", "a day is one of mon, tue, wed, thu, fri, sat, sun, or daily"),
        ("mon-wed,tue 10:00-16:00 UTC", "has tue twice"),
        ("mon 10-16 UTC", "times are written as HH:MM-HH:MM, from 00:00 to 24:00"),
        ("mon 24:00-02:00 UTC", "times are written as HH:MM-HH:MM, from 00:00 to 24:00"),
        ("mon 10:00-24:30 UTC", "times are written as HH:MM-HH:MM, from 00:00 to 24:00"),
        ("mon 10:60-16:00 UTC", "times are written as HH:MM-HH:MM, from 00:00 to 24:00"),
        ("mon 1\u0660:00-16:00 UTC", "times are written as HH:MM-HH:MM, from 00:00 to 24:00"),
        ("mon 10:00-10:00 UTC", "begins and ends at the same time; a whole day is 00:00-24:00"),
        ("mon 10:00-16:00 Asia/Tokio", "unknown time zone 'Asia/Tokio'"),
        ("mon 10:00-16:00 Asia", "unknown time zone 'Asia'"),
        ("mon 10:00-16:00 ../../etc/passwd", "unknown time zone '../../etc/passwd'"),
    ],
)
def test_other_text_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError) as raised:
        parse_window(text)
    assert str(raised.value) == reason


# --- Whether it may start, and why not


@pytest.mark.parametrize(
    ("windows", "freezes", "now", "reason", "opens"),
    [
        pytest.param([], [], "2026-10-03T12:00", "", "2026-10-03T12:00", id="nothing says when"),
        pytest.param([OFFICE], [], "2026-10-05T01:00", "", "2026-10-05T01:00", id="the first minute of a window"),
        pytest.param(
            [OFFICE],
            [],
            "2026-10-05T07:00",
            "outside its window mon-thu 10:00-16:00 Asia/Tokyo",
            "2026-10-06T01:00",
            id="the minute after a window",
        ),
        pytest.param(
            [OFFICE, "sat  10:00-12:00  Asia/Tokyo"],
            [],
            "2026-10-09T01:00",
            "outside its windows mon-thu 10:00-16:00 Asia/Tokyo and sat 10:00-12:00 Asia/Tokyo",
            "2026-10-10T01:00",
            id="between two windows, of which the second is the next",
        ),
        pytest.param(
            [], [YEAR_END], "2026-12-28T00:00", "freeze until Tue 5 Jan: year end", "2027-01-06T00:00", id="a freeze"
        ),
        pytest.param([], [YEAR_END], "2026-12-27T23:59", "", "2026-12-27T23:59", id="the minute before a freeze"),
        pytest.param(
            [OFFICE],
            [YEAR_END],
            "2026-12-26T12:00",
            "outside its window mon-thu 10:00-16:00 Asia/Tokyo",
            "2027-01-06T01:00",
            id="the next window is frozen",
        ),
        pytest.param(
            [],
            [YEAR_END, Freeze(date(2027, 1, 1), date(2027, 1, 8), ZoneInfo("Asia/Tokyo"), "stocktaking")],
            "2027-01-02T12:00",
            "freeze until Fri 8 Jan: stocktaking",
            "2027-01-08T15:00",
            id="two freezes, of which the second ends later",
        ),
        pytest.param(
            ["sun 22:00-02:00 UTC"], [], "2026-10-05T01:59", "", "2026-10-05T01:59", id="a window goes past midnight"
        ),
        pytest.param(
            [],
            [Freeze(date(2026, 12, 28), date.max, ZoneInfo("UTC"), "the end")],
            "2026-12-29T12:00",
            "freeze until Fri 31 Dec: the end",
            None,
            id="never again",
        ),
    ],
)
def test_may_start_or_not(windows: list[str], freezes: list[Freeze], now: str, reason: str, opens: str | None) -> None:
    found = opened(windows, freezes, at(now))
    assert (found.is_open, found.reason) == (not reason, reason)
    assert found.opens == (at(opens) if opens else None)


@pytest.mark.parametrize(
    ("windows", "freezes", "when"),
    [
        ([OFFICE], [], "Mon 5 Oct 10:00 Asia/Tokyo"),
        ([OFFICE, "sat 08:00-09:00 Europe/Berlin"], [], "Sat 3 Oct 08:00 Europe/Berlin"),
        ([], [Freeze(date(2026, 10, 1), date(2026, 10, 4), ZoneInfo("Asia/Tokyo"), "")], "Mon 5 Oct 00:00 Asia/Tokyo"),
        ([], [Freeze(date(2026, 10, 1), date.max, ZoneInfo("Asia/Tokyo"), "")], "never"),
        ([], [], "Sat 3 Oct 05:59 UTC"),
    ],
)
def test_says_when_in_the_time_zone_of_the_window(windows: list[str], freezes: list[Freeze], when: str) -> None:
    found = opened(windows, freezes, at("2026-10-03T07:59", "Europe/Berlin"))
    assert found.when == when
    assert found.opens is None or found.opens.tzinfo is UTC


@pytest.mark.parametrize(
    ("window", "now", "opens"),
    [
        pytest.param("sun 02:30-05:00 Europe/Berlin", "2026-03-29T00:00", "2026-03-29T01:00", id="begins in the gap"),
        pytest.param("sun 02:15-02:45 Europe/Berlin", "2026-03-29T00:00", "2026-04-05T00:15", id="lies in the gap"),
        pytest.param("sun 02:30-02:45 Europe/Berlin", "2026-10-25T00:50", "2026-10-25T01:30", id="opens again"),
        pytest.param("sun 01:30-02:30 Europe/Berlin", "2026-10-25T00:40", "2026-10-25T01:00", id="is set back into it"),
        pytest.param("fri 00:00-01:00 Africa/Cairo", "2026-04-23T12:00", "2026-04-30T21:00", id="no midnight"),
        pytest.param("sun 02:00-03:00 Australia/Lord_Howe", "2026-10-03T12:00", "2026-10-03T15:30", id="half an hour"),
    ],
)
def test_clocks_that_are_changed(window: str, now: str, opens: str) -> None:
    assert opened([window], [], at(now)).opens == at(opens)


def test_a_freeze_begins_and_ends_with_the_days_of_its_zone() -> None:
    freeze = Freeze(date(2026, 4, 24), date(2026, 10, 29), ZoneInfo("Africa/Cairo"), "a summer without midnights")
    assert freeze.begins == at("2026-04-23T22:00")
    assert freeze.ends == at("2026-10-29T22:00")


# --- Minute by minute


@dataclass(frozen=True)
class Week:
    """A window, for somebody who only reads the clock on the wall."""

    days: frozenset[int]
    start: int
    end: int
    zone: str

    @property
    def text(self) -> str:
        times = f"{self.start // 60:02}:{self.start % 60:02}-{self.end // 60:02}:{self.end % 60:02}"
        return f"{','.join(DAYS[day] for day in sorted(self.days))} {times} {self.zone}"

    def shows(self, local: datetime) -> bool:
        minute, today, yesterday = local.hour * 60 + local.minute, local.weekday(), (local.weekday() - 1) % 7
        if self.start < self.end:
            return today in self.days and self.start <= minute < self.end
        return (today in self.days and minute >= self.start) or (yesterday in self.days and minute < self.end)


CHANGES = {
    "Europe/Berlin": ["2026-03-29", "2026-10-25"],
    "America/New_York": ["2026-03-08", "2026-11-01"],
    "Australia/Lord_Howe": ["2026-04-05", "2026-10-04"],
    "Africa/Cairo": ["2026-04-24", "2026-10-30"],
    "America/St_Johns": ["2010-03-14", "2010-11-07"],  # a minute after midnight
    "Pacific/Apia": ["2011-12-30"],  # a day that never was
    "Asia/Tokyo": ["2026-01-01"],
}


@st.composite
def weeks(draw: st.DrawFn, zone: str) -> Week:
    start, end = draw(st.lists(st.integers(0, 1439), min_size=2, max_size=2, unique=True))
    if draw(st.booleans()):  # near the hours in which clocks are changed
        start, end = start % 240, 240 if end % 240 == start % 240 else end % 240
    return Week(draw(st.frozensets(st.integers(0, 6), min_size=1, max_size=3)), start, end, zone)


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_opens_at_the_first_minute_that_the_clocks_allow(data: st.DataObject) -> None:
    zone, other = data.draw(st.sampled_from(sorted(CHANGES))), data.draw(st.sampled_from(sorted(CHANGES)))
    changed = datetime.fromisoformat(data.draw(st.sampled_from(CHANGES[zone]))).replace(tzinfo=UTC)
    now = changed + timedelta(minutes=data.draw(st.integers(-9 * 1440, 2 * 1440)))
    windows = data.draw(st.lists(weeks(zone) | weeks(other), max_size=3))
    freezes = []
    for _ in range(data.draw(st.integers(0, 2))):
        first = now.date() + timedelta(days=data.draw(st.integers(-2, 8)))
        last = first + timedelta(days=data.draw(st.integers(0, 4)))
        freezes.append(Freeze(first, last, ZoneInfo(data.draw(st.sampled_from([zone, other]))), "a freeze"))

    def may_start(time: datetime) -> bool:
        local = {each: time.astimezone(ZoneInfo(each)) for each in (zone, other)}
        if any(freeze.start <= local[freeze.zone.key].date() <= freeze.end for freeze in freezes):
            return False
        return not windows or any(window.shows(local[window.zone]) for window in windows)

    minutes = (now + timedelta(minutes=minute) for minute in range(31 * 1440))
    first_minute = next(filter(may_start, minutes))
    found = opened([window.text for window in windows], freezes, now)
    assert found.opens == first_minute
    assert found.is_open == (first_minute == now) == (found.reason == "")
