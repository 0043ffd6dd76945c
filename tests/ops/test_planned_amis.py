"""`goldsmith apply` looks at the AMI of each fleet once more, also when the image is in another account."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_aws.server import LocalAws
from tests.support.team import READER, Team, make_roles, show, team_with_stand_in_on, two_accounts

IMAGES, PROD, REGION = "730000000001", "730000000002", "eu-west-1"
PIN = f"""\
pins:
  web-prod: {{image: web, build: "1.0.1/1", channel: latest, region: eu-west-1, ami: AMI, owner: "{IMAGES}",
    created: "2026-11-24T03:12:00+00:00"}}
"""
NOTHING = "nothing was applied: pin or promote another build, and plan again"


@pytest.fixture
def team(local_aws: LocalAws, tmp_path: Path) -> Team:
    make_roles(local_aws, IMAGES, PROD)
    return team_with_stand_in_on(local_aws, tmp_path)


@pytest.fixture
def ami(local_aws: LocalAws, team: Team) -> str:
    """An AMI that the account of the images shares with the fleet's, and which the fleet's plan launches."""
    ec2 = local_aws.client("ec2", region=REGION, account=IMAGES)
    arn = f"arn:aws:imagebuilder:{REGION}:{IMAGES}:image/acme-web/1.0.1/1"
    tags = [{"ResourceType": "image", "Tags": [{"Key": "Ec2ImageBuilderArn", "Value": arn}]}]
    made: str = ec2.register_image(
        Name=f"acme.web.{team.folder.name}",
        Architecture="x86_64",
        RootDeviceName="/dev/xvda",
        TagSpecifications=tags,
    )["ImageId"]
    ec2.modify_image_attribute(ImageId=made, LaunchPermission={"Add": [{"UserId": PROD}]})
    change = {"actions": ["update"], "after": {"image_id": made}}
    template = {"address": "aws_launch_template.template", "type": "aws_launch_template", "change": change}
    show(team.folder, resource_changes=[template], prior_state={"values": {"root_module": {"resources": [{}]}}})
    return made


def plan(team: Team, *, pinned: str = "") -> None:
    """Plan the fleet; `pinned` is the AMI of its pin."""
    more = "    updates: pull-request\n" if pinned else ""
    team.declare(two_accounts(IMAGES, PROD) + more, pins=PIN.replace("AMI", pinned) if pinned else "")
    assert team.run("plan", "fleet-web-prod").status == 0, team.errors()


def apply(team: Team) -> tuple[bool, list[str], list[str]]:
    """Whether the fleet's plan was applied, standard output and standard error."""
    answer = team.run("apply", "cdktf.out/plans", "--yes")
    return "fleet-web-prod apply" in team.recorded(), answer.out.splitlines(), answer.err.splitlines()


@pytest.mark.parametrize("is_pinned", [False, True])
def test_what_was_revoked_since_is_refused_and_a_good_one_applied(
    local_aws: LocalAws, team: Team, ami: str, is_pinned: bool
) -> None:
    plan(team, pinned=ami if is_pinned else "")
    assert apply(team)[0]
    (team.folder / "record").unlink()
    tag = {"Key": "goldsmith:revoked", "Value": "2020-01-01T00:00:00Z it is broken"}
    local_aws.client("ec2", region=REGION, account=IMAGES).create_tags(Resources=[ami], Tags=[tag])
    was_applied, _, words = apply(team)
    assert not was_applied
    assert words == [f"fleet-web-prod: {ami} is revoked since 01 Jan 00:00 UTC: it is broken", NOTHING]


def test_one_that_is_gone_is_refused(local_aws: LocalAws, team: Team, ami: str) -> None:
    local_aws.client("ec2", region=REGION, account=IMAGES).deregister_image(ImageId=ami)
    plan(team)
    was_applied, _, words = apply(team)
    gone = (
        f"{ami} does not exist in account {PROD} and eu-west-1: it was deregistered, or is not shared with this account"
    )
    assert (was_applied, words) == (False, [f"fleet-web-prod: {gone}", NOTHING])


def test_without_the_reader_role_a_pinned_fleet_is_applied_with_a_note_and_another_one_refused(
    local_aws: LocalAws, team: Team, ami: str
) -> None:
    local_aws.client("iam", account=IMAGES).delete_role(RoleName=READER)
    plan(team)
    was_applied, _, words = apply(team)
    assert not was_applied
    assert words[0].startswith(f"fleet-web-prod: whether {ami} is revoked cannot be found out: ")
    plan(team, pinned=ami)
    was_applied, printed, _ = apply(team)
    (note,) = (line for line in printed if "is not known" in line)
    assert was_applied
    assert note.startswith(f"fleet-web-prod: whether {ami} was revoked since is not known: ")
