"""Auto Scaling groups of the local AWS: what instances are launched from, plain and by a mixed instances policy."""

import pytest

from local_aws.server import LocalAws
from tests.support.groups import Group
from tests.support.image_builder import refusal

SPOT = {"OnDemandPercentageAboveBaseCapacity": 25, "SpotAllocationStrategy": "price-capacity-optimized"}
TYPES = [{"InstanceType": "m7g.large", "WeightedCapacity": "2"}, {"InstanceType": "m6g.large"}]


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
    group.create(**group.mixed("1", types=TYPES))
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

    group.update(**group.mixed("2", types=TYPES, **SPOT))
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
    assert refusal(group.create, **group.mixed("3", types=TYPES)) == expected
    group.create(**group.plain("1"))
    assert refusal(group.update, **group.plain("3")) == expected
    assert refusal(group.update, **group.mixed("3", types=TYPES)) == expected
    assert refusal(group.refresh, DesiredConfiguration=group.plain("3")) == expected
    assert group.described()["LaunchTemplate"] == group.template("1")


def test_template_that_does_not_exist_is_refused(group: Group) -> None:
    group.create(**group.plain("1"))
    group.ec2.delete_launch_template(LaunchTemplateId=group.template_id)
    refused = "ValidationError: You must use a valid fully-formed launch template. The specified launch template, with "
    by_id = f"{refused}template ID {group.template_id}, does not exist."
    assert refusal(group.update, **group.plain("1")) == by_id
    assert refusal(group.refresh, DesiredConfiguration=group.plain("1")) == by_id
    assert refusal(group.update, **group.mixed("1")) == f"{refused}template name {group.name}, does not exist."


def test_group_launches_nothing_from_a_template_that_was_deleted(group: Group) -> None:
    group.create(**group.plain("1"))
    before = group.identities
    group.ec2.delete_launch_template(LaunchTemplateId=group.template_id)
    group.update(MaxSize=3, DesiredCapacity=3)
    assert group.identities == before
    message = (
        f"The specified launch template, with template ID {group.template_id}, does not exist. Launching EC2 instance "
        "failed."
    )
    assert group.activities()[0]["StatusMessage"] == message
    assert group.refresh()["Status"] == "Failed"
