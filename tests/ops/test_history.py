"""`goldsmith history`: every move, as far back as the history bucket and Parameter Store go."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from lambda_src.handoff.history import Change, Move
from ops.history_tables import TITLES
from tests.support.handoff_world import ABROAD, BY, HOME, REGIONS
from tests.support.movers import mover_of, promote, roll_back
from tests.support.ops_world import Answer, OpsWorld
from tests.support.wire import Wire, wire_to


def history(world: OpsWorld, reference: str = "", *options: str) -> Answer:
    return world.ops("history", f"{world.name}{reference}", *options)


def entries(world: OpsWorld, reference: str = "") -> list[dict[str, Any]]:
    answer = history(world, reference, "--json")
    assert (answer.err, answer.status) == ("", 0)
    found: list[dict[str, Any]] = json.loads(answer.out)["entries"]
    return found


def steps(world: OpsWorld, reference: str = "") -> list[tuple[str, str, str, str]]:
    """Of each entry the channel, how, and from which build to which, in its first region."""
    return [
        (
            each["channel"],
            each["how"],
            short(each["regions"][0]["previous_build"]),
            short(each["regions"][0]["build"]),
        )
        for each in entries(world, reference)
    ]


def short(arn: str | None) -> str:
    return "/".join((arn or "-").split("/")[-2:])


def write(world: OpsWorld, channel: str, build: str, *, region: str = HOME) -> None:
    """By hand, without a description."""
    world.web.other_ssm[region].put_parameter(
        Name=f"{world.web.path}/{channel}",
        Value=world.web.amis(world.arn(build))[region],
        Type="String",
        Overwrite=True,
    )


@pytest.fixture
def two(world: OpsWorld) -> OpsWorld:
    """A world with two builds, both promoted, and a rollback."""
    mover = mover_of(world)
    for number in (1, 2):
        world.web.build()
        world.web.run()
        assert promote(mover, number, why="ticket 7") == ""
    assert roll_back(mover, why="it does not start") == ""
    return world


def test_each_move_is_one_line_for_all_regions(two: OpsWorld) -> None:
    assert steps(two) == [
        ("latest", "new build", "-", "1.0.7/1"),
        ("prod", "promoted", "-", "1.0.7/1"),
        ("latest", "new build", "1.0.7/1", "1.0.7/2"),
        ("prod", "promoted", "1.0.7/1", "1.0.7/2"),
        ("prod", "rolled back", "1.0.7/2", "1.0.7/1"),
    ]
    first, promoted, *_ = entries(two)
    assert (first["by"], promoted["why"], [each["region"] for each in promoted["regions"]]) == (
        BY,
        "ticket 7",
        [*REGIONS],
    )
    assert promoted["moves"] == [2]
    *_, line = history(two).out.splitlines()
    cells = [cell for cell in re.split(" {2,}", line.strip()) if cell]
    assert cells[1:] == ["prod", "1.0.7/2", "1.0.7/1", "all", "rolled back", "root", "it does not start"]


def test_a_channel_and_a_build_have_their_own_history(two: OpsWorld) -> None:
    assert {channel for channel, *_ in steps(two, "@prod")} == {"prod"}
    assert len(steps(two, "@prod")) == 3
    assert steps(two, "@7/2") == [
        ("latest", "new build", "1.0.7/1", "1.0.7/2"),
        ("prod", "promoted", "1.0.7/1", "1.0.7/2"),
        ("prod", "rolled back", "1.0.7/2", "1.0.7/1"),
    ]


def test_what_was_written_by_hand_is_shown_as_such_before_and_after_the_function_notes_it(two: OpsWorld) -> None:
    for region in REGIONS:
        write(two, "prod", "1.0.7/2", region=region)
    before = entries(two, "@prod")[-1]
    two.web.run()
    after = entries(two, "@prod")[-1]
    assert (before["how"], before["moves"], len(after["moves"])) == ("by hand", [], 2)
    for entry in (before, after):
        assert short(entry["regions"][0]["build"]) == "1.0.7/2", "known by its AMI"
        assert [each["region"] for each in entry["regions"]] == [*REGIONS], "one line"
        assert entry["by"] == "arn:aws:iam::000000000000:root"
    assert len(entries(two, "@prod")) == 4
    assert "by hand" in history(two).out.splitlines()[-1]


def test_what_is_older_than_the_bucket_comes_from_parameter_store(world: OpsWorld) -> None:
    """With the records of the function before there was a history, and with none."""
    first, second = world.web.build(), world.web.build()
    for region in REGIONS:
        write(world, "prod", "1.0.7/1", region=region)
        record = {"build": second, "created": "2026-01-01T00:00:00+00:00", "by": BY, "previous": "ami-1"}
        world.web.other_ssm[region].put_parameter(
            Name=f"{world.web.path}/prod",
            Value=world.web.amis(second)[region],
            Type="String",
            Description=json.dumps(record),
            Overwrite=True,
        )
    world.web.run()
    world.web.run()
    assert first != second
    assert steps(world, "@prod") == [
        ("prod", "by hand", "-", "1.0.7/1"),
        ("prod", "new build", "1.0.7/1", "1.0.7/2"),
    ]
    assert entries(world, "@prod")[1]["by"] == BY


def test_what_was_skipped_is_loud(world: OpsWorld) -> None:
    world.declare(world.name, channels="{prod: {soak: 1 day}}")
    world.web.build()
    world.web.run()
    assert world.ops("promote", world.name, "prod", "--yes", "--skip-soak", "--why", "CVE-2026-1").status == 0
    assert "promoted, SKIPPED soak" in history(world, "@prod").out
    assert entries(world, "@prod")[0]["skipped"] == ["soak"]


def test_a_region_that_a_move_did_not_reach_is_named(two: OpsWorld) -> None:
    amis = two.web.amis(two.arn("1.0.7/2"))
    present = {region: two.web.channels(region)["prod"] for region in REGIONS}
    changes = {
        region: Change(
            build=two.arn("1.0.7/2"), created=None, value=amis[region], previous=None, version=channel.version
        )
        for region, channel in present.items()
    }
    now = datetime.now(UTC).isoformat()
    move = Move(number=6, channel="prod", how="promoted", by=BY, why="", at=now, run="0", changes=changes)
    two.web.other_history.add(move)
    write(two, "prod", "1.0.7/2", region=HOME)
    assert {each["region"]: each["is_written"] for each in entries(two, "@prod")[-2]["regions"]} == {
        HOME: True,
        ABROAD: False,
    }, "what somebody wrote by hand afterwards stands"
    assert "all; not yet eu-west-1" in history(two).out


def test_a_region_or_an_object_that_cannot_be_read_is_named(two: OpsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    two.web.other_history.s3.put_object(
        Bucket=two.web.other_history.bucket, Key=f"moves/{two.name}/00000006.json", Body=b"{", IfNoneMatch="*"
    )
    with wire_to(two.environment["AWS_ENDPOINT_URL"]) as wire:
        wire.down.add(ABROAD)
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        answer = history(two, "@prod")
    assert answer.status == 1
    first, second = answer.err.splitlines()
    assert first.startswith(f"{two.name}: history: moves/{two.name}/00000006.json: an object of the history is no move")
    assert second.startswith(f"{two.name}: eu-west-1: AWS cannot be reached in eu-west-1: ")
    assert "rolled back" in answer.out, "the rest is shown"


def test_without_the_bucket_parameter_store_is_shown(two: OpsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    with wire_to(two.environment["AWS_ENDPOINT_URL"]) as wire:
        for operation in wire_operations(two, wire, monkeypatch):
            wire.faults[operation] = lambda asked, _: asked.refusal("AccessDenied", status=403)
        answer = history(two, "@prod", "--json")
    assert answer.status == 1
    assert "history: AWS does not allow ListObjectsV2 in us-east-1: no; ask for this permission" in answer.err
    found = json.loads(answer.out)["entries"]
    assert [(entry["how"], entry["moves"], len(entry["regions"])) for entry in found] == [
        ("promoted", [2], 2),
        ("promoted", [4], 2),
        ("rolled back", [5], 2),
    ]


def wire_operations(world: OpsWorld, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requests to the bucket."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
    history(world)
    return [operation for operation in wire.operations if operation.startswith("s3 ")]


def test_csv_has_a_line_for_each_region_and_no_formulas(two: OpsWorld) -> None:
    assert two.ops("promote", f"{two.name}@1.0.7/2", "prod", "--yes", "--why", "=1+1").status == 0
    lines = [*csv.DictReader(io.StringIO(history(two, "@prod", "--csv").out))]
    assert len(lines) == 8
    assert tuple(lines[0]) == TITLES
    assert [lines[-1][title] for title in ("channel", "region", "how", "why", "moves")] == [
        *("prod", ABROAD, "promoted", "'=1+1", "6"),
    ]


def test_without_a_move_and_without_a_bucket(world: OpsWorld) -> None:
    assert history(world).out == "nothing was ever moved\n"
    world.config.write_text(world.config.read_text().replace("acme", "nobody"))
    answer = history(world)
    assert (answer.out, answer.status) == ("nothing was ever moved\n", 1)
    assert answer.err == (
        f"{world.name}: history: bucket nobody-goldsmith-history-000000000000-us-east-1 does not exist; apply the "
        "stack history-us-east-1\n"
    )


def test_refuses_what_has_no_history(world: OpsWorld) -> None:
    answer = world.ops("history", "ami-0a1b2c3d4e5f60718")
    assert (answer.status, answer.err) == (
        2,
        "argument REF: must name an image, or a channel or build of one, got 'ami-0a1b2c3d4e5f60718'; write web, "
        "web@stable or web@6718/3\n",
    )
