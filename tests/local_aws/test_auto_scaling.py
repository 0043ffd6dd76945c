"""Auto Scaling groups of the local AWS: what instances are launched from, plain and by a mixed instances policy."""

import itertools
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.support.image_builder import refusal

REGION = "eu-north-1"
SPOT = {"OnDemandPercentageAboveBaseCapacity": 25, "SpotAllocationStrategy": "price-capacity-optimized"}
TYPES = [{"InstanceType": "m7g.large", "WeightedCapacity": "2"}, {"InstanceType": "m6g.large"}]
numbers = itertools.count(1)


class Group:
    """A group of two instances and its launch template, which has versions 1 and 2 with AMIs of their own."""

    def __init__(self, aws: LocalAws) -> None:
        self.ec2 = aws.client("ec2", region=REGION)
        self.auto_scaling = aws.client("autoscaling", region=REGION)
        self.name = f"group-{next(numbers)}"
        self.first, self.second = (self.ec2.register_image(Name=f"{self.name}-{each}")["ImageId"] for each in (1, 2))
        made = self.ec2.create_launch_template(LaunchTemplateName=self.name, LaunchTemplateData={"ImageId": self.first})
        self.template_id: str = made["LaunchTemplate"]["LaunchTemplateId"]
        self.ec2.create_launch_template_version(
            LaunchTemplateId=self.template_id, LaunchTemplateData={"ImageId": self.second}
        )

    def template(self, version: str) -> dict[str, str]:
        return {"LaunchTemplateId": self.template_id, "LaunchTemplateName": self.name, "Version": version}

    def plain(self, version: str) -> dict[str, Any]:
        """The arguments of a group with a launch template."""
        return {"LaunchTemplate": {"LaunchTemplateId": self.template_id, "Version": version}}

    def mixed(self, version: str, **distribution: Any) -> dict[str, Any]:
        """The arguments of a group with a mixed instances policy."""
        specification = {"LaunchTemplateName": self.name, "Version": version}
        template = {"LaunchTemplateSpecification": specification, "Overrides": TYPES}
        return {"MixedInstancesPolicy": {"LaunchTemplate": template, "InstancesDistribution": distribution}}

    def create(self, **arguments: Any) -> None:
        self.auto_scaling.create_auto_scaling_group(
            AutoScalingGroupName=self.name, MinSize=2, MaxSize=2, AvailabilityZones=[f"{REGION}a"], **arguments
        )

    def update(self, **arguments: Any) -> None:
        self.auto_scaling.update_auto_scaling_group(AutoScalingGroupName=self.name, **arguments)

    def refresh(self, **arguments: Any) -> dict[str, Any]:
        """Replaces the instances; the refresh as it is described afterwards."""
        self.auto_scaling.start_instance_refresh(AutoScalingGroupName=self.name, **arguments)
        refreshes = self.auto_scaling.describe_instance_refreshes(AutoScalingGroupName=self.name)["InstanceRefreshes"]
        newest: dict[str, Any] = refreshes[0]
        return newest

    def described(self) -> dict[str, Any]:
        groups = self.auto_scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])["AutoScalingGroups"]
        (group,) = groups
        described: dict[str, Any] = group
        return described

    def amis(self) -> list[str]:
        """What EC2 says that the instances run."""
        identities = [instance["InstanceId"] for instance in self.described()["Instances"]]
        reservations = self.ec2.describe_instances(InstanceIds=identities)["Reservations"]
        return [instance["ImageId"] for reservation in reservations for instance in reservation["Instances"]]


@pytest.fixture
def group(local_aws: LocalAws) -> Group:
    return Group(local_aws)


def test_instances_get_the_groups_template_at_the_next_refresh(group: Group) -> None:
    group.create(**group.plain("1"))
    assert group.described()["LaunchTemplate"] == group.template("1")
    group.update(**group.plain("2"))
    assert group.described()["LaunchTemplate"] == group.template("2")
    assert group.amis() == [group.first, group.first]
    assert group.refresh()["Status"] == "Successful"
    assert group.amis() == [group.second, group.second]


def test_mixed_instances_policy_is_kept_with_aws_defaults(group: Group) -> None:
    group.create(**group.mixed("1"))
    described = group.described()
    assert "LaunchTemplate" not in described
    assert described["MixedInstancesPolicy"] == {
        "LaunchTemplate": {"LaunchTemplateSpecification": group.template("1"), "Overrides": TYPES},
        "InstancesDistribution": {
            "OnDemandAllocationStrategy": "prioritized",
            "OnDemandBaseCapacity": 0,
            "OnDemandPercentageAboveBaseCapacity": 100,
            "SpotAllocationStrategy": "lowest-price",
            "SpotInstancePools": 2,
        },
    }
    assert [instance["LaunchTemplate"] for instance in described["Instances"]] == [group.template("1")] * 2

    group.update(**group.mixed("2", **SPOT))
    assert group.described()["MixedInstancesPolicy"]["InstancesDistribution"] == {
        "OnDemandAllocationStrategy": "prioritized",
        "OnDemandBaseCapacity": 0,
        **SPOT,
    }
    group.refresh()
    assert group.amis() == [group.second, group.second]

    group.update(**group.plain("1"))
    assert "MixedInstancesPolicy" not in group.described()


def test_group_takes_over_the_desired_configuration_of_a_refresh(group: Group) -> None:
    group.create(**group.plain("1"))
    refresh = group.refresh(DesiredConfiguration=group.plain("2"))
    assert refresh["DesiredConfiguration"] == {"LaunchTemplate": group.template("2")}
    assert group.described()["LaunchTemplate"] == group.template("2")
    assert group.amis() == [group.second, group.second]


def test_group_keeps_its_template_when_a_refresh_fails(local_aws: LocalAws, group: Group) -> None:
    group.create(**group.plain("1"))
    local_aws.end_next_refresh(group.name, status="Failed", percentage=50, reason="unhealthy")
    assert group.refresh(DesiredConfiguration=group.plain("2"))["Status"] == "Failed"
    assert group.described()["LaunchTemplate"] == group.template("1")
    assert group.amis() == [group.second, group.first]


def test_version_that_does_not_exist_is_refused(group: Group) -> None:
    expected = (
        "ValidationError: You must use a valid fully-formed launch template. Could not find the specified version 3 "
        f"for the launch template with ID {group.template_id}."
    )
    assert refusal(group.create, **group.plain("3")) == expected
    assert refusal(group.create, **group.mixed("3")) == expected
    group.create(**group.plain("1"))
    assert refusal(group.update, **group.plain("3")) == expected
    assert refusal(group.update, **group.mixed("3")) == expected
    assert refusal(group.refresh, DesiredConfiguration=group.plain("3")) == expected
    assert group.described()["LaunchTemplate"] == group.template("1")
