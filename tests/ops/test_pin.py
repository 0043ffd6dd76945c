"""`goldsmith pin`: what channels point to becomes pins.yaml."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from estate.load import load
from estate.models.pin import Pin
from local_aws.server import LocalAws
from ops.pin_file import PinFile, text_of_pins
from tests.support.estates import ESTATES, PROJECT
from tests.support.fleet_world import FIELDS, REGION
from tests.support.pin_world import PINNED, PinWorld, pin_world
from tests.support.wire import BROKEN, DENIED, RESET, THROTTLED, TRUNCATED, wire_to


@pytest.fixture
def world(
    local_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> PinWorld:
    return pin_world(local_aws, tmp_path, monkeypatch, capsys)


def test_the_channels_build_is_written_and_a_second_run_changes_nothing(world: PinWorld) -> None:
    ami = world.good_build()
    answer = world.ops("pin")
    (title, line, last) = answer.out.splitlines()
    assert (answer.err, answer.status) == ("", 0)
    assert title.split() == ["FLEET", "CHANNEL", "PINNED", "NOW", "WHAT", "HAPPENS"]
    assert (line.split()[:3], line.split()[-2:]) == ([world.fleet, "prod", "-"], ["1.0.7/1", "pinned"])
    assert last == f"{world.file} is written: commit it, and open a pull request"
    pin = world.pins()[world.fleet]
    created = datetime.fromisoformat(pin.pop("created"))
    assert (created.utcoffset(), created.microsecond) == ((created.utcoffset() and None) or created.utcoffset(), 0)
    assert pin == {
        "image": world.web.name,
        "build": "1.0.7/1",
        "channel": "prod",
        "region": REGION,
        "ami": ami,
        "owner": "000000000000",
    }
    assert world.file.read_text().startswith("# Written by goldsmith pin: ")
    assert world.file.stat().st_mode & 0o777 == 0o644

    before = world.file.read_bytes(), world.file.stat().st_mtime_ns
    answer, found = world.pin()
    assert (found["state"], found["pin"], answer.status) == ("unchanged", found["before"], 0)
    assert json.loads(answer.out)["written"] is False
    assert (world.file.read_bytes(), world.file.stat().st_mtime_ns) == before
    assert [path.name for path in sorted(world.file.parent.iterdir())] == ["estate.yaml", "pins.yaml"]


def test_a_newer_build_replaces_the_pin_and_an_older_one_is_noted(world: PinWorld) -> None:
    first = world.good_build()
    world.pin()
    second = world.good_build()
    _, found = world.pin()
    assert (found["state"], found["before"]["ami"], found["pin"]["ami"]) == ("pinned", first, second)
    assert (found["pin"]["build"], found["notes"]) == ("1.0.7/2", [])
    world.point(first)
    _, found = world.pin()
    assert (found["state"], found["pin"]["build"], found["notes"]) == (
        "pinned",
        "1.0.7/1",
        ["an older build than before"],
    )
    assert world.pins()[world.fleet]["ami"] == first


def test_a_build_of_the_channel_can_be_named(world: PinWorld) -> None:
    first = world.good_build()
    world.good_build()
    _, found = world.pin(world.fleet, "--build", f"{world.web.name}@7/1")
    assert (found["state"], found["pin"]["ami"]) == ("pinned", first)


def test_a_refused_fleet_keeps_its_pin_and_the_others_are_written(world: PinWorld) -> None:
    other = world.name_of("test")
    world.estate(fleets=world.another("test", PINNED.replace("channel: prod", "channel: latest")))
    world.good_build()
    answer = world.ops("pin")
    assert (answer.status, [*world.pins()]) == (1, [world.fleet])
    reason = f"{world.web.name}@latest points to no build in {REGION} yet: goldsmith build {world.web.name}"
    assert reason in " ".join(next(line for line in answer.out.splitlines() if line.startswith(other)).split())
    world.web.run()
    world.point(world.build())
    world.ops("pin")
    assert {name: pin["build"] for name, pin in world.pins().items()} == {world.fleet: "1.0.7/2", other: "1.0.7/1"}
    # in the order of their names, whatever the order of the runs
    assert [*world.pins()] == sorted([world.fleet, other])


def test_pins_that_nothing_reads_are_deleted(world: PinWorld) -> None:
    world.estate(fleets=world.another("test"))
    world.good_build()
    world.ops("pin")
    assert len(world.pins()) == 2
    world.estate()
    answer = world.ops("pin", world.fleet)
    assert f"{world.name_of('test')}: the pin is deleted, because nothing reads it" in answer.out
    assert ([*world.pins()], answer.status) == ([world.fleet], 0)
    world.estate(FIELDS)
    answer = world.ops("pin", "--json")
    done = json.loads(answer.out)
    assert (done["fleets"], done["deleted"], done["written"], answer.status) == ([], [world.fleet], True, 0)
    assert (world.pins(), "no fleet has updates: pull-request" in answer.err) == ({}, True)


def test_a_pin_for_another_image_is_replaced(world: PinWorld) -> None:
    ami = world.good_build()
    world.pin()
    text = world.file.read_text()
    world.file.write_text(text.replace(f'image: "{world.web.name}"', 'image: "api"'))
    lack = (
        f"fleets.{world.fleet}: has a pin for image api, and not for {world.web.name}; run goldsmith pin {world.fleet}"
    )
    answer = world.ops("check")
    assert (answer.err.splitlines(), answer.status) == ([lack], 1)
    _, found = world.pin()
    assert (found["state"], found["before"]["image"], found["pin"]["ami"]) == ("pinned", "api", ami)
    assert world.file.read_text() == text
    assert world.ops("check").status == 0


def test_check_names_each_fleet_without_a_pin(world: PinWorld) -> None:
    answer = world.ops("check", "--json")
    lack = f"fleets.{world.fleet}: has no pin; run goldsmith pin {world.fleet}"
    assert (json.loads(answer.out)["unpinned"], answer.status) == ([lack], 1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["web"], "unknown fleet 'web'"),
        (["OTHER"], "fleet OTHER must have updates: pull-request to be pinned, and has updates: automatic"),
        (["--build", "WEB@7/1"], "argument --build: needs exactly one fleet, because fleets have images of their own"),
        (["FLEET", "--build", "WEB"], "argument --build: must name a build, got 'WEB'; write web@6718/3"),
        (["FLEET", "--build", "api@7/1"], "argument --build: must be a build of WEB, the fleet's image, got 'api@7/1'"),
        (["--skip-after"], "argument --skip-after: needs a reason; add --why REASON"),
        (["--why", "haste"], "argument --why: must come with --skip-after, because a pin needs no other reason"),
    ],
)
def test_a_wrong_command_line_changes_nothing(world: PinWorld, options: list[str], words: str) -> None:
    world.estate(fleets=world.another("test", f"{FIELDS}\n    updates: automatic\n"))
    names = {"WEB": world.web.name, "FLEET": world.fleet, "OTHER": world.name_of("test")}

    def named(text: str) -> str:
        for short, name in names.items():
            text = text.replace(short, name)
        return text

    answer = world.ops("pin", *map(named, options))
    assert (named(words) in answer.err, answer.out, answer.status) == (True, "", 2), answer.err
    assert not world.file.exists()


def test_a_build_cannot_be_named_where_no_fleet_is_pinned(world: PinWorld) -> None:
    world.estate(FIELDS)
    answer = world.ops("pin", "--build", f"{world.web.name}@7/1")
    assert (answer.status, "needs exactly one fleet" in answer.err) == (2, True), answer


# --- Writing


def test_the_file_of_the_example_is_as_the_command_writes_it() -> None:
    folder = ESTATES["accounts"]
    assert text_of_pins(load(folder).pins) == (folder / "pins.yaml").read_text()


@pytest.mark.parametrize(
    "text", ["a\u2028b", "\x7f \x85 \ufeff", "\U0001f525 'quotes' \"and\" \\u0041", "- a: b # c", ""]
)
def test_any_text_is_read_as_it_was_written(tmp_path: Path, text: str) -> None:
    made = Pin.model_validate({**next(iter(load(ESTATES["accounts"]).pins.values())).model_dump(), "proved": [text]})
    PinFile.of(tmp_path).write({made.name: made})
    estate = ESTATES["accounts"] / "estate.yaml"
    (tmp_path / "estate.yaml").write_text(estate.read_text().replace("components/web.yaml", "update-os"))
    assert load(tmp_path).pins == {made.name: made}


def test_a_change_by_somebody_else_meanwhile_is_not_lost(world: PinWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.good_build()
    with wire_to(world.aws.endpoint) as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        wire.faults["ec2 DescribeImages"] = lambda _, answer: (world.file.write_text("pins: {}\n"), answer)[1]
        answer = world.ops("pin")
    assert answer.err == f"{world.file}: was changed meanwhile, so nothing was written; run the command again\n"
    assert (world.file.read_text(), answer.status) == ("pins: {}\n", 1)


def test_a_folder_that_cannot_be_written_is_one_line(world: PinWorld) -> None:
    world.good_build()
    folder = world.file.parent / "gone"
    world.file.symlink_to(folder / "pins.yaml")  # which is no problem of rights, since root has them all
    answer = world.ops("pin")
    assert (answer.status, len(answer.err.splitlines())) == (2, 1), answer
    world.file.unlink()
    world.file.mkdir()
    answer = world.ops("pin")
    assert (answer.err, answer.status) == (f"{world.file}: cannot be read: Is a directory\n", 1)


def test_a_folder_that_is_gone_when_the_file_is_written(world: PinWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world.good_build()
    folder, moved = world.file.parent, world.file.parent.with_name("moved")
    with wire_to(world.aws.endpoint) as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        wire.faults["ec2 DescribeImages"] = lambda _, answer: (folder.exists() and folder.rename(moved), answer)[1]
        answer = world.ops("pin")
    assert (answer.err, answer.status) == (f"{world.file}: cannot be written: No such file or directory\n", 1)
    assert [file.name for file in moved.iterdir()] == ["estate.yaml"], "and nothing is left behind"


def test_a_link_stays_a_link(world: PinWorld) -> None:
    world.good_build()
    kept = world.file.parent / "kept"
    kept.mkdir()
    (kept / "pins").write_text("pins: {}\n")
    (kept / "pins").chmod(0o600)
    world.file.symlink_to("kept/pins")
    assert world.ops("pin").status == 0
    assert (world.file.is_symlink(), [*world.pins()]) == (True, [world.fleet])
    assert ((kept / "pins").stat().st_mode & 0o777, len([*kept.iterdir()])) == (0o600, 1)


def test_a_file_that_is_read_only_is_left_alone(world: PinWorld) -> None:
    world.good_build()
    world.file.write_text("pins: {}\n")
    world.file.chmod(0o444)
    answer = world.ops("pin")
    assert answer.err == f"{world.file}: is read-only, so nothing was written; make it writable (chmod u+w)\n"
    assert (answer.status, world.pins()) == (1, {})


def test_ctrl_c_shows_the_cursor_again_and_leaves_the_folder_as_it_was(world: PinWorld) -> None:
    world.good_build()
    terminal, slave = pty.openpty()
    with wire_to(world.aws.endpoint) as wire, os.fdopen(terminal, "rb", buffering=0) as reader:
        environment = os.environ | {"AWS_ENDPOINT_URL": wire.endpoint, "TERM": "xterm"}
        command = [sys.executable, "-m", "ops", "pin", "--config", str(world.config)]
        process = subprocess.Popen(
            command, env=environment, cwd=PROJECT, stdout=slave, stderr=subprocess.PIPE, text=True
        )
        os.close(slave)

        def interrupt(_: Any, answer: Any) -> Any:
            process.send_signal(signal.SIGINT)
            return answer

        wire.faults["ec2 DescribeImages"] = interrupt
        _, err = process.communicate(timeout=60)
        shown = reader.read(65536).decode()
    assert (process.returncode, err) == (130, "")
    assert "\x1b[?25l" in shown, "it was hidden"
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert [file.name for file in world.config.parent.iterdir()] == ["estate.yaml"]


@pytest.mark.parametrize("fault", [DENIED, THROTTLED, BROKEN, TRUNCATED, RESET])
@pytest.mark.parametrize(
    "operation",
    [
        "sts GetCallerIdentity",
        "ssm GetParametersByPath",
        "ssm GetParameterHistory",
        "ec2 DescribeImages",
        "ec2 DescribeLaunchTemplateVersions",
        "autoscaling DescribeAutoScalingGroups",
    ],
)
def test_whatever_fails_leaves_the_file_as_it_was(
    world: PinWorld, monkeypatch: pytest.MonkeyPatch, operation: str, fault: Callable[..., None]
) -> None:
    world.good_build()
    with wire_to(world.aws.endpoint) as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        wire.faults[operation] = fault
        (reason, *_) = world.refused()
        assert ("AWS" in reason, "Traceback" in reason) == (True, False), reason
        wire.faults.clear()
        assert world.pin()[1]["state"] == "pinned"
