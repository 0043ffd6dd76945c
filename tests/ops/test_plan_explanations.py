"""What `goldsmith plan` says that Terraform cannot: a role that cannot be assumed, and a state at an old place."""

from __future__ import annotations

import json
from pathlib import Path

from local_aws.server import LocalAws
from tests.support.team import (
    DASHBOARDS,
    READER,
    make_roles,
    team_with_stand_in,
    team_with_stand_in_on,
    two_accounts,
)

IMAGES, PROD = "740000000001", "740000000002"


def test_after_a_failure_it_is_said_that_a_fleet_cannot_read_its_images_account(
    local_aws: LocalAws, tmp_path: Path
) -> None:
    make_roles(local_aws, IMAGES, PROD)
    local_aws.client("iam", account=IMAGES).delete_role(RoleName=READER)
    team = team_with_stand_in_on(local_aws, tmp_path)
    team.declare(two_accounts(IMAGES, PROD))
    answer = team.run("plan", "fleet-web-prod", BROKEN="fleet-web-prod:plan")
    role = f"arn:aws:iam::{IMAGES}:role/{READER}"
    assert (answer.status, answer.err) == (
        1,
        f"fleet-web-prod: arn:aws:iam::{PROD}:role/deployer cannot assume {role}, which reads the image's account: run "
        "goldsmith plan image-web and apply it first, which makes the role\n",
    )
    assert team.run("plan", "fleet-web-prod").err == "", "nothing is looked at when the plan is well"


def test_a_plan_that_would_make_everything_anew_although_the_state_is_at_its_old_place_has_failed(
    tmp_path: Path,
) -> None:
    team = team_with_stand_in(tmp_path)
    team.declare(DASHBOARDS)
    old = tmp_path / "state" / "image-web.eu-west-1.tfstate"
    old.parent.mkdir()
    resource = {"mode": "managed", "type": "aws_s3_bucket", "name": "logs", "instances": [{"attributes": {}}]}
    old.write_text(json.dumps({"version": 4, "resources": [resource]}))
    assert team.run("plan", "image-web", "history-*").status == 1
    assert team.statuses() == {"image-web": "failed", "history-eu-west-1": "changes"}
    first, *commands = team.errors()["image-web"].splitlines()
    assert first == (
        f"image-web: its state, {old} with 1 resource, is still at its place from before the namespace was part of its "
        "key; plan would not use it. Move it, then try again:"
    )
    assert commands[0] == "    goldsmith synth"
    assert not (team.plans / "image-web" / "tfplan").exists()
