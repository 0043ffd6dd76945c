"""`goldsmith apply` of fleets with `updates: automatic`: it starts nothing, and says what their functions will do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.rollout_world import RolloutWorld
from tests.support.team import Answer, Team, show, team_with_stand_in_on


@pytest.fixture
def team(fleets: RolloutWorld, tmp_path: Path) -> Team:
    return team_with_stand_in_on(fleets.aws, tmp_path)


def apply(team: Team, fleets: RolloutWorld, *, ami: str) -> Answer:
    """Plan and apply a change of the launch template, which has this AMI before and after it."""
    change = {"actions": ["update"], "before": {"image_id": ami}, "after": {"image_id": ami}}
    template = {"address": "aws_launch_template.launch_template", "type": "aws_launch_template", "change": change}
    group = {"mode": "managed", "address": "aws_autoscaling_group.fleet"}
    show(team.folder, resource_changes=[template], prior_state={"values": {"root_module": {"resources": [group]}}})
    team.declare(fleets.shell.config.read_text())
    assert team.run("plan", fleets["dev"].stack).status == 0, team.errors()
    return team.run("apply", "cdktf.out/plans", "--yes")


def test_the_rollout_is_left_to_the_function(fleets: RolloutWorld, team: Team) -> None:
    fleets.declare(dev="updates: automatic")
    old, dev = fleets.build(), fleets["dev"]
    dev.deploy(old)
    tag = [{"Key": "goldsmith:revoked", "Value": "2026-01-01T00:00:00Z CVE-2026-1234"}]
    dev.client("ec2").create_tags(Resources=[old], Tags=tag)
    assert apply(team, fleets, ami=old).out.splitlines()[-1] == f"{dev.name}: nothing is left to roll out"
    fleets.build()
    answer = apply(team, fleets, ami=old)
    assert (answer.status, answer.err) == (0, "")
    words = "queued for the next run of its function, within five minutes: 1.0.7/2"
    assert answer.out.splitlines()[-1] == f"{dev.name}: {words}"
    assert dev.refreshes == []


def test_what_needs_a_person_ends_with_1(fleets: RolloutWorld, team: Team) -> None:
    fleets.declare(dev="updates: automatic")
    fleets["dev"].deploy(fleets.build())
    bad = fleets.build()
    fleets.aws.break_instances(bad, reason="the instance stopped.")
    assert fleets.rollout().status == 1
    answer = apply(team, fleets, ami=bad)
    assert answer.status == 1
    assert "the rollout of 1.0.7/2 was rolled back (the instance stopped)" in answer.out.splitlines()[-1]
    assert len(fleets["dev"].refreshes) == 1
