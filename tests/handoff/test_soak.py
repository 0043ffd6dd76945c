"""Channels with a soak time: which build they take, when, and when they go back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from lambda_src.handoff.configuration import ChannelRule
from tests.support.memory_aws import Call, refusal
from tests.support.memory_world import ABROAD, HOME, REGIONS, MemoryWorld

DAY = 24 * 60
STABLE = {"stable": ChannelRule(source="latest", soak_minutes=DAY)}
BOTH = [False, True]
"""AMIs, container images."""


def world(channels: dict[str, ChannelRule] = STABLE, *, container: bool = False) -> MemoryWorld:
    return MemoryWorld(channels=channels, container=container)


def soaked(web: MemoryWorld, builds: int = 1) -> list[str]:
    """Builds that come one day after the other, each of which `stable` took."""
    arns = []
    for _ in range(builds):
        arns.append(web.build())
        web.run()
        web.later(days=1)
        web.run()
    assert web.points_to("stable") == web.values(arns[-1])
    return arns


@pytest.mark.parametrize("container", BOTH)
def test_build_is_taken_in_all_regions_at_once_when_it_was_in_the_source_long_enough(container: bool) -> None:
    web = world(container=container)
    build = web.build()
    web.run()
    pointed = web.versions("latest")[0]["LastModifiedDate"]

    web.cloud.now = pointed + timedelta(days=1, milliseconds=-1)
    web.run()
    assert web.value("stable") is None

    web.cloud.now = pointed + timedelta(days=1)
    run = web.run()
    assert web.points_to("stable") == web.values(build)
    assert {move["how"] for move in run.line["moves"]} == {"soaked"}
    assert [(move.channel, len(move.changes)) for move in web.moves()] == [("latest", 3), ("stable", 3)]


def test_newest_build_that_qualifies_is_taken_although_the_source_has_moved_on() -> None:
    """Builds every six hours, each of which is in `latest` for six hours only."""
    web = world()
    builds = []
    for _ in range(7):
        builds.append(web.build())
        web.run()
        web.later(hours=6)
    web.run()
    assert web.points_to("stable") == web.values(builds[3])


def test_time_counts_from_the_first_time_that_the_source_pointed_to_the_build() -> None:
    rules = {"candidate": ChannelRule(source="latest"), "stable": ChannelRule(source="candidate", soak_minutes=DAY)}
    web = world(rules)
    first, second = web.build(), web.build()
    for build in (first, second, first, second):
        web.promote("candidate", build)
        web.later(hours=7)

    web.run()
    assert web.points_to("stable") == web.values(first), "after 28 hours; the second was first there 21 hours ago"
    web.later(hours=3)
    web.run()
    assert web.points_to("stable") == web.values(second)


def test_roll_back_stays_until_there_is_a_newer_build() -> None:
    web = world()
    older, _ = soaked(web, 2)
    web.promote("stable", older, how="rolled back")
    for _ in range(3):
        web.later(days=1)
        web.run()
        assert web.points_to("stable") == web.values(older)

    newer = web.build()
    web.run()
    web.later(days=1)
    web.run()
    assert web.points_to("stable") == web.values(newer)


@pytest.mark.parametrize("container", BOTH)
def test_channel_leaves_a_revoked_build_for_the_newest_good_older_one_of_its_history(container: bool) -> None:
    web = world(container=container)
    oldest, older, newest = soaked(web, 3)
    skipped = web.build()
    web.run()
    web.revoke(older)
    web.revoke(newest, at=web.now + timedelta(hours=1))
    web.run()
    assert web.points_to("stable") == web.values(newest), "its time has not come"

    web.later(hours=1)
    web.run()
    assert web.points_to("stable") == web.values(oldest)
    assert web.points_to("latest") == web.values(skipped)
    assert web.record("stable")["how"] == "moved back"
    assert web.record("stable")["why"] == "the build is revoked: bad"


def test_channel_does_not_go_back_to_a_build_that_somebody_rolled_back() -> None:
    web = world()
    oldest, older, _ = soaked(web, 3)
    web.promote("stable", older, how="rolled back")
    web.revoke(older)
    web.run()
    assert web.points_to("stable") == web.values(oldest)


def test_channel_whose_builds_are_all_revoked_stays() -> None:
    web = world()
    builds = soaked(web, 2)
    pointed = web.points_to("stable")
    for build in builds:
        web.revoke(build)
    run = web.run()
    assert (web.points_to("stable"), run.error) == (pointed, "")


def test_channel_leaves_a_build_whose_ami_is_gone_at_home() -> None:
    web = world()
    older, newest = soaked(web, 2)
    web.withdraw(newest, HOME)
    web.run()
    assert web.points_to("stable") == web.values(older)


def test_build_that_cannot_be_used_in_one_region_is_passed_over_in_all() -> None:
    web = world()
    good, bad = web.build(), web.build()
    web.run()
    web.withdraw(bad, ABROAD[0])
    web.by_hand(HOME, "latest", web.values(good)[HOME])
    web.run()
    web.later(days=1)
    web.run()
    assert web.points_to("stable") == web.values(good)


def test_channel_moves_back_where_it_can_when_a_region_is_newer_than_the_older_build() -> None:
    web = world()
    older = web.build(regions=[HOME, ABROAD[0]])
    web.run()
    web.later(days=1)
    web.image = MemoryWorld(channels=STABLE, regions=[HOME, ABROAD[0]]).image
    web.run()
    web.image = MemoryWorld(channels=STABLE).image
    newest = web.build()
    web.run()
    web.later(days=1)
    web.run()
    assert web.points_to("stable") == web.values(newest)

    web.revoke(newest)
    web.run()
    stays = {ABROAD[1]: web.values(newest)[ABROAD[1]]}
    assert web.points_to("stable") == {**web.values(older), **stays}


def test_channel_takes_from_a_channel_with_a_soak_time_of_its_own() -> None:
    web = world({**STABLE, "prod": ChannelRule(source="stable", soak_minutes=2 * DAY)})
    build = web.build()
    web.run()
    web.later(days=2, hours=23)
    web.run()
    assert (web.value("stable"), web.value("prod")) == (web.values(build)[HOME], None)
    web.later(days=2)
    web.run()
    assert web.points_to("prod") == web.values(build)


@pytest.mark.parametrize("container", BOTH)
def test_build_that_the_source_was_pointed_to_by_hand_soaks(container: bool) -> None:
    """The record that is kept is of another build; the value says which one it is."""
    rules = {"candidate": ChannelRule(source="latest"), "stable": ChannelRule(source="candidate", soak_minutes=DAY)}
    web = world(rules, container=container)
    first = web.build()
    web.run()
    web.promote("candidate", first)
    second = web.build()
    web.run()
    web.by_hand(HOME, "candidate", web.values(second)[HOME])
    web.later(days=1)
    web.run()
    assert web.points_to("stable") == web.values(second)


@pytest.mark.parametrize("container", BOTH)
def test_newer_build_that_somebody_wrote_by_hand_is_not_replaced_by_an_older_one(container: bool) -> None:
    web = world(container=container)
    soaked(web)
    middle = web.build()
    web.run()
    web.later(hours=23)
    newest = web.build()
    web.run()
    web.by_hand(HOME, "stable", web.values(newest)[HOME])
    web.later(hours=2)
    web.run()
    assert web.value("stable") == web.values(newest)[HOME] != web.values(middle)[HOME]


def test_build_that_was_written_by_hand_and_revoked_is_left() -> None:
    """The record that is kept is of the build before, which is good."""
    web = world()
    (first,) = soaked(web)
    second = web.build()
    web.run()
    web.by_hand(HOME, "stable", web.values(second)[HOME])
    web.run()
    web.revoke(second)
    web.run()
    assert web.value("stable") == web.values(first)[HOME]


@pytest.mark.parametrize("build", ["x", "arn:aws:imagebuilder:us-east-1:000000000000:image/acme-db/1.0.7/1"])
def test_record_of_something_else_stops_nothing(build: str) -> None:
    web = world()
    soaked(web)
    record = f'{{"build": "{build}", "created": "2099-01-01T00:00:00+00:00"}}'
    web.by_hand(HOME, "stable", "ami-0f0f0f0f", description=record)
    newer = web.build()
    web.run()
    web.later(days=1)
    run = web.run()
    assert (web.points_to("stable"), run.failures) == (web.values(newer), [])


def test_promotion_that_is_under_way_is_not_overtaken() -> None:
    """Somebody promotes a newer build than the one that soaked, and has not written it yet."""
    web = world()
    soaked(web)
    middle = web.build()
    web.run()
    web.later(hours=23)
    newest = web.build()
    web.run()
    web.later(hours=2)

    def broken(call: Call) -> None:
        if call.operation == "PutParameter":
            raise refusal("ThrottlingException", call.operation)

    with web.disturbed(before=broken):
        web.promote("stable", newest)
    web.run()
    assert web.value("stable") not in (web.values(middle)[HOME], web.values(newest)[HOME])
    web.later(minutes=2)
    web.run()
    assert web.points_to("stable") == web.values(newest)


# Regions.


def test_region_that_could_not_be_asked_follows_the_home_region() -> None:
    web = world()
    soaked(web)
    build = web.build()
    web.run()
    web.later(days=1)
    with web.disturbed(before=down(ABROAD[1])):
        web.run()
    assert {region for region in REGIONS if web.value("stable", region) == web.values(build)[region]} == {
        HOME,
        ABROAD[0],
    }
    web.run()
    assert web.points_to("stable") == web.values(build)


def test_region_follows_also_after_an_older_move_was_completed_there() -> None:
    """The older one is written after the home region's move was."""
    web = world()
    soaked(web)
    promoted = web.build()
    web.run()
    with web.disturbed(before=down(ABROAD[1], operation="PutParameter")):
        web.promote("stable", promoted)
        taken = web.build()
        web.run()
        web.later(days=1)
        web.run()
    web.run()
    assert web.points_to("stable") == web.values(taken)


def test_region_that_somebody_moved_by_hand_afterwards_does_not_follow() -> None:
    web = world()
    older, _ = soaked(web, 2)
    web.by_hand(ABROAD[0], "stable", web.values(older)[ABROAD[0]])
    for _ in range(2):
        web.later(days=1)
        web.run()
    assert web.value("stable", ABROAD[0]) == web.values(older)[ABROAD[0]]


def test_channel_does_not_move_while_the_home_region_cannot_be_read() -> None:
    web = world()
    soaked(web)
    build = web.build()
    web.run()
    web.later(days=1)
    with web.disturbed(before=down(HOME, operation="GetParametersByPath")):
        run = web.run()
    assert run.error
    assert web.value("stable", ABROAD[0]) != web.values(build)[ABROAD[0]]


def down(region: str, *, operation: str = "") -> Callable[[Call], None]:
    """A region that does not answer, or only not to one operation."""

    def fail(call: Call) -> None:
        if call.region == region and operation in ("", call.operation):
            raise refusal("InternalServerError", call.operation, status=500)

    return fail
