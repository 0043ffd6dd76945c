"""What `goldsmith status` says of fleets: what they should run, what they run, and why that is not the same."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_aws.server import LocalAws
from tests.support.fleet_world import FIELDS, REGION, FleetWorld
from tests.support.handoff_world import ImageWorld
from tests.support.ops_world import Answer, only, refusing, run_ops

START = "goldsmith rollout {fleet} --retry starts one"


@pytest.fixture
def world(
    local_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[FleetWorld]:
    config = tmp_path / "estate.yaml"
    only(local_aws.environment() | {"AWS_MAX_ATTEMPTS": "1"}, monkeypatch)

    def ops(*arguments: str) -> Answer:
        return run_ops([*arguments, "--config", str(config)], capsys)

    world = FleetWorld(local_aws, ImageWorld(local_aws), config, ops)
    world.declare()
    yield world


def test_a_fleet_that_runs_what_its_channel_says_has_no_gap(world: FleetWorld) -> None:
    ami = world.deploy()
    status, fleet = world.status("--check")
    assert fleet == {
        "fleet": world.fleet,
        "image": world.web.name,
        "channel": "prod",
        "account": "000000000000",
        "region": REGION,
        "group": world.group,
        "deployed": True,
        "wanted": {"ami": ami, "build": "1.0.7/1"},
        "pinned": False,
        "template": {"newest_version": "1", "ami": ami, "build": "1.0.7/1", "group_version": "1"},
        "instances": [{"template_version": "1", "ami": ami, "build": "1.0.7/1", "count": 4}],
        "refresh": None,
        "progress": None,
        "queued": None,
        "gaps": [],
        "errors": [],
    }
    assert status == 0
    assert world.gaps() == []


def test_status_of_a_channel_and_of_a_build_shows_their_fleets(world: FleetWorld) -> None:
    world.second_build()
    for channel, fleets in (("prod", [world.fleet]), ("latest", [])):
        shown = json.loads(world.ops("status", f"{world.web.name}@{channel}", "--json").out)
        assert [fleet["fleet"] for fleet in shown["fleets"]] == fleets
    for build, use, words in (
        ("7/1", {"wanted": False, "instances": 4}, "its channel points to another build, 4 instances run it"),
        ("7/2", {"wanted": True, "instances": 0}, "its channel points to it, no instances run it"),
    ):
        (shown,) = json.loads(world.ops("status", f"{world.web.name}@{build}", "--json").out)["builds"]
        assert shown["fleets"] == [{"fleet": world.fleet, "pinned": False, **use}]
        assert f"\nfleet {world.fleet}: {words}\n" in world.ops("status", f"{world.web.name}@{build}").out


def test_a_refresh_that_never_began_is_shown_with_the_command_that_starts_it(world: FleetWorld) -> None:
    """StartInstanceRefresh refused, or Terraform killed before it: the next plan is empty."""
    world.second_build()
    world.aws.end_next_refresh(world.group, status="Refused")
    autoscaling = world.aws.client("autoscaling", region=REGION)
    with pytest.raises(autoscaling.exceptions.ClientError, match="cannot be started"):
        world.refresh()
    (gap,) = world.gaps()
    assert gap == (
        "4 of 4 instances run 1.0.7/1 (version 1), and the group launches 1.0.7/2 (version 2): no instance refresh was "
        f"started; {START.format(fleet=world.fleet)}"
    )
    assert world.ops("status", world.fleet).status == 0, "without --check a report is a report"
    world.refresh()
    assert world.gaps() == []


def test_the_command_starts_it_with_the_declared_preferences(world: FleetWorld) -> None:
    world.second_build()
    world.declare(f"{FIELDS}\n    rollout: {{warmup: 2 minutes, skip_matching: false}}")
    assert world.ops("rollout", world.fleet, "--retry", "--yes").status == 0
    (refresh,) = world.aws.client("autoscaling", region=REGION).describe_instance_refreshes(
        AutoScalingGroupName=world.group
    )["InstanceRefreshes"]
    preferences = refresh["Preferences"]
    assert (preferences["InstanceWarmup"], preferences["SkipMatching"]) == (120, False)
    assert world.gaps() == []


def test_a_refresh_of_before_is_not_taken_for_one_of_the_new_version(world: FleetWorld) -> None:
    world.deploy()
    world.refresh()
    time.sleep(1.1)  # EC2 has the time of a version to the second
    world.move_on()
    (gap,) = world.gaps()
    assert ": no instance refresh was started since version 2 was made; " + START.format(fleet=world.fleet) in gap


@pytest.mark.parametrize("ended", ["Failed", "Cancelled", "RollbackSuccessful", "RollbackFailed"])
def test_a_refresh_that_failed_is_shown_with_its_reason(world: FleetWorld, ended: str) -> None:
    old, new = world.second_build()
    world.refresh(status=ended, percentage=50, reason="1 instance did not become\nhealthy.")
    (gap,) = world.gaps()
    assert gap == (
        "2 of 4 instances run 1.0.7/1 (version 1), and the group launches 1.0.7/2 (version 2): the last instance "
        f"refresh ended {ended} at 50%: 1 instance did not become healthy; {START.format(fleet=world.fleet)}"
    )
    _, fleet = world.status()
    assert (fleet["refresh"]["status"], fleet["refresh"]["percentage"]) == (ended, 50)
    assert fleet["refresh"]["reason"] == "1 instance did not become healthy."
    assert [(each["count"], each["ami"]) for each in fleet["instances"]] == [(2, old), (2, new)]


@pytest.mark.parametrize("going", ["Pending", "InProgress", "Baking"])
def test_a_refresh_that_is_on_its_way_is_progress_and_no_gap(world: FleetWorld, going: str) -> None:
    world.second_build()
    world.refresh(status=going, percentage=25)
    status, fleet = world.status("--check")
    assert (status, fleet["gaps"]) == (0, [])
    assert fleet["progress"] == f"instance refresh is {going} at 25%, 3 instances left"
    assert f"fleet {world.fleet}: {fleet['progress']}\n" in world.ops("status").out


def test_a_rollback_that_goes_on_is_a_gap(world: FleetWorld) -> None:
    world.second_build()
    world.refresh(status="RollbackInProgress", percentage=25, reason="alarm web-5xx")
    (gap,) = world.gaps()
    assert gap.endswith("the last instance refresh is RollbackInProgress at 25%: alarm web-5xx; wait for its end")


def test_a_build_that_was_not_applied_and_a_group_of_an_old_version_are_two_gaps(world: FleetWorld) -> None:
    world.deploy()
    world.add_version(world.build())
    world.point(world.build())
    deploy = f"goldsmith plan fleet-{world.fleet} and apply it"
    assert world.gaps() == [
        f"channel prod of image {world.web.name} points to 1.0.7/3, and the launch template has 1.0.7/2: run {deploy}",
        f"the group launches version 1 of the launch template, and 2 is the newest: run {deploy}",
    ]


def test_what_does_not_exist_is_reported(world: FleetWorld) -> None:
    deploy = f"run goldsmith plan fleet-{world.fleet} and apply it"
    channel = f"channel prod of image {world.web.name}"
    assert world.gaps() == [
        f"fleet-{world.fleet} is not deployed: {deploy}",
        f"{channel} has no build in {REGION} yet",
    ]
    ami = world.build()
    assert world.gaps()[1:] == [f"{channel} is not set in {REGION}"]
    world.point(ami)
    world.add_version(ami)
    assert world.gaps() == [f"group {world.group} does not exist: {deploy}"]
    world.create_group()
    world.aws.client("ec2", region=REGION).delete_launch_template(LaunchTemplateName=world.group)
    assert world.gaps()[0] == f"launch template {world.group} does not exist: {deploy}"


def test_a_channel_with_an_invalid_value_is_a_gap_of_its_fleets(world: FleetWorld) -> None:
    world.deploy()
    world.point("ami-tpyo")
    assert world.gaps() == [f"channel prod of image {world.web.name}: 'ami-tpyo' is not the ID of an AMI"]


def test_a_fleet_is_shown_with_its_image_and_alone(world: FleetWorld) -> None:
    world.deploy()
    with_image = world.ops("status", world.web.name).out
    assert f"\n{world.fleet}" in with_image
    assert f"\n{world.web.name} " in with_image
    assert world.ops("status", world.fleet).out.splitlines()[0].split()[0] == "FLEET"
    unknown = world.ops("status", "dev")
    assert (unknown.status, unknown.err.splitlines()[0][:28]) == (2, "unknown image or fleet 'dev'")


@pytest.mark.parametrize("service", ["AUTO_SCALING", "EC2", "SSM"])
def test_what_may_not_be_read_is_an_error_and_the_rest_is_shown(
    world: FleetWorld, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    world.deploy()
    with refusing("AccessDenied", "no.") as endpoint:
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", endpoint)
        answer = world.ops("status", world.fleet)
        status, fleet = world.status("--check")
    assert (answer.status, status) == (1, 1)
    assert fleet["errors"], "and no traceback"
    assert not [gap for gap in fleet["gaps"] if "not deployed" in gap or "no build" in gap], "which nobody knows"
    for line in answer.err.splitlines():
        assert line.startswith(f"fleet {world.fleet}: AWS ")
