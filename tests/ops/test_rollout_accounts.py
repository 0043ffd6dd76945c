"""`goldsmith rollout` for fleets of several accounts: what is read where, and what cannot be read."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambda_src.handoff.builds import REVOKED_TAG
from local_aws.clients import ACCOUNT
from local_aws.server import LocalAws
from tests.support.handoff_world import ImageWorld
from tests.support.ops_world import impatient_shell
from tests.support.rollout_world import BY_GOLDSMITH, REGION, RolloutWorld

PEOPLE, PROD, NOBODY = "700000000011", "700000000012", "700000000013"
SETTINGS = f"""  accounts:
    images: {{id: '{ACCOUNT}', role: roller}}
    prod: {{id: '{PROD}', role: roller}}"""
OF_PROD = f"account: prod, {BY_GOLDSMITH}"
AFTER = f"{OF_PROD}, after: {{fleets: [WEB-dev], soak: 0 minutes}}"


@pytest.fixture
def team(
    local_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[RolloutWorld]:
    """`dev` in the image's account and `prod` in another one; people are in a third."""
    shell = impatient_shell(local_aws, tmp_path / "estate.yaml", monkeypatch, capsys)
    for name, value in local_aws.environment(account=PEOPLE).items():
        monkeypatch.setenv(name, value)
    team = RolloutWorld(local_aws, ImageWorld(local_aws), shell, accounts={"prod": PROD})
    for account in (ACCOUNT, PROD):
        local_aws.make_role("roller", account=account, trusts=[PEOPLE])
    yield team
    local_aws.set_rollout_time()


def declare(team: RolloutWorld, *, image: str = "", dev: str = BY_GOLDSMITH, prod: str = OF_PROD) -> None:
    team.declare(SETTINGS, f"account: images, {image}", dev=f"account: images, {dev}", prod=prod)


def share(team: RolloutWorld, ami: str) -> None:
    ec2 = team.aws.client("ec2", region=REGION)
    ec2.modify_image_attribute(ImageId=ami, LaunchPermission={"Add": [{"UserId": PROD}]})


def deploy(team: RolloutWorld, *fleets: str) -> tuple[str, str]:
    """Both fleets on the first build, which is shared like the second one of their templates."""
    old = team.build()
    share(team, old)
    for fleet in fleets or ("dev", "prod"):
        team[fleet].deploy(old)
    new = team.build()
    share(team, new)
    for fleet in fleets or ("dev", "prod"):
        team[fleet].change(new)
    return old, new


def prod(team: RolloutWorld, *arguments: str) -> tuple[int, dict[str, Any]]:
    code, (shown,) = team.shown(*arguments, fleets="prod")
    return code, shown


def test_each_fleet_is_rolled_out_in_its_account(team: RolloutWorld) -> None:
    declare(team)
    deploy(team)
    code, shown = team.shown(fleets="dev prod")
    assert (code, [(each["account"], each["state"], each["build"]) for each in shown]) == (
        0,
        [(ACCOUNT, "done", "1.0.7/2"), (PROD, "done", "1.0.7/2")],
    )
    (attempt,) = team["prod"].attempts
    assert attempt["by"] == f"arn:aws:sts::{PROD}:assumed-role/roller/goldsmith"


def test_an_ami_that_is_not_shared_any_more_is_refused(team: RolloutWorld) -> None:
    declare(team)
    _, new = deploy(team)
    ec2 = team.aws.client("ec2", region=REGION)
    ec2.modify_image_attribute(ImageId=new, LaunchPermission={"Remove": [{"UserId": PROD}]})
    code, shown = prod(team)
    assert (code, shown["reasons"]) == (
        1,
        [
            f"{new} does not exist in account {PROD} and {REGION}: it was deregistered, or is not shared with this "
            "account"
        ],
    )


def test_a_copy_is_known_by_the_ami_that_it_is_a_copy_of(team: RolloutWorld) -> None:
    declare(team, image=f"target_accounts: ['{PROD}'], ")
    copies = []
    for _ in range(2):
        made = team.build()
        (image,) = team.aws.client("ec2", region=REGION).describe_images(ImageIds=[made])["Images"]
        copies.append(
            team["prod"].client("ec2").register_image(
                Name=image["Name"], Architecture="x86_64", RootDeviceName="/dev/xvda"
            )["ImageId"]
        )  # fmt: skip
    team["prod"].deploy(copies[0])
    team["prod"].change(copies[1])
    tag = {"Key": REVOKED_TAG, "Value": "2026-01-02T03:04:05Z CVE-2026-1"}
    ec2 = team.aws.client("ec2", region=REGION)
    ec2.create_tags(Resources=[made], Tags=[tag])
    assert prod(team)[1]["reasons"] == [f"{copies[1]} is revoked since 02 Jan 03:04 UTC: CVE-2026-1"]
    ec2.delete_tags(Resources=[made], Tags=[{"Key": REVOKED_TAG}])
    code, shown = prod(team)
    assert (code, shown["build"], shown["ami"]) == (0, "1.0.7/2", copies[1])
    team["prod"].change(copies[0])
    team.aws.break_instances(copies[0])
    assert f"{team.web.name}@prod says " in team.rollout(fleets="prod").out


# --- after


def test_a_record_of_the_other_account_is_a_proof(team: RolloutWorld) -> None:
    declare(team, prod=AFTER)
    deploy(team)
    code, shown = prod(team)
    assert (code, [team.short(each) for each in shown["reasons"]]) == (
        1,
        ["fleet web-dev has to run 1.0.7/2 for 0 minutes first: it runs 1.0.7/1"],
    )
    assert team.rollout().status == 0
    assert prod(team)[0] == 0


def test_refreshes_of_an_apply_in_the_other_account_are_a_proof(team: RolloutWorld) -> None:
    declare(team, dev="rollout: {by: terraform}", prod=AFTER)
    deploy(team)
    dev = team["dev"]
    dev.update(LaunchTemplate=dev.specification(2))
    time.sleep(1.1)  # EC2 has the time of a version to the second
    dev.client("autoscaling").start_instance_refresh(AutoScalingGroupName=dev.group)
    assert dev.statuses == ["Successful"]
    assert prod(team)[0] == 0


def test_launch_times_in_the_other_account_are_a_proof(team: RolloutWorld) -> None:
    declare(team, prod=AFTER)
    _, new = deploy(team, "prod")
    team["dev"].deploy(new)
    assert prod(team)[0] == 0


def test_a_rollback_in_the_other_account_is_the_opposite(team: RolloutWorld) -> None:
    declare(team, prod=AFTER)
    deploy(team)
    team.aws.break_instances(f"{team['dev'].template}:2", reason="it stopped")
    assert team.rollout().status == 1
    code, shown = prod(team)
    words = "1.0.7/2 was rolled back (it stopped) in fleet web-dev, which has to run it first"
    assert (code, [team.short(each) for each in shown["reasons"]]) == (1, [words])


# --- Accounts that cannot be reached


def test_an_account_that_cannot_be_reached_stops_its_fleet_only(team: RolloutWorld) -> None:
    declare(team)
    deploy(team)
    team.aws.make_role("roller", account=PROD, trusts=[NOBODY])
    answer = team.rollout("--json", fleets="prod dev")
    shown = json.loads(answer.out)["fleets"]
    assert (answer.status, [each["state"] for each in shown]) == (1, ["unknown", "done"])
    assert f"arn:aws:iam::{PROD}:role/roller" in shown[0]["reasons"][0]
    assert (shown[0]["account"], team["dev"].versions, team["prod"].versions) == (None, {"2": 4}, {"1": 4})


def test_an_account_that_cannot_be_reached_stops_the_next_wave(team: RolloutWorld) -> None:
    declare(team, dev="rollout: {by: goldsmith, wave: 2}")
    deploy(team)
    team.aws.make_role("roller", account=PROD, trusts=[NOBODY])
    code, shown = team.shown(fleets="dev prod")
    assert (code, [each["state"] for each in shown]) == (1, ["refused", "unknown"])
    assert shown[0]["reasons"] == [f"wave 1 has to end well first: {team.name('prod')}"]
    assert team["dev"].refreshes == []


def test_a_fleet_of_after_that_cannot_be_read_proves_nothing(team: RolloutWorld) -> None:
    declare(team, dev=f"{BY_GOLDSMITH}, after: {{fleets: [WEB-prod], soak: 0 minutes}}")
    deploy(team)
    assert team.rollout(fleets="prod").status == 0
    team.aws.make_role("roller", account=PROD, trusts=[NOBODY])
    code, (shown,) = team.shown(fleets="dev")
    (reason,) = shown["reasons"]
    assert (code, shown["state"]) == (1, "refused")
    assert team.short(reason).startswith("fleet web-prod, which has to run 1.0.7/2 first, cannot be read: ")
    assert team.rollout("--skip-after", "--why", "CVE-2026-1", fleets="dev").status == 0
