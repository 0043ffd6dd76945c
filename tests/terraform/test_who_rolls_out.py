"""Rollouts by Terraform and by Goldsmith: the real plans, applies and warnings, and the way from one to the other."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from local_aws.server import LocalAws
from scripts import terraform
from tests.support.estates import synthesize
from tests.support.modules import write_modules

REGION = "eu-west-1"
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


@dataclass(frozen=True)
class Said:
    """What a plan or an apply says: changes by address, warnings in full."""

    actions: Mapping[str, list[str]]
    warnings: set[str]


@dataclass
class Fleets:
    aws: LocalAws
    folder: Path
    environment: Mapping[str, str]
    said: dict[str, Said] = field(default_factory=dict)
    """What the plans of the story said."""

    def terraform(self, *arguments: str) -> str:
        return terraform.run(*arguments, folder=self.folder / "fleets", environ=self.environment)

    def declare(self, rollout: str) -> None:
        (self.folder / "estate.yaml").write_text(ESTATE.replace("ROLLOUT", rollout).replace("SUBNET", self.subnet))
        stacks = synthesize(self.folder / "estate.yaml", self.folder / "cdktf.out")
        write_modules(self.folder / "fleets", {name: stacks[f"fleet-{name}"] for name in ("web-dev", "web-prod")})

    @property
    def subnet(self) -> str:
        return str(self.aws.client("ec2", region=REGION).describe_subnets()["Subnets"][0]["SubnetId"])

    def build(self, name: str) -> str:
        """An AMI, in `latest`."""
        arn = f"arn:aws:imagebuilder:{REGION}:000000000000:image/who-web/1.0.1/1"
        tags = [{"ResourceType": "image", "Tags": [{"Key": "Ec2ImageBuilderArn", "Value": arn}]}]
        ami: str = self.aws.client("ec2", region=REGION).register_image(
            Name=f"who.web.{name}", Architecture="x86_64", RootDeviceName="/dev/xvda", TagSpecifications=tags
        )["ImageId"]
        self.aws.client("ssm", region=REGION).put_parameter(
            Name="/imagebuilder/who/web/latest", Value=ami, Type="String", Overwrite=True
        )
        return ami

    def plan(self, *arguments: str) -> Said:
        """A plan, in the file `plan`; without changes where the exit status is 0."""
        try:
            output = self.terraform("plan", "-json", "-out=plan", "-detailed-exitcode", *arguments)
        except terraform.TerraformError as error:
            output = str(error)
            assert "ended with status 2:" in output, output
            planned = json.loads(self.terraform("show", "-json", "plan"))["resource_changes"]
        else:
            planned = []
        actions = {each["address"]: each["change"]["actions"] for each in planned}
        return Said({address: what for address, what in actions.items() if what != ["no-op"]}, warnings(output))

    def apply(self) -> set[str]:
        """Applies the last plan; gives its warnings."""
        return warnings(self.terraform("apply", "-json", "plan"))

    def roll_out(self, version: str) -> None:
        """What Goldsmith does, beside Terraform."""
        scaling = self.aws.client("autoscaling", region=REGION)
        template = {"LaunchTemplateName": GROUP, "Version": version}
        scaling.start_instance_refresh(
            AutoScalingGroupName=GROUP,
            DesiredConfiguration={"LaunchTemplate": template},
            Preferences={"AutoRollback": True, "SkipMatching": True},
        )
        for _ in range(600):
            refresh = scaling.describe_instance_refreshes(AutoScalingGroupName=GROUP)["InstanceRefreshes"][0]
            if refresh["Status"] not in ("Pending", "InProgress", "Baking"):
                break
            time.sleep(0.1)
        assert refresh["Status"] == "Successful", refresh

    def group(self) -> Mapping[str, Any]:
        scaling = self.aws.client("autoscaling", region=REGION)
        found: dict[str, Any] = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])
        group: Mapping[str, Any] = found["AutoScalingGroups"][0]
        return group


def warnings(output: str) -> set[str]:
    events = [json.loads(line) for line in re.findall(r"^\{.*\}$", output, re.MULTILINE)]
    diagnostics = [event["diagnostic"] for event in events if event["type"] == "diagnostic"]
    assert all(each["severity"] == "warning" for each in diagnostics), diagnostics
    return {each["detail"] for each in diagnostics}


@pytest.fixture(scope="module")
def fleets(
    local_aws: LocalAws, shared_providers_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Fleets:
    """Applied by Terraform, then handed to Goldsmith."""
    fleets = Fleets(local_aws, tmp_path_factory.mktemp("rollouts"), shared_providers_environment)
    fleets.build("first")
    fleets.declare(TERRAFORM)
    fleets.terraform("init")
    fleets.plan()
    fleets.apply()
    fleets.said["applied"] = fleets.plan()
    fleets.declare(GOLDSMITH)
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
    assert fleets.said["to goldsmith"].actions == {"module.web-prod.aws_autoscaling_group.fleet": ["update"]}


def test_an_apply_leaves_the_instances_and_says_who_replaces_them(fleets: Fleets) -> None:
    refreshes = fleets.aws.client("autoscaling", region=REGION).describe_instance_refreshes
    before = [instance["InstanceId"] for instance in fleets.group()["Instances"]]
    ami = fleets.build("second")
    planned = fleets.plan()
    assert planned.actions["module.web-prod.aws_launch_template.launch_template"] == ["update"]
    assert "module.web-prod.aws_autoscaling_group.fleet" not in planned.actions
    assert FROZEN in planned.warnings
    assert BEHIND in fleets.apply()
    # only the fleet whose rollouts Terraform does has a refresh
    assert refreshes(AutoScalingGroupName=GROUP)["InstanceRefreshes"] == []
    assert len(refreshes(AutoScalingGroupName="who_web-dev")["InstanceRefreshes"]) == 1
    assert [instance["InstanceId"] for instance in fleets.group()["Instances"]] == before
    assert fleets.plan() == Said({}, {FROZEN, BEHIND})
    deleted = fleets.plan("-destroy")
    assert deleted.actions["module.web-prod.aws_autoscaling_group.fleet"] == ["delete"]
    (template,) = fleets.aws.client("ec2", region=REGION).describe_launch_template_versions(
        LaunchTemplateName=GROUP, Versions=["$Latest"]
    )["LaunchTemplateVersions"]
    assert (template["VersionNumber"], template["LaunchTemplateData"]["ImageId"]) == (2, ami)


def test_the_plan_is_empty_after_a_rollout_beside_terraform(fleets: Fleets) -> None:
    fleets.roll_out("2")
    assert fleets.group()["LaunchTemplate"]["Version"] == "2"
    assert fleets.plan() == Said({}, {FROZEN})


def test_other_changes_of_the_group_do_not_touch_the_version(fleets: Fleets) -> None:
    """After the template was changed again, and before the rollout of that."""
    fleets.build("third")
    fleets.declare(f"{GOLDSMITH}\n    health_check: {{grace_period: 7 minutes}}")
    planned = fleets.plan().actions
    assert planned["module.web-prod.aws_autoscaling_group.fleet"] == ["update"]
    newer = BEHIND.replace("version 2 is", "version 3 is").replace("version 1 of", "version 2 of")
    assert newer in fleets.apply()
    assert (fleets.group()["HealthCheckGracePeriod"], fleets.group()["LaunchTemplate"]["Version"]) == (420, "2")
    assert fleets.plan() == Said({}, {FROZEN, newer})


def test_a_fleet_goes_back_to_terraform_in_place_which_then_starts_the_rollout(fleets: Fleets) -> None:
    fleets.declare(TERRAFORM)
    assert fleets.plan().actions == {"module.web-prod.aws_autoscaling_group.fleet": ["update"]}
    fleets.apply()
    assert fleets.group()["LaunchTemplate"]["Version"] == "3"
    assert fleets.plan() == Said({}, {FROZEN, FROZEN.replace("web-dev", "web-prod")})


def test_a_fleet_of_goldsmith_is_destroyed(fleets: Fleets) -> None:
    fleets.declare(GOLDSMITH)
    fleets.terraform("destroy", "-auto-approve")
    assert fleets.terraform("state", "list") == ""
