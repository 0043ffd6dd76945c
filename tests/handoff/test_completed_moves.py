"""Moves that were written into the history and not into every parameter: who completes them, and when they are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lambda_src.handoff.configuration import ChannelRule
from lambda_src.handoff.history import Change, Move
from tests.support.memory_aws import Call, Crash, refusal
from tests.support.memory_world import ABROAD, FUNCTION, HOME, OPERATOR, REGIONS, MemoryWorld

CHANNELS = {"stable": ChannelRule(source="latest"), "prod": ChannelRule(source="latest")}


@pytest.fixture
def web() -> MemoryWorld:
    return MemoryWorld(channels=CHANNELS)


def fails(
    operation: str, *, region: str = "", user: str = "", error: Callable[[], BaseException] | None = None
) -> Callable[[Call], None]:
    """A server error, or another one, at an operation, in one region or all, for one user or all."""

    def fail(call: Call) -> None:
        if call.operation == operation and region in ("", call.region) and user in ("", call.user):
            raise error() if error else refusal("InternalServerError", operation, status=500)

    return fail


def half_promoted(web: MemoryWorld, channel: str = "prod") -> str:
    """A build that somebody has promoted, written at home and not abroad."""
    build = web.build()
    web.run()

    def stop(call: Call) -> None:
        if call.operation == "PutParameter" and call.region != HOME:
            raise Crash

    with web.disturbed(before=stop), pytest.raises(Crash):
        web.promote(channel, build)
    assert [region for region in REGIONS if web.value(channel, region) == web.values(build)[region]] == [HOME]
    return build


# Who completes a move, and when.


def test_young_move_of_somebody_else_is_left_to_them_for_two_minutes(web: MemoryWorld) -> None:
    build = half_promoted(web)
    web.run()
    assert web.value("prod", ABROAD[0]) is None
    web.later(minutes=2)
    run = web.run()
    assert web.points_to("prod") == web.values(build)
    assert run.error == ""
    assert {(web.record("prod", region)["by"], web.record("prod", region)["move"]) for region in REGIONS} == {
        (OPERATOR, web.moves()[-1].number)
    }


@pytest.mark.parametrize("ahead", [timedelta(days=1), -timedelta(days=1)])
def test_clock_of_somebody_else_delays_nothing(web: MemoryWorld, ahead: timedelta) -> None:
    build = half_promoted(web)
    (key,) = [key for key in web.cloud.buckets[web.bucket] if key.endswith("00000002.json")]
    move = web.moves()[-1]
    web.cloud.buckets[web.bucket][key] = replace(move, at=(web.now + ahead).isoformat()).to_json().encode()
    web.run()
    assert web.points_to("prod") == web.values(build)


def test_second_run_of_a_command_completes_its_first_at_once(web: MemoryWorld) -> None:
    build = half_promoted(web)
    web.promote("prod", build)
    assert web.points_to("prod") == web.values(build)


def test_region_that_failed_gets_the_last_move_when_it_answers_again(web: MemoryWorld) -> None:
    web.build()
    web.run()
    with web.disturbed(before=fails("PutParameter", region=ABROAD[1])):
        for _ in range(3):
            newest = web.build()
            run = web.run()
            assert ABROAD[1] in run.error
    web.run()
    assert web.points_to("latest") == web.values(newest)


def test_two_moves_of_one_region_that_fails_stop_nothing(web: MemoryWorld) -> None:
    first = web.build()
    web.run()
    with web.disturbed(before=fails("PutParameter", region=ABROAD[1])):
        for channel in CHANNELS:
            web.promote(channel, first)
        web.later(minutes=2)
        second = web.build()
        run = web.run()
    assert (web.value("latest"), run.error.count(ABROAD[1])) == (web.values(second)[HOME], 1)


def test_move_is_completed_however_many_come_after_it(web: MemoryWorld) -> None:
    build = half_promoted(web)
    web.later(minutes=2)
    latest = web.moves()[0]
    objects = web.cloud.buckets[web.bucket]
    with web.disturbed(before=fails("GetParametersByPath", region=ABROAD[1])):
        for number in range(3, 300):
            home = {HOME: latest.changes[HOME]}
            objects[f"moves/web/{number:08d}.json"] = replace(latest, number=number, changes=home).to_json().encode()
        web.run()
        before = len(web.cloud.calls)
        web.run()
        assert len(web.cloud.calls) < before + 30, "what has been read is not read again"
    assert web.value("prod", ABROAD[1]) is None
    web.run()
    assert web.points_to("prod") == web.values(build)


def test_held_move_is_completed_after_the_hold(web: MemoryWorld) -> None:
    build = half_promoted(web)
    web.hold("prod", until=web.now + timedelta(hours=1))
    web.later(minutes=59)
    web.run()
    assert web.value("prod", ABROAD[0]) is None
    web.later(minutes=1)
    web.run()
    assert web.points_to("prod") == web.values(build)


# What is not completed.


@pytest.mark.parametrize("how", ["revoked", "withdrawn", "deleted"])
@pytest.mark.parametrize("before", [True, False])
def test_channel_stays_where_the_build_cannot_be_used_any_more(web: MemoryWorld, how: str, before: bool) -> None:
    if before:
        older = web.build()
        web.run()
        web.promote("prod", older)
    build = half_promoted(web)
    stays = web.points_to("prod")
    if how == "revoked":
        web.revoke(build)
    elif how == "deleted":
        del web.cloud.builds[build]
    else:
        for region in ABROAD:
            web.withdraw(build, region)
    web.later(minutes=2)
    run = web.run()

    assert web.points_to("prod") == stays
    reasons = [f"{region}: prod is not moved to {build}, which cannot be used any more" for region in ABROAD]
    assert set(reasons) <= set(run.line["problems"])
    (stop,) = [move for move in web.moves() if move.how == "not completed"]
    assert (stop.channel, sorted(stop.changes)) == ("prod", sorted(ABROAD))
    assert [change.value for change in stop.changes.values()] == [stays[region] or "" for region in stop.changes]

    again = web.run()
    assert not set(reasons) & set(again.line["problems"]), "it is not tried again"
    assert sum(move.how == "not completed" for move in web.moves()) == 1


def test_what_somebody_wrote_by_hand_after_the_move_stands(web: MemoryWorld) -> None:
    older = web.build()
    web.run()
    half_promoted(web)
    web.by_hand(ABROAD[0], "prod", web.values(older)[ABROAD[0]])
    web.later(minutes=2)
    web.run()
    assert web.value("prod", ABROAD[0]) == web.values(older)[ABROAD[0]]


def test_channel_that_is_not_configured_any_more_is_left_alone(web: MemoryWorld) -> None:
    half_promoted(web)
    web.image = replace(web.image, channels={})
    web.later(minutes=2)
    for _ in range(2):
        web.run()
    assert web.value("prod", ABROAD[0]) is None
    assert not any(call.operation == "GetObject" and "moves" in call.params["Key"] for call in web.cloud.calls[-12:])


@pytest.mark.parametrize("is_there", [True, False])
def test_ami_that_was_taken_over_is_looked_at_before_the_move_is_completed(web: MemoryWorld, is_there: bool) -> None:
    region, ami = ABROAD[0], "ami-0e15e04e7e0a0b0c0"
    change = Change(build="", created=None, value=ami, previous=None, version=0)
    at = (web.now - timedelta(hours=1)).isoformat()
    move = Move(number=1, channel="prod", how="taken over", by="ann", why="", at=at, run="0", changes={region: change})
    web.cloud.buckets[web.bucket]["moves/web/00000001.json"] = move.to_json().encode()
    if is_there:
        described = {"ImageId": ami, "OwnerId": "111111111111", "Architecture": "x86_64", "State": "available"}
        web.cloud.images[region, ami] = {**described, "Tags": []}
    run = web.run()
    assert web.value("prod", region) == (ami if is_there else None)
    reason = f"{region}: prod is not moved to {ami}, which cannot be used any more"
    assert run.line["problems"] == ([] if is_there else [reason])


@pytest.mark.parametrize("channel", ["prod", "latest"])
@pytest.mark.parametrize("lacking", ["state", "dateCreated", "outputResources", "everything"])
def test_move_waits_while_what_is_known_of_its_build_does_not_suffice(
    web: MemoryWorld, channel: str, lacking: str
) -> None:
    """Image Builder's answer lacks something, or says nothing about the build; that is no reason to give it up."""
    older = web.build()
    web.run()
    web.promote("prod", older)
    build = web.build()
    if channel == "prod":
        web.run()
    with web.disturbed(before=fails("PutParameter", region=ABROAD[1])):
        web.run() if channel == "latest" else web.promote("prod", build)
    web.later(minutes=2)
    expected = web.values(build) | {ABROAD[1]: web.values(older)[ABROAD[1]]}
    assert web.points_to(channel) == expected
    shown = dict(web.cloud.builds[build])
    if lacking == "everything":
        web.cloud.builds[build]["sourcePipelineArn"] = "of another"  # so it is in no list
    else:
        web.cloud.builds[build][lacking] = type(shown[lacking])()
    refuses = fails("GetImage", error=lambda: refusal("AccessDeniedException", "GetImage"))
    with web.disturbed(before=refuses if lacking == "everything" else lambda _: None):
        run = web.run()

    assert (run.error, web.points_to(channel)) == ("", expected), "a retry would not fix it"
    reason = f"{ABROAD[1]}: {channel} is not moved yet: what Image Builder says about {build} is incomplete"
    assert reason in run.line["problems"] or lacking == "everything"
    assert not any(move.how == "not completed" for move in web.moves())

    web.cloud.builds[build] = shown
    web.run()
    assert web.points_to(channel) == web.values(build)


# Slow writers.


@pytest.mark.parametrize("settled", [False, True])
def test_older_move_that_a_slow_writer_puts_over_a_newer_one_is_corrected(web: MemoryWorld, settled: bool) -> None:
    """Also when both have been completed long ago."""
    first, second = web.build(), web.build()
    web.run()
    late: dict[str, Any] = {}

    def note(call: Call) -> None:
        if call.operation == "PutParameter" and call.region == HOME:
            late.update(call.params)

    with web.disturbed(before=note):
        web.promote("prod", first)
    web.promote("prod", second)
    for _ in range(3 if settled else 0):
        web.later(hours=1)
        web.run()

    web.cloud.client("ssm", region=HOME, user=OPERATOR).put_parameter(
        **{**late, "Overwrite": True}, DataType="aws:ec2:image"
    )
    assert web.value("prod") == web.values(first)[HOME]
    web.later(minutes=2)
    web.run()
    assert web.points_to("prod") == web.values(second)
    web.run()
    assert len(web.versions("prod")) == 4


# Answers that are lost.


def test_answer_to_the_object_that_is_lost_is_no_lost_move(web: MemoryWorld) -> None:
    build = web.build()
    once = iter([True])

    def lose(call: Call) -> None:
        if call.operation == "PutObject" and "moves" in call.params["Key"] and next(once, False):
            raise refusal("InternalError", "PutObject", status=500)

    with web.disturbed(after=lose):
        web.run()
    assert web.points_to("latest") == web.values(build)
    assert [move.number for move in web.moves()] == [1]


def test_object_that_a_repeated_request_finds_is_its_own(web: MemoryWorld) -> None:
    """botocore sends a request again whose answer it did not get; the second one meets the object of the first."""
    build = web.build()

    def repeat(call: Call) -> None:
        key = call.params.get("Key", "")
        if call.operation == "PutObject" and key.startswith("moves"):
            web.cloud.buckets[web.bucket].setdefault(key, call.params["Body"])

    with web.disturbed(before=repeat):
        run = web.run()
    assert (web.points_to("latest"), run.failures) == (web.values(build), [])
    assert [move.number for move in web.moves()] == [1]


def test_number_that_somebody_else_took_makes_a_run_look_again(web: MemoryWorld) -> None:
    """The other one promotes between the look of a run and its move."""
    first = web.build()
    web.run()
    second = web.build()
    once = iter([True])

    def meanwhile(call: Call) -> None:
        if call.operation == "PutObject" and call.user == FUNCTION and next(once, False):
            web.promote("prod", first)

    with web.disturbed(before=meanwhile):
        run = web.run()
    assert (run.failures, web.points_to("latest"), web.points_to("prod")) == (
        [],
        web.values(second),
        web.values(first),
    )
    assert [(move.number, move.channel) for move in web.moves()] == [(1, "latest"), (2, "prod"), (3, "latest")]
