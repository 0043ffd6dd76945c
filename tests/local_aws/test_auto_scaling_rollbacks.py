"""Instance refreshes of the local AWS that do not end well: cancelled, failed and rolled back, as AWS documents it.

Pages of docs.aws.amazon.com/autoscaling/ec2/userguide are named by their last part.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.support.groups import REGION, Group
from tests.support.image_builder import refusal

REASON = "Client.InstanceInitiatedShutdown: Instance initiated shutdown"
NONE_ACTIVE = "ActiveInstanceRefreshNotFound: No in progress or pending Instance Refresh found for Auto Scaling group "


@pytest.fixture
def group(local_aws: LocalAws) -> Iterator[Group]:
    """A group of four on version 1. Launches take a minute, and a refresh that cannot go on fails after ten."""
    group = Group(local_aws)
    group.create(4)
    local_aws.set_rollout_time(launch_seconds=60, scale=1, give_up_seconds=600)
    yield group
    local_aws.set_rollout_time()


@pytest.fixture
def alarm(local_aws: LocalAws, group: Group) -> Any:
    """Sets the state of an alarm with the name of the group."""
    cloudwatch = local_aws.client("cloudwatch", region=REGION)
    cloudwatch.put_metric_alarm(
        AlarmName=group.name,
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        MetricName="Errors",
        Namespace="Web",
        Period=60,
        Statistic="Sum",
        Threshold=1,
    )

    def set_state(state: str) -> None:
        cloudwatch.set_alarm_state(AlarmName=group.name, StateValue=state, StateReason="test")

    set_state("OK")
    return set_state


def _cancel(group: Group, **arguments: Any) -> str:
    answer = group.auto_scaling.cancel_instance_refresh(AutoScalingGroupName=group.name, **arguments)
    return str(answer["InstanceRefreshId"])


def _roll_back(group: Group) -> str:
    answer = group.auto_scaling.rollback_instance_refresh(AutoScalingGroupName=group.name)
    return str(answer["InstanceRefreshId"])


def _watching(group: Group) -> dict[str, Any]:
    return {"AlarmSpecification": {"Alarms": [group.name]}}


def _failed_launches(group: Group) -> list[str]:
    return [each["StatusMessage"] for each in group.activities() if each["StatusCode"] == "Failed"]


def test_cancelled_refresh_waits_for_its_launches(group: Group) -> None:
    """cancel-instance-refresh: what was replaced stays, and what has begun is completed."""
    identity = group.start("2", MinHealthyPercentage=50)
    assert _cancel(group) == identity
    assert group.newest["Status"] == "Cancelling"
    group.aws.pass_time(61)
    newest = group.newest
    assert (newest["Status"], newest["StatusReason"]) == ("Cancelled", "Cancelled due to user request.")
    assert "EndTime" in newest
    assert group.versions == ["1", "1", "2", "2"]
    assert group.described()["LaunchTemplate"] == group.template("1")
    assert refusal(_cancel, group=group) == NONE_ACTIVE + group.name


def test_cancellation_need_not_wait(group: Group) -> None:
    """cancel-instance-refresh: another refresh can start, and launches go on."""
    group.start("2", MinHealthyPercentage=50)
    _cancel(group, WaitForTransitioningInstances=False)
    assert group.newest["Status"] == "Cancelled"
    assert [each["LifecycleState"] for each in group.instances].count("Pending") == 2
    group.start("2", MinHealthyPercentage=50)


def test_one_refresh_at_a_time(group: Group) -> None:
    first = group.start("2")
    assert refusal(group.start) == (
        "InstanceRefreshInProgress: An Instance Refresh is already in progress and blocks the execution of this "
        "Instance Refresh."
    )
    _cancel(group, WaitForTransitioningInstances=False)
    second = group.start("2")
    asked = {"AutoScalingGroupName": group.name}
    pages = [group.auto_scaling.describe_instance_refreshes(**asked, MaxRecords=1)]
    pages.append(group.auto_scaling.describe_instance_refreshes(**asked, NextToken=pages[0]["NextToken"]))
    assert "NextToken" not in pages[1]
    assert [each["InstanceRefreshId"] for page in pages for each in page["InstanceRefreshes"]] == [second, first]
    (found,) = group.auto_scaling.describe_instance_refreshes(**asked, InstanceRefreshIds=[first])["InstanceRefreshes"]
    assert found["InstanceRefreshId"] == first


def test_configuration_cannot_be_updated_while_a_desired_one_is_rolled_out(group: Group) -> None:
    """instance-refresh-overview, "Update restriction"."""
    group.start("2")
    refused = (
        "ValidationError: An active instance refresh with a desired configuration exists. All configuration options "
        "derived from the desired configuration are not available for update while the instance refresh is active."
    )
    assert refusal(group.update, **group.plain("1")) == refused
    assert refusal(group.update, **group.mixed("1")) == refused
    group.update(MaxSize=6)
    assert group.described()["MaxSize"] == 6


def test_rollback_replaces_what_was_replaced(group: Group) -> None:
    """instance-refresh-rollback, and InstanceRefresh in the API reference about the two numbers."""
    before = set(group.identities)
    group.start("2", MinHealthyPercentage=50, InstanceWarmup=0, CheckpointPercentages=[50, 100])
    group.aws.pass_time(61)
    assert group.status == ("InProgress", 50, 2)
    kept = before & set(group.identities)
    _roll_back(group)
    assert group.status == ("RollbackInProgress", 0, 4), "both are terminated at once"
    details = group.newest["RollbackDetails"]
    assert (details["PercentageCompleteOnRollback"], details["InstancesToUpdateOnRollback"]) == (50, 2)
    assert refusal(_roll_back, group=group) == NONE_ACTIVE + group.name
    group.aws.pass_time(61)
    assert group.newest["Status"] == "RollbackSuccessful"
    assert group.versions == ["1"] * 4
    assert kept <= set(group.identities), "they were never replaced"
    assert group.described()["LaunchTemplate"] == group.template("1")
    assert refusal(_roll_back, group=group) == NONE_ACTIVE + group.name


def test_refresh_without_a_desired_configuration_cannot_be_rolled_back(group: Group) -> None:
    group.start()
    assert refusal(_roll_back, group=group) == (
        "IrreversibleInstanceRefresh: The request failed because a desired configuration was not found."
    )


def test_refresh_of_a_group_with_a_moving_version_cannot_be_rolled_back(group: Group) -> None:
    """instance-refresh-rollback: only to a numbered version, and not to a parameter."""
    group.update(**group.plain("$Latest"))
    group.start("2")
    why = "an incompatible launch template version ($Latest) is present on the Auto Scaling group."
    assert refusal(_roll_back, group=group) == f"IrreversibleInstanceRefresh: The request failed because {why}"
    _cancel(group, WaitForTransitioningInstances=False)
    automatic = {"version": "2", "AutoRollback": True}
    expected = f"ValidationError: The AutoRollback parameter cannot be set to true because {why}"
    assert refusal(group.start, **automatic) == expected
    group.add_version("resolve:ssm:/acme/ami")
    group.update(**group.plain("3"))
    assert "uses a Systems Manager parameter instead of an AMI ID" in refusal(group.start, **automatic)


def test_refresh_with_unhealthy_instances_tries_again_and_fails(group: Group) -> None:
    """instance-refresh-overview, "One-hour timeout": here after ten minutes."""
    before = set(group.identities)
    group.aws.break_instances(group.second, reason=REASON)
    group.start("2", MinHealthyPercentage=75, InstanceWarmup=0)
    group.aws.pass_time(61)
    newest = group.newest
    assert (newest["Status"], newest["StatusReason"]) == ("InProgress", REASON)
    assert _failed_launches(group) == [REASON]
    group.aws.pass_time(400)
    assert len(_failed_launches(group)) > 1
    assert group.newest["Status"] == "InProgress"
    group.aws.pass_time(300)
    newest = group.newest
    assert (newest["Status"], newest["PercentageComplete"], newest["StatusReason"]) == ("Failed", 0, REASON)
    assert len(before & set(group.identities)) == 3, "the rest of the group is untouched"
    group.aws.pass_time(61)
    assert group.versions == ["1"] * 4, "the group still has its configuration of before"


def test_healed_instances_let_the_refresh_go_on(group: Group) -> None:
    broken = f"{group.template_id}:2"
    group.aws.break_instances(broken)
    group.start("2", MinHealthyPercentage=0, InstanceWarmup=0)
    group.aws.pass_time(61)
    assert group.instances == []
    group.aws.heal_instances(broken)
    group.aws.pass_time(61)
    assert group.status == ("Successful", 100, 0)


def test_failed_refresh_is_rolled_back_if_that_is_wanted(group: Group) -> None:
    """instance-refresh-rollback: it tries for an hour before it fails and rolls back."""
    group.aws.break_instances(group.second, reason=REASON)
    group.start("2", MinHealthyPercentage=50, InstanceWarmup=0, AutoRollback=True)
    group.aws.pass_time(700)
    newest = group.newest
    assert newest["Status"] == "RollbackInProgress"
    assert newest["RollbackDetails"]["RollbackReason"] == REASON
    group.aws.pass_time(61)
    assert group.newest["Status"] == "RollbackSuccessful"
    assert group.versions == ["1"] * 4


def test_rollback_to_instances_that_are_unhealthy_fails(group: Group) -> None:
    """instance-refresh-rollback: the configuration of before must be in a stable state."""
    group.start("2", MinHealthyPercentage=50, InstanceWarmup=0)
    group.aws.pass_time(61)
    group.aws.break_instances(group.first, reason=REASON)
    _roll_back(group)
    group.aws.pass_time(1000)
    newest = group.newest
    assert (newest["Status"], newest["StatusReason"]) == ("RollbackFailed", REASON)
    group.aws.heal_instances(group.first)


def test_alarm_fails_the_refresh(group: Group, alarm: Any) -> None:
    """instance-refresh-rollback: without auto rollback it fails, and nothing is rolled back."""
    group.start("2", MinHealthyPercentage=50, **_watching(group))
    group.aws.pass_time(10)
    alarm("ALARM")
    newest = group.newest
    reason = f"The CloudWatch alarm {group.name} is in the ALARM state."
    assert (newest["Status"], newest["StatusReason"]) == ("Failed", reason)
    group.aws.pass_time(61)
    assert group.versions == ["1", "1", "2", "2"]


def test_alarm_of_a_while_ago_counts_from_then(group: Group, alarm: Any) -> None:
    group.start("2", MinHealthyPercentage=50, InstanceWarmup=0, BakeTime=600, AutoRollback=True, **_watching(group))
    group.aws.pass_time(200)
    assert group.newest["Status"] == "Baking"
    alarm("ALARM")
    group.aws.pass_time(3600)
    assert group.newest["Status"] == "RollbackSuccessful", "bake time had not ended when the alarm went off"
    assert group.versions == ["1"] * 4


def test_refresh_waits_while_an_alarm_has_no_data(group: Group, alarm: Any) -> None:
    group.start("2", MinHealthyPercentage=50, InstanceWarmup=0, **_watching(group))
    alarm("INSUFFICIENT_DATA")
    group.aws.pass_time(300)
    assert group.versions == ["1", "1", "2", "2"]
    alarm("OK")
    group.aws.pass_time(61)
    assert group.status == ("Successful", 100, 0)


def test_alarms_must_exist_and_be_ok_at_the_start(group: Group, alarm: Any) -> None:
    """instance-refresh-rollback."""
    for state in ("ALARM", "INSUFFICIENT_DATA"):
        alarm(state)
        assert refusal(group.start, **_watching(group)) == (
            f"ValidationError: The CloudWatch alarms must be in the state OK: {group.name} is in the state {state}."
        )
    assert refusal(group.start, AlarmSpecification={"Alarms": ["nothing"]}) == (
        "ValidationError: The CloudWatch alarms do not exist: nothing."
    )


def test_group_is_deleted_in_the_middle_of_a_refresh(group: Group) -> None:
    """As Terraform's provider does it: sizes of 0, and then the group when it has no instances any more."""
    group.start("2")
    delete = {"AutoScalingGroupName": group.name}
    assert refusal(group.auto_scaling.delete_auto_scaling_group, **delete) == (
        "ResourceInUse: You cannot delete an AutoScalingGroup while there are instances still in the group."
    )
    identities = group.identities
    group.update(MinSize=0, MaxSize=0, DesiredCapacity=0)
    assert group.instances == []
    group.auto_scaling.delete_auto_scaling_group(**delete, ForceDelete=True)
    assert refusal(group.start).startswith("ValidationError: AutoScalingGroup name not found")
    assert {each["State"]["Name"] for each in group.in_ec2(identities)} == {"terminated"}
