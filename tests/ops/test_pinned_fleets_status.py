"""What `goldsmith status` and `goldsmith rollout` say of a fleet with `updates: pull-request`: its pin counts."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from local_aws.server import LocalAws
from tests.support.fleet_world import FIELDS, REGION
from tests.support.pin_world import PINNED, PinWorld, pin_world

BY_GOLDSMITH = f"{PINNED}    rollout: {{by: goldsmith}}\n"


@pytest.fixture
def world(
    local_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> PinWorld:
    """With a fleet that runs the first build, which is its pin."""
    world = pin_world(local_aws, tmp_path, monkeypatch, capsys)
    world.deploy()
    assert world.pin()[1]["state"] == "pinned"
    return world


def test_a_fleet_that_runs_its_pin_has_no_gap(world: PinWorld) -> None:
    status, fleet = world.status("--check")
    assert (status, fleet["gaps"], fleet["pinned"]) == (0, [], True)
    assert fleet["wanted"] == {"ami": world.pins()[world.fleet]["ami"], "build": "1.0.7/1"}


def test_a_build_that_is_newer_than_the_pin(world: PinWorld) -> None:
    world.good_build()
    assert world.gaps() == [f"1.0.7/2 is newer than the pin, 1.0.7/1: run goldsmith pin {world.fleet}"]
    for build, words in (("7/1", "its pin says it, 4 instances run it"), ("7/2", "")):
        lines = world.ops("status", f"{world.web.name}@{build}").out.splitlines()
        said = [line.partition(": ")[2] for line in lines if line.startswith("fleet ")]
        assert said == ([words] if words else [])


def test_a_pin_that_is_not_applied_and_one_that_was_reverted(world: PinWorld) -> None:
    before = world.file.read_text()
    second = world.good_build()
    world.pin()
    deploy = f"run goldsmith plan fleet-{world.fleet} and apply it"
    assert world.gaps() == [f"the pin says 1.0.7/2, and the launch template has 1.0.7/1: {deploy}"]
    world.add_version(second)
    world.update_group("2")
    world.file.write_text(before)
    gaps = world.gaps()
    assert gaps[:2] == [
        f"the pin says 1.0.7/1, and the launch template has 1.0.7/2: {deploy}",
        f"1.0.7/2 is newer than the pin, 1.0.7/1: run goldsmith pin {world.fleet}",
    ]


def test_a_channel_that_went_back_behind_the_pin(world: PinWorld) -> None:
    first = world.pins()[world.fleet]["ami"]
    time.sleep(1.1)  # a pin has the time of a build to the second
    second = world.good_build()
    world.pin()
    world.add_version(second)
    world.update_group("2")
    world.refresh()
    world.point(first)
    older = "the channel has gone back to 1.0.7/1, which is older than the pin, 1.0.7/2"
    assert world.gaps() == [f"{older}: run goldsmith pin {world.fleet}"]


def test_a_fleet_without_a_pin(world: PinWorld) -> None:
    world.file.unlink()
    assert world.gaps() == [f"has no pin: run goldsmith pin {world.fleet}"]


def test_a_pin_to_a_revoked_build_and_to_what_is_gone(world: PinWorld) -> None:
    ami = world.pins()[world.fleet]["ami"]
    world.tag(ami, "goldsmith:revoked", "2026-01-02T03:04:05Z leaked")
    remedy = f"run goldsmith pin {world.fleet}, or revert the commit that pinned it"
    assert world.gaps() == [f"the pin says 1.0.7/1, and {ami} is revoked since 02 Jan 03:04 UTC: leaked: {remedy}"]
    world.aws.client("ec2", region=REGION).deregister_image(ImageId=ami)
    (gap,) = world.gaps()
    assert gap.startswith(f"the pin says 1.0.7/1, and {ami} does not exist in account 000000000000 and {REGION}: ")


def test_a_revocation_shows_the_fleets_that_are_pinned_to_the_build(world: PinWorld) -> None:
    world.good_build()
    world.web.run()
    answer = world.ops("revoke", f"{world.web.name}@7/1", "--why", "leaked", "--yes")
    (line,) = [line.split() for line in answer.out.splitlines() if line.startswith(world.fleet)]
    assert line == [world.fleet, "its", "pin", "yes", "4"]
    remedy = f"goldsmith pin {world.fleet} when its channel has another build"
    assert f"fleet {world.fleet} is pinned to it: {remedy}" in answer.out + answer.err


def test_a_newer_build_that_the_fleets_of_after_have_not_run_yet(world: PinWorld) -> None:
    other = world.name_of("test")
    fields = f"{BY_GOLDSMITH}    after: {{fleets: [{other}], soak: 1 day}}\n"
    world.estate(fields, fleets=world.another("test", f"{FIELDS}\n"))
    second = world.good_build()
    newer = "1.0.7/2 is newer than the pin, 1.0.7/1"
    assert world.gaps() == [f"{newer}: fleet {other} has to run 1.0.7/2 for 1 day first: it is not deployed"]
    ec2, scaling = (world.aws.client(service, region=REGION) for service in ("ec2", "autoscaling"))
    ec2.create_launch_template(LaunchTemplateName=f"acme_{other}", LaunchTemplateData={"ImageId": second})
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=f"acme_{other}",
        MinSize=1,
        MaxSize=1,
        LaunchTemplate={"LaunchTemplateName": f"acme_{other}", "Version": "1"},
        AvailabilityZones=[f"{REGION}a"],
    )
    status, fleet = world.status("--check")
    assert (fleet["gaps"], status) == ([], 0)
    assert re.match(rf"1\.0\.7/2 can be pinned from .*: fleet {other} has run 1\.0\.7/2 since ", fleet["queued"])


# --- Rollouts


def test_a_rollout_needs_a_template_that_has_what_the_pin_says(world: PinWorld) -> None:
    world.estate(BY_GOLDSMITH)
    world.add_version(world.good_build())
    answer = world.ops("rollout", world.fleet, "--yes")
    deploy = f"run goldsmith plan fleet-{world.fleet} and apply it"
    assert f"the pin says 1.0.7/1, and the launch template has 1.0.7/2: {deploy}" in answer.out + answer.err
    assert answer.status == 1
    world.file.unlink()
    answer = world.ops("rollout", world.fleet, "--yes")
    assert f"the fleet has no pin: goldsmith pin {world.fleet}" in answer.out + answer.err
    assert answer.status == 1


def test_a_rollout_of_the_pin_does_not_ask_the_channel(world: PinWorld) -> None:
    world.estate(BY_GOLDSMITH)
    first, second = world.pins()[world.fleet]["ami"], world.good_build()
    world.pin()
    world.add_version(second)
    world.point(first)
    assert world.ops("rollout", world.fleet, "--yes").status == 0
    _, fleet = world.status()
    assert [each["build"] for each in fleet["instances"]] == ["1.0.7/2"]


def test_the_way_back_from_a_rollout_of_a_pin_is_a_revert(world: PinWorld) -> None:
    world.estate(BY_GOLDSMITH)
    second = world.good_build()
    world.pin()
    world.add_version(second)
    world.aws.end_next_refresh(world.group, status="RollbackSuccessful", percentage=50, reason="alarm web-5xx")
    answer = world.ops("rollout", world.fleet, "--yes")
    said = answer.out + answer.err
    assert answer.status == 1
    assert "the pin says " in said
    assert f"git revert the commit that changed the pin of {world.fleet}" in said
    assert "goldsmith rollback" not in said
