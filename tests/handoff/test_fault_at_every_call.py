"""A run of the function that fails at any one of its calls, or ends there: the next runs finish what it began."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError, ResponseStreamingError

from lambda_src.handoff.configuration import ChannelRule
from tests.support.memory_aws import Call, Crash, refusal
from tests.support.memory_world import FUNCTION, MemoryWorld

REGIONS = ("us-east-1", "eu-west-1")
URL = "https://aws.test/"
Error = Callable[[str], BaseException]
BEFORE: Mapping[str, Error] = {
    "throttled": lambda operation: refusal("ThrottlingException", operation),
    "denied": lambda operation: refusal("AccessDeniedException", operation),
    "not reached": lambda _: ConnectTimeoutError(endpoint_url=URL),
}
AFTER: Mapping[str, Error] = {
    "server error": lambda operation: refusal("InternalServerError", operation, status=500),
    "no answer": lambda _: ReadTimeoutError(endpoint_url=URL),
    "reset": lambda _: EndpointConnectionError(endpoint_url=URL),
    "cut off": lambda _: ResponseStreamingError(error="cut off"),
    "killed": lambda _: Crash(),
}


def busy_world() -> MemoryWorld:
    """A run finds a new, a soaked and a revoked build, a promotion that is half done, and a write by hand."""
    rules = {
        name: ChannelRule(source="latest", soak_minutes=minutes) for name, minutes in (("stable", 60), ("prod", 0))
    }
    web = MemoryWorld(channels=rules, regions=REGIONS, keep_newest=1)
    first, second = web.build(), web.build()
    web.run()
    web.later(hours=1)
    web.run()
    third = web.build()
    web.run()
    web.later(hours=1)

    def stop(call: Call) -> None:
        if call.operation == "PutParameter" and call.region != REGIONS[0]:
            raise Crash

    with web.disturbed(before=stop), suppress(Crash):
        web.promote("prod", second)
    web.by_hand(REGIONS[1], "stable", web.values(first)[REGIONS[1]])
    web.later(minutes=3)
    web.build()
    web.revoke(third)
    return web


def settled(web: MemoryWorld) -> object:
    """Where everything is in the end."""
    channels = {channel: web.points_to(channel) for channel in ("latest", "stable", "prod")}
    return channels, {arn: build["tags"] for arn, build in web.cloud.builds.items()}


def calls_of_a_run() -> list[str]:
    web = busy_world()
    before = len(web.cloud.calls)
    web.run()
    return [call.operation for call in web.cloud.calls[before:]]


CALLS = calls_of_a_run()


@pytest.mark.parametrize("kind", [*BEFORE, *AFTER])
def test_run_that_fails_at_any_call_is_finished_by_the_next_ones(kind: str) -> None:
    expected = busy_world()
    for _ in range(2):
        expected.run()
    for number, operation in enumerate(CALLS):
        web = busy_world()
        start = len(web.cloud.calls)

        def fail(call: Call, web: MemoryWorld = web, at: int = start + number) -> None:
            if len(web.cloud.calls) - 1 == at and call.user == FUNCTION:
                raise {**BEFORE, **AFTER}[kind](call.operation)

        with web.disturbed(**{"before" if kind in BEFORE else "after": fail}), suppress(Crash):
            run = web.run()
            assert run.failures, f"{number}, {operation}: nothing fails in silence"
        for _ in range(2):
            run = web.run()
        assert run.failures == expected.run().failures
        assert settled(web) == settled(expected), f"{number}, {operation}"
        noted = [move.channel for move in web.moves() if move.noted]
        assert noted == ["stable"], f"{number}, {operation}"
        numbers = [move.number for move in web.moves()]
        assert numbers == list(range(1, len(numbers) + 1))
