"""An Auto Scaling group of the local AWS, for its tests."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from local_aws.server import LocalAws

REGION = "eu-north-1"
_numbers = itertools.count(1)


class Group:
    """A group, two instances by default, and its launch template, which has versions 1 and 2 with AMIs of their own."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        self.ec2 = aws.client("ec2", region=REGION)
        self.auto_scaling = aws.client("autoscaling", region=REGION)
        self.name = f"group-{next(_numbers)}"
        self.first, self.second = (self.ec2.register_image(Name=f"{self.name}-{each}")["ImageId"] for each in (1, 2))
        made = self.ec2.create_launch_template(LaunchTemplateName=self.name, LaunchTemplateData={"ImageId": self.first})
        self.template_id: str = made["LaunchTemplate"]["LaunchTemplateId"]
        self.add_version(self.second)

    def add_version(self, ami: str) -> None:
        self.ec2.create_launch_template_version(LaunchTemplateId=self.template_id, LaunchTemplateData={"ImageId": ami})

    def template(self, version: str) -> dict[str, str]:
        return {"LaunchTemplateId": self.template_id, "LaunchTemplateName": self.name, "Version": version}

    def plain(self, version: str) -> dict[str, Any]:
        """The arguments of a group with a launch template."""
        return {"LaunchTemplate": {"LaunchTemplateId": self.template_id, "Version": version}}

    def mixed(self, version: str, *, types: Sequence[Any] = (), **distribution: Any) -> dict[str, Any]:
        """The arguments of a group with a mixed instances policy."""
        specification = {"LaunchTemplateName": self.name, "Version": version}
        template = {"LaunchTemplateSpecification": specification, "Overrides": list(types)}
        return {"MixedInstancesPolicy": {"LaunchTemplate": template, "InstancesDistribution": distribution}}

    def create(self, size: int = 2, **arguments: Any) -> None:
        """Make the group; by default it has version 1 of the template."""
        self.auto_scaling.create_auto_scaling_group(
            **{
                "AutoScalingGroupName": self.name,
                "MinSize": size,
                "MaxSize": size,
                "AvailabilityZones": [f"{REGION}a"],
                **(arguments if {"LaunchTemplate", "MixedInstancesPolicy"} & set(arguments) else self.plain("1")),
                **arguments,
            }
        )

    def update(self, **arguments: Any) -> None:
        self.auto_scaling.update_auto_scaling_group(AutoScalingGroupName=self.name, **arguments)

    def start(self, version: str = "", **preferences: Any) -> str:
        """Start a refresh, with a version of the template as the desired configuration if there is one; its ID."""
        desired = {"DesiredConfiguration": self.plain(version)} if version else {}
        answer = self.auto_scaling.start_instance_refresh(
            AutoScalingGroupName=self.name, Preferences=preferences, **desired
        )
        return str(answer["InstanceRefreshId"])

    def refresh(self, **arguments: Any) -> dict[str, Any]:
        """Replaces the instances; the refresh as it is described afterwards."""
        self.auto_scaling.start_instance_refresh(AutoScalingGroupName=self.name, **arguments)
        return self.newest

    @property
    def newest(self) -> dict[str, Any]:
        """The last refresh."""
        answer = self.auto_scaling.describe_instance_refreshes(AutoScalingGroupName=self.name, MaxRecords=1)
        newest: dict[str, Any] = answer["InstanceRefreshes"][0]
        return newest

    @property
    def status(self) -> tuple[str, int, int]:
        """Of the last refresh: status, percentage, and how many instances are left."""
        newest = self.newest
        return newest["Status"], newest["PercentageComplete"], newest["InstancesToUpdate"]

    def described(self) -> dict[str, Any]:
        groups = self.auto_scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])["AutoScalingGroups"]
        (group,) = groups
        described: dict[str, Any] = group
        return described

    @property
    def instances(self) -> list[dict[str, Any]]:
        instances: list[dict[str, Any]] = self.described()["Instances"]
        return instances

    @property
    def identities(self) -> list[str]:
        return [instance["InstanceId"] for instance in self.instances]

    @property
    def versions(self) -> list[str]:
        """The template's versions that the instances were launched from, sorted."""
        return sorted(instance["LaunchTemplate"]["Version"] for instance in self.instances)

    def amis(self) -> list[str]:
        """What EC2 says that the instances run."""
        return [each["ImageId"] for each in self.in_ec2(self.identities)]

    def in_ec2(self, identities: list[str]) -> list[dict[str, Any]]:
        reservations = self.ec2.describe_instances(InstanceIds=identities)["Reservations"]
        return [instance for reservation in reservations for instance in reservation["Instances"]]

    def activities(self) -> list[dict[str, Any]]:
        """Newest first."""
        answer = self.auto_scaling.describe_scaling_activities(AutoScalingGroupName=self.name)
        activities: list[dict[str, Any]] = answer["Activities"]
        return activities
