"""Who is notified: rules, topic, alarms and dashboard by the real Terraform, against events as AWS documents them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local_aws.server import LocalAws
from scripts import terraform
from tests.support.estates import configuration, synthesize

REGION = "eu-west-1"
KEY = f"arn:aws:kms:{REGION}:000000000000:key/0a1b2c3d-0000-0000-0000-000000000000"
CHAT = f"arn:aws:sns:{REGION}:000000000000:chat"
ESTATE = """
settings: {{namespace: tellers, kms_key: "{key}", dashboards: true}}
images:
  web:
    os: amazon-linux-2023
    build: [update-os]
    regions: [{region}]
    notifications: {told}
"""
TARGETS = ("failed_builds", "disabled_pipeline")


@dataclass(frozen=True)
class DeployedStack:
    """The notifications of an image's stack, and nothing else of it."""

    aws: LocalAws
    environment: Mapping[str, str]
    folder: Path

    def declare(self, told: str) -> dict[str, Any]:
        (self.folder / "estate.yaml").write_text(ESTATE.format(key=KEY, region=REGION, told=told))
        return synthesize(self.folder / "estate.yaml", self.folder / "cdktf.out")

    def terraform(self, *arguments: str, stack: str = "image-web", targets: tuple[str, ...] = ()) -> str:
        return terraform.run(
            *arguments,
            *(f"-target={target}" for target in targets),
            folder=self.folder / "cdktf.out" / "stacks" / stack,
            environ=self.environment,
        )

    def matching(self, event: dict[str, Any]) -> list[str]:
        """The rules that an event meets."""
        events = self.aws.client("events", region=REGION)
        rules = events.list_rules(NamePrefix="tellers_web_failures")["Rules"]
        text = json.dumps({"id": "1", "account": "000000000000", "time": "2026-01-18T17:50:56Z", **event})
        return [
            rule["Name"]
            for rule in rules
            if events.test_event_pattern(EventPattern=rule["EventPattern"], Event=text)["Result"]
        ]


@pytest.fixture
def world(local_aws: LocalAws, terraform_environment: Mapping[str, str], tmp_path: Path) -> DeployedStack:
    return DeployedStack(local_aws, terraform_environment, tmp_path)


def state_change(arn: str, status: str) -> dict[str, Any]:
    """As in Image Builder's user guide, "EC2 Image Builder Image State Change"."""
    return {
        "source": "aws.imagebuilder",
        "detail-type": "EC2 Image Builder Image State Change",
        "region": REGION,
        "resources": [arn],
        "detail": {"previous-state": {"status": "TESTING"}, "state": {"status": status}},
    }


def test_failed_builds_of_the_image_and_no_others_are_reported(world: DeployedStack) -> None:
    targets = (
        *(f"aws_cloudwatch_event_target.{kind}_{whom}" for kind in TARGETS for whom in ("emails", "topic")),
        "aws_sns_topic_policy.failures_topic_policy",
        "aws_sns_topic_subscription.email",
    )
    world.declare(f'{{emails: [left@example.com, team@example.com], topic_arns: ["{CHAT}"]}}')
    world.terraform("init")
    world.terraform("apply", "-auto-approve", targets=targets)
    assert "No changes." in world.terraform("plan", targets=targets)

    arn = f"arn:aws:imagebuilder:{REGION}:000000000000:image/tellers-web/1.0.123/4"
    assert world.matching(state_change(arn, "FAILED")) == ["tellers_web_failures"]
    assert world.matching(state_change(arn, "AVAILABLE")) == []
    assert world.matching(state_change(arn.replace("tellers-web", "tellers-web-admin"), "FAILED")) == []
    disabled = {
        "source": "aws.imagebuilder",
        "detail-type": "EC2 Image Builder Image Pipeline Automatically Disabled",
        "region": REGION,
        "resources": [f"arn:aws:imagebuilder:{REGION}:000000000000:image-pipeline/tellers-web"],
        "detail": {"consecutive-failures": "5"},
    }
    assert world.matching(disabled) == ["tellers_web_failures_disabled"]

    world.declare("{emails: [team@example.com]}")
    applied = world.terraform("apply", "-auto-approve", targets=targets)
    assert "0 added, 0 changed" in applied, "who stays has nothing to confirm anew"
    world.terraform("destroy", "-auto-approve")
    assert world.matching(state_change(arn, "FAILED")) == []


def test_nobody_is_notified_twice_of_a_failed_build(world: DeployedStack) -> None:
    stack = world.declare("{emails: [team@example.com], no_new_image_for: 2 weeks}")["image-web"]
    alarms = stack["resource"]["aws_cloudwatch_metric_alarm"]
    by_mail = {name for name, alarm in alarms.items() if alarm.get("alarm_actions")}
    assert by_mail == {f"alarm_{kind}" for kind in ("problems", "errors", "dead_letters", "overdue")}
    handoff = configuration(world.folder / "cdktf.out" / "stacks" / "image-web")
    assert handoff and handoff.overdue_after_days == 14


FLEET = """
fleets:
  web:
    image: web
    channel: latest
    region: eu-west-1
    instance_type: t3.micro
    subnets: [subnet-0a]
    capacity: {{min: 1, max: 1}}
    notifications: {notified}
"""


def test_failed_rollouts_of_the_fleet_and_no_others_are_reported(local_aws: LocalAws, tmp_path: Path) -> None:
    notified = f'{{emails: [team@example.com], topic_arns: ["{CHAT}"]}}'
    estate = ESTATE.format(key=KEY, region=REGION, told="{}") + FLEET.format(notified=notified)
    (tmp_path / "estate.yaml").write_text(estate)
    stack = synthesize(tmp_path / "estate.yaml", tmp_path / "cdktf.out")["fleet-web"]["resource"]
    (rule,) = stack["aws_cloudwatch_event_rule"].values()

    def meets(end: str, group: str = "tellers_web", source: str = "aws.autoscaling") -> bool:
        """As in Auto Scaling's user guide, "Instance refresh example events and patterns"."""
        event = {
            "id": "1",
            "account": "000000000000",
            "time": "2026-01-18T17:50:56Z",
            "source": source,
            "detail-type": f"EC2 Auto Scaling Instance Refresh {end}",
            "region": REGION,
            "resources": [f"arn:aws:autoscaling:{REGION}:000000000000:autoScalingGroup:1:autoScalingGroupName/{group}"],
            "detail": {"InstanceRefreshId": "c613620e", "AutoScalingGroupName": group},
        }
        events = local_aws.client("events", region=REGION)
        pattern, text = rule["event_pattern"], json.dumps(event)
        return bool(events.test_event_pattern(EventPattern=pattern, Event=text)["Result"])

    ends = ("Failed", "Cancelled", "Rollback Succeeded", "Rollback Failed", "Started", "Succeeded")
    assert [end for end in ends if meets(end)] == [*ends[:4]]
    assert not meets("Failed", group="tellers_web-dev")
    targets = stack["aws_cloudwatch_event_target"]
    mail = targets["failed_rollouts_emails"]["input_transformer"]
    assert set(mail["input_paths"]) == {"event", "refresh", "time"}
    assert json.loads(mail["input_template"]).startswith("Fleet tellers/web: <event> at <time>, so instances may ")
    assert targets["failed_rollouts_topic"]["for_each"] == {CHAT: CHAT}
    assert stack["aws_sns_topic"]["rollouts_topic"]["kms_master_key_id"] == KEY
    assert stack["aws_sns_topic_subscription"]["email"]["for_each"] == {"team@example.com": "team@example.com"}


def test_a_fleet_has_a_key_only_for_a_topic_of_its_own(tmp_path: Path) -> None:
    resources = {}
    abroad = KEY.replace(REGION, "us-east-1")
    for notified in (f'{{topic_arns: ["{CHAT}"]}}', "{emails: [team@example.com]}", "{}"):
        estate = ESTATE.format(key=abroad, region=f"us-east-1, {REGION}", told="{}")
        (tmp_path / "estate.yaml").write_text(estate + FLEET.format(notified=notified))
        stack = synthesize(tmp_path / "estate.yaml", tmp_path / "cdktf.out")["fleet-web"]
        kinds = ("aws_kms_key", "aws_sns_topic", "aws_sns_topic_policy", "aws_cloudwatch_event_rule")
        resources[notified[1:7]] = [kind for kind in kinds if kind in stack["resource"]]
    assert resources == {
        "topic_": ["aws_cloudwatch_event_rule"],
        "emails": ["aws_kms_key", "aws_sns_topic", "aws_sns_topic_policy", "aws_cloudwatch_event_rule"],
        "}": [],
    }


def test_dashboard_of_many_images_shows_no_more_alarms_at_once_than_cloudwatch_takes(tmp_path: Path) -> None:
    image = {"os": "amazon-linux-2023", "build": ["update-os"], "regions": [REGION]}
    estate = {
        "settings": {"namespace": "tellers", "dashboards": True},
        "images": {f"web-{number}": image for number in range(26)},
    }
    (tmp_path / "estate.yaml").write_text(json.dumps(estate))
    stacks = synthesize(tmp_path / "estate.yaml", tmp_path / "cdktf.out")
    dashboard = stacks[f"overview-{REGION}"]["resource"]["aws_cloudwatch_dashboard"]["dashboard"]
    widgets = json.loads(dashboard["dashboard_body"])["widgets"]
    shown = [widget["properties"]["alarms"] for widget in widgets if widget["type"] == "alarm"]
    assert [len(alarms) for alarms in shown] == [100, 4]
    places = {
        (x, y)
        for each in widgets
        for x in range(each["x"], each["x"] + each["width"])
        for y in range(each["y"], each["y"] + each["height"])
    }
    assert len(places) == sum(each["width"] * each["height"] for each in widgets), "one lies on another"


def test_region_has_a_dashboard_with_alarms_that_the_images_have(world: DeployedStack) -> None:
    stacks = world.declare("{no_new_image_for: 2 weeks}")
    world.terraform("init", stack=f"overview-{REGION}")
    world.terraform("apply", "-auto-approve", stack=f"overview-{REGION}")
    assert "No changes." in world.terraform("plan", stack=f"overview-{REGION}")
    cloudwatch = world.aws.client("cloudwatch", region=REGION)
    widgets = json.loads(cloudwatch.get_dashboard(DashboardName="tellers_images")["DashboardBody"])["widgets"]

    shown = {arn.rpartition(":")[2] for arn in widgets[0]["properties"]["alarms"]}
    alarms = stacks["image-web"]["resource"]["aws_cloudwatch_metric_alarm"].values()
    assert shown == {alarm["alarm_name"] for alarm in alarms}
    metrics = {tuple(metric[:2]) for widget in widgets[1:] for metric in widget["properties"]["metrics"]}
    watched = {(alarm["namespace"], alarm["metric_name"]) for alarm in alarms}
    assert watched - metrics == {("Goldsmith", "Overdue")}, "which is an alarm, and no course of things"
    world.terraform("destroy", "-auto-approve", stack=f"overview-{REGION}")
    assert cloudwatch.list_dashboards(DashboardNamePrefix="tellers")["DashboardEntries"] == []
