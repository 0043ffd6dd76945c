"""`goldsmith hold`: nothing moves an image's channels until the hold ends."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambda_src.handoff.configuration import ChannelRule
from lambda_src.handoff.holds import Hold
from tests.support.handoff_world import HOME
from tests.support.ops_world import Answer, OpsWorld, Shell
from tests.support.wire import DENIED, RESET, THROTTLED, TRUNCATED, wire_to

WHY = ("--why", 'year end: 年末 & "quotes"')
REASON = WHY[1]
ME = "arn:aws:iam::000000000000:root"


def hold(world: OpsWorld, channel: str = "", *options: str) -> Answer:
    return world.ops("hold", f"{world.name}@{channel}" if channel else world.name, "--yes", *options)


def parameter(world: OpsWorld, channel: str = "") -> dict[str, Any]:
    """The hold as it is written; empty for none."""
    name = f"{world.web.path}/_hold{f'-{channel}' if channel else ''}"
    ssm = world.web.other_ssm[HOME]
    found = [each for each in ssm.get_parameters_by_path(Path=world.web.path)["Parameters"] if each["Name"] == name]
    value: dict[str, Any] = json.loads(found[0]["Value"]) if found else {}
    return value


def test_channels_stay_until_the_hold_ends(world: OpsWorld) -> None:
    world.web.build()
    world.web.run()
    before = world.web.latest()
    answer = hold(world, "", *WHY)
    assert (answer.err, answer.status) == ("", 0)
    assert answer.out.splitlines() == [
        f"{world.name} is to be held: {REASON}",
        "neither the hand-off function nor a command moves latest, prod then",
        f"{world.name} is held by root: {REASON}",
        f"to end it: goldsmith hold {world.name} --undo",
    ]
    assert parameter(world) == {"held": True, "by": ME, "why": REASON, "until": None}
    tags = world.web.other_ssm[HOME].list_tags_for_resource(
        ResourceType="Parameter", ResourceId=f"{world.web.path}/_hold"
    )["TagList"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"goldsmith:image": f"acme/{world.name}"}

    world.web.build()
    run = world.web.run()
    assert (world.web.latest(), run.line["held"]) == (before, {"latest": f"{REASON}, by {ME}"})
    refused = world.ops("promote", world.name, "prod", "--yes")
    assert f"{world.name}: must not be held, and is held by {ME}: {REASON}; goldsmith hold {world.name} --undo" in (
        refused.err
    )

    answer = hold(world, "", "--undo", "--why", "the year has ended")
    assert (answer.err, answer.status) == ("", 0)
    assert answer.out.splitlines() == [
        f"{world.name} is held by root: {REASON}",
        f"{world.name} is not held any more",
        f"the hand-off function of {world.name} was not started, and does the rest within the hour: it does not exist; "
        f"apply image-{world.name}",
    ]
    assert parameter(world) == {"held": False, "by": ME, "why": "the year has ended", "until": None}
    world.web.run()
    assert world.web.latest() != before


def test_one_channel_is_held_and_the_others_move(world: OpsWorld) -> None:
    world.declare(world.name, channels="{stable: {soak: 1 minute}}")
    rule = ChannelRule(source="latest", soak_minutes=1)
    world.web.image = replace(world.web.image, channels={"stable": rule})
    build = world.web.build()
    assert hold(world, "stable", *WHY, "--until", "2 hours").status == 0
    world.web.run()
    later = world.web.run(now=datetime.now(UTC) + timedelta(hours=1))
    assert [*later.line["held"]] == ["stable"]
    assert world.web.channels(HOME).keys() == {"latest"}
    world.web.run(now=datetime.now(UTC) + timedelta(hours=3))
    assert world.web.channels(HOME)["stable"].value == world.web.amis(build)[HOME]


def test_two_holds_are_explained(world: OpsWorld) -> None:
    hold(world, "", *WHY)
    answer = hold(world, "prod", "--why", "a look", "--until", "2099-01-05T09:00+09:00")
    besides = f"{world.name} is held besides, which holds all channels by root: {REASON}"
    assert answer.out.splitlines()[1:] == [
        f"{world.name}@prod is held by root until 05 Jan 2099 00:00 UTC: a look",
        f"to end it: goldsmith hold {world.name}@prod --undo",
        f"{besides}; to end it: goldsmith hold {world.name} --undo",
    ]
    assert parameter(world, "prod")["until"] == "2099-01-05T00:00:00+00:00"
    answer = hold(world, "", "--undo", "--json")
    done = json.loads(answer.out)
    own = {"held": True, "by": ME, "why": "a look", "until": "2099-01-05T00:00:00+00:00"}
    assert (done["now"], done["before"]["why"], done["state"]) == (None, REASON, "written")
    assert done["other_holds"] == [{"channel": "prod", **own}]
    assert f"{world.name}@prod is held besides, which is a hold of its own by root until" in answer.err
    assert parameter(world, "prod")["held"] is True


def test_second_run_changes_nothing_and_another_hold_replaces_it(world: OpsWorld) -> None:
    assert hold(world, "prod", "--undo").out == f"{world.name}@prod is not held\n"
    assert parameter(world, "prod") == {}
    for _ in range(2):
        answer = hold(world, "prod", *WHY, "--json")
    assert json.loads(answer.out)["state"] == "unchanged"
    answer = hold(world, "prod", "--why", "another", "--until", "1 day")
    assert f"(now held by root: {REASON})" in answer.out.splitlines()[0]
    name = f"{world.web.path}/_hold-prod"
    assert len(world.web.other_ssm[HOME].get_parameter_history(Name=name)["Parameters"]) == 2


def test_hold_that_has_ended_or_cannot_be_read(world: OpsWorld) -> None:
    name, ssm = f"{world.web.path}/_hold", world.web.other_ssm[HOME]
    ended = Hold(held=True, by="alice", why="over", until="2026-01-01T00:00:00+00:00")
    ssm.put_parameter(Name=name, Value=ended.to_json(), Type="String")
    assert hold(world, "", "--undo").out == f"{world.name} is not held\n"
    ssm.put_parameter(Name=name, Value="stop!", Type="String", Overwrite=True)
    answer = hold(world, "", "--undo")
    assert answer.out.splitlines()[0] == f"{world.name} is held: the value of the hold's parameter cannot be read"
    assert (answer.status, parameter(world)["held"]) == (0, False)


def test_reason_fits_into_a_parameter(world: OpsWorld) -> None:
    assert hold(world, "", "--why", "あ" * 1000).status == 0
    answer = hold(world, "", "--why", "😀" * 1000, "--until", "1 day")
    assert answer.err == f"{world.name}: the reason must fit into a parameter of 4096 bytes; write less\n"
    assert (answer.status, parameter(world)["why"]) == (1, "あ" * 1000)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["web"], "argument --why: must give the reason, got none; whoever waits reads it"),
        (["web", "--why", "a {{ b }}"], "argument --why: must not contain {{, which Parameter Store refuses"),
        (["web@7/2", *WHY], "'web@7/2' must name an image or a channel; write web or web@prod"),
        (["web@prd", *WHY], "unknown channel of web 'prd'; did you mean 'prod'?"),
        (["wbe", *WHY], "unknown image 'wbe'; did you mean 'web'?"),
        (["web", *WHY, "--until", "0 days"], "argument --until: must be in the future, got '0 days'"),
        (["web", *WHY, "--until", "soon"], "argument --until: must be a time, got 'soon'; write a duration from now"),
        (["web", "--undo", "--until", "1 day"], "argument --until: must not come with --undo, which ends the hold now"),
        (["web", *WHY, "--json"], "argument --json: needs --yes, because a program cannot answer a question"),
    ],
)
def test_refuses(shell: Shell, options: list[str], words: str) -> None:
    answer = shell.ops("hold", *options)
    assert (words in answer.err, answer.out, answer.status) == (True, "", 2), answer.err


def test_what_fails_is_one_line_and_the_second_run_finishes(world: OpsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    written, read = "ssm PutParameter", "ssm GetParameter"
    for number, (operation, fault) in enumerate(
        [
            ("sts GetCallerIdentity", DENIED),
            ("ssm GetParametersByPath", THROTTLED),
            (written, DENIED),
            (written, RESET),
            (read, TRUNCATED),
        ]
    ):
        with wire_to(world.web.aws.endpoint) as wire:
            monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
            wire.faults[operation] = fault
            answer = hold(world, "", "--why", f"reason {number}")
            assert (answer.status, len(answer.err.splitlines())) == (1, 1), answer
            assert ("AWS" in answer.err, "Traceback" in answer.err) == (True, False)
            wire.faults.clear()
            assert hold(world, "", "--why", f"reason {number}").status == 0
        assert parameter(world)["why"] == f"reason {number}"
