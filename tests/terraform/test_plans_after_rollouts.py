"""How rollouts end, by Goldsmith and by Terraform: after each end the next plan, what status says, and the way on.

The tests are one story of two fleets with the same image, and have to run in order.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping

import pytest

from local_aws.server import LocalAws
from scripts.terraform import TerraformError
from tests.support.applied_fleets import AppliedFleets, Said
from tests.support.ops_world import Shell, impatient_shell

ESTATE = """\
settings:
  namespace: ends
images:
  web: {os: amazon-linux-2023, build: [update-os], regions: [eu-west-1]}
fleets:
  one: &fleet
    image: web
    channel: latest
    region: eu-west-1
    instance_type: t3.micro
    subnets: [SUBNET]
    security_group_ids: [sg-0a1b2c3d]
    instance_profile_arn: arn:aws:iam::000000000000:instance-profile/web
    capacity: {min: 4, max: 8}
    rollout: {by: ONE, min_healthy_percentage: 50}
  two:
    <<: *fleet
    rollout: {by: TWO, min_healthy_percentage: 50}
"""
ONE, TWO = "one.aws_autoscaling_group.fleet", "two.aws_autoscaling_group.fleet"
TEMPLATES = ("one.aws_launch_template.launch_template", "two.aws_launch_template.launch_template")
EMPTY = Said({}, set())
NO_TEMPLATE = "The specified launch template, with template ID {}, does not exist. Launching EC2 instance failed."
WARM_UP = 300
"""Seconds: the health check grace period, which is how long a new instance warms up."""


def templates(*actions: str) -> dict[str, list[str]]:
    """What a plan does with both launch templates."""
    return {address: [*actions] for address in TEMPLATES}


def behind(version: str, newest: str, *, fleet: str = "one") -> Said:
    """What a plan without changes says of a fleet that Goldsmith has to roll out."""
    text = f"the group launches version {version} of its launch template, and version {newest} is the newest"
    return Said({}, {f"Fleet {fleet}: {text}: goldsmith rollout {fleet}"})


class World(AppliedFleets):
    """Fleet `one`, whose rollouts Goldsmith starts, and `two`, by Terraform, until they swap."""

    def roll(self, *, one: str, two: str) -> None:
        """Declare who starts the rollouts."""
        self.declare(ESTATE.replace("ONE", one).replace("TWO", two))

    def deploy(self, build: str) -> None:
        """A new build, planned and applied."""
        self.build(build)
        self.plan()
        self.apply()

    def take_time(self) -> None:
        """From now on refreshes take the time that they take in AWS."""
        self.aws.set_rollout_time(scale=1)

    def take_no_time(self) -> None:
        """Let refreshes end, and take no time from now on."""
        self.aws.set_rollout_time()
        self.aws.pass_time(3 * WARM_UP)

    def give_up(self) -> None:
        """Let the hours pass after which AWS does not try again: to go on, and to go back."""
        for _ in range(3):
            self.aws.pass_time(3600)

    def start(self, fleet: str, version: str) -> None:
        """A refresh as Goldsmith starts it, whose command was killed at once."""
        group = f"ends_{fleet}"
        self.client("autoscaling").start_instance_refresh(
            AutoScalingGroupName=group,
            DesiredConfiguration={"LaunchTemplate": {"LaunchTemplateName": group, "Version": version}},
            Preferences={"AutoRollback": True, "SkipMatching": True, "MinHealthyPercentage": 50},
        )

    def last(self, fleet: str) -> str:
        """The status of the last refresh."""
        return str(self.refreshes(fleet)[0]["Status"])

    def template(self, fleet: str) -> str:
        """The ID of the template that the group launches."""
        return str(self.group(fleet)["LaunchTemplate"]["LaunchTemplateId"])


@pytest.fixture(scope="module")
def world(
    local_aws: LocalAws, shared_providers_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("ends")
    world = World(local_aws, folder, shared_providers_environment, "ends", ("one", "two"))
    world.build("1")
    world.roll(one="goldsmith", two="terraform")
    world.terraform("init")
    world.plan()
    world.apply()
    yield world
    local_aws.set_rollout_time()


@pytest.fixture
def shell(
    world: World, local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    return impatient_shell(local_aws, world.config, monkeypatch, capsys)


def gaps(shell: Shell) -> list[str]:
    """The lines of status about the fleets."""
    lines = shell.ops("status", "one", "two").out.splitlines()
    return [line.removeprefix("fleet ") for line in lines if line.startswith("fleet ")]


def rollout(shell: Shell, *arguments: str) -> tuple[int, list[str]]:
    """Exit status and lines of the command, without its table."""
    answer = shell.ops("rollout", *arguments, "--yes")
    return answer.status, [line for line in answer.out.splitlines() if line.startswith(("one: ", "two: ", "  "))]


def test_new_groups_run_the_build(world: World, shell: Shell) -> None:
    assert world.plan() == EMPTY
    assert gaps(shell) == []
    status, lines = rollout(shell, "one", "two")
    assert (status, len(lines)) == (0, 2)
    assert all("all 4 instances run" in line for line in lines)


def test_after_a_failure_the_plan_names_the_command_or_is_empty(world: World, shell: Shell) -> None:
    """AWS puts `one` back; in `two` half of the instances are replaced, and Terraform has nothing to do."""
    world.aws.end_next_refresh("ends_two", status="Failed", percentage=50, reason="unhealthy")
    world.deploy("2")
    world.aws.break_instances(world.builds["2"], reason="it does not boot")
    status, lines = rollout(shell, "one")
    assert (status, lines[1]) == (1, "one: the rollout was rolled back: it does not boot")
    assert world.plan() == behind("1", "2")
    assert gaps(shell) == [
        "one: the rollout of 1.0.2/1 was rolled back (it does not boot): goldsmith rollout one says what to do, and "
        "tries again with --retry",
        "two: 2 of 4 instances run 1.0.1/1 (version 1), and the group launches 1.0.2/1 (version 2): the last instance "
        "refresh ended Failed at 50%: unhealthy; goldsmith rollout two --retry starts one",
    ]
    world.apply()  # of a plan without changes
    assert world.versions("one") == ("1", ["1"] * 4)
    assert world.versions("two") == ("2", ["1", "1", "2", "2"])
    status, lines = rollout(shell, "two")
    assert (status, lines[0]) == (1, "two: the rollout failed: unhealthy")


def test_the_channel_goes_back_by_another_version(world: World, shell: Shell) -> None:
    world.point("1")
    assert world.plan().actions == {TWO: ["update"], **templates("update")}
    world.apply()
    assert world.versions("two") == ("3", ["3"] * 4)
    assert rollout(shell, "one", "two")[0] == 0
    assert world.versions("one") == ("3", ["3"] * 4)
    assert world.plan() == EMPTY


def test_an_apply_that_ends_before_the_refresh_leaves_an_empty_plan_and_status_says_it(
    world: World, shell: Shell
) -> None:
    world.aws.end_next_refresh("ends_two", status="Refused", reason="no refresh today")
    world.build("3")
    world.plan()
    with pytest.raises(TerraformError, match="no refresh today"):
        world.apply()
    assert world.plan() == behind("3", "4")
    assert (world.versions("one"), world.versions("two")) == (("3", ["3"] * 4), ("4", ["3"] * 4))
    assert gaps(shell) == [
        "one: the launch template has 1.0.3/1 (version 4), and no rollout was started: run goldsmith rollout one",
        "two: 4 of 4 instances run 1.0.1/1 (version 3), and the group launches 1.0.3/1 (version 4): no instance "
        "refresh was started since version 4 was made; goldsmith rollout two --retry starts one",
    ]
    assert rollout(shell, "two")[0] == 1
    assert rollout(shell, "one", "two", "--retry")[0] == 0
    assert world.versions("one") == world.versions("two") == ("4", ["4"] * 4)
    assert world.plan() == EMPTY


def test_a_killed_command_and_cancelled_refreshes_leave_half_of_the_instances(world: World, shell: Shell) -> None:
    world.take_time()
    world.deploy("4")
    with shell.running("rollout", "one", "--yes") as command:
        while not any(refresh["Status"] == "InProgress" for refresh in world.refreshes("one")):
            time.sleep(0.05)
        os.kill(command.pid, signal.SIGKILL)
    assert world.plan() == behind("4", "5")
    running = "instance refresh is InProgress at 0%, 2 instances left"
    assert gaps(shell) == [f"one: {running}", f"two: {running}"]
    for fleet in world.names:
        world.client("autoscaling").cancel_instance_refresh(AutoScalingGroupName=f"ends_{fleet}")
    assert world.plan() == behind("4", "5")
    assert (world.versions("one")[0], world.versions("two")[0]) == ("4", "5")
    assert gaps(shell) == [
        "one: the rollout of 1.0.4/1 was cancelled (Cancelled due to user request): goldsmith rollout one says what to "
        "do, and tries again with --retry",
        "two: 2 of 4 instances run 1.0.3/1 (version 4), and the group launches 1.0.4/1 (version 5): the last instance "
        "refresh ended Cancelled at 0%: Cancelled due to user request; goldsmith rollout two --retry starts one",
    ]
    world.take_no_time()
    assert rollout(shell, "one", "two", "--retry")[0] == 0
    assert world.versions("one") == world.versions("two") == ("5", ["5"] * 4)
    assert world.plan() == EMPTY


def test_an_apply_during_a_refresh_leaves_it_or_begins_anew(world: World, shell: Shell) -> None:
    world.take_time()
    world.deploy("5")
    world.start("one", "6")
    world.deploy("6")
    assert [refresh["Status"] for refresh in world.refreshes("two")][:2] == ["InProgress", "Cancelled"]
    assert world.refreshes("one")[0]["DesiredConfiguration"]["LaunchTemplate"]["Version"] == "6"
    assert world.plan() == behind("5", "7")
    world.take_no_time()
    assert gaps(shell) == [
        "one: the launch template has 1.0.6/1 (version 7), and no rollout was started: run goldsmith rollout one"
    ]
    assert rollout(shell, "one", "two")[0] == 0
    assert world.versions("one") == world.versions("two") == ("7", ["7"] * 4)
    assert world.plan() == EMPTY


def test_a_version_by_hand_between_plan_and_apply_is_not_the_newest(world: World, shell: Shell) -> None:
    world.build("7")
    world.plan()
    for fleet in world.names:
        world.client("ec2").create_launch_template_version(
            LaunchTemplateName=f"ends_{fleet}",
            SourceVersion="7",
            LaunchTemplateData={"ImageId": world.builds["5"], "InstanceType": "t3.large"},
        )
    assert world.plan().actions == {TWO: ["update"], **templates("update")}
    world.apply()
    assert world.plan() == behind("7", "9")
    assert world.versions("two") == ("9", ["9"] * 4)
    assert rollout(shell, "one")[0] == 0
    assert world.plan() == EMPTY


def test_who_starts_rollouts_is_swapped_in_the_middle_of_both(world: World, shell: Shell) -> None:
    """For ten minutes, every ten seconds, the provider asks AWS anew to give the group its version."""
    world.take_time()
    world.deploy("8")
    world.start("one", "10")
    world.roll(one="terraform", two="goldsmith")
    running = "instance refresh is InProgress at 0%, 2 instances left"
    assert gaps(shell) == [f"one: {running}", f"two: {running}"]
    assert world.plan() == Said({ONE: ["update"], TWO: ["update"]}, set())
    waiting = threading.Timer(2, world.take_no_time)
    waiting.start()
    world.apply()
    waiting.join()
    assert world.plan() == EMPTY
    assert gaps(shell) == []
    assert world.versions("one") == world.versions("two") == ("10", ["10"] * 4)
    assert rollout(shell, "one", "two")[0] == 0


def test_a_template_that_was_deleted_is_made_anew_with_other_numbers(world: World, shell: Shell) -> None:
    """The group of `two` keeps the one that was deleted until Goldsmith rolls out the new one."""
    lost = world.template("two")
    for fleet in world.names:
        world.client("ec2").delete_launch_template(LaunchTemplateName=f"ends_{fleet}")
    assert gaps(shell) == [
        f"{fleet}: launch template ends_{fleet} does not exist: run goldsmith plan fleet-{fleet} and apply it"
        for fleet in world.names
    ]
    status, lines = rollout(shell, "two")
    assert (status, lines) == (
        1,
        ["two: launch template ends_two does not exist: run goldsmith plan fleet-two and apply it"],
    )
    assert world.plan().actions == {ONE: ["update"], **templates("create")}
    world.apply()
    assert world.versions("one") == ("1", ["1"] * 4)
    assert world.plan() == lost_template(world, lost)
    assert gaps(shell) == [
        "two: group ends_two launches a version of a launch template that does not exist any more, so it cannot launch "
        "instances: run goldsmith rollout two"
    ]
    answer = shell.ops("rollout", "two", "--yes")
    assert answer.status == 0
    assert (
        "WARNING: AWS cannot go back, because the version that the group launches does not exist any more" in answer.out
    )
    assert world.refreshes("two")[0]["Preferences"]["AutoRollback"] is False
    assert world.versions("two") == ("1", ["1"] * 4)
    assert world.plan() == EMPTY


def test_a_template_that_is_replaced_in_the_middle_ends_the_refresh(world: World, shell: Shell) -> None:
    world.take_time()
    world.deploy("9")
    world.start("two", "2")
    lost = world.template("two")
    replaced = [f"-replace=module.{template}" for template in TEMPLATES]
    planned = world.plan(*replaced).actions
    assert planned == {ONE: ["update"], **templates("delete", "create")}
    world.apply()
    world.aws.set_rollout_time()
    with shell.running("rollout", "two", "--yes") as command:
        assert command.stdout is not None
        next(line for line in command.stdout if line.startswith("two: "))  # it follows the refresh
        world.give_up()
        lines = command.stdout.read().splitlines()
        assert command.wait() == 1
    assert f"two: the rollout failed, and could not be rolled back: {NO_TEMPLATE.format(lost)}" in lines
    # in the new template, version 1 is another one
    assert "  now: 2 of 4 run another build (version 1 of another launch template)" in lines
    assert (world.last("one"), world.last("two")) == ("Successful", "RollbackFailed")
    assert world.versions("one") == ("1", ["1"] * 4)
    assert world.versions("two") == ("1", ["1", "1", "2", "2"])
    assert world.plan() == lost_template(world, lost)
    assert rollout(shell, "two", "--retry")[0] == 0
    assert world.versions("two") == ("1", ["1"] * 4)
    assert world.template("two") != lost
    assert world.plan() == EMPTY


def lost_template(world: World, lost: str) -> Said:
    """What a plan without changes says when the group of `two` launches a template that Terraform did not make."""
    (own,) = world.client("ec2").describe_launch_templates(LaunchTemplateNames=["ends_two"])["LaunchTemplates"]
    text = (
        f"Fleet two: the group launches another launch template, {lost}, and not its own, {own['LaunchTemplateId']}; "
        "it cannot launch instances if the other was deleted: goldsmith rollout two"
    )
    return Said({}, {text})


def test_groups_that_were_deleted_are_made_with_the_newest_version(world: World, shell: Shell) -> None:
    world.build("10")
    for fleet in world.names:
        world.client("autoscaling").delete_auto_scaling_group(AutoScalingGroupName=f"ends_{fleet}", ForceDelete=True)
    assert rollout(shell, "two")[0] == 1
    assert world.plan().actions == {ONE: ["create"], TWO: ["create"], **templates("update")}
    world.apply()
    assert world.versions("one") == world.versions("two") == ("2", ["2"] * 4)
    assert world.plan() == EMPTY
    assert gaps(shell) == []
    assert rollout(shell, "one", "two")[0] == 0


def test_both_are_destroyed_in_the_middle_of_refreshes(world: World) -> None:
    world.take_time()
    world.deploy("11")
    world.start("two", "3")
    assert (world.last("one"), world.last("two")) == ("InProgress", "InProgress")
    world.terraform("destroy", "-auto-approve")
    assert world.terraform("state", "list") == ""
    found = world.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=["ends_one", "ends_two"])
    assert found["AutoScalingGroups"] == []
