"""A fleet with `updates: automatic`: its function, deployed by the real Terraform, and what plans say meanwhile.

The tests are one story and have to run in order. One build rolls out by the rules of the stack alone; after that the
function is called by hand, as EventBridge calls it.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.support.applied_fleets import REGION, AppliedFleets, Said
from tests.support.estates import synthesize
from tests.support.function_role import ACCOUNT, FunctionRole
from tests.support.permissions import Estate, Recorder, check_called, needs_of

NAME = "auto_dev"
TOPIC = f"arn:aws:sns:{REGION}:000000000000:auto-chat"
ESTATE = f"""\
settings:
  namespace: auto
images:
  web: {{os: amazon-linux-2023, build: [update-os], regions: [{REGION}]}}
fleets:
  dev:
    image: web
    channel: latest
    region: {REGION}
    instance_type: TYPE
    subnets: [SUBNET]
    security_group_ids: [sg-0a1b2c3d]
    capacity: {{min: 2, max: 4}}
    updates: UPDATES
    notifications: {{emails: [team@example.com], topic_arns: ["{TOPIC}"]}}
"""
EMPTY = Said({}, set())
TEMPLATE, GROUP = "aws_launch_template.launch_template", "aws_autoscaling_group.fleet"
OF_THE_FUNCTION = {
    "aws_cloudwatch_event_rule.channel_moves",
    "aws_cloudwatch_event_rule.schedule",
    "aws_cloudwatch_event_target.channel_moves_target",
    "aws_cloudwatch_event_target.schedule_target",
    "aws_cloudwatch_log_group.log",
    "aws_cloudwatch_metric_alarm.alarm_dead_letters",
    "aws_cloudwatch_metric_alarm.alarm_errors",
    "aws_cloudwatch_metric_alarm.alarm_needs_person",
    "aws_iam_role.function_role",
    "aws_iam_role_policy.function_policy",
    "aws_lambda_function.function",
    "aws_lambda_permission.channel_moves_permission",
    "aws_lambda_permission.schedule_permission",
    "aws_sqs_queue.dead_letters",
}
OF_FAILED_ROLLOUTS = {
    "aws_cloudwatch_event_rule.failed_rollouts",
    "aws_cloudwatch_event_target.failed_rollouts_emails",
    'aws_cloudwatch_event_target.failed_rollouts_topic["TOPIC"]'.replace("TOPIC", TOPIC),
}
OF_ANOTHER = {"ec2:instanceprofile": "arn:aws:iam::000000000000:instance-profile/admin"}
IN_PLACE = {GROUP, "aws_kms_key.key", "aws_sns_topic_policy.rollouts_topic_policy"}


@dataclass
class World(AppliedFleets):
    """One fleet, in a folder of its own."""

    recorder: Recorder = field(kw_only=True)
    heard: list[str] = field(default_factory=list)

    @property
    def stack(self) -> Path:
        return self.folder / "cdktf.out" / "stacks" / "fleet-dev"

    def terraform(self, *arguments: str) -> str:
        return self.recorder.run(*arguments, folder=self.stack, environ=self.environment)

    def declare(self, estate: str) -> None:
        subnet = self.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
        self.config.write_text(estate.replace("SUBNET", subnet))
        stack = synthesize(self.config, self.folder / "cdktf.out")["fleet-dev"]
        for function in stack["resource"].get("aws_lambda_function", {}).values():
            # which the provider would look for where it was started
            function["filename"] = str(self.stack / function["filename"])
        (self.stack / "cdk.tf.json").write_text(json.dumps(stack))

    def say(self, updates: str = "automatic", *, instance_type: str = "t3.micro") -> None:
        """Declare the fleet."""
        self.declare(ESTATE.replace("UPDATES", updates).replace("TYPE", instance_type))

    def call(self) -> Mapping[str, Any]:
        """One run of the function; its line."""
        answer = self.client("lambda").invoke(FunctionName=f"{NAME}_rollout", Payload=b"{}", LogType="Tail")
        assert "FunctionError" not in answer, answer["Payload"].read()
        log = base64.b64decode(answer["LogResult"]).decode()
        (line,) = [json.loads(each) for each in log.splitlines() if each.startswith("{")]
        assert isinstance(line, dict)
        assert (line["problems"], line["unfinished"]) == ([], [])
        return line

    def roll_out(self) -> list[str]:
        """Runs of the function until nothing is left to do; what comes next after each."""
        said = []
        for _ in range(6):
            said.append(str(self.call()["next"]))
            if said[-1] in ("done", "ended", "refused", "wait"):
                break
        return said

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Until the rules have called the function, and that has changed something."""
        until = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < until, "nothing came of the rules"
            time.sleep(0.2)

    def take_no_time(self) -> None:
        """Let what goes on in the group end, and take no time from now on."""
        self.aws.set_rollout_time()
        self.aws.pass_time(3600)

    @property
    def newest(self) -> Mapping[str, Any]:
        """The newest version of the launch template."""
        found = self.client("ec2").describe_launch_template_versions(LaunchTemplateName=NAME, Versions=["$Latest"])
        version: Mapping[str, Any] = found["LaunchTemplateVersions"][0]
        return version

    @property
    def runs(self) -> set[tuple[str, str]]:
        """AMI and type of what the instances were launched from."""
        versions = {instance["LaunchTemplate"]["Version"] for instance in self.group("dev")["Instances"]}
        found = self.client("ec2").describe_launch_template_versions(LaunchTemplateName=NAME, Versions=[*versions])
        data = [each["LaunchTemplateData"] for each in found["LaunchTemplateVersions"]]
        return {(each["ImageId"], each["InstanceType"]) for each in data}

    @property
    def notices(self) -> list[str]:
        """What the topic of the team got, in order."""
        sqs = self.client("sqs")
        queue = sqs.get_queue_url(QueueName="auto-chat")["QueueUrl"]
        while found := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            self.heard += [json.loads(json.loads(each["Body"])["Message"])["content"]["description"] for each in found]
            for each in found:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=each["ReceiptHandle"])
        return self.heard


@pytest.fixture(scope="module")
def world(
    local_aws: LocalAws, shared_providers_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """The fleet, which each plan gave its build, before it is automatic."""
    folder, recorder = tmp_path_factory.mktemp("automatic"), Recorder(local_aws)
    world = World(local_aws, folder, shared_providers_environment, "auto", ("dev",), recorder=recorder)
    world.client("sns").create_topic(Name="auto-chat")
    world.client("sqs").create_queue(QueueName="auto-chat")
    queue = f"arn:aws:sqs:{REGION}:000000000000:auto-chat"
    world.client("sns").subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=queue)
    world.build("1")
    world.say("plan")
    world.terraform("init")
    world.plan()
    world.apply()
    yield world
    local_aws.set_rollout_time()


def test_a_fleet_becomes_automatic_and_nothing_is_replaced(world: World) -> None:
    world.say()
    planned = world.plan().actions
    assert {address for address, actions in planned.items() if actions == ["create"]} == OF_THE_FUNCTION
    assert {address for address, actions in planned.items() if actions == ["delete"]} == OF_FAILED_ROLLOUTS
    assert {address for address, actions in planned.items() if actions == ["update"]} == IN_PLACE
    world.apply()
    assert world.plan() == EMPTY
    assert world.roll_out() == ["done"]
    assert world.plan() == EMPTY


def test_its_rules_may_call_the_function(world: World) -> None:
    """The local AWS calls it without a permission, too."""
    policy = json.loads(world.client("lambda").get_policy(FunctionName=f"{NAME}_rollout")["Policy"])
    rules = {rule["Name"]: rule["Arn"] for rule in world.client("events").list_rules(NamePrefix=NAME)["Rules"]}
    assert set(rules) == {f"{NAME}_rollout", f"{NAME}_rollout_channel"}
    assert {statement["Condition"]["ArnLike"]["AWS:SourceArn"] for statement in policy["Statement"]} == {
        *rules.values()
    }
    for statement in policy["Statement"]:
        assert (statement["Effect"], statement["Action"]) == ("Allow", "lambda:InvokeFunction")
        assert statement["Principal"] == {"Service": "events.amazonaws.com"}


def test_the_event_of_its_channel_begins_a_rollout_and_its_schedule_ends_it(world: World) -> None:
    """No schedule calls the function before the instances are new, and no event after that."""
    world.aws.set_rules(every_seconds=3600)
    try:
        ami = world.build("2")
        world.wait_until(lambda: world.runs == {(ami, "t3.micro")})
        assert world.notices == []
        world.aws.set_rules(every_seconds=1)
        world.wait_until(lambda: world.notices != [])
    finally:
        world.aws.set_rules(every_seconds=0)
    assert world.roll_out() == ["done"]
    assert world.plan() == EMPTY


def test_builds_roll_out_and_every_plan_is_empty(world: World) -> None:
    for name in ("3", "4"):
        ami = world.build(name)
        assert world.plan() == EMPTY
        assert world.roll_out() == ["follow", "done"]
        assert world.runs == {(ami, "t3.micro")}
        assert world.plan() == EMPTY
    assert world.newest["VersionDescription"] == "Fleet auto/dev"
    assert [notice.partition(",")[2] for notice in world.notices] == [
        f" 1.0.{name}/1 succeeded; all 2 instances run 1.0.{name}/1." for name in ("2", "3", "4")
    ]


def test_after_a_rollback_the_newest_version_has_what_runs_and_the_plan_is_empty(world: World) -> None:
    before = len(world.notices)
    bad = world.build("5")
    world.aws.break_instances(bad, reason="it does not boot")
    assert world.roll_out() == ["follow", "ended"]
    assert world.newest["LaunchTemplateData"]["ImageId"] == world.builds["4"]
    assert world.runs == {(world.builds["4"], "t3.micro")}
    assert world.plan() == EMPTY
    assert (world.roll_out(), world.plan()) == (["ended"], EMPTY)
    (notice,) = world.notices[before:]
    assert "1.0.5/1 was rolled back: it does not boot; all 2 instances run 1.0.4/1; this is not tried" in notice


def test_what_terraform_changes_rolls_out_with_the_build_that_runs(world: World) -> None:
    world.say(instance_type="t3.small")
    assert world.plan().actions == {TEMPLATE: ["update"]}
    world.apply()
    assert world.roll_out()[0] == "follow"
    assert world.runs == {(world.builds["4"], "t3.small")}
    assert world.plan() == EMPTY


def test_an_old_saved_plan_brings_back_no_old_build(world: World) -> None:
    world.say(instance_type="t3.medium")
    assert world.plan().actions == {TEMPLATE: ["update"]}
    newer = world.build("6")
    assert world.roll_out() == ["follow", "done"]
    world.apply()
    assert world.newest["LaunchTemplateData"]["ImageId"] == world.builds["4"]
    assert world.roll_out() == ["follow", "done"]
    assert world.newest["LaunchTemplateData"]["ImageId"] == newer
    assert world.runs == {(newer, "t3.medium")}
    assert world.plan() == EMPTY


def test_its_role_may_do_what_it_does_and_nothing_in_another_fleet(world: World) -> None:
    world.build("7")
    world.aws.record_calls("Boto3")
    try:
        assert world.roll_out() == ["follow", "done"]
        calls = [call for call in world.aws.calls() if call.service not in ("lambda", "logs")]
    finally:
        world.aws.record_calls(None)
    assert {call.operation for call in calls} >= {"StartInstanceRefresh", "CreateLaunchTemplateVersion", "Publish"}
    role = FunctionRole(
        aws=world.aws, name=f"{NAME}_rollout_{REGION}", region=REGION, instance_role=f"{NAME}_fleet_{REGION}"
    )
    assert role.refused(calls) == []
    other = [each for each in calls if each.operation in ("StartInstanceRefresh", "CreateLaunchTemplateVersion")]
    moved = {"AutoScalingGroupName": "auto_other", "LaunchTemplateId": "lt-0other"}
    other = [replace(each, parameters={**each.parameters, **moved}) for each in other]
    assert role.refused(other) == [
        f"autoscaling:StartInstanceRefresh on arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:*:"
        "autoScalingGroupName/auto_other",
        f"ec2:CreateLaunchTemplateVersion on arn:aws:ec2:{REGION}:{ACCOUNT}:launch-template/lt-0other",
    ]
    (stolen,) = {
        need.action
        for call in calls
        if call.operation == "StartInstanceRefresh"
        for need in needs_of(call)
        if need.action == "ec2:RunInstances" and not role.allows(replace(need, keys={**need.keys, **OF_ANOTHER}))
    }
    assert stolen == "ec2:RunInstances"


def test_a_fleet_goes_back_to_plans_and_nothing_is_replaced(world: World) -> None:
    world.say("plan", instance_type="t3.medium")
    planned = world.plan().actions
    assert {address for address, actions in planned.items() if actions == ["delete"]} == OF_THE_FUNCTION
    assert {address for address, actions in planned.items() if actions == ["create"]} == OF_FAILED_ROLLOUTS
    assert {address for address, actions in planned.items() if actions == ["update"]} == IN_PLACE
    before = [instance["InstanceId"] for instance in world.group("dev")["Instances"]]
    world.apply()
    assert [instance["InstanceId"] for instance in world.group("dev")["Instances"]] == before
    assert world.plan() == EMPTY


def test_a_stack_is_made_with_its_function_and_destroyed_in_the_middle_of_a_rollout(world: World) -> None:
    world.terraform("destroy", "-auto-approve")
    world.say()
    world.plan()
    world.apply()
    assert world.plan() == EMPTY
    world.aws.set_rollout_time(scale=1)
    world.build("8")
    assert world.call()["next"] == "follow"
    assert world.plan() == EMPTY
    assert world.refreshes("dev")[0]["Status"] in ("Pending", "InProgress")
    # the group is deleted when its instances have ended
    ending = threading.Timer(5, world.take_no_time)
    ending.start()
    world.terraform("destroy", "-auto-approve")
    ending.join()
    assert world.terraform("state", "list") == ""


def test_policies_allow_what_terraform_called(world: World, request: pytest.FixtureRequest) -> None:
    assert world.recorder.refused(Estate(namespace="auto", account=ACCOUNT), "fleets") == []
    check_called("fleets-that-are-automatic", world.recorder.called(ACCOUNT), request)
