"""Sizes and instances of groups of the local AWS, and parameters that AWS refuses."""

from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.support.groups import Group
from tests.support.image_builder import refusal

REQUIREMENTS = {"InstanceRequirements": {"VCpuCount": {"Min": 2}, "MemoryMiB": {"Min": 4096}}}


@pytest.fixture
def group(local_aws: LocalAws) -> Group:
    return Group(local_aws)


def _sizes(group: Group) -> tuple[int, int, int, int]:
    described = group.described()
    return described["MinSize"], described["MaxSize"], described["DesiredCapacity"], len(described["Instances"])


def _too_much(value: int, name: str, most: int) -> str:
    return (
        f"Value '{value}' at 'preferences.{name}' failed to satisfy constraint: Member must have value less than or "
        f"equal to {most}"
    )


def test_desired_capacity_follows_new_bounds(group: Group) -> None:
    """UpdateAutoScalingGroup in the API reference."""
    group.create(2, MaxSize=5)
    group.update(MinSize=4)
    assert _sizes(group) == (4, 5, 4, 4)
    group.update(MinSize=1, MaxSize=3)
    assert _sizes(group) == (1, 3, 3, 3)
    group.auto_scaling.set_desired_capacity(AutoScalingGroupName=group.name, DesiredCapacity=1)
    assert _sizes(group) == (1, 3, 1, 1)


def test_sizes_that_do_not_go_together_are_refused(group: Group) -> None:
    group.create(2, MaxSize=3)
    between = "ValidationError: Desired capacity:4 must be between the specified min size:2 and max size:3"
    assert refusal(group.update, DesiredCapacity=4) == between
    bound = "ValidationError: Max bound, 1, must be greater than or equal to min bound, 2"
    assert refusal(group.update, MaxSize=1) == bound
    for desired, words in ((4, "above max value 3"), (1, "below min value 2")):
        arguments = {"AutoScalingGroupName": group.name, "DesiredCapacity": desired}
        assert refusal(group.auto_scaling.set_desired_capacity, **arguments) == (
            f"ValidationError: New SetDesiredCapacity value {desired} is {words} for the AutoScalingGroup."
        )
    assert _sizes(group) == (2, 3, 2, 2)


def test_new_instances_have_the_groups_template_and_old_ones_leave_first(group: Group) -> None:
    group.create(1, MaxSize=2)
    (old,) = group.identities
    group.update(**group.plain("2"), DesiredCapacity=2)
    assert group.versions == ["1", "2"]
    group.update(MinSize=0, DesiredCapacity=1)
    assert group.versions == ["2"]
    (gone,) = group.in_ec2([old])
    assert (gone["State"]["Name"], gone["ImageId"]) == ("terminated", group.first)


def test_protected_instances_are_not_scaled_in(group: Group) -> None:
    """ec2-auto-scaling-instance-protection."""
    group.create(2, MinSize=0, DesiredCapacity=2, NewInstancesProtectedFromScaleIn=True)
    assert [each["ProtectedFromScaleIn"] for each in group.instances] == [True, True]
    kept, other = group.identities
    group.auto_scaling.set_instance_protection(
        AutoScalingGroupName=group.name, InstanceIds=[other], ProtectedFromScaleIn=False
    )
    group.update(DesiredCapacity=0)
    assert group.identities == [kept]


def test_instance_in_standby_is_replaced_unless_capacity_is_decremented(group: Group) -> None:
    """as-enter-exit-standby."""
    group.create(2, MinSize=1, MaxSize=3, DesiredCapacity=2)
    first, second = group.identities
    standby = {"AutoScalingGroupName": group.name, "InstanceIds": [first]}
    group.auto_scaling.enter_standby(**standby, ShouldDecrementDesiredCapacity=True)
    assert _sizes(group) == (1, 3, 1, 2)
    assert {each["InstanceId"]: each["LifecycleState"] for each in group.instances} == {
        first: "Standby",
        second: "InService",
    }
    group.auto_scaling.exit_standby(**standby)
    assert _sizes(group) == (1, 3, 2, 2)
    group.auto_scaling.enter_standby(**standby, ShouldDecrementDesiredCapacity=False)
    assert _sizes(group) == (1, 3, 2, 3)
    unknown = {**standby, "InstanceIds": ["i-0a1b2c3d"]}
    assert refusal(group.auto_scaling.exit_standby, **unknown) == (
        f"ValidationError: The instance i-0a1b2c3d is not part of Auto Scaling group {group.name}."
    )


def test_terminated_and_unhealthy_instances_are_replaced(group: Group) -> None:
    group.create(2)
    first, second = group.identities
    group.auto_scaling.terminate_instance_in_auto_scaling_group(InstanceId=first, ShouldDecrementDesiredCapacity=False)
    group.auto_scaling.set_instance_health(InstanceId=second, HealthStatus="Unhealthy")
    assert _sizes(group) == (2, 2, 2, 2)
    assert {first, second}.isdisjoint(group.identities)
    shown = group.auto_scaling.describe_auto_scaling_instances(InstanceIds=group.identities)["AutoScalingInstances"]
    assert {each["AutoScalingGroupName"] for each in shown} == {group.name}


def test_activities_are_newest_first(group: Group) -> None:
    group.create(1)
    (old,) = group.identities
    group.start()
    (new,) = group.identities
    activities = group.activities()
    assert [each["Description"] for each in activities] == [
        f"Launching a new EC2 instance: {new}",
        f"Terminating EC2 instance: {old}",
        f"Launching a new EC2 instance: {old}",
    ]
    assert activities[0]["StartTime"] >= activities[2]["StartTime"]
    assert {each["StatusCode"] for each in activities} == {"Successful"}


def test_group_needs_something_to_launch_from(group: Group) -> None:
    arguments = {"AutoScalingGroupName": "nothing", "MinSize": 0, "MaxSize": 0, "AvailabilityZones": ["eu-north-1a"]}
    assert refusal(group.auto_scaling.create_auto_scaling_group, **arguments) == (
        "ValidationError: Valid requests must contain either launchTemplate, launchConfigurationName, InstanceId or "
        "MixedInstancesPolicy parameter."
    )


@pytest.mark.parametrize(
    ("preferences", "problem"),
    [
        (
            {"MinHealthyPercentage": 101, "BakeTime": 172801},
            f"2 validation errors detected: {_too_much(101, 'minHealthyPercentage', 100)}; "
            f"{_too_much(172801, 'bakeTime', 172800)}",
        ),
        (
            {"CheckpointPercentages": [50], "CheckpointDelay": 172801},
            f"1 validation error detected: {_too_much(172801, 'checkpointDelay', 172800)}",
        ),
        (
            {"CheckpointPercentages": [50, 101]},
            f"1 validation error detected: {_too_much(101, 'checkpointPercentages.2.member', 100)}",
        ),
        (
            {"StandbyInstances": "Replace"},
            "1 validation error detected: Value 'Replace' at 'preferences.standbyInstances' failed to satisfy "
            "constraint: Member must satisfy enum value set: [Terminate, Ignore, Wait]",
        ),
        (
            {"CheckpointPercentages": [50, 50]},
            "CheckpointPercentages must be unique and in ascending order, got [50, 50].",
        ),
        (
            {"CheckpointDelay": 60},
            "CheckpointPercentages must be specified when CheckpointDelay is specified.",
        ),
        (
            {"MaxHealthyPercentage": 110},
            "MinHealthyPercentage must be specified when MaxHealthyPercentage is specified.",
        ),
        (
            {"MinHealthyPercentage": 50, "MaxHealthyPercentage": 151},
            "The difference between MaxHealthyPercentage and MinHealthyPercentage cannot be greater than 100, got 151 "
            "and 50.",
        ),
        (
            {"AlarmSpecification": {"Alarms": [f"alarm-{number}" for number in range(11)]}},
            "AlarmSpecification can have up to 10 alarms, got 11.",
        ),
        (
            {"AutoRollback": True},
            "The request isn't valid. The AutoRollback parameter cannot be set to true when the DesiredConfiguration "
            "parameter is empty. Set AutoRollback to false or specify a desired configuration and try again.",
        ),
    ],
)
def test_preferences_that_aws_refuses(group: Group, preferences: dict[str, Any], problem: str) -> None:
    """RefreshPreferences in the API reference."""
    group.create(1)
    assert refusal(group.start, **preferences) == f"ValidationError: {problem}"


def test_preferences_are_shown_with_the_defaults(group: Group) -> None:
    """understand-instance-refresh-default-values, and outputs that users have posted."""
    group.create(1, HealthCheckGracePeriod=120)
    group.start(StandbyInstances="Ignore")
    assert group.newest["Preferences"] == {
        "MinHealthyPercentage": 90,
        "InstanceWarmup": 120,
        "SkipMatching": False,
        "AutoRollback": False,
        "AlarmSpecification": {},
        "StandbyInstances": "Ignore",
    }


def test_groups_that_choose_types_by_attributes_take_no_desired_configuration(group: Group) -> None:
    """instance-refresh-overview, "Attribute-based instance selection"."""
    group.create(1, **group.mixed("1", types=[REQUIREMENTS]))
    words = (
        "is not supported for an Auto Scaling group with InstanceRequirements. Start the instance refresh without it."
    )
    assert refusal(group.start, SkipMatching=True) == f"ValidationError: SkipMatching {words}"
    assert refusal(group.start, version="2") == f"ValidationError: DesiredConfiguration {words}"
    group.start()
    assert group.newest["Status"] == "Successful"
