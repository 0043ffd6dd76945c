"""Rollouts by Terraform and by Goldsmith: the real plans, applies and warnings, and the way from one to the other."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from local_aws.server import LocalAws
from tests.support.applied_fleets import AppliedFleets, Said

GROUP = "who_web-prod"
ESTATE = """\
settings:
  namespace: who
  freeze: [{from: 2020-01-01, to: 2999-12-30, why: 'the "${long}" freeze'}]
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
    rollout: ROLLOUT
"""
GOLDSMITH = "{by: goldsmith, alarms: [web-5xx], checkpoints: [50, 100], checkpoint_delay: 0 seconds, bake: 0 seconds}"
TERRAFORM = (
    "{checkpoints: [50, 100], checkpoint_delay: 0 seconds, protected_instances: wait, standby_instances: ignore}"
)
FROZEN = 'Fleet web-dev: freeze until Mon 30 Dec: the "${long}" freeze; apply this stack afterwards'
BEHIND = (
    "Fleet web-prod: the group launches version 1 of its launch template, and version 2 is the newest: goldsmith "
    "rollout web-prod"
)


@dataclass
class Fleets(AppliedFleets):
    """`web-dev`, whose rollouts Terraform starts, and `web-prod`."""

    said: dict[str, Said] = field(default_factory=dict)
    """What the plans of the story said."""

    def roll(self, rollout: str) -> None:
        """Declare who rolls out `web-prod`."""
        self.declare(ESTATE.replace("ROLLOUT", rollout))

    def roll_out(self, version: str) -> None:
        """What Goldsmith does, beside Terraform."""
        scaling = self.client("autoscaling")
        template = {"LaunchTemplateName": GROUP, "Version": version}
        scaling.start_instance_refresh(
            AutoScalingGroupName=GROUP,
            DesiredConfiguration={"LaunchTemplate": template},
            Preferences={"AutoRollback": True, "SkipMatching": True},
        )
        for _ in range(600):
            refresh = self.refreshes("web-prod")[0]
            if refresh["Status"] not in ("Pending", "InProgress", "Baking"):
                break
            time.sleep(0.1)
        assert refresh["Status"] == "Successful", refresh


@pytest.fixture(scope="module")
def fleets(
    local_aws: LocalAws, shared_providers_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Fleets:
    """Applied by Terraform, then handed to Goldsmith."""
    folder = tmp_path_factory.mktemp("rollouts")
    fleets = Fleets(local_aws, folder, shared_providers_environment, "who", ("web-dev", "web-prod"))
    fleets.build("first")
    fleets.roll(TERRAFORM)
    fleets.terraform("init")
    fleets.plan()
    fleets.apply()
    fleets.said["applied"] = fleets.plan()
    fleets.roll(GOLDSMITH)
    fleets.said["to goldsmith"] = fleets.plan()
    fleets.apply()
    fleets.said["goldsmith"] = fleets.plan()
    return fleets


def test_a_freeze_warns_and_changes_nothing(fleets: Fleets) -> None:
    """Of the fleet whose rollouts Terraform does; while it did those of both, it warned of both."""
    both = {FROZEN, FROZEN.replace("web-dev", "web-prod")}
    assert fleets.said["applied"] == Said({}, both)
    assert fleets.said["goldsmith"] == Said({}, {FROZEN})


def test_a_fleet_goes_from_terraform_to_goldsmith_in_place(fleets: Fleets) -> None:
    assert fleets.said["to goldsmith"].actions == {"web-prod.aws_autoscaling_group.fleet": ["update"]}


def test_an_apply_leaves_the_instances_and_says_who_replaces_them(fleets: Fleets) -> None:
    before = [instance["InstanceId"] for instance in fleets.group("web-prod")["Instances"]]
    ami = fleets.build("second")
    planned = fleets.plan()
    assert planned.actions["web-prod.aws_launch_template.launch_template"] == ["update"]
    assert "web-prod.aws_autoscaling_group.fleet" not in planned.actions
    assert FROZEN in planned.warnings
    assert BEHIND in fleets.apply()
    # only the fleet whose rollouts Terraform does has a refresh
    assert fleets.refreshes("web-prod") == []
    assert len(fleets.refreshes("web-dev")) == 1
    assert [instance["InstanceId"] for instance in fleets.group("web-prod")["Instances"]] == before
    assert fleets.plan() == Said({}, {FROZEN, BEHIND})
    deleted = fleets.plan("-destroy")
    assert deleted.actions["web-prod.aws_autoscaling_group.fleet"] == ["delete"]
    (template,) = fleets.client("ec2").describe_launch_template_versions(
        LaunchTemplateName=GROUP, Versions=["$Latest"]
    )["LaunchTemplateVersions"]
    assert (template["VersionNumber"], template["LaunchTemplateData"]["ImageId"]) == (2, ami)


def test_the_plan_is_empty_after_a_rollout_beside_terraform(fleets: Fleets) -> None:
    fleets.roll_out("2")
    assert fleets.group("web-prod")["LaunchTemplate"]["Version"] == "2"
    assert fleets.plan() == Said({}, {FROZEN})


def test_other_changes_of_the_group_do_not_touch_the_version(fleets: Fleets) -> None:
    """After the template was changed again, and before the rollout of that."""
    fleets.build("third")
    fleets.roll(f"{GOLDSMITH}\n    health_check: {{grace_period: 7 minutes}}")
    planned = fleets.plan().actions
    assert planned["web-prod.aws_autoscaling_group.fleet"] == ["update"]
    newer = BEHIND.replace("version 2 is", "version 3 is").replace("version 1 of", "version 2 of")
    assert newer in fleets.apply()
    group = fleets.group("web-prod")
    assert (group["HealthCheckGracePeriod"], group["LaunchTemplate"]["Version"]) == (420, "2")
    assert fleets.plan() == Said({}, {FROZEN, newer})


def test_a_fleet_goes_back_to_terraform_in_place_which_then_starts_the_rollout(fleets: Fleets) -> None:
    fleets.roll(TERRAFORM)
    assert fleets.plan().actions == {"web-prod.aws_autoscaling_group.fleet": ["update"]}
    fleets.apply()
    assert fleets.group("web-prod")["LaunchTemplate"]["Version"] == "3"
    assert fleets.plan() == Said({}, {FROZEN, FROZEN.replace("web-dev", "web-prod")})


def test_a_fleet_of_goldsmith_is_destroyed(fleets: Fleets) -> None:
    fleets.roll(GOLDSMITH)
    fleets.terraform("destroy", "-auto-approve")
    assert fleets.terraform("state", "list") == ""
