"""A fleet's Auto Scaling group, launch template and instance refreshes, as AWS has them.

Members that AWS leaves out become None or empty. Raises `GarbledAnswer`, BotoCoreError and ClientError, except where a
function says that something does not exist.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ..handoff.answers import ask, entries, member, pages, part, text
from ..handoff.failures import code_of

if TYPE_CHECKING:  # the Lambda runtime has no type stubs
    from mypy_boto3_ec2 import EC2Client

NEWEST = "$Latest"
SUCCESSFUL = "Successful"
ROLLED_BACK = "RollbackSuccessful"
RUNNING = ("Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress")
"""The statuses of a refresh that has not ended. A group has at most one such refresh ("How an instance refresh works"
in the user guide of Auto Scaling)."""
GOING_BACK = ("Cancelling", "RollbackInProgress")
"""Those of a refresh that will not put the new version into service any more."""
REFRESHES_SEEN = 100
"""How many of the last refreshes are read: AWS's most on one page. It forgets them after six weeks."""
_UP = ("InService", "Standby", "EnteringStandby")
_LEAVING = ("Terminating", "Terminated", "Detaching", "Detached")
"""The states of instances that leave the group; AWS adds a suffix to some of them."""
_MOST_AT_ONCE = 200
"""Values of one filter of EC2."""
Key = tuple[str, str]
"""What names a version of a launch template: the template's ID, and the number as text, as groups, instances and
refreshes have it. Both are empty where there is no template."""


@dataclass(frozen=True, kw_only=True)
class TemplateVersion:
    """A version of a launch template."""

    template: str
    """The template's ID."""
    number: int
    """0 for one that has to be added yet."""
    ami: str
    """Empty if it names none."""
    created: datetime | None = None
    description: str = ""
    settings: str = ""
    """Everything in it except the AMI, as JSON."""

    @property
    def key(self) -> Key:
        """Names it."""
        return self.template, str(self.number)

    @property
    def is_new(self) -> bool:
        """Whether it has to be added yet."""
        return self.number == 0

    @property
    def shown(self) -> str:
        """For people: `version 3`."""
        return "a new version" if self.is_new else f"version {self.number}"

    def with_ami(self, ami: str) -> TemplateVersion:
        """The same with another AMI, which has to be added then."""
        return self if ami == self.ami else replace(self, number=0, ami=ami, created=None)

    def launches_same(self, other: TemplateVersion) -> bool:
        """Whether instances of both are the same."""
        return (self.template, self.ami, self.settings) == (other.template, other.ami, other.settings)


@dataclass(frozen=True, kw_only=True)
class Instance:
    """An instance of a group that does not leave it."""

    id: str
    state: str
    """AWS's LifecycleState."""
    is_healthy: bool = True
    is_protected: bool = False
    """From scale-in."""
    template: str = ""
    """Its launch template's ID; empty for an instance that was attached."""
    version: str = ""
    """The number of the template's version, as text; empty for an instance that was attached."""
    ami: str = ""
    """Empty where Auto Scaling does not say."""

    @property
    def key(self) -> Key:
        """Names the version of a launch template that it was launched from."""
        return self.template, self.version

    @property
    def is_in_service(self) -> bool:
        """Whether it serves, or is about to."""
        return "Standby" not in self.state

    def runs(self, version: TemplateVersion) -> bool:
        """Whether it was launched from a version of a template."""
        return self.key == version.key


@dataclass(frozen=True, kw_only=True)
class Group:
    """An Auto Scaling group."""

    name: str
    template: str
    """The ID of its launch template; empty with a launch configuration."""
    version: str
    """The version that it launches: a number, `$Latest` or `$Default`."""
    policy: Mapping[str, Any] | None = None
    """Its mixed instances policy, which has the template then."""
    instances: tuple[Instance, ...] = ()
    warmup_seconds: int | None = None
    """How long a new instance counts as not ready, unless a refresh says otherwise."""
    is_being_deleted: bool = False
    desired: int = 0
    """How many instances it should have."""

    @property
    def is_down(self) -> bool:
        """Whether it should have instances, and none has come into service yet, or is in standby."""
        return self.desired > 0 and not any(each.state.startswith(_UP) for each in self.instances)

    def launches(self, version: TemplateVersion) -> bool:
        """Whether it launches a version of a template, by its number."""
        return (self.template, self.version) == version.key

    @property
    def in_service(self) -> tuple[Instance, ...]:
        """Its instances without those in standby."""
        return tuple(instance for instance in self.instances if instance.is_in_service)

    def configuration(self, version: TemplateVersion) -> dict[str, Any]:
        """What a refresh to a version wants: the group as it is, with that version."""
        template = {"LaunchTemplateId": version.template, "Version": str(version.number)}
        if self.policy is None:
            return {"LaunchTemplate": template}
        inner = {**part(self.policy, "LaunchTemplate"), "LaunchTemplateSpecification": template}
        return {"MixedInstancesPolicy": {**self.policy, "LaunchTemplate": inner}}


@dataclass(frozen=True, kw_only=True)
class Refresh:
    """An instance refresh."""

    id: str
    status: str
    started: datetime | None
    ended: datetime | None = None
    percentage: int | None = None
    instances_left: int | None = None
    """How many instances have to be looked at yet, as AWS counts."""
    reason: str = ""
    template: str = ""
    version: str = ""
    """The version of the template in its desired configuration; empty without one, as Terraform starts them."""
    preferences: Mapping[str, Any] = field(default_factory=dict)
    rollback: str = ""
    """Why AWS went back, if it did."""

    @property
    def key(self) -> Key:
        """Names the version in its desired configuration."""
        return self.template, self.version

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.status in RUNNING

    @property
    def has_configuration(self) -> bool:
        """Whether it has a desired configuration, without which it cannot be rolled back."""
        return bool(self.version)


def read_group(autoscaling: Any, name: str) -> Group | None:
    """A group with its instances; None if it does not exist."""
    answer = ask(autoscaling.describe_auto_scaling_groups, AutoScalingGroupNames=[name])
    found = next(iter(entries(answer, "AutoScalingGroups")), None)
    if found is None:
        return None
    policy = part(found, "MixedInstancesPolicy")
    template = part(found, "LaunchTemplate") or part(part(policy, "LaunchTemplate"), "LaunchTemplateSpecification")
    instances = (_instance(each) for each in entries(found, "Instances")) if "Instances" in found else ()
    return Group(
        name=name,
        template=text(template, "LaunchTemplateId") or "",
        version=text(template, "Version") or "$Default",
        policy=policy or None,
        instances=tuple(each for each in instances if not each.state.startswith(_LEAVING)),
        # a group without a default has that of its health check ("Set the default instance warmup" in the user guide)
        warmup_seconds=_number(found, "DefaultInstanceWarmup") or _number(found, "HealthCheckGracePeriod"),
        is_being_deleted=bool(text(found, "Status")),  # "Delete in progress" is the only one
        desired=_number(found, "DesiredCapacity") or 0,
    )


def _instance(found: Mapping[str, Any]) -> Instance:
    template = part(found, "LaunchTemplate")
    return Instance(
        id=member(found, "InstanceId", str),
        state=text(found, "LifecycleState") or "",
        is_healthy=text(found, "HealthStatus") != "Unhealthy",
        is_protected=found.get("ProtectedFromScaleIn") is True,
        template=text(template, "LaunchTemplateId") or "",
        version=text(template, "Version") or "",
        ami=text(found, "ImageId") or "",
    )


def read_version(
    ec2: EC2Client, *, number: str, template: str | None = None, name: str | None = None
) -> TemplateVersion | None:
    """A version of a launch template, by the template's ID or name; None if either does not exist."""
    which: Any = {"LaunchTemplateId": template} if template else {"LaunchTemplateName": name}
    try:
        answer = ask(ec2.describe_launch_template_versions, Versions=[number], **which)
    except ClientError as error:
        if code_of(error).startswith("InvalidLaunchTemplate"):
            return None
        raise
    found = entries(answer, "LaunchTemplateVersions")
    return _version(found[0]) if found else None


def read_versions(ec2: EC2Client, *, numbers: Sequence[str], template: str) -> list[TemplateVersion]:
    """Those versions of a launch template that exist: at most 200, which is one call if all exist."""
    if not numbers:
        return []
    which: Any = {"Versions": [*numbers], "LaunchTemplateId": template}
    try:
        asked = [*pages(ec2, "describe_launch_template_versions", **which)]
    except ClientError as error:
        if not code_of(error).startswith("InvalidLaunchTemplate"):
            raise
        # EC2 refuses all because of one
        found = (read_version(ec2, number=number, template=template) for number in numbers)
        return [version for version in found if version]
    return [_version(each) for page in asked for each in entries(page, "LaunchTemplateVersions")]


def _version(found: Mapping[str, Any]) -> TemplateVersion:
    data = dict(part(found, "LaunchTemplateData"))
    ami = text(data, "ImageId") or ""
    data.pop("ImageId", None)
    return TemplateVersion(
        template=member(found, "LaunchTemplateId", str),
        number=member(found, "VersionNumber", int),
        ami=ami,
        created=_time(found, "CreateTime"),
        description=text(found, "VersionDescription") or "",
        settings=json.dumps(data, sort_keys=True, default=str),
    )


def add_version(ec2: EC2Client, version: TemplateVersion) -> None:
    """Add a version that is the newest one with another AMI.

    EC2 takes everything else from what is the newest version then, so a change that somebody else makes at the same
    time is not lost. The description stays, because Terraform compares that of the newest version.
    """
    ask(
        ec2.create_launch_template_version,
        LaunchTemplateId=version.template,
        SourceVersion=NEWEST,
        VersionDescription=version.description,
        LaunchTemplateData={"ImageId": version.ami},
    )


def read_refreshes(autoscaling: Any, group: str, *, ids: Sequence[str] = ()) -> tuple[Refresh, ...]:
    """The last refreshes of a group, or those with these IDs, newest first; none of a group that does not exist."""
    which: dict[str, Any] = {"InstanceRefreshIds": [*ids]} if ids else {"MaxRecords": REFRESHES_SEEN}
    try:
        answer = ask(autoscaling.describe_instance_refreshes, AutoScalingGroupName=group, **which)
    except ClientError as error:
        # AWS has no code for this: programs know it by "AutoScalingGroup name not found - …" or "Group … not found"
        if code_of(error) == "ValidationError" and "not found" in str(error):
            return ()
        raise
    return tuple(_refresh(found) for found in entries(answer, "InstanceRefreshes"))


def _refresh(found: Mapping[str, Any]) -> Refresh:
    wanted = part(found, "DesiredConfiguration")
    inner = part(part(wanted, "MixedInstancesPolicy"), "LaunchTemplate")
    template = part(wanted, "LaunchTemplate") or part(inner, "LaunchTemplateSpecification")
    return Refresh(
        id=member(found, "InstanceRefreshId", str),
        status=member(found, "Status", str),
        started=_time(found, "StartTime"),
        ended=_time(found, "EndTime"),
        percentage=_number(found, "PercentageComplete"),
        instances_left=_number(found, "InstancesToUpdate"),
        reason=_line(text(found, "StatusReason")),
        template=text(template, "LaunchTemplateId") or "",
        version=text(template, "Version") or "",
        preferences=part(found, "Preferences"),
        rollback=_line(text(part(found, "RollbackDetails"), "RollbackReason")),
    )


def read_failed_activity(autoscaling: Any, group: str, *, since: datetime) -> str:
    """What AWS says about the last launch or termination that failed since a time; empty if none did.

    AWS gives the status Cancelled, too, to a launch whose instance did not start.
    """
    answer = ask(autoscaling.describe_scaling_activities, AutoScalingGroupName=group, MaxRecords=100)
    for activity in entries(answer, "Activities"):
        started = _time(activity, "StartTime")
        if started and started < since:
            break
        what, why = (_line(text(activity, name)) for name in ("Description", "StatusMessage"))
        if why and text(activity, "StatusCode") in ("Failed", "Cancelled"):
            return what if why in what else f"{what.rstrip('.') or 'activity'}: {why}"
    return ""


def read_launch_times(ec2: EC2Client, instances: Iterable[Instance]) -> dict[str, datetime]:
    """When instances were launched, by ID; without those that EC2 does not know any more."""
    found = _described(ec2, instances)
    return {identity: time for identity, each in found.items() if (time := _time(each, "LaunchTime"))}


def read_amis_of_instances(ec2: EC2Client, instances: Iterable[Instance]) -> dict[str, str]:
    """The AMIs of instances by their ID; without those that EC2 does not know any more."""
    return {identity: text(each, "ImageId") or "" for identity, each in _described(ec2, instances).items()}


def _described(ec2: EC2Client, instances: Iterable[Instance]) -> dict[str, Mapping[str, Any]]:
    ids = [instance.id for instance in instances]
    found = {}
    for start in range(0, len(ids), _MOST_AT_ONCE):
        # a filter, because the call fails as a whole for an instance ID that does not exist any more
        filters = [{"Name": "instance-id", "Values": ids[start : start + _MOST_AT_ONCE]}]
        for page in pages(ec2, "describe_instances", Filters=filters):
            for reservation in entries(page, "Reservations"):
                found.update({member(each, "InstanceId", str): each for each in entries(reservation, "Instances")})
    return found


def _time(answer: Mapping[str, Any], name: str) -> datetime | None:
    value = answer.get(name)
    return value if isinstance(value, datetime) else None


def _number(answer: Mapping[str, Any], name: str) -> int | None:
    value = answer.get(name)
    return value if isinstance(value, int) else None


def _line(written: str | None) -> str:
    return " ".join((written or "").split())
