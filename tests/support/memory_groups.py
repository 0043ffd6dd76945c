"""Auto Scaling groups in memory: what their instances are launched from, and how an instance refresh replaces them.

Nothing happens by itself: `step` does the next thing that AWS would do in a group, `fail` lets its refresh fail. What a
refresh does is described in the user guide of Amazon EC2 Auto Scaling: `local_aws/auto_scaling/rollout.py` cites the
pages, and `test_memory_fleet.py` compares both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

FORWARD = ("Pending", "InProgress", "Baking")
ACTIVE = (*FORWARD, "Cancelling", "RollbackInProgress")
STANDBY = "Standby"

Configuration = Mapping[str, Any]
"""`{"LaunchTemplate": …}` or `{"MixedInstancesPolicy": …}`."""
Resolve = Callable[[Mapping[str, str]], tuple[str, str] | None]
"""The number of a template's version and its AMI. None if it does not exist."""


@dataclass
class Member:
    """An instance of a group."""

    id: str
    template: str
    version: str
    ami: str
    launched: datetime
    refresh: str = ""
    """The refresh that launched it."""
    is_standby: bool = False
    is_protected: bool = False

    def shown(self) -> dict[str, Any]:
        """As DescribeAutoScalingGroups shows it."""
        return {
            "InstanceId": self.id,
            "LifecycleState": STANDBY if self.is_standby else "InService",
            "HealthStatus": "Healthy",
            "LaunchTemplate": {"LaunchTemplateId": self.template, "Version": self.version},
            "ProtectedFromScaleIn": self.is_protected,
        }


@dataclass
class MemoryRefresh:
    """An instance refresh."""

    id: str
    asked: datetime
    desired: Configuration | None
    preferences: Mapping[str, Any]
    old: set[str]
    """The instances that it replaces."""
    status: str = "Pending"
    reason: str = ""
    rollback: str = ""
    ended: datetime | None = None

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE

    def end(self, status: str, *, at: datetime, reason: str = "") -> None:
        self.status, self.reason, self.ended = status, reason, at

    def shown(self, group: MemoryGroup) -> dict[str, Any]:
        """As DescribeInstanceRefreshes shows it."""
        return {
            "InstanceRefreshId": self.id,
            "AutoScalingGroupName": group.name,
            "Status": self.status,
            **({"StatusReason": self.reason} if self.reason else {}),
            **({} if self.status == "Pending" else {"StartTime": self.asked}),
            **({"EndTime": self.ended} if self.ended else {}),
            "PercentageComplete": 100 if self.status == "Successful" else 0,
            "Preferences": dict(self.preferences),
            **({"DesiredConfiguration": self.desired} if self.desired else {}),
            **({"RollbackDetails": {"RollbackReason": self.rollback}} if self.rollback else {}),
        }


@dataclass
class MemoryGroup:
    """A group, and everything that AWS does in it."""

    name: str
    launch: Configuration
    least: int
    most: int
    desired: int
    resolve: Resolve
    clock: Callable[[], datetime]
    new_id: Callable[[str], str]
    members: list[Member] = field(default_factory=list)
    refreshes: list[MemoryRefresh] = field(default_factory=list)
    """Oldest first."""
    terminated: list[Member] = field(default_factory=list)

    @property
    def active(self) -> MemoryRefresh | None:
        """The refresh that has not ended."""
        return next((refresh for refresh in self.refreshes if refresh.is_active), None)

    @property
    def counting(self) -> list[Member]:
        """The instances that count: one in standby does not."""
        return [member for member in self.members if not member.is_standby]

    def shown(self) -> dict[str, Any]:
        """As DescribeAutoScalingGroups shows it."""
        return {
            "AutoScalingGroupName": self.name,
            "MinSize": self.least,
            "MaxSize": self.most,
            "DesiredCapacity": self.desired,
            "HealthCheckGracePeriod": 0,
            "Instances": [member.shown() for member in self.members],
            **self.launch,
        }

    def start(self, desired: Configuration | None, preferences: Mapping[str, Any]) -> MemoryRefresh:
        """Start a refresh, of which there is none."""
        wanted = self.resolve(specification(desired or self.launch))
        template = specification(desired or self.launch)["LaunchTemplateId"]
        skips = preferences.get("SkipMatching", False)
        old = {each.id for each in self.members if not (skips and wanted and _is_from(each, template, wanted[0]))}
        refresh = MemoryRefresh(self.new_id("refresh"), self.clock(), desired, preferences, old)
        self.refreshes.append(refresh)
        return refresh

    # What AWS does.

    def settle(self) -> None:
        """Let everything happen that happens by itself."""
        while self.step():
            pass

    def step(self) -> bool:
        """Do the next thing; whether there was one."""
        if self._resize():
            return True
        refresh = self.active
        if refresh is None:
            return False
        if refresh.status == "Pending":
            refresh.status = "InProgress"
        elif refresh.status == "Cancelling":
            refresh.end("Cancelled", at=self.clock(), reason="Cancelled due to user request.")
        elif refresh.status == "Baking":
            self._succeed(refresh)
        else:
            return self._replace_one(refresh)
        return True

    def fail(self, reason: str) -> None:
        """Let the refresh fail: an alarm, instances that do not become healthy, or an hour without progress."""
        refresh = self.active
        if refresh is None or refresh.status == "Cancelling":
            return
        if refresh.status == "RollbackInProgress":
            refresh.end("RollbackFailed", at=self.clock(), reason=reason)
        elif refresh.preferences.get("AutoRollback"):
            self.roll_back(refresh, reason)
        else:
            refresh.end("Failed", at=self.clock(), reason=reason)

    def roll_back(self, refresh: MemoryRefresh, reason: str) -> None:
        """Start the rollback of a refresh."""
        refresh.status, refresh.reason, refresh.rollback = "RollbackInProgress", reason, reason

    def _replace_one(self, refresh: MemoryRefresh) -> bool:
        if refresh.status == "RollbackInProgress":
            waiting = [each for each in self.members if each.refresh == refresh.id]
        else:
            waiting = [each for each in self.members if each.id in refresh.old and not self._is_kept(each, refresh)]
        able = [each for each in waiting if not self._is_awaited(each, refresh)]
        if not waiting:
            return self._finish(refresh)
        if not able:
            self.fail("instances were protected from scale-in or in standby for an hour")
            return True
        launched = self._launched()
        if launched is None:
            self.fail("the AMI or the launch template does not exist")
            return True
        self.members[self.members.index(able[0])] = launched
        self.terminated.append(able[0])
        if able[0].is_standby:  # its replacement counts, so there may be one too many
            self._resize()
        return True

    def _finish(self, refresh: MemoryRefresh) -> bool:
        if refresh.status == "RollbackInProgress":
            refresh.end("RollbackSuccessful", at=self.clock(), reason=refresh.rollback)
        elif refresh.preferences.get("BakeTime"):
            refresh.status = "Baking"
        else:
            self._succeed(refresh)
        return True

    def _succeed(self, refresh: MemoryRefresh) -> None:
        if refresh.desired:
            self.launch = refresh.desired
        refresh.end("Successful", at=self.clock())

    def _launched(self) -> Member | None:
        """A new instance. None: EC2 refuses."""
        refresh = self.active
        forward = refresh if refresh and refresh.status in FORWARD else None
        wanted = specification((forward.desired if forward else None) or self.launch)
        found = self.resolve(wanted)
        if found is None or not found[1]:
            return None
        identity = self.new_id("i")
        return Member(
            identity, wanted["LaunchTemplateId"], found[0], found[1], self.clock(), forward.id if forward else ""
        )

    def _resize(self) -> bool:
        """Launch what is missing, or terminate what is too much and not protected."""
        missing = self.desired - len(self.counting)
        if missing > 0 and (launched := self._launched()):
            self.members.append(launched)
            return True
        leaving = [each for each in self.counting if not each.is_protected]
        if missing < 0 and leaving:
            self.members.remove(leaving[0])
            self.terminated.append(leaving[0])
            return True
        return False

    @staticmethod
    def _is_kept(member: Member, refresh: MemoryRefresh) -> bool:
        if member.is_standby:
            return bool(refresh.preferences.get("StandbyInstances") == "Ignore")
        return member.is_protected and refresh.preferences.get("ScaleInProtectedInstances") == "Ignore"

    @staticmethod
    def _is_awaited(member: Member, refresh: MemoryRefresh) -> bool:
        if refresh.status == "RollbackInProgress":
            return False
        if member.is_standby:
            return bool(refresh.preferences.get("StandbyInstances", "Wait") == "Wait")
        return member.is_protected and refresh.preferences.get("ScaleInProtectedInstances", "Wait") == "Wait"


def specification(launch: Configuration) -> Mapping[str, str]:
    """The launch template of a configuration."""
    policy = launch.get("MixedInstancesPolicy")
    found: Mapping[str, str] = (
        policy["LaunchTemplate"]["LaunchTemplateSpecification"] if policy else launch["LaunchTemplate"]
    )
    return found


def _is_from(member: Member, template: str, version: str) -> bool:
    return (member.template, member.version) == (template, version)
