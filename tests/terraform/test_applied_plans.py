"""`goldsmith apply` with Terraform and the local AWS: from saved plans to instances that run the build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.support.team import Team, team_with_terraform

REGION = "eu-west-1"
ESTATE = """\
settings:
  namespace: applies
  dashboards: true
  FREEZE
images:
  web: {os: amazon-linux-2023, build: [update-os], regions: [eu-west-1]}
fleets:
  web-dev: &fleet
    image: web
    channel: latest
    region: eu-west-1
    instance_type: t3.micro
    subnets: [SUBNET]
    security_group_ids: [sg-0a1b2c3d]
    instance_profile_arn: arn:aws:iam::000000000000:instance-profile/web
    capacity: {min: 1, max: 1}
  web-prod:
    <<: *fleet
    rollout: {by: goldsmith}
"""
STACKS = ("overview-eu-west-1", "fleet-web-dev", "fleet-web-prod")


@dataclass
class World:
    aws: LocalAws
    team: Team

    def declare(self, freeze: str = "") -> None:
        subnet = self.aws.client("ec2", region=REGION).describe_subnets()["Subnets"][0]["SubnetId"]
        self.team.declare(ESTATE.replace("SUBNET", subnet).replace("FREEZE", freeze))

    def build(self, name: str) -> str:
        """An AMI, in `latest`."""
        arn = f"arn:aws:imagebuilder:{REGION}:000000000000:image/applies-web/1.0.1/{name}"
        tags = [{"ResourceType": "image", "Tags": [{"Key": "Ec2ImageBuilderArn", "Value": arn}]}]
        ami: str = self.ec2.register_image(
            Name=f"applies.web.{name}", Architecture="x86_64", RootDeviceName="/dev/xvda", TagSpecifications=tags
        )["ImageId"]
        self.aws.client("ssm", region=REGION).put_parameter(
            Name="/imagebuilder/applies/web/latest", Value=ami, Type="String", Overwrite=True
        )
        return ami

    @property
    def ec2(self) -> Any:
        return self.aws.client("ec2", region=REGION)

    def runs(self, fleet: str) -> set[str]:
        """The AMIs that the instances of a fleet run."""
        scaling = self.aws.client("autoscaling", region=REGION)
        (group,) = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[f"applies_{fleet}"])["AutoScalingGroups"]
        ids = [each["InstanceId"] for each in group["Instances"] if each["LifecycleState"] == "InService"]
        found = self.ec2.describe_instances(InstanceIds=ids)["Reservations"]
        return {instance["ImageId"] for each in found for instance in each["Instances"]}

    def plan(self) -> None:
        assert self.team.run("plan", *STACKS).status == 0, self.team.errors()

    def apply(self) -> tuple[int, list[str], list[str]]:
        answer = self.team.run("apply", "cdktf.out/plans", "--yes")
        return answer.status, answer.out.splitlines(), answer.err.splitlines()


@pytest.fixture
def world(local_aws: LocalAws, shared_providers_environment: Mapping[str, str], tmp_path: Path) -> World:
    return World(local_aws, team_with_terraform(tmp_path, shared_providers_environment))


def test_saved_plans_become_instances_that_run_the_build_and_what_was_revoked_since_does_not(world: World) -> None:
    first = world.build("1")
    world.declare()
    world.plan()
    status, printed, words = world.apply()
    assert (status, words) == (0, [])
    done = [line.partition(": ")[0] for line in printed if line[1:3] == "/3"]
    assert done == [f"{number}/3 {stack}" for number, stack in enumerate(STACKS, 1)]
    assert world.runs("web-dev") == world.runs("web-prod") == {first}

    status, printed, words = world.apply()
    assert (status, words) == (0, []), "the same again"
    assert [line for line in printed if line.endswith(": was applied already")] == [
        f"{number}/3 {stack}: was applied already" for number, stack in enumerate(STACKS, 1)
    ]

    second = world.build("2")
    world.plan()
    tag = {"Key": "goldsmith:revoked", "Value": "2020-01-01T00:00:00Z it is broken"}
    world.ec2.create_tags(Resources=[second], Tags=[tag])
    status, printed, words = world.apply()
    assert status == 1
    assert words == [
        f"fleet-web-dev: {second} is revoked since 01 Jan 00:00 UTC: it is broken",
        f"fleet-web-prod: {second} is revoked since 01 Jan 00:00 UTC: it is broken",
        "nothing was applied: pin or promote another build, and plan again",
    ]
    assert world.runs("web-dev") == world.runs("web-prod") == {first}

    world.ec2.delete_tags(Resources=[second], Tags=[{"Key": "goldsmith:revoked"}])
    status, printed, words = world.apply()
    assert (status, words) == (0, []), printed
    assert world.runs("web-dev") == world.runs("web-prod") == {second}

    # in a freeze: an apply would start the one, and not the other
    third = world.build("3")
    world.declare("freeze: [{from: 2020-01-01, to: 2999-12-30, why: year end}]")
    world.plan()
    status, printed, words = world.apply()
    assert (status, words) == (0, []), printed
    assert "fleet-web-dev is left for later: freeze until Mon 30 Dec: year end" in printed
    (queued,) = (line for line in printed if line.startswith("web-prod: queued"))
    assert queued.endswith(": freeze until Mon 30 Dec: year end")
    assert world.runs("web-dev") == world.runs("web-prod") == {second}
    assert third not in world.runs("web-dev")

    world.declare()
    status, printed, words = world.apply()
    remedy = "nothing was applied: check out the commit that was planned, or plan again"
    assert (status, words) == (1, ["fleet-web-dev is not as it was planned", remedy])
