"""What `goldsmith status` and `goldsmith rollout` say of fleets with `updates: automatic`, and do for them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lambda_src.handoff.builds import version_of
from tests.support.rollout_world import REGION, DeployedFleet, RolloutWorld, days

AUTOMATIC = "updates: automatic"


@pytest.fixture
def dev(fleets: RolloutWorld) -> DeployedFleet:
    """A fleet that runs the first build."""
    fleets.declare(dev=AUTOMATIC)
    fleets["dev"].deploy(fleets.build())
    return fleets["dev"]


def status(fleets: RolloutWorld) -> tuple[int, dict[str, Any]]:
    answer = fleets.ops("status", fleets.name("dev"), "--json", "--check")
    (found,) = json.loads(answer.out)["fleets"]
    assert found["errors"] == []
    return answer.status, found


def newest(dev: DeployedFleet) -> str:
    """The AMI in the newest version of the launch template."""
    found = dev.client("ec2").describe_launch_template_versions(LaunchTemplateName=dev.group, Versions=["$Latest"])
    return str(found["LaunchTemplateVersions"][0]["LaunchTemplateData"]["ImageId"])


def test_a_new_build_waits_for_the_function_and_needs_nobody(fleets: RolloutWorld, dev: DeployedFleet) -> None:
    assert status(fleets)[1]["queued"] is None
    fleets.build()
    code, found = status(fleets)
    assert (code, found["gaps"]) == (0, [])
    assert found["queued"] == "queued for the next run of its function, within five minutes: 1.0.7/2"


def test_the_command_does_what_the_function_would_do(fleets: RolloutWorld, dev: DeployedFleet) -> None:
    new = fleets.build()
    answer = fleets.rollout()
    assert answer.status == 0
    assert (newest(dev), dev.versions) == (new, {"2": 4})
    assert status(fleets)[1]["queued"] is None


def test_a_freeze_is_the_reason_and_the_command_starts_it_now(fleets: RolloutWorld, dev: DeployedFleet) -> None:
    fleets.declare(f"  freeze: [{{from: {days(0)}, to: {days(3)}, why: year end}}]", dev=AUTOMATIC)
    fleets.build()
    code, found = status(fleets)
    assert (code, found["gaps"]) == (0, [])
    assert "year end" in found["queued"]
    assert fleets.rollout("--now", "--why", "CVE-2026-1234").status == 0
    assert dev.versions == {"2": 4}


def test_after_a_rollback_a_person_tries_again(fleets: RolloutWorld, dev: DeployedFleet) -> None:
    old, bad = newest(dev), fleets.build()
    fleets.aws.break_instances(bad, reason="the instance stopped.")
    answer = fleets.rollout()
    lines = fleets.short(answer.out).splitlines()
    assert answer.status == 1
    assert "web-dev: the rollout was rolled back: the instance stopped." in lines
    assert [line for line in lines if "make deploy" in line] == []
    code, found = status(fleets)
    assert (code, [fleets.short(gap) for gap in found["gaps"]]) == (
        1,
        [
            "the rollout of 1.0.7/2 was rolled back (the instance stopped): goldsmith rollout web-dev says what to do, "
            "and tries again with --retry"
        ],
    )
    assert fleets.rollout().status == 1
    assert newest(dev) == old, "the second run only puts the AMI back"
    fleets.aws.heal_instances(bad)
    assert fleets.rollout("--retry").status == 0
    assert (newest(dev), set(dev.versions.values())) == (bad, {4})


def test_what_a_guard_refuses_needs_a_person(fleets: RolloutWorld, dev: DeployedFleet) -> None:
    ami = fleets.build()
    tag = [{"Key": "goldsmith:revoked", "Value": "2026-01-01T00:00:00Z CVE-2026-1234"}]
    fleets.aws.client("ec2", region=REGION).create_tags(Resources=[ami], Tags=tag)
    code, found = status(fleets)
    assert code == 1
    assert found["gaps"] == [f"no rollout of 1.0.7/2: {ami} is revoked since 01 Jan 00:00 UTC: CVE-2026-1234"]


def test_who_moves_the_channel_reads_that_the_function_rolls_that_out(fleets: RolloutWorld, dev: DeployedFleet) -> None:
    image = fleets.web.name
    emergency = ("--skip-soak", "--why", "a hole")
    for command in (
        ("promote", f"{image}@1.0.7/1", "prod", *emergency),
        ("promote", f"{image}@{version_of(fleets.web.build())}", "prod", *emergency),
        ("rollback", f"{image}@prod"),
    ):
        answer = fleets.ops(*command, "--yes", "--json")
        note = json.loads(answer.out)["notes"][0]
        assert note in answer.err
        assert fleets.short(note) == (
            "web-dev: a function rolls this out, because of updates: automatic, as soon as windows, freezes, holds and "
            "after allow it"
        )
    answer = fleets.ops("revoke", f"{image}@1.0.7/1", "--yes", "--why", "a hole")
    assert "is rolled out by its function, because of updates: automatic, when its channel has another" in answer.out


def test_a_channel_that_is_not_set_needs_a_person(fleets: RolloutWorld, dev: DeployedFleet) -> None:
    fleets.web.other_ssm[REGION].delete_parameter(Name=f"{fleets.web.path}/prod")
    code, found = status(fleets)
    assert (code, found["queued"], len(found["gaps"])) == (1, None, 1)
    assert fleets.short(found["gaps"][0]) == "channel prod of image web is not set in eu-west-1"
    code, (found,) = fleets.shown()
    assert (code, [fleets.short(each) for each in found["reasons"]]) == (
        1,
        ["channel prod of image web is not set in eu-west-1"],
    )


def test_it_waits_for_other_fleets_without_a_person(fleets: RolloutWorld) -> None:
    fleets.declare(dev="rollout: {by: goldsmith}", web=f"{AUTOMATIC}, after: {{fleets: [WEB-dev], soak: 0 minutes}}")
    first = fleets.build()
    for fleet in ("dev", "web"):
        fleets[fleet].deploy(first)
    fleets.build()
    answer = fleets.ops("status", fleets.name("web"), "--json", "--check")
    (found,) = json.loads(answer.out)["fleets"]
    assert (answer.status, found["gaps"]) == (0, [])
    assert (
        fleets.short(found["queued"]) == "queued: fleet web-dev has to run 1.0.7/2 for 0 minutes first: it runs 1.0.7/1"
    )


def test_after_a_rollback_what_terraform_changes_comes_with_the_build_that_runs(
    fleets: RolloutWorld, dev: DeployedFleet
) -> None:
    old, bad = newest(dev), fleets.build()
    fleets.aws.break_instances(bad, reason="the instance stopped.")
    assert fleets.rollout().status == 1
    data = {"ImageId": old, "InstanceType": "t3.small"}
    dev.client("ec2").create_launch_template_version(LaunchTemplateName=dev.group, LaunchTemplateData=data)
    changed = "what has changed in the launch template, with 1.0.7/1"
    assert status(fleets)[1]["queued"] == f"queued for the next run of its function, within five minutes: {changed}"
    answer = fleets.rollout()
    row = fleets.short(answer.out).splitlines()[1]
    assert (row.count("1.0.7/1"), row.count("1.0.7/2")) == (2, 0)
    assert dev.versions == {"3": 4}
    assert answer.status == 1, "the build that was rolled back needs a person still"
