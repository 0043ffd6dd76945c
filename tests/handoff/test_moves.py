"""Moves that this program did not decide: written by hand, or by a command while the home region was down."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from lambda_src.handoff.answers import GarbledAnswer
from lambda_src.handoff.channels import read_channels, write_channel
from lambda_src.handoff.history import Change, Move
from tests.support.answers import refused
from tests.support.handoff_world import ABROAD, HOME, REGIONS, ImageWorld, intercepted


def write(web: ImageWorld, channel: str, value: str, *, region: str = HOME, record: object = None) -> None:
    """Without a record, Parameter Store keeps the description before."""
    described: Any = {} if record is None else {"Description": json.dumps(record)}
    web.other_ssm[region].put_parameter(
        Name=f"{web.path}/{channel}", Value=value, Type="String", Overwrite=True, **described
    )


def noted(web: ImageWorld) -> list[Move]:
    """The moves that were found in parameters."""
    return [move for move in web.other_history.moves() if move.noted]


def test_what_was_written_by_hand_is_in_the_history_once(web: ImageWorld) -> None:
    first = web.build()
    web.run()
    write(web, "prod", web.amis(first)[HOME])
    newest = web.build()
    web.run()
    write(web, "prod", web.amis(newest)[HOME])
    for _ in range(2):
        web.run()

    moves = noted(web)
    assert [(move.channel, move.how, move.changes[HOME].version) for move in moves] == [
        ("prod", "by hand", 0),
        ("prod", "by hand", 1),
    ]
    assert moves[1].changes[HOME].previous == web.amis(first)[HOME]
    user = web.other_ssm[HOME].get_parameter_history(Name=f"{web.path}/prod")["Parameters"][-1]["LastModifiedUser"]
    assert moves[1].by == user


def test_run_that_cannot_write_everything_notes_the_rest_later_and_nothing_twice(web: ImageWorld) -> None:
    build = web.build()
    web.run()
    for region in REGIONS:
        write(web, "prod", web.amis(build)[region], region=region)
    written = iter((False, True))
    with intercepted(web.history.s3, "PutObject", lambda: refused("SlowDown") if next(written, False) else None):
        web.run()
    web.run()
    assert sorted(region for move in noted(web) for region in move.changes) == sorted(REGIONS)


def test_what_was_written_by_hand_between_two_moves_does_not_come_back(web: ImageWorld) -> None:
    """Somebody writes after the look of a run that moves `latest`; the next run finds it before the move."""
    first, second = web.build(), web.build()
    web.run()
    newest = web.build()

    def by_hand() -> None:
        if web.channels(HOME)["latest"].version == 1:
            write(web, "latest", web.amis(first)[HOME])

    with intercepted(web.history.s3, "PutObject", by_hand):
        web.run()
    for _ in range(2):
        web.run()
    assert web.latest() == web.amis(newest)
    assert web.channels(HOME)["latest"].history == tuple(web.amis(arn)[HOME] for arn in (second, first, newest))
    assert [move.how for move in noted(web)] == ["by hand"]


def test_record_without_a_move_says_how_and_why(web: ImageWorld) -> None:
    """As a command writes it while the home region is down."""
    first, second = web.build(), web.build()
    web.run()
    ami = web.amis(first)[ABROAD]
    write(web, "prod", web.amis(second)[ABROAD], region=ABROAD)
    web.run()
    record = {"build": first, "how": "rolled back", "why": "it does not boot", "by": "anna", "skipped": "soak, gate"}
    ssm, name = web.other_ssm[ABROAD], f"{web.path}/prod"
    write_channel(ssm, name=name, value=ami, data_type="text", record=record, tags={}, exists=True)
    web.run()
    write(web, "prod", web.amis(second)[ABROAD], region=ABROAD)
    web.run()

    _, back, by_hand = noted(web)
    assert (back.how, back.why, back.skipped) == ("rolled back", "it does not boot", ("soak", "gate"))
    assert (back.changes[ABROAD].build, back.changes[ABROAD].value) == (first, ami)
    assert (by_hand.how, by_hand.why, by_hand.changes[ABROAD].build) == ("by hand", "", ""), "the record is kept"
    channel = read_channels(web.other_ssm[ABROAD], path=web.path)["prod"]
    assert [version.is_by_hand for version in channel.versions] == [True, False, True]


MOVE = Move(
    number=7,
    channel="prod",
    how="promoted",
    by="arn:aws:iam::000000000000:user/anna",
    why="ticket 7",
    at=datetime.now(UTC).isoformat(),
    run="0",
    changes={HOME: Change(build="b", created=None, value="ami-1", previous=None, version=0)},
    skipped=("soak",),
)


def test_object_of_a_move_is_read_as_it_was_written(web: ImageWorld) -> None:
    assert web.other_history.add(MOVE)
    assert web.other_history.get(7) == MOVE


def test_object_may_have_members_that_are_newer_or_lack_those_that_are_newer() -> None:
    members = json.loads(MOVE.to_json())
    members["changes"][HOME]["colour"] = "red"
    assert Move.from_json(json.dumps({**members, "ticket": 7})) == MOVE
    del members["skipped"], members["noted"]
    assert Move.from_json(json.dumps(members)) == replace(MOVE, skipped=())


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"changes": {}}', MOVE.to_json().replace("7,", '"7",')])
def test_object_that_is_no_move_is_garbled(text: str) -> None:
    with pytest.raises(GarbledAnswer, match="no move"):
        Move.from_json(text)
