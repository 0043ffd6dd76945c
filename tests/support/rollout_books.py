"""What the oracle of the rollouts writes down: refreshes that were started, and times at which one may start."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.support.memory_groups import MemoryGroup, MemoryRefresh

Version = tuple[str, str, str]
"""The template's ID, the number of its version, or nothing for one that has to be added, and the AMI."""

ENDS = {
    "Successful": "succeeded",
    "RollbackSuccessful": "rolled back",
    "RollbackFailed": "rollback failed",
    "Failed": "failed",
    "Cancelled": "cancelled",
}
UNFOLLOWED = "not followed to its end"
"""What records say of a rollout of which AWS does not know the end any more."""


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A window or freeze, as the oracle understands it: days of the week, or dates, and times in hours."""

    text: str
    days: frozenset[int]
    start: int
    end: int
    """Hours after the midnight of its day, later than `start`."""
    offset: int
    """Hours before UTC."""

    def is_open(self, time: datetime) -> bool:
        """Whether it is open at a time."""
        local = time + timedelta(hours=self.offset)
        hours = local.hour + local.minute / 60 + local.second / 3600
        return any(
            (local.weekday() - before) % 7 in self.days and self.start <= hours + 24 * before < self.end
            for before in (0, 1)
        )


@dataclass(kw_only=True)
class Rollout:
    """A refresh that was started."""

    fleet: str
    group: MemoryGroup = field(repr=False)
    refresh: MemoryRefresh
    template: str
    version: str
    ami: str
    previous: str
    """The AMI that the group launched before."""
    is_mine: bool
    """Whether the rules started it."""

    @property
    def end(self) -> str:
        """How it ended, as records say it; empty while it runs."""
        return ENDS.get(self.refresh.status, "")

    def tried(self, template: str, version: str, ami: str) -> bool:
        """Whether it was for this version, or brought this AMI into the group, or showed that it works."""
        if (template, version) == (self.template, self.version):
            return True
        return self.ami == ami and (self.previous != ami or self.end == "succeeded")
