"""How far an instance refresh is, and which instances it replaces next."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from local_aws.auto_scaling.groups import IN_SERVICE, STANDBY, Group, Instance
from local_aws.auto_scaling.refreshes import Refresh


@dataclass(frozen=True)
class Progress:
    """How far a refresh is."""

    total: int
    """How many instances the group has, without those that are ignored."""
    updated: int
    """How many of them are as they should be, and have warmed up."""
    waiting: Sequence[Instance]
    """Those that are to be replaced."""
    percentage: int
    """As shown: it goes back to zero during a rollback (`InstanceRefresh` in the API reference)."""
    to_update: int
    """As shown: during a rollback, what the refresh had not updated (ditto)."""


@dataclass(frozen=True)
class Batch:
    """Instances that are replaced together."""

    instances: Sequence[Instance]
    surplus: int
    """How many of them are terminated only when their replacements have warmed up."""


def progress_of(group: Group, refresh: Refresh) -> Progress:
    """How far a refresh is."""
    scope = [each for each in group.instances if not _is_ignored(each, refresh)]
    ignored = sum(_is_ignored(each, refresh) for each in group.capacity)
    total = max(0, group.desired - ignored) + sum(each.lifecycle == STANDBY for each in scope)
    waiting = [each for each in scope if _is_replaced(each, refresh)]
    ready = [each for each in scope if each.lifecycle == IN_SERVICE and each.warm <= group.time]
    updated = min(total, sum(not _is_replaced(each, refresh) for each in ready))
    shown = updated
    if refresh.status == "RollbackInProgress":
        shown = min(total, sum(each.refresh == refresh.identity for each in scope))
    return Progress(
        total=total,
        updated=updated,
        waiting=waiting,
        percentage=100 * shown // total if total else 100,
        to_update=total - shown,
    )


def batch_of(group: Group, refresh: Refresh, progress: Progress) -> Batch:
    """What a refresh replaces next: empty if it waits for instances in standby or protected from scale-in.

    The size follows from the percentages of `RefreshPreferences`: what may be missing from the desired capacity is
    terminated at once, what the group may have in addition is launched first. If neither allows anything, one instance
    is replaced: launched first if the maximum is given or the minimum is 100.
    """
    preferences = refresh.preferences
    least = ceil(group.desired * preferences["MinHealthyPercentage"] / 100)
    most = floor(group.desired * preferences.get("MaxHealthyPercentage", 100) / 100)
    missing, surplus = group.desired - least, most - group.desired
    if missing + surplus == 0:
        is_launched_first = "MaxHealthyPercentage" in preferences or preferences["MinHealthyPercentage"] == 100
        missing, surplus = (0, 1) if is_launched_first else (1, 0)
    size = missing + surplus
    percentages = preferences.get("CheckpointPercentages", ())
    if refresh.status == "InProgress" and refresh.checkpoints < len(percentages):
        # "sometimes replace fewer but never more" (user guide, asg-adding-checkpoints-instance-refresh)
        threshold = ceil(progress.total * percentages[refresh.checkpoints] / 100)
        size = min(size, max(1, threshold - progress.updated))
    able = [each for each in progress.waiting if not _is_awaited(each, refresh)]
    able.sort(key=lambda each: each.launched)
    instances = able[:size]
    return Batch(instances, min(surplus, len(instances)))


def _is_replaced(instance: Instance, refresh: Refresh) -> bool:
    if refresh.status == "RollbackInProgress":
        return instance.refresh == refresh.identity
    if instance.identity in refresh.old:
        return True
    return bool(refresh.desired and refresh.target) and not matches(instance, refresh)


def matches(instance: Instance, refresh: Refresh) -> bool:
    """Whether an instance was launched from the template and version that the refresh brings."""
    return all(
        instance.source.template.get(name) == refresh.target.get(name) for name in ("LaunchTemplateId", "Version")
    )


def _is_ignored(instance: Instance, refresh: Refresh) -> bool:
    if instance.refresh == refresh.identity:
        return False
    preferences = refresh.preferences
    if instance.lifecycle == STANDBY:
        return bool(preferences.get("StandbyInstances") == "Ignore")
    return instance.protected and bool(preferences.get("ScaleInProtectedInstances") == "Ignore")


def _is_awaited(instance: Instance, refresh: Refresh) -> bool:
    """Whether a refresh waits until somebody makes an instance replaceable, which is the default (defaults)."""
    preferences = refresh.preferences
    if instance.lifecycle == STANDBY:
        return bool(preferences.get("StandbyInstances", "Wait") == "Wait")
    waits = bool(preferences.get("ScaleInProtectedInstances", "Wait") == "Wait")
    return instance.protected and instance.refresh != refresh.identity and waits
