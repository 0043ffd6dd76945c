"""Instances that Auto Scaling cannot launch, because their AMI or its key belongs to another account."""

import itertools
import json
from collections.abc import Mapping
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.support.image_builder import REGION, build, make_pipeline, refusal

ROLE = "aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
NEEDED = ["Decrypt", "DescribeKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo", "CreateGrant"]
numbers = itertools.count(1)


class Fleet:
    """A group of two instances in one account. Their AMIs are of another account."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        number = next(numbers)
        self.name = f"launches-{number}"
        self.images, self.prod = f"91{number:010}", f"92{number:010}"
        self.ec2, self.auto_scaling = self.client("ec2"), self.client("autoscaling")

    def client(self, service: str, account: str = "") -> Any:
        return self.aws.client(service, region=REGION, account=account or self.prod)

    def register(self, name: str, *, shared: bool) -> str:
        ec2 = self.client("ec2", self.images)
        ami = str(ec2.register_image(Name=f"{self.name}-{name}")["ImageId"])
        if shared:
            ec2.modify_image_attribute(ImageId=ami, LaunchPermission={"Add": [{"UserId": self.prod}]})
        return ami

    def template(self, ami: str) -> None:
        """The launch template, or another version of it."""
        described = self.ec2.describe_launch_templates(
            Filters=[{"Name": "launch-template-name", "Values": [self.name]}]
        )
        exists = any(each["LaunchTemplateName"] == self.name for each in described["LaunchTemplates"])
        make = self.ec2.create_launch_template_version if exists else self.ec2.create_launch_template
        make(LaunchTemplateName=self.name, LaunchTemplateData={"ImageId": ami})

    def group(self, version: str = "$Latest") -> dict[str, Any]:
        return {
            "AutoScalingGroupName": self.name,
            "LaunchTemplate": {"LaunchTemplateName": self.name, "Version": version},
        }

    def create(self) -> None:
        self.auto_scaling.create_auto_scaling_group(
            MinSize=2, MaxSize=2, AvailabilityZones=[f"{REGION}a"], **self.group()
        )

    def instances(self) -> list[str]:
        (group,) = self.auto_scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])[
            "AutoScalingGroups"
        ]
        return [instance["InstanceId"] for instance in group["Instances"]]

    def failures(self) -> list[tuple[str, str]]:
        """Status and reason of each launch that did not succeed, newest first."""
        found = self.auto_scaling.describe_scaling_activities(AutoScalingGroupName=self.name)["Activities"]
        return [(each["StatusCode"], each["StatusMessage"]) for each in found if each["StatusCode"] != "Successful"]

    def refresh(self) -> dict[str, Any]:
        self.auto_scaling.start_instance_refresh(AutoScalingGroupName=self.name)
        described = self.auto_scaling.describe_instance_refreshes(AutoScalingGroupName=self.name)
        return dict(described["InstanceRefreshes"][0])


@pytest.fixture
def fleet(local_aws: LocalAws) -> Fleet:
    return Fleet(local_aws)


def test_group_is_not_made_with_an_ami_that_is_not_shared(fleet: Fleet) -> None:
    ami = fleet.register("web", shared=False)
    fleet.template(ami)
    arguments = {"MinSize": 1, "MaxSize": 1, "AvailabilityZones": [f"{REGION}a"], **fleet.group()}
    refused = (
        f"ValidationError: You must use a valid fully-formed launch template. The image id '[{ami}]' does not exist"
    )
    assert refusal(fleet.auto_scaling.create_auto_scaling_group, **arguments) == refused
    assert fleet.auto_scaling.describe_auto_scaling_groups()["AutoScalingGroups"] == []
    fleet.template(fleet.register("shared", shared=True))
    fleet.create()
    assert len(fleet.instances()) == 2
    assert fleet.failures() == []
    assert refusal(fleet.auto_scaling.update_auto_scaling_group, **fleet.group("1")) == refused


def test_refresh_fails_when_the_newest_version_has_an_ami_that_is_not_shared(fleet: Fleet) -> None:
    fleet.template(fleet.register("shared", shared=True))
    fleet.create()
    before = fleet.instances()
    hidden = fleet.register("hidden", shared=False)
    fleet.template(hidden)
    refresh = fleet.refresh()
    reason = f"The image id '[{hidden}]' does not exist. Launching EC2 instance failed."
    assert (refresh["Status"], refresh["PercentageComplete"], refresh["StatusReason"]) == ("Failed", 0, reason)
    assert fleet.failures() == [("Failed", reason)]
    assert fleet.instances() == before
    fleet.client("ec2", fleet.images).modify_image_attribute(
        ImageId=hidden, LaunchPermission={"Add": [{"UserId": fleet.prod}]}
    )
    assert fleet.refresh()["Status"] == "Successful"
    assert set(fleet.instances()).isdisjoint(before)


class EncryptedFleet(Fleet):
    """A fleet whose AMI is built by Image Builder, encrypted with a key of the image's account, and shared."""

    def __init__(self, aws: LocalAws) -> None:
        super().__init__(aws)
        self.kms = self.client("kms", self.images)
        self.key: str = self.kms.create_key()["KeyMetadata"]["Arn"]
        self.role = f"arn:aws:iam::{self.prod}:role/{ROLE}"

    def policy(self, *statements: Mapping[str, Any]) -> None:
        own = {"Principal": {"AWS": self.images}, "Action": "kms:*"}
        allowed = [{"Effect": "Allow", "Resource": "*", **each} for each in (own, *statements)]
        self.kms.put_key_policy(KeyId=self.key, Policy=json.dumps({"Version": "2012-10-17", "Statement": allowed}))

    def build(self) -> str:
        """The AMI in the region."""
        sharing: dict[str, Any] = {"kmsKeyId": self.key, "launchPermission": {"userIds": [self.prod]}}
        pipeline = make_pipeline(self.aws, self.name, account=self.images, regions=(REGION,), **sharing)
        image = build(self.client("imagebuilder", self.images), pipeline)
        (output,) = image["outputResources"]["amis"]
        return str(output["image"])


@pytest.fixture
def encrypted(local_aws: LocalAws) -> EncryptedFleet:
    return EncryptedFleet(local_aws)


CLIENT_ERROR = (
    "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: "
    "Client.InternalError: Client error on launch"
)


def test_encrypted_ami_is_launched_only_with_a_grant_for_the_role_of_auto_scaling(encrypted: EncryptedFleet) -> None:
    fleet = encrypted
    fleet.template(fleet.build())
    fleet.policy({"Principal": {"AWS": fleet.prod}, "Action": "kms:*"})
    fleet.create()
    assert fleet.instances() == []
    assert fleet.failures() == [("Cancelled", CLIENT_ERROR)]
    kms = fleet.client("kms")
    grant = {"KeyId": fleet.key, "GranteePrincipal": fleet.role}
    kms.create_grant(**grant, Operations=NEEDED[:-1])
    assert fleet.refresh()["Status"] == "Failed"
    made = kms.create_grant(**grant, Operations=NEEDED)
    assert fleet.refresh()["Status"] == "Successful"
    assert len(fleet.instances()) == 2
    kms.revoke_grant(KeyId=fleet.key, GrantId=made["GrantId"])
    assert fleet.refresh()["StatusReason"] == CLIENT_ERROR
    assert len(fleet.instances()) == 2


def test_key_policy_lets_the_role_of_its_own_account_only_if_it_names_the_role(encrypted: EncryptedFleet) -> None:
    fleet = encrypted
    fleet.prod = fleet.images
    fleet.ec2, fleet.auto_scaling = fleet.client("ec2"), fleet.client("autoscaling")
    fleet.template(fleet.build())
    fleet.create()
    assert fleet.failures() == [("Cancelled", CLIENT_ERROR)]
    role = {"ArnEquals": {"aws:PrincipalArn": f"arn:aws:iam::{fleet.images}:role/{ROLE}"}}
    fleet.policy({"Principal": {"AWS": "*"}, "Action": "kms:*", "Condition": role})
    assert fleet.refresh()["Status"] == "Successful"
