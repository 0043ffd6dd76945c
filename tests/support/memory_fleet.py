"""The AWS in memory with what a rollout calls beside Parameter Store: Auto Scaling, and of EC2 templates and images.

`test_memory_fleet.py` compares it with the local AWS, call by call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from tests.support.memory_aws import Client, Cloud, page_of, refusal
from tests.support.memory_groups import FORWARD, MemoryGroup, MemoryRefresh, specification

FORGOTTEN = timedelta(weeks=6)
"""AWS shows refreshes of the last six weeks (DescribeInstanceRefreshes in the API reference)."""
_PAGE = 3
_MOVABLE = ("$Latest", "$Default")


@dataclass
class Template:
    """A launch template."""

    id: str
    name: str
    versions: list[tuple[Mapping[str, str], datetime]] = field(default_factory=list)
    """What each version has, and when it was made: the first is version 1."""


@dataclass
class FleetCloud(Cloud):
    """Everything that the services have."""

    groups: dict[tuple[str, str], MemoryGroup] = field(default_factory=dict)
    """By region and name."""
    templates: dict[tuple[str, str], Template] = field(default_factory=dict)
    """By region and ID."""
    number: int = 0

    def client(self, service: str, *, region: str, user: str = "function") -> Any:
        """A client of autoscaling or ec2, or of what the hand-off needs."""
        own: Mapping[str, type[Client]] = {"autoscaling": AutoScaling, "ec2": Ec2}
        return own[service](self, region, user) if service in own else super().client(service, region=region, user=user)

    def new_id(self, kind: str) -> str:
        """An ID that was not given before."""
        self.number += 1
        return f"{kind}-{self.number:017x}"

    def template(self, region: str, name_or_id: str) -> Template | None:
        """A template by its ID or name."""
        here = (each for (where, _), each in self.templates.items() if where == region)
        return next((each for each in here if name_or_id in (each.id, each.name)), None)

    def resolve(self, region: str, wanted: Mapping[str, str]) -> tuple[str, str] | None:
        """The number of a version and its AMI, empty if it does not exist any more."""
        template = self.template(region, wanted.get("LaunchTemplateId") or wanted["LaunchTemplateName"])
        if template is None:
            return None
        version = wanted.get("Version", "$Default")
        number = {"$Latest": len(template.versions), "$Default": 1}.get(version) or int(version)
        if not 1 <= number <= len(template.versions):
            return None
        ami = template.versions[number - 1][0].get("ImageId", "")
        return str(number), ami if (region, ami) in self.images else ""


class AutoScaling(Client):
    """Groups and instance refreshes."""

    cloud: FleetCloud

    def create_auto_scaling_group(
        self, *, AutoScalingGroupName: str, MinSize: int, MaxSize: int, DesiredCapacity: int, **launch: Any
    ) -> dict[str, Any]:
        with self._call("CreateAutoScalingGroup", AutoScalingGroupName=AutoScalingGroupName):
            kept = self._launch(launch, "CreateAutoScalingGroup")
            self.cloud.groups[self.region, AutoScalingGroupName] = MemoryGroup(
                name=AutoScalingGroupName,
                launch=kept or {},
                least=MinSize,
                most=MaxSize,
                desired=DesiredCapacity,
                resolve=lambda wanted: self.cloud.resolve(self.region, wanted),
                clock=lambda: self.cloud.now,
                new_id=self.cloud.new_id,
            )
        return {}

    def _launch(self, given: Mapping[str, Any], operation: str) -> dict[str, Any] | None:
        """What instances are launched from, with the template's ID. None if nothing is given."""
        kept = {name: given[name] for name in ("LaunchTemplate", "MixedInstancesPolicy") if name in given}
        if not kept:
            return None
        wanted = specification(kept)
        template = self.cloud.template(self.region, wanted.get("LaunchTemplateId") or wanted["LaunchTemplateName"])
        if template is None or self.cloud.resolve(self.region, wanted) is None:
            raise refusal("ValidationError", operation, message="You must use a valid fully-formed launch template.")
        whole = {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "Version": wanted["Version"]}
        if "LaunchTemplate" in kept:
            return {"LaunchTemplate": whole}
        policy = kept["MixedInstancesPolicy"]
        inner = {**policy["LaunchTemplate"], "LaunchTemplateSpecification": whole}
        return {"MixedInstancesPolicy": {**policy, "LaunchTemplate": inner}}

    def update_auto_scaling_group(self, *, AutoScalingGroupName: str, **given: Any) -> dict[str, Any]:
        with self._call("UpdateAutoScalingGroup", AutoScalingGroupName=AutoScalingGroupName, **given):
            group = self._group("UpdateAutoScalingGroup", AutoScalingGroupName)
            launch = self._launch(given, "UpdateAutoScalingGroup")
            if launch and group.active and group.active.desired:
                message = "An active instance refresh with a desired configuration exists."
                raise refusal("ValidationError", "UpdateAutoScalingGroup", message=message)
            group.launch = launch or group.launch
            group.desired = given.get("DesiredCapacity", group.desired)
        return {}

    def delete_auto_scaling_group(self, *, AutoScalingGroupName: str, ForceDelete: bool = False) -> dict[str, Any]:
        with self._call("DeleteAutoScalingGroup", AutoScalingGroupName=AutoScalingGroupName):
            if self._group("DeleteAutoScalingGroup", AutoScalingGroupName).members and not ForceDelete:
                raise refusal("ResourceInUse", "DeleteAutoScalingGroup")
            del self.cloud.groups[self.region, AutoScalingGroupName]
        return {}

    def describe_auto_scaling_groups(self, *, AutoScalingGroupNames: list[str]) -> dict[str, Any]:
        with self._call("DescribeAutoScalingGroups", AutoScalingGroupNames=AutoScalingGroupNames):
            found = [self.cloud.groups.get((self.region, name)) for name in AutoScalingGroupNames]
            answer = {"AutoScalingGroups": [group.shown() for group in found if group]}
        return answer

    def describe_instance_refreshes(
        self, *, AutoScalingGroupName: str, InstanceRefreshIds: list[str] | None = None, MaxRecords: int = 50
    ) -> dict[str, Any]:
        with self._call("DescribeInstanceRefreshes", AutoScalingGroupName=AutoScalingGroupName):
            group = self._group("DescribeInstanceRefreshes", AutoScalingGroupName)
            shown = [
                refresh.shown(group)
                for refresh in reversed(group.refreshes)
                if self.cloud.now - refresh.asked < FORGOTTEN
                and (not InstanceRefreshIds or refresh.id in InstanceRefreshIds)
            ]
        return {"InstanceRefreshes": shown[:MaxRecords]}

    def start_instance_refresh(
        self,
        *,
        AutoScalingGroupName: str,
        Strategy: str = "Rolling",
        DesiredConfiguration: Mapping[str, Any] | None = None,
        Preferences: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        name, preferences = "StartInstanceRefresh", Preferences or {}
        params = {"DesiredConfiguration": DesiredConfiguration, "Preferences": preferences}
        with self._call(name, AutoScalingGroupName=AutoScalingGroupName, **params):
            group = self._group(name, AutoScalingGroupName)
            if group.active:
                raise refusal("InstanceRefreshInProgress", name)
            desired = self._launch(DesiredConfiguration or {}, name)
            if preferences.get("AutoRollback") and (desired is None or _is_movable(group)):
                raise refusal("ValidationError", name, message="The AutoRollback parameter cannot be set to true")
            answer = {"InstanceRefreshId": group.start(desired, preferences).id}
        return answer

    def cancel_instance_refresh(self, *, AutoScalingGroupName: str) -> dict[str, Any]:
        with self._call("CancelInstanceRefresh", AutoScalingGroupName=AutoScalingGroupName):
            refresh = self._active("CancelInstanceRefresh", AutoScalingGroupName)
            refresh.status = "Cancelling"
        return {"InstanceRefreshId": refresh.id}

    def rollback_instance_refresh(self, *, AutoScalingGroupName: str) -> dict[str, Any]:
        with self._call("RollbackInstanceRefresh", AutoScalingGroupName=AutoScalingGroupName):
            refresh = self._active("RollbackInstanceRefresh", AutoScalingGroupName)
            if refresh.status not in FORWARD:
                raise refusal("ActiveInstanceRefreshNotFound", "RollbackInstanceRefresh")
            group = self._group("RollbackInstanceRefresh", AutoScalingGroupName)
            if refresh.desired is None or _is_movable(group):
                raise refusal("IrreversibleInstanceRefresh", "RollbackInstanceRefresh")
            group.roll_back(refresh, "Rollback was started by a request.")
        return {"InstanceRefreshId": refresh.id}

    def set_instance_protection(
        self, *, AutoScalingGroupName: str, InstanceIds: list[str], ProtectedFromScaleIn: bool
    ) -> dict[str, Any]:
        with self._call("SetInstanceProtection", AutoScalingGroupName=AutoScalingGroupName):
            for member in self._group("SetInstanceProtection", AutoScalingGroupName).members:
                if member.id in InstanceIds:
                    member.is_protected = ProtectedFromScaleIn
        return {}

    def enter_standby(
        self, *, AutoScalingGroupName: str, InstanceIds: list[str], ShouldDecrementDesiredCapacity: bool
    ) -> dict[str, Any]:
        with self._call("EnterStandby", AutoScalingGroupName=AutoScalingGroupName):
            group = self._group("EnterStandby", AutoScalingGroupName)
            for member in group.members:
                if member.id in InstanceIds:
                    member.is_standby = True
                    group.desired -= ShouldDecrementDesiredCapacity
        return {"Activities": []}

    def exit_standby(self, *, AutoScalingGroupName: str, InstanceIds: list[str]) -> dict[str, Any]:
        with self._call("ExitStandby", AutoScalingGroupName=AutoScalingGroupName):
            group = self._group("ExitStandby", AutoScalingGroupName)
            for member in group.members:
                if member.id in InstanceIds:
                    member.is_standby = False
                    group.desired += 1
        return {"Activities": []}

    def _group(self, operation: str, name: str) -> MemoryGroup:
        if (self.region, name) not in self.cloud.groups:
            raise refusal("ValidationError", operation, message="AutoScalingGroup name not found")
        return self.cloud.groups[self.region, name]

    def _active(self, operation: str, name: str) -> MemoryRefresh:
        refresh = self._group(operation, name).active
        if refresh is None:
            raise refusal("ActiveInstanceRefreshNotFound", operation)
        return refresh


def _is_movable(group: MemoryGroup) -> bool:
    return specification(group.launch)["Version"] in _MOVABLE


class Ec2(Client):
    """Launch templates, AMIs and instances."""

    cloud: FleetCloud
    pages: ClassVar[Mapping[str, tuple[str, str, str]]] = {
        "describe_launch_template_versions": ("NextToken", "MaxResults", "NextToken"),
        "describe_images": ("NextToken", "MaxResults", "NextToken"),
        "describe_instances": ("NextToken", "MaxResults", "NextToken"),
    }

    def create_launch_template(self, *, LaunchTemplateName: str, LaunchTemplateData: Mapping[str, str]) -> Any:
        with self._call("CreateLaunchTemplate", LaunchTemplateName=LaunchTemplateName):
            template = Template(self.cloud.new_id("lt"), LaunchTemplateName, [(LaunchTemplateData, self.cloud.now)])
            self.cloud.templates[self.region, template.id] = template
        return {"LaunchTemplate": {"LaunchTemplateId": template.id}}

    def create_launch_template_version(
        self,
        *,
        LaunchTemplateData: Mapping[str, str],
        LaunchTemplateId: str | None = None,
        LaunchTemplateName: str | None = None,
        SourceVersion: str | None = None,
        VersionDescription: str = "",
    ) -> Any:
        name = "CreateLaunchTemplateVersion"
        with self._call(name, LaunchTemplateId=LaunchTemplateId, VersionDescription=VersionDescription):
            template = self._template(name, LaunchTemplateId, LaunchTemplateName)
            source = self._version(template, SourceVersion)["LaunchTemplateData"] if SourceVersion else {}
            template.versions.append(({**source, **LaunchTemplateData}, self.cloud.now))
        return {"LaunchTemplateVersion": {"VersionNumber": len(template.versions)}}

    def delete_launch_template(self, *, LaunchTemplateName: str) -> Any:
        with self._call("DeleteLaunchTemplate", LaunchTemplateName=LaunchTemplateName):
            template = self._template("DeleteLaunchTemplate", None, LaunchTemplateName)
            del self.cloud.templates[self.region, template.id]
        return {}

    def describe_launch_template_versions(
        self, *, Versions: list[str], LaunchTemplateId: str | None = None, LaunchTemplateName: str | None = None
    ) -> Any:
        name = "DescribeLaunchTemplateVersions"
        with self._call(name, Versions=Versions):
            template = self._template(name, LaunchTemplateId, LaunchTemplateName)
            shown = [self._version(template, version) for version in Versions]
        return {"LaunchTemplateVersions": shown}

    def _version(self, template: Template, version: str) -> dict[str, Any]:
        number = {"$Latest": len(template.versions), "$Default": 1}.get(version) or int(version)
        if not 1 <= number <= len(template.versions):
            raise refusal("InvalidLaunchTemplateId.VersionNotFound", "DescribeLaunchTemplateVersions")
        data, made = template.versions[number - 1]
        return {
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "VersionNumber": number,
            "CreateTime": made,
            "LaunchTemplateData": dict(data),
        }

    def _template(self, operation: str, identity: str | None, name: str | None) -> Template:
        template = self.cloud.template(self.region, identity or name or "")
        if template is None:
            kind = "InvalidLaunchTemplateId.NotFound" if identity else "InvalidLaunchTemplateName.NotFoundException"
            raise refusal(kind, operation)
        return template

    def describe_images(
        self,
        *,
        Filters: list[Mapping[str, Any]],
        IncludeDeprecated: bool = False,
        IncludeDisabled: bool = False,
        MaxResults: int = _PAGE,
        NextToken: str | None = None,
    ) -> Any:
        with self._call("DescribeImages", Filters=Filters):
            here = [image for (region, _), image in self.cloud.images.items() if region == self.region]
            found = [image for image in here if all(_matches(image, each) for each in Filters)]
            if not IncludeDisabled:
                found = [image for image in found if image["State"] != "disabled"]
            page, token = page_of(found, token=NextToken, size=MaxResults)
        return {"Images": page, "NextToken": token} if token else {"Images": page}

    def describe_instances(
        self, *, Filters: list[Mapping[str, Any]], MaxResults: int = _PAGE, NextToken: str | None = None
    ) -> Any:
        with self._call("DescribeInstances", Filters=Filters):
            groups = [group for (region, _), group in self.cloud.groups.items() if region == self.region]
            members = [member for group in groups for member in (*group.members, *group.terminated)]
            (asked,) = Filters
            found = [member for member in members if member.id in asked["Values"]]
            page, token = page_of(found, token=NextToken, size=MaxResults)
            shown = [
                {"Instances": [{"InstanceId": each.id, "ImageId": each.ami, "LaunchTime": each.launched}]}
                for each in page
            ]
        return {"Reservations": shown, "NextToken": token} if token else {"Reservations": shown}


_FIELDS = {"image-id": "ImageId", "name": "Name"}


def _matches(image: Mapping[str, Any], condition: Mapping[str, Any]) -> bool:
    return image[_FIELDS[condition["Name"]]] in condition["Values"]
