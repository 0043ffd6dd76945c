"""Instance refreshes of the local AWS take their time, as in Auto Scaling's user guide.

Pages of docs.aws.amazon.com/autoscaling/ec2/userguide are named by their last part.
"""

from collections.abc import Iterator

import pytest

from local_aws.server import LocalAws
from tests.support.groups import Group


@pytest.fixture
def group(local_aws: LocalAws) -> Iterator[Group]:
    yield Group(local_aws)
    local_aws.set_rollout_time()


def _timed(group: Group, *, launch_seconds: float = 60) -> LocalAws:
    """From now on launches take a minute, and AWS's durations are its own."""
    group.aws.set_rollout_time(launch_seconds=launch_seconds, scale=1)
    return group.aws


def test_refresh_takes_no_time_unless_it_is_set(group: Group) -> None:
    group.create(4)
    group.start("2", InstanceWarmup=600, CheckpointPercentages=[25, 100], BakeTime=600)
    assert group.status == ("Successful", 100, 0)
    assert group.versions == ["2"] * 4


def test_refresh_replaces_batch_by_batch_what_may_be_missing(group: Group) -> None:
    """instance-refresh-overview: with a minimum of 50 percent half of the group at a time, then the warm-up."""
    group.create(4)
    aws = _timed(group)
    group.start("2", MinHealthyPercentage=50, InstanceWarmup=120)
    assert group.status == ("InProgress", 0, 4)
    assert group.versions == ["1", "1", "2", "2"]
    assert [each["LifecycleState"] for each in group.instances].count("Pending") == 2
    aws.pass_time(61)
    assert group.newest["StatusReason"].startswith(
        "Waiting for instances to warm up before continuing. For example: i-"
    )
    assert group.status == ("InProgress", 0, 4)
    aws.pass_time(120)
    assert group.status == ("InProgress", 50, 2)
    aws.pass_time(181)
    assert group.status == ("Successful", 100, 0)
    assert group.versions == ["2"] * 4


def test_answer_does_not_depend_on_who_looked_before(group: Group) -> None:
    group.create(4)
    aws = _timed(group)
    identity = group.start("2", MinHealthyPercentage=50, InstanceWarmup=120, BakeTime=300)
    aws.pass_time(1000)
    (refresh,) = group.auto_scaling.describe_instance_refreshes(
        AutoScalingGroupName=group.name, InstanceRefreshIds=[identity]
    )["InstanceRefreshes"]
    assert refresh["Status"] == "Successful"
    took = (refresh["EndTime"] - refresh["StartTime"]).total_seconds()
    assert took == pytest.approx(2 * (60 + 120) + 300, abs=0.01), "and not when it was looked at"
    launched = sorted(each["LaunchTime"] for each in group.in_ec2(group.identities))
    assert (launched[2] - launched[0]).total_seconds() == 180


def test_minimum_of_100_percent_launches_before_it_terminates(group: Group) -> None:
    """instance-refresh-overview: one at a time with 100 and 100, and never below the desired capacity."""
    group.create(2)
    aws = _timed(group)
    group.start("2", MinHealthyPercentage=100, MaxHealthyPercentage=100, InstanceWarmup=0)
    assert group.versions == ["1", "1", "2"]
    aws.pass_time(61)
    assert group.versions == ["1", "2", "2"]
    aws.pass_time(61)
    assert group.status == ("Successful", 100, 0)
    assert group.versions == ["2", "2"]


def test_maximum_allows_that_many_more(group: Group) -> None:
    group.create(4)
    _timed(group)
    group.start("2", MinHealthyPercentage=100, MaxHealthyPercentage=150)
    assert group.versions == ["1", "1", "1", "1", "2", "2"]


def test_one_instance_at_a_time_is_terminated_while_its_replacement_starts(group: Group) -> None:
    """RefreshPreferences: without a maximum, where nothing may be missing."""
    group.create(2)
    _timed(group)
    group.start("2")
    assert group.versions == ["1", "2"]


def test_percentages_come_from_the_maintenance_policy(group: Group) -> None:
    """understand-instance-refresh-default-values."""
    policy = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200}
    group.create(2, InstanceMaintenancePolicy=policy)
    _timed(group)
    group.start("2")
    assert group.versions == ["1", "1", "2", "2"]
    preferences = group.newest["Preferences"]
    assert {name: preferences[name] for name in policy} == policy
    assert group.described()["InstanceMaintenancePolicy"] == policy


@pytest.mark.parametrize(
    ("settings", "warmup"),
    [({"DefaultInstanceWarmup": 30, "HealthCheckGracePeriod": 90}, 30), ({"HealthCheckGracePeriod": 90}, 90)],
)
def test_warmup_is_that_of_the_group_by_default(group: Group, settings: dict[str, int], warmup: int) -> None:
    """RefreshPreferences: the default warm-up, or else the health check grace period."""
    group.create(1, **settings)
    aws = _timed(group, launch_seconds=0)
    group.start()
    assert group.newest["Preferences"]["InstanceWarmup"] == warmup
    aws.pass_time(warmup - 5)
    assert group.status == ("InProgress", 0, 1)
    aws.pass_time(6)
    assert group.status == ("Successful", 100, 0)


def test_checkpoints_pause_the_refresh(group: Group) -> None:
    """The example of asg-adding-checkpoints-instance-refresh, which stops at 50 percent."""
    group.create(10)
    aws = _timed(group, launch_seconds=0)
    group.start("2", MinHealthyPercentage=80, InstanceWarmup=600, CheckpointPercentages=[20, 50], CheckpointDelay=900)
    expected = [
        (0, ("InProgress", 0, 10), 2),
        (10, ("InProgress", 20, 8), 2),
        (25, ("InProgress", 20, 8), 4),
        (35, ("InProgress", 40, 6), 5),
        (45, ("Successful", 50, 5), 5),
    ]
    before = 0
    for minutes, status, replaced in expected:
        aws.pass_time((minutes - before) * 60 + (1 if before == 0 and minutes else 0))
        before = minutes
        assert (group.status, group.versions.count("2")) == (status, replaced), f"after {minutes} minutes"


def test_checkpoints_are_passed_together(group: Group) -> None:
    """The example of asg-adding-checkpoints-instance-refresh: one of two instances is more than 10 and 40 percent."""
    group.create(2)
    aws = _timed(group, launch_seconds=0)
    group.start(CheckpointPercentages=[10, 40, 100], InstanceWarmup=0)
    assert group.newest["Preferences"]["CheckpointDelay"] == 3600
    aws.pass_time(3590)
    assert group.status == ("InProgress", 50, 1)
    aws.pass_time(20)
    assert group.status == ("Successful", 100, 0)


def test_refresh_bakes_at_its_end(group: Group) -> None:
    """InstanceRefreshStatus: Baking, for the bake time, after all instances were updated."""
    group.create(1)
    aws = _timed(group, launch_seconds=0)
    group.start("2", InstanceWarmup=0, BakeTime=600)
    assert group.status == ("Baking", 100, 0)
    assert group.described()["LaunchTemplate"] == group.template("1"), "it has not succeeded yet"
    aws.pass_time(601)
    assert group.status == ("Successful", 100, 0)
    assert group.described()["LaunchTemplate"] == group.template("2")


def test_matching_instances_are_skipped(group: Group) -> None:
    """asg-instance-refresh-skip-matching."""
    group.create(2, **group.plain("2"), MaxSize=4)
    kept = group.identities
    group.update(**group.plain("1"), DesiredCapacity=4)
    assert group.versions == ["1", "1", "2", "2"]
    group.start("2", SkipMatching=True)
    assert group.versions == ["2"] * 4
    assert set(kept) < set(group.identities)
    before = group.identities
    group.start(SkipMatching=True)
    assert group.status == ("Successful", 100, 0)
    assert group.identities == before


def test_new_version_that_latest_means_replaces_again(group: Group) -> None:
    """asg-instance-refresh-skip-matching: the last of its considerations about $Latest and $Default."""
    group.create(2)
    aws = _timed(group)
    group.start("$Latest", InstanceWarmup=0)
    aws.pass_time(61)
    assert group.versions == ["2", "2"], "one of them is on its way"
    group.add_version(group.first)
    aws.pass_time(200)
    assert group.status[0] == "Successful"
    assert group.versions == ["3", "3"]


@pytest.mark.parametrize(("choice", "replaced"), [("Ignore", False), ("Refresh", True)])
def test_protected_instances(group: Group, choice: str, replaced: bool) -> None:
    """understand-instance-refresh-default-values."""
    group.create(2)
    protected, _ = group.identities
    group.auto_scaling.set_instance_protection(
        AutoScalingGroupName=group.name, InstanceIds=[protected], ProtectedFromScaleIn=True
    )
    group.start(ScaleInProtectedInstances=choice)
    assert group.status == ("Successful", 100, 0)
    assert (protected in group.identities) != replaced


def test_refresh_waits_an_hour_for_protected_instances(group: Group) -> None:
    """understand-instance-refresh-default-values: Wait is the default."""
    group.create(2)
    protected, _ = group.identities
    protect = {"AutoScalingGroupName": group.name, "InstanceIds": [protected]}
    group.auto_scaling.set_instance_protection(**protect, ProtectedFromScaleIn=True)
    aws = _timed(group, launch_seconds=0)
    group.start(InstanceWarmup=0)
    assert group.status == ("InProgress", 50, 1), "the other one was replaced"
    aws.pass_time(3500)
    reason = f"Waiting for remaining instances to be available. For example: {protected} is protected from scale in."
    assert group.newest["StatusReason"] == reason
    group.auto_scaling.set_instance_protection(**protect, ProtectedFromScaleIn=False)
    assert group.status == ("Successful", 100, 0)

    last = group.identities[0]
    group.auto_scaling.set_instance_protection(**protect | {"InstanceIds": [last]}, ProtectedFromScaleIn=True)
    group.start(InstanceWarmup=0)
    aws.pass_time(3601)
    assert group.status == ("Failed", 50, 1)


@pytest.mark.parametrize(
    ("choice", "status", "remains"),
    [("Terminate", "Successful", False), ("Ignore", "Successful", True), ("Wait", "Failed", True)],
)
def test_instances_in_standby(group: Group, choice: str, status: str, remains: bool) -> None:
    """understand-instance-refresh-default-values."""
    group.create(2, MinSize=1, DesiredCapacity=2)
    waiting, other = group.identities
    group.auto_scaling.enter_standby(
        AutoScalingGroupName=group.name, InstanceIds=[waiting], ShouldDecrementDesiredCapacity=True
    )
    group.start(StandbyInstances=choice)
    assert group.newest["Status"] == status
    assert (waiting in group.identities) == remains
    assert other not in group.identities


def test_update_during_a_refresh_without_a_desired_configuration_is_followed(group: Group) -> None:
    """Seen by a user: hashicorp/terraform-provider-aws#13791."""
    group.create(2)
    aws = _timed(group)
    group.start(InstanceWarmup=0)
    group.update(**group.plain("2"))
    aws.pass_time(130)
    assert group.status == ("Successful", 100, 0)
    assert group.versions == ["1", "2"]


def test_scale_out_during_a_refresh_has_the_desired_configuration(group: Group) -> None:
    """instance-refresh-overview, "Desired configuration"."""
    group.create(2, MaxSize=3)
    aws = _timed(group)
    group.start("2", InstanceWarmup=0)
    group.update(DesiredCapacity=3)
    assert group.versions == ["1", "2", "2"]
    aws.pass_time(200)
    assert group.status == ("Successful", 100, 0)
    assert group.versions == ["2", "2", "2"]
