"""How far an instance refresh is: what AWS says, and what its instances run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lambda_src.handoff.answers import GarbledAnswer
from lambda_src.rollout.group import Group, Refresh, TemplateVersion, read_group, read_refreshes
from lambda_src.rollout.run import Fleet

_LAUNCH_SECONDS = 60
"""About how long EC2 takes to start an instance, before it is warmed up."""
_CHECKPOINT_SECONDS = 3600
"""AWS's default of CheckpointDelay."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One look at a refresh."""

    refresh: Refresh
    new: Mapping[str, int]
    """How many instances run the version of the refresh, by AWS's LifecycleState."""
    old: Mapping[str, int]
    """How many instances run something else."""
    seconds_left: int | None
    """About how long it will take; None when that cannot be said."""

    @property
    def phase(self) -> str:
        """What it does: `45%`, `at checkpoint 20%`, `bakes`, `goes back`."""
        refresh = self.refresh
        percent = f"{refresh.percentage}%" if refresh.percentage is not None else ""
        match refresh.status:
            case "Pending":
                return "starts"
            case "Baking":
                return f"all replaced, bakes {_minutes(refresh.preferences.get('BakeTime'))}"
            case "RollbackInProgress":
                return f"goes back {percent}".rstrip()
            case "Cancelling":
                return "stops"
            case "InProgress" if self.is_at_checkpoint:
                delay = refresh.preferences.get("CheckpointDelay", _CHECKPOINT_SECONDS)
                return f"at checkpoint {percent}, pauses {_minutes(delay)}"
            case "InProgress" if waits_for(refresh):
                return f"{percent} {waits_for(refresh)}".lstrip()
            case "InProgress":
                return percent or "runs"
        return f"{refresh.status} {percent}".rstrip()

    @property
    def is_at_checkpoint(self) -> bool:
        """Whether it pauses at a checkpoint."""
        checkpoints = self.refresh.preferences.get("CheckpointPercentages") or []
        done = self.refresh.percentage
        return bool(done and done < 100 and done in checkpoints)


def waits_for(refresh: Refresh) -> str:
    """What a refresh that runs waits for and a person may have to end, in AWS's words; empty if nothing.

    Instances that are protected from scale-in or in standby, or alarms without data: with `wait`, AWS's default, a
    refresh makes no progress because of them for an hour, and then it fails (RefreshPreferences in the API reference
    of Auto Scaling).
    """
    is_other = refresh.status != "InProgress" or not refresh.reason.startswith("Waiting for ")
    return "" if is_other or "warm up" in refresh.reason else refresh.reason.rstrip(".")


def read_progress(fleet: Fleet, refresh: str, version: TemplateVersion | None) -> Progress | None:
    """Look at a refresh and the group's instances; None when the group was deleted. Raises `look.FAILURES`."""
    # before the group, so that a refresh that has ended is never shown with the instances before its end
    found = next(iter(read_refreshes(fleet.place.autoscaling, fleet.rules.group, ids=[refresh])), None)
    group = read_group(fleet.place.autoscaling, fleet.rules.group)
    if group is None:
        return None
    if found is None:
        raise GarbledAnswer(f"DescribeInstanceRefreshes does not know {refresh}, which was there before")
    instances = group.instances
    new = Counter(each.state for each in instances if version and each.runs(version))
    old = Counter(each.state for each in instances if not (version and each.runs(version)))
    return Progress(refresh=found, new=new, old=old, seconds_left=seconds_left(found, group))


def seconds_left(refresh: Refresh, group: Group | None) -> int | None:
    """About how long a refresh still takes, by warm-up, percentages, checkpoints and bake time, at the beginning of the
    pause if it pauses."""
    left, done = refresh.instances_left, refresh.percentage or 0
    if refresh.status == "Baking":
        left, done = 0, 100
    elif refresh.status not in ("Pending", "InProgress") or left is None or group is None or waits_for(refresh):
        return None
    return _seconds(refresh.preferences, group, left=left, done=done) if group else None


def seconds_needed(preferences: Mapping[str, Any], group: Group) -> int | None:
    """About how long a rollout of the whole group takes."""
    return _seconds(preferences, group, left=len(group.in_service), done=0)


def _seconds(preferences: Mapping[str, Any], group: Group, *, left: int, done: int) -> int | None:
    warmup = preferences.get("InstanceWarmup", group.warmup_seconds)
    if warmup is None:
        return None
    count = max(1, len(group.in_service))
    spread = preferences.get("MaxHealthyPercentage", 100) - preferences.get("MinHealthyPercentage", 90)
    at_once = max(1, math.floor(count * spread / 100))
    checkpoints = [each for each in preferences.get("CheckpointPercentages") or () if done <= each < 100]
    pauses = len(checkpoints) * preferences.get("CheckpointDelay", _CHECKPOINT_SECONDS)
    batches = math.ceil(left / at_once)
    return int(batches * (warmup + _LAUNCH_SECONDS) + pauses + preferences.get("BakeTime", 0))


def counts(instances: Mapping[str, int]) -> str:
    """`10 (2 Pending)`: how many there are, and how many of them are not in service."""
    total = sum(instances.values())
    others = ", ".join(_others(instances))
    return f"{total} ({others})" if others else str(total)


def _others(instances: Mapping[str, int]) -> Iterator[str]:
    for state, count in sorted(instances.items()):
        if state != "InService":
            yield f"{count} {state}"


def about(seconds: int | None) -> str:
    """`about 12 minutes`; `unknown`."""
    return "unknown" if seconds is None else f"about {_minutes(seconds)}"


def expected_end(progress: Progress, now: datetime) -> datetime | None:
    """About when it ends."""
    return None if progress.seconds_left is None else now + timedelta(seconds=progress.seconds_left)


def _minutes(seconds: int | None) -> str:
    minutes = math.ceil((seconds or 0) / 60)
    hours, rest = divmod(minutes, 60)
    if hours and not rest:
        return f"{hours} hour" + ("s" if hours != 1 else "")
    if hours:
        return f"{hours} h {rest} min"
    return f"{minutes} minute" + ("s" if minutes != 1 else "")
