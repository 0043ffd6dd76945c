"""What the hand-off makes of parameters that others wrote, deleted or copied, of answers that lag behind, and of a
cache that is lost or wrong."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lambda_src.handoff.channels import DESCRIPTION_LIMIT, read_channels, write_channel
from lambda_src.handoff.configuration import ChannelRule, history_bucket
from lambda_src.handoff.history import Move
from tests.support.memory_aws import ACCOUNT, Call, Cloud, refusal
from tests.support.memory_world import ABROAD, HAND, HOME, MemoryWorld

CHANNELS = {"stable": ChannelRule(source="latest"), "prod": ChannelRule(source="latest")}


@pytest.fixture
def web() -> MemoryWorld:
    return MemoryWorld(channels=CHANNELS)


def noted(web: MemoryWorld) -> list[tuple[str, str]]:
    """What is in the history that no move wrote: the channel and the value."""
    return [(move.channel, change.value) for move in web.moves() if move.noted for change in move.changes.values()]


def promoted(web: MemoryWorld, channel: str = "prod") -> str:
    build = web.build()
    web.run()
    web.promote(channel, build)
    web.run()
    return build


# By hand.


def test_record_that_is_kept_or_copied_counts_only_for_its_own_value(web: MemoryWorld) -> None:
    first = promoted(web)
    second = promoted(web, "stable")
    value = web.values(first)[HOME]
    web.by_hand(HOME, "stable", value)
    web.by_hand(ABROAD[0], "stable", value, description=json.dumps(web.record("prod")))
    web.by_hand(ABROAD[1], "stable", "ami-0f", description=json.dumps(web.record("stable", ABROAD[0])))
    web.run()

    assert noted(web) == [("stable", value), ("stable", value), ("stable", "ami-0f")]
    assert {move.by for move in web.moves() if move.noted} == {HAND}
    assert web.value("stable") == value != web.values(second)[HOME], "it stands"


def test_value_that_somebody_brings_back_by_hand_is_noted_too(web: MemoryWorld) -> None:
    """Both times the record of the promotion is kept."""
    first = promoted(web)
    second = web.build()
    web.run()
    there, back = web.values(second)[HOME], web.values(first)[HOME]
    web.by_hand(HOME, "prod", there)
    web.run()
    web.by_hand(HOME, "prod", back)
    for _ in range(2):
        web.run()
    assert noted(web) == [("prod", there), ("prod", back)]
    assert (web.value("prod"), len(web.versions("prod"))) == (back, 3)


def test_what_is_noted_in_a_run_of_several_rounds_is_noted_once(web: MemoryWorld) -> None:
    first = promoted(web)
    web.by_hand(HOME, "prod", web.values(first)[HOME], description="")
    later = iter([True, True])

    def build(call: Call) -> None:
        if call.operation == "PutParameter" and call.region == HOME and next(later, False):
            web.build()

    web.build()
    with web.disturbed(after=build):
        web.run()
    assert noted(web) == [("prod", web.values(first)[HOME])]


def test_run_that_ended_before_it_wrote_its_cache_leaves_nothing_to_note_again(web: MemoryWorld) -> None:
    first = promoted(web)
    web.by_hand(HOME, "prod", "ami-0f")

    def fail(call: Call) -> None:
        if call.operation == "PutObject" and call.params["Key"].startswith("cache"):
            raise refusal("InternalError", "PutObject", status=500)

    with web.disturbed(before=fail):
        web.run()
    web.run()
    assert (noted(web), web.value("latest")) == ([("prod", "ami-0f")], web.values(first)[HOME])


@pytest.mark.parametrize("operation", ["ListObjectsV2", "GetParametersByPath"])
def test_run_that_cannot_decide_leaves_what_was_written_by_hand_to_the_next_one(
    web: MemoryWorld, operation: str
) -> None:
    promoted(web)
    web.by_hand(ABROAD[0], "prod", "ami-0f")

    def fail(call: Call) -> None:
        if call.operation == operation and call.region == HOME:
            raise refusal("ThrottlingException", operation)

    with web.disturbed(before=fail):
        web.run()
    web.run()
    assert noted(web) == [("prod", "ami-0f")]


def test_parameter_that_was_deleted_and_made_again_has_a_history_of_its_own(web: MemoryWorld) -> None:
    build = promoted(web)
    for _ in range(3):
        web.by_hand(HOME, "prod", "ami-0f", description="")
    web.run()
    web.cloud.client("ssm", region=HOME, user=HAND).delete_parameter(Name=f"{web.path}/prod")
    web.by_hand(HOME, "prod", web.values(build)[HOME], description="")
    web.run()
    assert noted(web)[-1] == ("prod", web.values(build)[HOME])

    for _ in range(120):
        web.by_hand(HOME, "prod", "ami-0e", description="")
    found = read_channels(web.cloud.client("ssm", region=HOME), path=web.path, known=web.person().cache.channels[HOME])[
        "prod"
    ]
    assert [version.version for version in found.versions][-1] == 121
    web.later(minutes=1)
    again = {**web.person().cache.channels[HOME], "prod": found}
    web.cloud.client("ssm", region=HOME, user=HAND).delete_parameter(Name=f"{web.path}/prod")
    for _ in range(130):
        web.by_hand(HOME, "prod", "ami-0d", description="")
    found = read_channels(web.cloud.client("ssm", region=HOME), path=web.path, known=again)["prod"]
    assert set(found.history) == {"ami-0d"}


def test_versions_that_parameter_store_has_forgotten_are_remembered(web: MemoryWorld) -> None:
    rules = {"stable": ChannelRule(source="latest", soak_minutes=60)}
    web.image = replace(web.image, channels=rules)
    first = promoted(web)
    web.run()
    for _ in range(3):
        for _ in range(60):
            web.by_hand(HOME, "latest", web.values(first)[HOME])
        web.run()
    assert web.versions("latest")[0]["Version"] > 1
    web.later(minutes=50)
    web.run()
    web.later(minutes=11)
    web.run()
    assert web.value("stable") == web.values(first)[HOME], "an hour after the first version"


# Answers that lag behind.


def test_version_that_the_history_does_not_show_yet_is_waited_for(web: MemoryWorld) -> None:
    build = web.build()
    name = f"{web.path}/latest"
    web.run()
    newer = web.build()
    shown: list[Call] = []

    def lag(call: Call) -> None:
        if call.operation == "PutParameter":
            web.cloud.hidden["GetParameterHistory", name] = 1
        if call.operation == "GetParameterHistory":
            shown.append(call)
            if len(shown) == 3:
                del web.cloud.hidden["GetParameterHistory", name]

    with web.disturbed(before=lag):
        run = web.run()
    web.run()
    assert (run.failures, web.points_to("latest")) == ([], web.values(newer))
    assert noted(web) == [], f"{build} gave way to a move, not to a hand"


def test_parameter_that_shows_an_old_version_is_not_taken_for_a_newer_one(web: MemoryWorld) -> None:
    build = web.build()
    web.run()
    web.build()
    web.run()
    web.cloud.hidden["GetParametersByPath", f"{web.path}/latest"] = 1
    web.run()
    web.cloud.hidden.clear()
    web.run()
    assert web.value("latest") != web.values(build)[HOME]
    assert noted(web) == []
    known = web.person().cache.channels[HOME]["latest"]
    assert known.value == web.value("latest")


# The cache.

GARBLED = [b"", b"null", b"[7]", b"\xff", b'{"format": 2}', b'{"format": 2, "read": Infinity, "last": 1}']


@pytest.mark.parametrize("written", [None, *GARBLED, "no versions", "no zone"])
def test_cache_that_is_lost_or_wrong_is_made_again(web: MemoryWorld, written: bytes | str | None) -> None:
    build = promoted(web)
    objects, key = web.cloud.buckets[web.bucket], "cache/web.json"
    cache = json.loads(objects[key])
    if written == "no versions":
        cache["channels"][HOME]["prod"] = []
    elif written == "no zone":
        cache["channels"][HOME]["prod"][0][2] = "2026-07-01T00:00:00"
    objects[key] = written if isinstance(written, bytes) else json.dumps(cache).encode()
    if written is None:
        del objects[key]
    web.by_hand(HOME, "prod", "ami-0f")
    assert web.run().failures == []
    web.by_hand(HOME, "prod", web.values(build)[HOME])
    assert web.run().failures == []
    assert noted(web)[-1] == ("prod", web.values(build)[HOME])


def test_cache_that_cannot_be_read_now_is_not_replaced(web: MemoryWorld) -> None:
    """Otherwise what was written by hand since would be taken for known."""
    promoted(web)
    web.by_hand(HOME, "prod", "ami-0f")

    def fail(call: Call) -> None:
        if call.operation == "GetObject" and call.params["Key"].startswith("cache"):
            raise refusal("SlowDown", "GetObject", status=503)

    with web.disturbed(before=fail):
        assert "SlowDown" in web.run().error
    web.run()
    assert noted(web) == [("prod", "ami-0f")]


def test_numbers_go_on_when_the_history_begins_again(web: MemoryWorld) -> None:
    """In another home region, or in a bucket that was made again: records have numbers of moves that are gone."""
    promoted(web)
    web.cloud.buckets[web.bucket].clear()
    web.image = replace(web.image, regions=(*ABROAD, HOME))
    newer = web.build()
    for _ in range(2):
        assert web.run().failures == []
    assert web.points_to("latest") == web.values(newer)
    assert [move.number for move in web.moves()] == [3]


def test_history_whose_bucket_does_not_exist_says_what_to_apply(web: MemoryWorld) -> None:
    web.build()
    objects = web.cloud.buckets.pop(web.bucket)
    run = web.run()
    bucket = history_bucket("acme", account=ACCOUNT, region=HOME)
    words = f"bucket {bucket} does not exist: apply the stack history-{HOME}, and nothing moves before that"
    assert f"history: {words}" in run.line["problems"]
    assert (run.error, web.value("latest")) == ("", None)
    web.cloud.buckets[web.bucket] = objects
    web.run()
    assert web.value("latest")


def test_object_that_is_no_move_is_named(web: MemoryWorld) -> None:
    promoted(web)
    web.cloud.buckets[web.bucket]["moves/web/00000003.json"] = b"{}"
    assert "moves/web/00000003.json: an object of the history is no move" in web.run().error


# Records.


@pytest.mark.parametrize("why", ["x" * 2000, "ゴールド" * 500, "👍" * 500, '"\\' * 1000, "\n" * 900, ""])
def test_record_fits_and_keeps_who_and_why(why: str) -> None:
    ssm = Cloud().client("ssm", region=HOME)
    record: dict[str, str | int | None] = {
        "move": 17,
        "build": f"arn:aws:imagebuilder:ap-northeast-1:{ACCOUNT}:image/{'n' * 120}/1.0.1073741823/12",
        "created": "2026-07-01T00:00:00.000000+00:00",
        "parent": "ssm:/" + "p" * 500,
        "previous": "v" * 500,
        "by": f"arn:aws:sts::{ACCOUNT}:assumed-role/{'r' * 64}/{'s' * 64}",
        "how": "rolled back",
        "why": why,
    }
    write_channel(ssm, name="/i/n/web/prod", value="ami-1", data_type="text", record=record, tags={}, exists=False)
    (written,) = ssm.get_parameter_history(Name="/i/n/web/prod")["Parameters"]
    assert len(written["Description"].encode()) <= DESCRIPTION_LIMIT
    read = read_channels(ssm, path="/i/n/web")["prod"].record
    assert {key: read[key] for key in ("move", "build", "by", "how")} == {
        "move": "17",
        "build": record["build"],
        "by": record["by"],
        "how": "rolled back",
    }
    shown = read.get("why", "").removesuffix("…")
    assert why.startswith(shown) and (len(shown) >= 20 or shown == why)


def test_record_that_is_too_long_in_every_member_fits_too() -> None:
    ssm = Cloud().client("ssm", region=HOME)
    record: dict[str, str | int | None] = {"move": 1, "build": "b" * 300, "by": "ゴ" * 200, "why": "w" * 500}
    write_channel(ssm, name="/i/n/web/prod", value="ami-1", data_type="text", record=record, tags={}, exists=False)
    (written,) = ssm.get_parameter_history(Name="/i/n/web/prod")["Parameters"]
    assert len(written["Description"]) <= DESCRIPTION_LIMIT
    assert read_channels(ssm, path="/i/n/web")["prod"].record["build"] == "b" * 300


def test_move_has_the_whole_reason() -> None:
    move = Move(number=1, channel="prod", how="promoted", by="ann", why="ゴールド" * 500, at="", run="0")
    assert Move.from_json(move.to_json()) == move
