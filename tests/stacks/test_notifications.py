"""Who is notified: rules, topics, alarms and dashboards, against events as AWS documents them."""

import json
from pathlib import Path

from local_aws.server import LocalAws
from tests.support.estates import configuration, synthesize

REGION = "eu-west-1"
KEY = f"arn:aws:kms:{REGION}:000000000000:key/0a1b2c3d-0000-0000-0000-000000000000"
CHAT = f"arn:aws:sns:{REGION}:000000000000:chat"
ESTATE = """
settings: {{namespace: tellers, kms_key_id: "{key}", dashboards: true}}
images:
  web:
    os: amazon-linux-2023
    build: [update-os]
    regions: [{region}]
    notifications: {notified}
"""


def test_nobody_is_notified_twice_of_a_failed_build(tmp_path: Path) -> None:
    notified = "{emails: [team@example.com], no_new_image_for: 2 weeks}"
    (tmp_path / "estate.yaml").write_text(ESTATE.format(key=KEY, region=REGION, notified=notified))
    stack = synthesize(tmp_path / "estate.yaml", tmp_path / "cdktf.out")["image-web"]
    alarms = stack["resource"]["aws_cloudwatch_metric_alarm"]
    by_mail = {name for name, alarm in alarms.items() if alarm.get("alarm_actions")}
    assert by_mail == {f"alarm_{kind}" for kind in ("problems", "errors", "dead_letters", "overdue")}
    handoff = configuration(tmp_path / "cdktf.out" / "stacks" / "image-web")
    assert handoff and handoff.overdue_after_days == 14


FLEET = """
fleets:
  web-dev:
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
    estate = ESTATE.format(key=KEY, region=REGION, notified="{}") + FLEET.format(notified=notified)
    (tmp_path / "estate.yaml").write_text(estate)
    stack = synthesize(tmp_path / "estate.yaml", tmp_path / "cdktf.out")["fleet-web-dev"]["resource"]
    (rule,) = stack["aws_cloudwatch_event_rule"].values()

    def meets(end: str, group: str = "tellers_web-dev", source: str = "aws.autoscaling") -> bool:
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
    assert not meets("Failed", group="tellers_web-dev-2")
    targets = stack["aws_cloudwatch_event_target"]
    mail = targets["failed_rollouts_emails"]["input_transformer"]
    assert set(mail["input_paths"]) == {"event", "refresh", "time"}
    assert json.loads(mail["input_template"]).startswith("Fleet tellers/web-dev: <event> at <time>, so instances may ")
    assert json.loads(mail["input_template"]).endswith("What to do: goldsmith status web-dev")
    assert targets["failed_rollouts_topic"]["for_each"] == {CHAT: CHAT}
    assert stack["aws_sns_topic"]["rollouts_topic"]["kms_master_key_id"] == KEY
    assert stack["aws_sns_topic_subscription"]["email"]["for_each"] == {"team@example.com": "team@example.com"}


def test_who_is_notified_of_a_rollout_by_goldsmith_reads_how_to_try_again(tmp_path: Path) -> None:
    estate = ESTATE.format(key=KEY, region=REGION, notified="{}") + FLEET.format(notified="{emails: [a@example.com]}")
    (tmp_path / "estate.yaml").write_text(f"{estate}    rollout: {{by: goldsmith}}\n")
    stack = synthesize(tmp_path / "estate.yaml", tmp_path / "cdktf.out")["fleet-web-dev"]["resource"]
    mail = stack["aws_cloudwatch_event_target"]["failed_rollouts_emails"]["input_transformer"]["input_template"]
    advice = "What to do: goldsmith status web-dev, and to try again: goldsmith rollout web-dev --retry"
    assert json.loads(mail).endswith(advice)


def test_a_fleet_has_a_key_only_for_a_topic_of_its_own(tmp_path: Path) -> None:
    resources = {}
    abroad = KEY.replace(REGION, "us-east-1")
    for notified in (f'{{topic_arns: ["{CHAT}"]}}', "{emails: [team@example.com]}", "{}"):
        estate = ESTATE.format(key=abroad, region=f"us-east-1, {REGION}", notified="{}")
        (tmp_path / "estate.yaml").write_text(estate + FLEET.format(notified=notified))
        stack = synthesize(tmp_path / "estate.yaml", tmp_path / "cdktf.out")["fleet-web-dev"]
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
