"""Groups and their instances: what is kept of them, and how they are shown."""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, NamedTuple

from local_aws.auto_scaling.refreshes import Refresh
from local_aws.auto_scaling.times import date
from local_aws.ministack.group_templates import Launch
from local_aws.ministack.launches import FailedLaunch
from local_aws.ministack.query_api import Query

IN_SERVICE = "InService"
PENDING = "Pending"
STANDBY = "Standby"
_TERMINATED = "Terminated"
_EC2_STATES = {PENDING: (0, "pending"), _TERMINATED: (48, "terminated")}
_RUNNING = (16, "running")


_SETTINGS = (
    "AvailabilityZones",
    "DefaultInstanceWarmup",
    "HealthCheckGracePeriod",
    "InstanceMaintenancePolicy",
    "NewInstancesProtectedFromScaleIn",
)
"""What matters here, and ministack drops, does not update, or gives another default."""


class Key(NamedTuple):
    """What identifies a group."""

    account: str
    region: str
    name: str


@dataclass(frozen=True)
class Source:
    """What an instance is launched from: a numbered version of a template, and the AMI in it."""

    template: Mapping[str, str]
    """LaunchTemplateId, LaunchTemplateName and Version; empty with a launch configuration."""
    ami: str

    @property
    def names(self) -> tuple[str, ...]:
        """How `break_instances` names it: by the AMI, or by template and version."""
        return self.ami, f"{self.template.get('LaunchTemplateId', '')}:{self.template.get('Version', '')}"


@dataclass
class Activity:
    """A scaling activity: the launch or the termination of an instance."""

    description: str
    cause: str
    started: float
    status: str = "Successful"
    ended: float | None = None
    message: str = ""
    identity: str = field(default_factory=lambda: str(uuid.uuid4()))

    def end(self, at: float, *, status: str = "Successful", message: str = "") -> None:
        """Let it end."""
        self.status, self.ended, self.message = status, at, message
        if message:
            self.description += f".  Status Reason: {message}"

    def shown(self, group: str) -> Mapping[str, Any]:
        """As DescribeScalingActivities shows it."""
        return {
            "ActivityId": self.identity,
            "AutoScalingGroupName": group,
            "Description": self.description,
            "Cause": self.cause,
            "StartTime": date(self.started),
            "EndTime": None if self.ended is None else date(self.ended),
            "StatusCode": self.status,
            "StatusMessage": self.message or None,
            "Progress": 50 if self.ended is None else 100,
            "Details": "{}",
        }


@dataclass
class Instance:
    """An instance of a group, also when it has been terminated."""

    identity: str
    source: Source
    zone: str
    launched: float
    ready: float
    """When it is in service, or turns out not to become healthy."""
    activity: Activity
    refresh: str | None
    """The ID of the instance refresh whose configuration it was launched with, if there was one."""
    protected: bool
    warm: float = inf
    """When it has warmed up."""
    lifecycle: str = PENDING
    health: str = "Healthy"

    def shown(self, **more: Any) -> Mapping[str, Any]:
        """As Auto Scaling shows it."""
        return {
            "InstanceId": self.identity,
            **more,
            "AvailabilityZone": self.zone,
            "LifecycleState": self.lifecycle,
            "HealthStatus": self.health,
            "LaunchTemplate": self.source.template or None,
            "ProtectedFromScaleIn": self.protected,
        }

    def shown_by_ec2(self) -> Mapping[str, Any]:
        """As EC2 shows it."""
        code, name = _EC2_STATES.get(self.lifecycle, _RUNNING)
        return {
            "instanceId": self.identity,
            "imageId": self.source.ami,
            "instanceState": {"code": code, "name": name},
            "launchTime": date(self.launched),
            "placement": {"availabilityZone": self.zone},
        }


@dataclass
class Group:
    """An Auto Scaling group."""

    key: Key
    query: Query
    """A request by an administrator of its account, in its region."""
    role: str
    """The ARN of the service-linked role that launches its instances."""
    launch: Launch
    """What new instances are launched from, except during an instance refresh with a desired configuration."""
    settings: dict[str, Any]
    """What it was made or updated with, by the names of the API."""
    time: float
    """Up to when everything has happened, in seconds since 1970."""
    passed: float = 0.0
    """How many seconds a test has let pass in addition."""
    min: int = 0
    max: int = 0
    desired: int = 0
    instances: list[Instance] = field(default_factory=list)
    activities: list[Activity] = field(default_factory=list)
    """Oldest first."""
    refreshes: list[Refresh] = field(default_factory=list)
    """Oldest first."""
    failure: FailedLaunch | None = None
    """Why the last launch failed, until one succeeds."""
    failures: int = 0
    """In a row."""
    retry: float = 0.0
    """When instances may be launched again."""
    launched: dict[tuple[str, str], Instance] = field(default_factory=dict)
    """Instances of all groups, by account and ID, to which those of this group are added."""

    @property
    def now(self) -> float:
        """The time of the group."""
        return time.time() + self.passed

    @property
    def refresh(self) -> Refresh | None:
        """The active instance refresh."""
        return next((refresh for refresh in self.refreshes if refresh.is_active), None)

    @property
    def capacity(self) -> list[Instance]:
        """The instances that count: an instance in standby does not (user guide, "Temporarily remove instances")."""
        return [each for each in self.instances if each.lifecycle in (PENDING, IN_SERVICE)]

    @property
    def warmup_seconds(self) -> int:
        """The default warm-up, or else the health check grace period (`RefreshPreferences` in the API reference)."""
        warmup = int(self.settings.get("DefaultInstanceWarmup", -1))  # -1 removes it
        # CreateAutoScalingGroup: the grace period is 0 by default; the console, and ministack, set 300
        return warmup if warmup >= 0 else int(self.settings.get("HealthCheckGracePeriod", 0))

    @property
    def maintenance(self) -> tuple[int | None, int | None]:
        """Minimum and maximum healthy percentage of its instance maintenance policy."""
        policy = self.settings.get("InstanceMaintenancePolicy", {})
        least, most = policy.get("MinHealthyPercentage", -1), policy.get("MaxHealthyPercentage", -1)
        return (None if least < 0 else least), (None if most < 0 else most)

    def update(self, given: Mapping[str, Any]) -> None:
        """Keep settings of a request."""
        self.settings |= {name: given[name] for name in _SETTINGS if name in given}

    def shown(self) -> Mapping[str, Any]:
        """What DescribeAutoScalingGroups shows of what is kept here."""
        return {
            "MinSize": self.min,
            "MaxSize": self.max,
            "DesiredCapacity": self.desired,
            "HealthCheckGracePeriod": self.settings.get("HealthCheckGracePeriod", 0),
            "NewInstancesProtectedFromScaleIn": self.settings.get("NewInstancesProtectedFromScaleIn", False),
            "DefaultInstanceWarmup": self.settings.get("DefaultInstanceWarmup"),
            "InstanceMaintenancePolicy": self.settings.get("InstanceMaintenancePolicy"),
            "ServiceLinkedRoleARN": self.role,
            "Instances": [instance.shown() for instance in self.instances],
            **{name: value for name, value in self.launch.configuration.items() if value},
        }

    def find(self, identities: Sequence[str]) -> list[Instance]:
        """The instances with these IDs. Raises KeyError with one that the group does not have."""
        instances = {instance.identity: instance for instance in self.instances}
        return [instances[identity] for identity in identities]

    def may_launch_again(self) -> None:
        """Let it launch at once what it could not launch before, because something has changed."""
        self.failures, self.retry = 0, 0.0

    def add(self, source: Source, *, at: float, ready: float, refresh: str | None) -> None:
        """Launch an instance."""
        identity = f"i-{uuid.uuid4().hex[:17]}"
        zones = self.settings.get("AvailabilityZones") or [f"{self.key.region}a"]
        size = len(self.capacity)
        cause = (
            f"At {date(at)} an instance was started in response to a difference between desired and actual capacity, "
            f"increasing the capacity from {size} to {size + 1}."
        )
        activity = Activity(f"Launching a new EC2 instance: {identity}", cause, at, status="PreInService")
        instance = Instance(
            identity=identity,
            source=source,
            zone=zones[len(self.instances) % len(zones)],
            launched=at,
            ready=ready,
            activity=activity,
            refresh=refresh,
            protected=bool(self.settings.get("NewInstancesProtectedFromScaleIn")),
        )
        self.activities.append(activity)
        self.instances.append(instance)
        self.launched[self.key.account, identity] = instance

    def fail_launch(self, failure: FailedLaunch, *, at: float, retry_in: float | None) -> None:
        """Note a launch that EC2 has refused."""
        instance = "" if failure.status == "Failed" else f": i-{uuid.uuid4().hex[:17]}"
        cause = "an instance was started in response to a difference between desired and actual capacity."
        activity = Activity(f"Launching a new EC2 instance{instance}", f"At {date(at)} {cause}", at)
        activity.end(at, status=failure.status, message=failure.reason)
        self.activities.append(activity)
        self.note_failure(failure, at=at, retry_in=retry_in)

    def note_failure(self, failure: FailedLaunch, *, at: float, retry_in: float | None) -> None:
        """Remember that a launch failed."""
        self.failure, self.failures = failure, self.failures + 1
        self.retry = inf if retry_in is None else at + retry_in

    def empty(self) -> None:
        """Terminate all instances, because the group was deleted."""
        for instance in list(self.instances):
            self.terminate(instance, at=self.now, cause="the group was deleted.")

    def terminate(self, instance: Instance, *, at: float, cause: str) -> None:
        """Terminate an instance; EC2 goes on showing it."""
        if instance.activity.ended is None:
            instance.activity.end(at, status="Cancelled")
        instance.lifecycle = _TERMINATED
        self.instances.remove(instance)
        description = f"Terminating EC2 instance: {instance.identity}"
        self.activities.append(Activity(description, f"At {date(at)} {cause}", at, ended=at))
