"""While a channel is held, the function does not move it; what holds it, and how that ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lambda_src.handoff.configuration import ChannelRule
from lambda_src.handoff.holds import Hold
from tests.support.memory_world import ABROAD, HOME, OPERATOR, MemoryWorld

CHANNELS = {
    "stable": ChannelRule(source="latest", soak_minutes=60),
    "gold": ChannelRule(source="latest", soak_minutes=60),
}


@pytest.fixture
def web() -> MemoryWorld:
    return MemoryWorld(channels=CHANNELS)


def soaked(web: MemoryWorld) -> str:
    """A build that `latest` has had for an hour; the function has not run since."""
    build = web.build()
    web.run()
    web.later(hours=1)
    return build


def test_hold_of_the_image_stops_every_channel(web: MemoryWorld) -> None:
    first = soaked(web)
    web.build()
    web.hold()
    run = web.run()
    assert (web.points_to("latest"), web.value("stable")) == (web.values(first), None)
    assert run.line["held"].keys() == {"latest", "stable", "gold"}
    assert run.line["held"]["latest"] == f"year end, by {OPERATOR}"
    assert run.failures == [], "it is no failure"


def test_hold_of_one_channel_stops_no_other(web: MemoryWorld) -> None:
    build = soaked(web)
    web.hold("stable")
    run = web.run()
    assert (web.value("stable"), web.points_to("gold")) == (None, web.values(build))
    assert run.line["held"].keys() == {"stable"}


def test_hold_ends_when_somebody_ends_it_and_at_its_time(web: MemoryWorld) -> None:
    build = soaked(web)
    web.hold("stable")
    web.hold("gold", until=web.now + timedelta(hours=1))
    web.run()
    assert (web.value("stable"), web.value("gold")) == (None, None)
    web.hold("stable", held=False)
    web.run()
    assert (web.points_to("stable"), web.value("gold")) == (web.values(build), None)
    web.later(hours=1)
    run = web.run()
    assert web.points_to("gold") == web.values(build)
    assert "held" not in run.line


def test_channel_stays_at_a_revoked_build_while_it_is_held(web: MemoryWorld) -> None:
    first = soaked(web)
    web.run()
    second = web.build()
    web.run()
    web.later(hours=1)
    web.run()
    web.hold("stable")
    web.revoke(second)
    web.run()
    assert (web.points_to("stable"), web.points_to("gold")) == (web.values(second), web.values(first))


def test_parameter_of_another_region_or_name_holds_nothing(web: MemoryWorld) -> None:
    build = soaked(web)
    value = Hold(held=True).to_json()
    for region, name in ((ABROAD[0], "_hold"), (HOME, "_holding"), (HOME, "_hold-"), (HOME, "_other")):
        ssm = web.cloud.client("ssm", region=region, user=OPERATOR)
        ssm.put_parameter(Name=f"{web.path}/{name}", Value=value, Type="String")
    run = web.run()
    assert (web.points_to("stable"), run.failures) == (web.values(build), [])
    assert "held" not in run.line


HELD = [
    "",
    "yes",
    "null",
    "[]",
    "{}",
    '{"held": "no"}',
    '{"held": 0}',
    '{"held": false, "until": "tomorrow"}',
    "[" * 9999,
]


@pytest.mark.parametrize("written", HELD)
def test_hold_that_cannot_be_read_holds(written: str) -> None:
    """Somebody wanted to stop something."""
    web = MemoryWorld(channels=CHANNELS)
    soaked(web)
    ssm = web.cloud.client("ssm", region=HOME, user=OPERATOR)
    ssm.put_parameter(Name=f"{web.path}/_hold", Value=written, Type="String")
    run = web.run()
    assert web.value("stable") is None
    assert run.line["held"]["stable"] == "the value of the hold's parameter cannot be read"


@pytest.mark.parametrize("until", [None, "2099-01-01T00:00:00Z", "2099-01-01T00:00:00+09:00", "2099-01-01"])
def test_hold_is_read_as_it_was_written(until: str | None) -> None:
    hold = Hold(held=True, by="ゴールド", why='"year" end', until=until)
    assert Hold.from_json(hold.to_json()) == hold
