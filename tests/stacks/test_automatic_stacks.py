"""The stack of a fleet with `updates: automatic`: what Terraform leaves alone, and what its function may do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.estates import synthesize

ESTATE = """\
settings:
  namespace: auto
  accounts:
    images: {id: "111111111111", role: goldsmith}
    fleets: {id: "222222222222", role: goldsmith}
  alarm_actions: ["arn:aws:sns:eu-west-1:111111111111:on-call"]
images:
  web: {account: images, os: amazon-linux-2023, build: [update-os], regions: [eu-west-1]}
defaults:
  fleets:
    image: web
    channel: latest
    region: eu-west-1
    instance_type: t3.small
    subnets: [subnet-0a]
    capacity: {min: 1, max: 2}
    updates: automatic
fleets:
  here: {account: images, rollout: {alarms: [web-5xx]}}
  elsewhere: {account: fleets}
  given:
    account: fleets
    instance_profile_arn: arn:aws:iam::222222222222:instance-profile/web
    after: {fleets: [elsewhere]}
    notifications: {topic_arns: ["arn:aws:sns:eu-west-1:222222222222:chat"]}
  planned: {account: fleets, updates: plan, rollout: {by: goldsmith}}
"""
Stacks = Mapping[str, Any]


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Stacks:
    folder = tmp_path_factory.mktemp("automatic")

    (folder / "estate.yaml").write_text(ESTATE)
    return synthesize(folder / "estate.yaml", folder / "cdktf.out")


def statements(stacks: Stacks, fleet: str) -> dict[str, Any]:
    """Of the function's role, by their names."""
    policy = json.loads(stacks[f"fleet-{fleet}"]["resource"]["aws_iam_role_policy"]["function_policy"]["policy"])
    return {statement["Sid"]: statement for statement in policy["Statement"]}


def test_terraform_leaves_the_ami_and_what_the_group_launches(stacks: Stacks) -> None:
    stack = stacks["fleet-here"]
    assert stack["resource"]["aws_launch_template"]["launch_template"]["lifecycle"]["ignore_changes"] == ["image_id"]
    assert stack["resource"]["aws_autoscaling_group"]["fleet"]["lifecycle"]["ignore_changes"] == ["launch_template"]
    assert "image_id" not in stack["output"]
    planned = stacks["fleet-planned"]
    assert "ignore_changes" not in planned["resource"]["aws_launch_template"]["launch_template"]["lifecycle"]
    assert "image_id" in planned["output"]


def test_guards_warn_and_only_a_missing_build_or_ami_stops_a_plan(stacks: Stacks) -> None:
    for fleet, missing in (("here", ["channel", "found"]), ("elsewhere", ["channel", "found", "made"])):
        stack = stacks[f"fleet-{fleet}"]
        stopping = [
            name
            for kind in ("aws_ssm_parameters_by_path", "aws_ami_ids", "aws_ami")
            for name, data in stack["data"].get(kind, {}).items()
            if data.get("lifecycle", {}).get("postcondition")
        ]
        assert sorted(stopping) == missing
        assert {"name", "maker", "architecture", "revoked"} <= stack["check"].keys()
        assert len(stack["check"]["rollout"]["assert"]) == 1, "the newest version may be another one after a rollback"
    assert len(stacks["fleet-planned"]["check"]["rollout"]["assert"]) == 2


def test_the_function_in_the_account_of_the_image_is_called_when_the_channel_moves(stacks: Stacks) -> None:
    rules = stacks["fleet-here"]["resource"]["aws_cloudwatch_event_rule"]
    assert json.loads(rules["channel_moves"]["event_pattern"])["detail"] == {"name": ["/imagebuilder/auto/web/latest"]}
    assert statements(stacks, "here")["ReadChannels"]["Action"] == "ssm:GetParametersByPath"
    assert stacks["fleet-elsewhere"]["resource"]["aws_cloudwatch_event_rule"].keys() == {"schedule"}


def test_the_function_in_another_account_assumes_the_reader_role_which_trusts_it(stacks: Stacks) -> None:
    assert "ReadChannels" not in statements(stacks, "elsewhere")
    reader = statements(stacks, "elsewhere")["ReadImagesElsewhere"]
    assert (reader["Action"], reader["Resource"]) == (
        "sts:AssumeRole",
        "arn:aws:iam::111111111111:role/auto_web_reader_eu-west-1",
    )
    trust = json.loads(stacks["image-web"]["resource"]["aws_iam_role"]["reader_role"]["assume_role_policy"])
    (statement,) = trust["Statement"]
    assert statement["Condition"]["ArnLike"]["aws:PrincipalArn"] == [
        "arn:aws:iam::222222222222:role/goldsmith",
        "arn:aws:iam::222222222222:role/auto_*_rollout_*",
    ]


def test_the_role_of_instances_is_the_stacks_own_or_what_the_given_profile_has(stacks: Stacks) -> None:
    own, given = statements(stacks, "elsewhere"), statements(stacks, "given")
    assert own["PassInstanceRole"]["Resource"].endswith(":role/auto_elsewhere_fleet_eu-west-1")
    assert given["PassInstanceRole"]["Resource"].endswith(":role/*")
    for each in (own, given):
        keys = each["LaunchWithProfile"]["Condition"]["ArnEquals"]
        assert keys.keys() == {"ec2:LaunchTemplate", "ec2:InstanceProfile"}


def test_it_may_read_only_what_its_rules_look_at(stacks: Stacks) -> None:
    def extra(fleet: str) -> set[str]:
        return {*statements(stacks, fleet)["LookAtInstances"]["Action"]} & {
            "cloudwatch:DescribeAlarms",
            "ec2:DescribeInstances",
        }

    assert extra("here") == {"cloudwatch:DescribeAlarms"}
    assert extra("given") == {"ec2:DescribeInstances"}
    assert extra("elsewhere") == set()


def test_alarms_notify_those_of_the_fleet_or_of_the_settings(stacks: Stacks) -> None:
    def actions(fleet: str, alarm: str) -> Any:
        return stacks[f"fleet-{fleet}"]["resource"]["aws_cloudwatch_metric_alarm"][f"alarm_{alarm}"].get(
            "alarm_actions"
        )

    on_call, chat = "arn:aws:sns:eu-west-1:111111111111:on-call", "arn:aws:sns:eu-west-1:222222222222:chat"
    assert actions("here", "errors") == actions("here", "needs_person") == [on_call]
    assert actions("given", "dead_letters") == [chat]
    assert actions("given", "needs_person") is None, "the function sends a sentence"
    assert actions("elsewhere", "errors") is None, "the topic of the settings is of another account"
    assert "failed_rollouts" not in stacks["fleet-given"]["resource"]["aws_cloudwatch_event_rule"]
