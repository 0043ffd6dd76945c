"""Instance refreshes: what is kept of them, and how they are shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local_aws.auto_scaling.times import date
from local_aws.ministack.group_templates import Launch

STATUSES = (
    "Pending",
    "InProgress",
    "Successful",
    "Failed",
    "Cancelling",
    "Cancelled",
    "RollbackInProgress",
    "RollbackFailed",
    "RollbackSuccessful",
    "Baking",
)
"""Of instance refreshes (botocore: `InstanceRefreshStatus`)."""
_ACTIVE = ("Pending", "InProgress", "Cancelling", "RollbackInProgress", "Baking")


@dataclass(frozen=True)
class End:
    """How an instance refresh ends: its status, how much of the group it has replaced, and why it ended."""

    status: str = "Successful"
    percentage: int = 100
    reason: str = ""


@dataclass(frozen=True)
class Rollback:
    """How far a refresh had come when its rollback started, and why it did."""

    reason: str
    started: float
    percentage: int
    to_update: int


@dataclass
class Refresh:
    """An instance refresh."""

    identity: str
    preferences: Mapping[str, Any]
    """As given, with AWS's defaults."""
    desired: Launch | None
    """The desired configuration."""
    started: float
    old: frozenset[str]
    """The IDs of the instances that it replaces."""
    target: Mapping[str, str] = field(default_factory=dict)
    """The numbered version of the desired configuration's template."""
    strategy: str = "Rolling"
    status: str = "Pending"
    reason: str = ""
    ended: float | None = None
    percentage: int = 0
    to_update: int = 0
    rollback: Rollback | None = None
    is_chosen: bool = False
    """Whether `end_next_refresh` has chosen how it ends, so that it stays like that."""
    surplus: int = 0
    """How many instances the group has in addition, until those of `leaving` are terminated."""
    leaving: tuple[str, ...] = ()
    """The IDs of old instances that are terminated as soon as their replacements have warmed up."""
    is_replacing: bool = False
    """Whether a batch is on its way."""
    checkpoints: int = 0
    """How many were reached."""
    pause: float = 0.0
    """When the delay of the last checkpoint, or the bake time, ends."""
    blocked: float | None = None
    """Since when it cannot go on."""
    waits_for_launches: bool = True
    """Whether its cancellation waits for launches and terminations that have begun."""

    @property
    def is_active(self) -> bool:
        """Whether it has not ended."""
        return self.status in _ACTIVE

    def end(self, status: str, *, at: float, reason: str = "") -> None:
        """Let it end."""
        self.status, self.reason, self.ended = status, reason, at
        self.surplus, self.leaving, self.is_replacing = 0, (), False

    def shown(self, group: str) -> Mapping[str, Any]:
        """As DescribeInstanceRefreshes shows it."""
        back = self.rollback
        return {
            "InstanceRefreshId": self.identity,
            "AutoScalingGroupName": group,
            "Status": self.status,
            "StatusReason": self.reason or None,
            "StartTime": date(self.started),
            "EndTime": None if self.ended is None else date(self.ended),
            "PercentageComplete": self.percentage,
            "InstancesToUpdate": self.to_update,
            # ProgressDetails are for groups with a warm pool only, which do not exist here
            "Preferences": self.preferences,
            "DesiredConfiguration": self.desired.configuration if self.desired else None,
            "RollbackDetails": back
            and {
                "RollbackReason": back.reason,
                "RollbackStartTime": date(back.started),
                "PercentageCompleteOnRollback": back.percentage,
                "InstancesToUpdateOnRollback": back.to_update,
            },
            "Strategy": self.strategy,
        }
