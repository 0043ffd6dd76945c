"""How many calls to AWS a run makes that has nothing to do: there is one every hour for each image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from lambda_src.handoff.configuration import ChannelRule
from tests.support.memory_world import MemoryWorld

REGIONS = [f"region-{number}" for number in range(15)]
HOME = REGIONS[0]
DAY = 24 * 60
CHANNELS = {
    "candidate": ChannelRule(source="latest", soak_minutes=DAY),
    "stable": ChannelRule(source="candidate", soak_minutes=DAY),
    "slow": ChannelRule(source="latest", soak_minutes=30 * DAY),
    "prod": ChannelRule(source="stable"),
}
MOST = 60


def busy_image(*, builds: int = 2000) -> MemoryWorld:
    """An image that has been built for years, in 15 regions; every channel points to a build."""
    web = MemoryWorld(channels=CHANNELS, regions=REGIONS, keep_newest=10)
    for number in range(builds - 1, 0, -1):
        web.build(regions=REGIONS[:1] if number > 150 else None)  # the others make the test slow only
    older = web.build()
    web.run()
    newest = web.build()
    for _ in range(3):
        web.run()
        web.later(days=31)
    web.promote("prod", older)
    web.run()
    assert all(web.points_to(channel) == web.values(newest) for channel in ("latest", "candidate", "stable", "slow"))
    return web


def calls_of(web: MemoryWorld) -> Counter[str]:
    """The calls of one run, by operation."""
    before = len(web.cloud.calls)
    web.run()
    return Counter(call.operation for call in web.cloud.calls[before:])


@pytest.fixture(scope="module")
def web() -> MemoryWorld:
    return busy_image()


def test_run_that_has_nothing_to_do_makes_few_calls(web: MemoryWorld) -> None:
    calls = calls_of(web)
    assert calls.pop("ListImagePipelineImages") == 81, "25 builds a page"
    assert calls.total() <= MOST, calls
    assert not any(operation.startswith(("Put", "Tag", "Untag", "Create", "Delete")) for operation in calls)


def by_hand(web: MemoryWorld) -> None:
    for region in REGIONS:
        web.by_hand(region, "prod", "ami-0f")


def revoked_long_ago(web: MemoryWorld) -> None:
    for arn in list(web.cloud.builds)[:30]:
        web.revoke(arn)
        for region in REGIONS:
            web.withdraw(arn, region)


def held(web: MemoryWorld) -> None:
    web.hold()


def with_a_newer_build_that_is_unusable_in_a_region(web: MemoryWorld) -> None:
    """`latest` has it in the other regions; channels with a soak time pass it over for ever."""
    for _ in range(20):
        web.withdraw(web.build(), REGIONS[-1])
    web.run()
    web.later(days=31)


def with_a_region_that_is_new(web: MemoryWorld) -> None:
    """No build has an output there, and channels have nothing to take."""
    web.image = MemoryWorld(channels=CHANNELS, regions=[*REGIONS[:-1], "region-new"], keep_newest=10).image


def with_a_channel_that_has_nothing_to_take(web: MemoryWorld) -> None:
    rules = {**CHANNELS, "slow": ChannelRule(source="prod", soak_minutes=DAY)}
    web.image = MemoryWorld(channels=rules, regions=REGIONS, keep_newest=10).image


ODD = [
    by_hand,
    revoked_long_ago,
    held,
    with_a_newer_build_that_is_unusable_in_a_region,
    with_a_region_that_is_new,
    with_a_channel_that_has_nothing_to_take,
]


@pytest.mark.parametrize("happens", ODD, ids=lambda happens: happens.__name__)
def test_what_is_odd_and_stays_so_costs_few_calls_more(happens: Callable[[MemoryWorld], None]) -> None:
    web = busy_image(builds=100)
    happens(web)
    for _ in range(3):
        web.run()
    calls = calls_of(web)
    assert calls.total() - calls["ListImagePipelineImages"] <= MOST + 5 * len(REGIONS), calls
