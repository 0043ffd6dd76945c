"""A team whose production is pinned: pull requests, applies, rollouts and reverts, by the real Terraform and git."""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from local_aws.server import LocalAws
from scripts import terraform
from tests.support.estates import PROJECT, synthesize
from tests.support.modules import write_modules

REGION = "eu-west-1"
GROUP = "pins_web-prod"
ESTATE = """\
settings: {namespace: pins}
images:
  web: {os: amazon-linux-2023, build: [update-os], regions: [eu-west-1]}
fleets:
  web-prod:
    image: web
    channel: latest
    region: eu-west-1
    instance_type: t3.micro
    subnets: [SUBNET]
    security_group_ids: [sg-0a1b2c3d]
    instance_profile_arn: arn:aws:iam::000000000000:instance-profile/web
    capacity: {min: 1, max: 1}
    updates: pull-request
    rollout: {by: goldsmith}
"""
WAITS = "Fleet web-prod waits for its first build of image pins/web: build the image, and run goldsmith pin web-prod"
TEMPLATE, SCALING = "module.web-prod.aws_launch_template.launch_template", "module.web-prod.aws_autoscaling_group.fleet"
MARKER = "module.web-prod.terraform_data.estate"


@dataclass(frozen=True)
class Said:
    """What a plan says: changes by address, and the details of errors and warnings."""

    actions: Mapping[str, list[str]]
    errors: list[str]
    warnings: list[str]
    shown: Mapping[str, Any]
    """`terraform show -json`; empty for a plan that stopped."""


@dataclass
class Team:
    aws: LocalAws
    folder: Path
    environment: Mapping[str, str]

    def git(self, *arguments: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *identity, *arguments], cwd=self.config, check=True, capture_output=True)

    @property
    def config(self) -> Path:
        return self.folder / "config"

    def goldsmith(self, *arguments: str) -> str:
        command = [str(PROJECT / "goldsmith"), *arguments, "--config", str(self.config)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done
        return done.stdout

    def synthesize(self, *, allow_unbuilt: bool = False) -> None:
        with mock.patch.dict(os.environ, {"GOLDSMITH_ALLOW_UNBUILT": "1" if allow_unbuilt else ""}):
            stacks = synthesize(self.config, self.folder / "cdktf.out")
        write_modules(self.folder / "fleets", {"web-prod": stacks["fleet-web-prod"]})

    def terraform(self, *arguments: str) -> str:
        return terraform.run(*arguments, folder=self.folder / "fleets", environ=self.environment)

    def plan(self, *arguments: str, file: str = "plan") -> Said:
        shown: dict[str, Any] = {}
        try:
            output = self.terraform("plan", "-json", f"-out={file}", *arguments)
        except terraform.TerraformError as error:
            output = str(error)
        else:
            shown = json.loads(self.terraform("show", "-json", file))
        events = [json.loads(line) for line in re.findall(r"^\{.*\}$", output, re.MULTILINE)]
        diagnostics = [event["diagnostic"] for event in events if event["type"] == "diagnostic"]
        actions = {each["address"]: each["change"]["actions"] for each in shown.get("resource_changes", ())}
        return Said(
            actions={address: what for address, what in actions.items() if what != ["no-op"]},
            errors=[each["detail"] for each in diagnostics if each["severity"] == "error"],
            warnings=[each["detail"] for each in diagnostics if each["severity"] == "warning"],
            shown=shown,
        )

    def apply(self) -> None:
        self.terraform("apply", "-auto-approve", "plan")

    def destroys(self) -> set[str]:
        """What a destroy would delete."""
        planned = self.plan("-destroy")
        assert planned.errors == []
        return {address for address, what in planned.actions.items() if what == ["delete"]}

    def build(self, number: int) -> str:
        """A build, in `latest`."""
        arn = f"arn:aws:imagebuilder:{REGION}:000000000000:image/pins-web/1.0.1/{number}"
        tags = [{"ResourceType": "image", "Tags": [{"Key": "Ec2ImageBuilderArn", "Value": arn}]}]
        ami: str = self.aws.client("ec2", region=REGION).register_image(
            Name=f"pins.web.{number}", Architecture="x86_64", RootDeviceName="/dev/xvda", TagSpecifications=tags
        )["ImageId"]
        self.aws.client("ssm", region=REGION).put_parameter(
            Name="/imagebuilder/pins/web/latest", Value=ami, Type="String", Overwrite=True
        )
        return ami

    def merge_pin(self) -> None:
        """A pull request that changes one file."""
        self.goldsmith("pin")
        self.git("add", "pins.yaml")
        self.git("commit", "-m", "web-prod: pin")
        self.synthesize()

    def running(self) -> set[str]:
        """The AMIs of the group's instances."""
        scaling, ec2 = (self.aws.client(service, region=REGION) for service in ("autoscaling", "ec2"))
        (group,) = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"]
        instances = [each["InstanceId"] for each in group["Instances"]]
        found = ec2.describe_instances(InstanceIds=instances)["Reservations"]
        return {instance["ImageId"] for reservation in found for instance in reservation["Instances"]}


@pytest.fixture(scope="module")
def team(
    local_aws: LocalAws, shared_providers_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Team:
    """With a pull request that has added an image and its fleet, and has been applied before anything was built."""
    team = Team(local_aws, tmp_path_factory.mktemp("pins"), shared_providers_environment)
    team.config.mkdir()
    subnet = local_aws.client("ec2", region=REGION).describe_subnets()["Subnets"][0]["SubnetId"]
    (team.config / "estate.yaml").write_text(ESTATE.replace("SUBNET", subnet))
    team.git("init")
    team.git("add", ".")
    team.git("commit", "-m", "add web")
    team.synthesize(allow_unbuilt=True)
    team.terraform("init")
    return team


def test_a_fleet_without_a_build_waits_for_it(team: Team) -> None:
    first = team.plan()
    # what every stack has, which remembers whose state it is
    assert (first.actions, first.errors, first.warnings) == ({MARKER: ["create"]}, [], [WAITS])
    team.apply()
    waiting = team.plan()
    assert (waiting.actions, waiting.errors, waiting.warnings) == ({}, [], [WAITS])
    assert team.destroys() == {MARKER}


def test_a_merged_pin_is_deployed_rolled_out_and_reverted(team: Team) -> None:
    first = team.build(1)
    team.merge_pin()
    team.plan()
    team.apply()
    assert (team.plan().actions, team.running()) == ({}, {first})

    second = team.build(2)
    assert team.plan().actions == {}, "a channel that has moved changes no plan"
    team.merge_pin()
    planned = team.plan()
    team.build(3)
    again = team.plan(file="again")
    for part in ("resource_changes", "output_changes"):
        assert planned.shown[part] == again.shown[part]
    assert planned.actions == {TEMPLATE: ["update"]}
    (image_id,) = [
        each["change"]["after"]["image_id"] for each in planned.shown["resource_changes"] if each["address"] == TEMPLATE
    ]
    assert (image_id, planned.shown["output_changes"]["web-prod"]["after"]["build"]["build"]) == (second, "1.0.1/2")

    team.apply()
    assert team.running() == {first}
    team.goldsmith("rollout", "web-prod", "--yes")
    assert (team.running(), team.plan().actions) == ({second}, {})

    team.git("revert", "--no-edit", "HEAD")
    team.synthesize()
    back = team.plan()
    assert back.actions == {TEMPLATE: ["update"]}
    team.apply()
    team.goldsmith("rollout", "web-prod", "--yes")
    assert (team.running(), team.plan().actions) == ({first}, {})


def test_a_revoked_pin_stops_the_plan_and_no_destroy(team: Team) -> None:
    (ami,) = team.running()
    ec2 = team.aws.client("ec2", region=REGION)
    ec2.create_tags(Resources=[ami], Tags=[{"Key": "goldsmith:revoked", "Value": "2026-01-02T03:04:05Z leaked"}])
    assert team.plan().errors == [
        f"Fleet web-prod: its pin, build 1.0.1/1 of image pins/web, points to {ami}, which has been revoked since "
        "2026-01-02T03:04:05Z: leaked. Pin another build: goldsmith pin web-prod; or revert the commit that pinned it."
    ]
    assert {TEMPLATE, SCALING} <= team.destroys()
    ec2.delete_tags(Resources=[ami], Tags=[{"Key": "goldsmith:revoked"}])


def test_a_pin_to_what_is_gone_stops_the_plan_and_no_destroy(team: Team) -> None:
    pins = team.config / "pins.yaml"
    pins.write_text(pins.read_text().replace(next(iter(team.running())), "ami-00000000000000000"))
    team.synthesize()
    assert team.plan().errors == [
        "Fleet web-prod: its pin, build 1.0.1/1 of image pins/web, points to ami-00000000000000000, which does not "
        f"exist in this account and {REGION}: it was deregistered or disabled. Pin another build: goldsmith pin "
        "web-prod."
    ]
    assert {TEMPLATE, SCALING} <= team.destroys()
    team.git("checkout", "pins.yaml")


def test_a_deleted_pin_does_not_destroy_the_group_and_a_destroy_does(team: Team) -> None:
    (team.config / "pins.yaml").unlink()
    team.synthesize(allow_unbuilt=True)
    stopped = team.plan()
    assert stopped.errors == [
        f"Fleet web-prod has no pin, and its group {GROUP} exists: a plan without the pin would destroy it. Bring "
        "pins.yaml back, or run goldsmith pin web-prod"
    ]
    assert {TEMPLATE, SCALING, MARKER} <= team.destroys()
    team.apply()
    assert team.terraform("state", "list") == ""


# --- Another account

IMAGES, PROD = "250000000001", "250000000002"
ACCOUNTS = f"""settings:
  namespace: pins
  accounts: {{images: {{id: "{IMAGES}", role: deployer}}, prod: {{id: "{PROD}", role: deployer}}}}"""
AWAY = (
    ESTATE.replace("settings: {namespace: pins}", ACCOUNTS)
    .replace("web: {", "web: {account: images, root_volume: {encrypted: false}, ")
    .replace("    image: web", "    account: prod\n    image: web")
    .replace("iam::000000000000", f"iam::{PROD}")
)


def test_a_fleet_of_another_account_needs_no_right_in_that_of_the_image(team: Team, tmp_path: Path) -> None:
    """The role that is named for the image's account does not exist."""
    aws = team.aws
    aws.make_role("deployer", account=PROD, trusts=["000000000000"])
    images = aws.client("ec2", region=REGION, account=IMAGES)
    ami = images.register_image(Name="pins.web.away", Architecture="x86_64", RootDeviceName="/dev/xvda")["ImageId"]
    away = Team(aws, tmp_path, team.environment)
    away.config.mkdir()
    (away.config / "estate.yaml").write_text(AWAY.replace("SUBNET", "subnet-0a1b2c3d"))
    pin = {"image": "web", "build": "1.0.1/1", "channel": "latest", "region": REGION, "ami": ami, "owner": IMAGES}
    pins = {"pins": {"web-prod": pin | {"created": "2026-11-24T03:12:00+00:00"}}}
    (away.config / "pins.yaml").write_text(json.dumps(pins))
    away.synthesize()
    away.terraform("init")
    subject = f"Fleet web-prod: its pin, build 1.0.1/1 of image pins/web, points to {ami}, which "
    remedy = "Pin another build: goldsmith pin web-prod."
    assert away.plan().errors == [
        f"{subject}account {IMAGES} does not share with account {PROD} in {REGION}, or has deregistered or disabled. "
        + remedy
    ]
    images.modify_image_attribute(ImageId=ami, LaunchPermission={"Add": [{"UserId": PROD}]})
    planned = away.plan()
    assert (planned.errors, planned.actions[TEMPLATE]) == ([], ["create"])
    aws.record_calls("terraform")
    away.plan()
    assert {call.caller.split(":")[4] for call in aws.calls()} <= {PROD, "000000000000"}
    aws.record_calls(None)
