"""What a report finds out about the function of a fleet with `updates: automatic`: which build, when, and why not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.support.handoff_world import ImageWorld
from tests.support.ops_world import impatient_shell
from tests.support.recorded_plans import shown
from tests.support.rollout_world import REGION, RolloutWorld, days

AUTOMATIC = "updates: automatic"
THEN = "the apply replaces no instance; then its function replaces the instances"


class FunctionWorld(RolloutWorld):
    """Fleets of which `dev` is automatic, and the plan that changes its launch template."""

    def report(self) -> dict[str, Any]:
        """The report of a change of the instance type."""
        plan = shown("automatic-template", "fleet-web-dev")
        plan["prior_state"] = {}
        (template,) = (each for each in plan["resource_changes"] if each["type"] == "aws_launch_template")
        (ami,) = {template["change"][side]["image_id"] for side in ("before", "after")}
        text = json.dumps(plan).replace(ami, self.newest).replace("acme_web-dev", self["dev"].group)
        text = text.replace('"acme/web"', f'"acme/{self.web.name}"').replace("ap-northeast-1", REGION)
        file = self.shell.config.parent / f"{self['dev'].stack}.json"
        file.write_text(text)
        answer = self.ops("report", str(file), "--format", "json")
        assert answer.status == 0, answer.err
        found: dict[str, Any] = json.loads(answer.out)
        return found

    @property
    def newest(self) -> str:
        """The AMI in the newest version of the launch template."""
        ec2, name = self["dev"].client("ec2"), self["dev"].group
        found = ec2.describe_launch_template_versions(LaunchTemplateName=name, Versions=["$Latest"])
        return str(found["LaunchTemplateVersions"][0]["LaunchTemplateData"]["ImageId"])

    def line(self) -> str:
        """What goes on by itself."""
        (line,) = self.report()["by_itself"]
        return self.short(line).removeprefix("web-dev: ")


@pytest.fixture
def fleets(
    local_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> FunctionWorld:
    """`dev` runs the first build."""
    shell = impatient_shell(local_aws, tmp_path / "estate.yaml", monkeypatch, capsys)
    fleets = FunctionWorld(local_aws, ImageWorld(local_aws), shell)
    fleets.declare(dev=AUTOMATIC)
    fleets["dev"].deploy(fleets.build())
    return fleets


def test_it_takes_the_build_of_the_channel(fleets: FunctionWorld) -> None:
    assert fleets.line() == f"{THEN} within five minutes, with the build that they run"
    new = fleets.build()
    report = fleets.report()
    (row,), (line,) = report["fleets"], report["by_itself"]
    assert (row["will_run"]["exact"], row["what"], row["order"]) == (f"1.0.7/2, {new}", "image", "its function")
    assert line.endswith(f"within five minutes, with {row['will_run']['short']}")


def test_it_keeps_the_build_that_runs_as_long_as_another_one_must_not_be_launched(fleets: FunctionWorld) -> None:
    ami = fleets.build()
    tag = [{"Key": "goldsmith:revoked", "Value": "2026-01-01T00:00:00Z it is broken"}]
    fleets.aws.client("ec2", region=REGION).create_tags(Resources=[ami], Tags=tag)
    report = fleets.report()
    (line,) = report["by_itself"]
    wanted = r".*, with the build that they run; it does not take 1\.0\.7/2: .* \(1\.0\.7/2\) is revoked since .*"
    assert re.fullmatch(wanted, line)
    assert report["needs"] == [], "nobody is needed for this change"


def test_it_waits_for_other_fleets_with_a_newer_build_only(fleets: FunctionWorld) -> None:
    fleets.declare(dev=f"{AUTOMATIC}, after: {{fleets: [WEB-web], soak: 1 day}}", web="rollout: {by: goldsmith}")
    fleets["web"].deploy(fleets.newest)
    fleets.build()
    waits = "it does not take 1.0.7/2: fleet web-web has to run 1.0.7/2 for 1 day first: it runs 1.0.7/1"
    assert fleets.line() == f"{THEN} within five minutes, with the build that they run; {waits}"


def test_it_waits_for_the_end_of_a_freeze(fleets: FunctionWorld) -> None:
    fleets.declare(f"  freeze: [{{from: {days(0)}, to: {days(3)}, why: year end}}]", dev=AUTOMATIC)
    wanted = re.escape(THEN) + r" from .* on \(.*year end.*\), with the build that they run"
    assert re.fullmatch(wanted, fleets.line())


def test_a_hold_needs_a_person(fleets: FunctionWorld) -> None:
    fleets.aws.client("ssm", region="us-east-1").put_parameter(
        Name=f"{fleets.web.path}/_hold",
        Value=json.dumps({"held": True, "by": "alice", "why": "an incident"}),
        Type="String",
    )
    assert fleets.line().startswith(
        "the apply replaces no instance; then its function cannot replace the instances with the build that they run "
        "before a person has acted: web is held by alice: an incident"
    )


def test_it_follows_a_rollout_that_runs(fleets: FunctionWorld) -> None:
    fleets.aws.set_rollout_time(launch_seconds=30, scale=1)
    try:
        fleets["dev"].start(fleets["dev"].change(fleets.build()))
        assert "when the rollout that runs now has ended" in fleets.line()
    finally:
        fleets.aws.set_rollout_time()
