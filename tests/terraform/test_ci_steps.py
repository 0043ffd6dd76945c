"""The shell steps of `examples/ci`, run as CI runs them: with a remote repository, Terraform and the local AWS."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from local_aws.server import LocalAws
from tests.support.estates import PROJECT
from tests.support.team import Team, team_with_terraform

CI = PROJECT / "examples" / "ci"
REGION = "eu-west-1"
ESTATE = """\
settings: {namespace: ci, dashboards: DASHBOARDS, accounts: {images: {id: "000000000000"}}}
images:
  web: {account: images, os: amazon-linux-2023, build: [update-os], regions: [eu-west-1], channels: [stable]}
fleets:
  web-prod:
    image: web
    channel: stable
    updates: pull-request
    region: eu-west-1
    instance_type: t3.micro
    subnets: [subnet-0a1b2c3d]
    security_group_ids: [sg-0a1b2c3d]
    instance_profile_arn: arn:aws:iam::000000000000:instance-profile/web
    capacity: {min: 1, max: 1}
"""
GH = """\
#!/bin/sh
printf "%s\\n" "$*" >> "$RECORD"
case "$*" in
    *--paginate*) cat "$COMMENTS" ;;
    *--field*) cp comment.md "$RECORD.comment" ;;
    *body.md*) cp body.md "$RECORD.body" ;;
esac
"""
GITHUB_SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")


@pytest.fixture
def team(local_aws: LocalAws, shared_providers_environment: Mapping[str, str], tmp_path: Path) -> Team:
    """A clone of a repository whose main branch has the estate, without a dashboard, and a stand-in for gh."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gh").write_text(GH)
    (tmp_path / "bin" / "gh").chmod(0o755)
    path = os.pathsep.join([str(tmp_path / "bin"), str(PROJECT), os.environ["PATH"]])
    places = {"RECORD": str(tmp_path / "record"), "COMMENTS": str(tmp_path / "comments"), "PATH": path}
    environment = {**shared_providers_environment, **places}
    (tmp_path / "comments").touch()
    (tmp_path / "team").mkdir()
    team = team_with_terraform(tmp_path / "team", environment)
    team.declare(ESTATE.replace("DASHBOARDS", "false"))
    assert team.run("check", "--update").status == 1, "the fleet has no pin"
    team.commit()
    subprocess.run(["git", "clone", "--quiet", "--bare", team.folder, tmp_path / "remote.git"], check=True)
    team.git("remote", "add", "origin", str(tmp_path / "remote.git"))
    team.git("fetch", "--quiet", "origin")
    return team


def step(file: str, job: str, name: str) -> str:
    """The shell of a step of a workflow."""
    jobs = YAML(typ="safe").load(CI / "github" / "workflows" / f"{file}.yml")["jobs"]
    (found,) = (each["run"] for each in jobs[job]["steps"] if each.get("name") == name)
    return str(found)


def run(team: Team, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*GITHUB_SHELL, script],
        cwd=team.folder,
        env={**team.environment, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def test_a_pull_request_is_checked_planned_and_reported_in_one_comment(team: Team, tmp_path: Path) -> None:
    team.git("switch", "--quiet", "--create", "dashboard")
    team.declare(ESTATE.replace("DASHBOARDS", "true"))
    done = run(team, step("pull-request", "check", "Check"))
    assert (done.returncode, "overview-eu-west-1 is not in config/snapshots" in done.stderr) == (1, True)
    team.run("check", "--update")
    team.commit()

    variables = {"BASE": "origin/main", "ACCOUNT": "images", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    done = run(team, step("pull-request", "plan", "Plan"), **variables)
    assert done.returncode == 0, done.stderr
    assert team.statuses(team.folder / "plans" / "images") == {"overview-eu-west-1": "changes"}
    done = run(team, step("pull-request", "report", "Report"), **variables)
    assert done.returncode == 0, done.stderr
    marker = (team.folder / "comment.md").read_text().splitlines()[0]
    assert (tmp_path / "summary").read_text() == (team.folder / "comment.md").read_text()

    comment = step("pull-request", "report", "Comment")
    variables = {"REPOSITORY": "acme/estate", "NUMBER": "7", "GH_TOKEN": "-"}
    assert run(team, comment, **variables).returncode == 0
    (tmp_path / "comments").write_text(f"11\tsomething else\n12\t{marker}\n13\t{marker}\n")
    assert run(team, comment, **variables).returncode == 0
    asked, made, _, changed = (tmp_path / "record").read_text().splitlines()
    assert asked.startswith("api --paginate repos/acme/estate/issues/7/comments --jq ")
    assert made == "api --silent --method POST repos/acme/estate/issues/7/comments --field body=@comment.md"
    assert changed == "api --silent --method PATCH repos/acme/estate/issues/comments/12 --field body=@comment.md"
    assert (tmp_path / "record.comment").read_text().startswith(marker)


def test_the_daily_job_opens_a_pull_request_with_the_pins_and_their_report(
    local_aws: LocalAws, team: Team, tmp_path: Path
) -> None:
    pin = step("daily", "pin", "Pin")
    done = run(team, pin, GH_TOKEN="-")
    assert (done.returncode, "points to no build" in done.stdout) == (1, True), "there is nothing to pin"
    assert not (tmp_path / "record").exists()

    ami = build(local_aws)
    done = run(team, pin, GH_TOKEN="-")
    assert done.returncode == 0, done.stderr
    remote = ["git", "-C", str(tmp_path / "remote.git"), "show", "goldsmith/pins:config/pins.yaml"]
    assert ami in subprocess.run(remote, check=True, capture_output=True, text=True).stdout
    listed, made = (tmp_path / "record").read_text().splitlines()
    assert listed.startswith("pr list --head goldsmith/pins --state open ")
    assert made == "pr create --head goldsmith/pins --base main --title Pin new builds --body-file body.md"
    body = (tmp_path / "record.body").read_text()
    assert body.startswith("```text\n") and "web-prod" in body
    assert team.statuses(team.folder / "plans") == {"fleet-web-prod": "changes"}
    changed = team.git("diff", "--name-only", "origin/main", "goldsmith/pins")
    assert changed == "config/pins.yaml\n", "no snapshot moves with a pin"
    assert "web-prod" in team.git("log", "-1", "--format=%b", "goldsmith/pins")


def build(aws: LocalAws) -> str:
    """An AMI, to which both channels point."""
    arn = f"arn:aws:imagebuilder:{REGION}:000000000000:image/ci-web/1.0.1/1"
    tags = [{"ResourceType": "image", "Tags": [{"Key": "Ec2ImageBuilderArn", "Value": arn}]}]
    registered: Any = aws.client("ec2", region=REGION).register_image(
        Name="ci.web.1", Architecture="x86_64", RootDeviceName="/dev/xvda", TagSpecifications=tags
    )
    ssm = aws.client("ssm", region=REGION)
    for channel in ("latest", "stable"):
        record = json.dumps({"build": arn, "created": "2026-11-24T03:12:00+00:00"})
        ssm.put_parameter(
            Name=f"/imagebuilder/ci/web/{channel}", Value=registered["ImageId"], Type="String", Description=record
        )
    return str(registered["ImageId"])
