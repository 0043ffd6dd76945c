"""Moves groups through time: launches, terminations, and instance refreshes batch by batch.

Sources are pages of the user guide of Amazon EC2 Auto Scaling (docs.aws.amazon.com/autoscaling/ec2/userguide): overview
is instance-refresh-overview, defaults is understand-instance-refresh-default-values, rollback is
instance-refresh-rollback, checkpoints is asg-adding-checkpoints-instance-refresh, skip matching is
asg-instance-refresh-skip-matching, cancel is cancel-instance-refresh; and `RefreshPreferences` and `InstanceRefresh` in
the API reference.
"""

from math import ceil, inf

from local_aws.auto_scaling.batches import Progress, batch_of, progress_of
from local_aws.auto_scaling.groups import IN_SERVICE, PENDING, STANDBY, Group, Instance, Source
from local_aws.auto_scaling.refreshes import Refresh, Rollback
from local_aws.auto_scaling.surroundings import Surroundings
from local_aws.auto_scaling.times import RolloutTime
from local_aws.ministack.group_templates import Launch
from local_aws.ministack.launches import FailedLaunch

_MOVABLE = ("$Latest", "$Default")


class Rollout:
    """Lets happen in a group what happens until a time."""

    def __init__(self, *, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self.time = RolloutTime()

    def is_due(self, group: Group) -> bool:
        """Whether something may have happened in a group since it was advanced last."""
        refresh = group.refresh
        # an alarm changes its state at any time
        watches = refresh is not None and not refresh.is_chosen and bool(_alarms(refresh))
        return watches or self._next(group) <= group.now

    async def advance(self, group: Group) -> None:
        """Let happen in a group what happens until now, each at its time."""
        now = group.now
        while True:
            while await self._step(group):
                pass
            moment = self._next(group)
            if moment > now:
                break
            group.time = moment
        group.time = now

    def _next(self, group: Group) -> float:
        """When something happens next in a group."""
        moments = [instance.ready for instance in group.instances if instance.lifecycle == PENDING]
        if len(group.capacity) < _wanted(group):
            moments.append(group.retry)
        refresh = group.refresh
        if refresh and not refresh.is_chosen:
            moments += [instance.warm for instance in group.capacity]
            moments.append(refresh.pause)
            if refresh.blocked is not None:
                moments += [refresh.blocked + self.time.give_up, group.retry]
        return min((moment for moment in moments if moment > group.time), default=inf)

    async def _step(self, group: Group) -> bool:
        """Do one thing that happens now in a group. False: nothing does."""
        if self._finish_launches(group) or _scale_in(group) or await self._scale_out(group):
            return True
        refresh = group.refresh
        if refresh is None or refresh.is_chosen:
            return False
        changed = await self._step_refresh(group, refresh)
        if refresh.is_active:
            _show_progress(group, refresh)
        return changed

    def _finish_launches(self, group: Group) -> bool:
        """Put instances into service, or terminate them if they do not become healthy."""
        finished = [each for each in group.instances if each.lifecycle == PENDING and each.ready <= group.time]
        for instance in finished:
            reason = self._surroundings.fault(instance.source)
            if reason is None:
                instance.lifecycle = IN_SERVICE
                instance.warm = group.time + self.time.of(_warmup(group))
                instance.activity.end(group.time)
                group.failure = None
                group.may_launch_again()
                continue
            instance.activity.end(group.time, status="Failed", message=reason)
            group.terminate(instance, at=group.time, cause=_UNHEALTHY)
            retry_in = self.time.retry(group.failures + 1)
            group.note_failure(FailedLaunch("Failed", reason), at=group.time, retry_in=retry_in)
        return bool(finished)

    async def _scale_out(self, group: Group) -> bool:
        missing = _wanted(group) - len(group.capacity)
        if missing <= 0 or group.time < group.retry:
            return False
        source = await self._source(group, _launch(group))
        if source is None:
            return True
        refresh = group.refresh
        forward = refresh if refresh and refresh.status in ("Pending", "InProgress", "Baking") else None
        for _ in range(missing):
            group.add(
                source,
                at=group.time,
                ready=group.time + self.time.launch_seconds,
                refresh=forward.identity if forward else None,
            )
        return True

    async def _source(self, group: Group, launch: Launch) -> Source | None:
        """What instances are launched from now. None: EC2 refuses, which is noted."""
        source = await self._surroundings.launch(group, launch)
        if isinstance(source, FailedLaunch):
            group.fail_launch(source, at=group.time, retry_in=self.time.retry(group.failures + 1))
            return None
        return source

    async def _step_refresh(self, group: Group, refresh: Refresh) -> bool:
        if refresh.status == "Pending":  # "The status should then quickly change to InProgress" (guide, monitor)
            refresh.status = "InProgress"
            return True
        if refresh.status == "Cancelling":
            return _finish_cancelling(group, refresh)
        if refresh.status != "RollbackInProgress" and _alarms(refresh):
            states = await self._surroundings.alarms(group.query, _alarms(refresh))
            if "ALARM" in states.values():
                names = ", ".join(name for name, state in states.items() if state == "ALARM")
                return self._fail(group, refresh, f"The CloudWatch alarm {names} is in the ALARM state.")
            if any(states.get(name) != "OK" for name in _alarms(refresh)):
                # rollback: while data is missing, "Amazon EC2 Auto Scaling cannot replace instances"
                return self._block(group, refresh, _NO_DATA)
            if refresh.reason == _NO_DATA:
                refresh.blocked, refresh.reason = None, ""
        if group.time < refresh.pause:
            return False
        if refresh.status == "Baking":
            return _succeed(group, refresh)
        if not _is_settled(group):
            return self._wait_for_instances(group, refresh)
        if refresh.is_replacing:
            return self._finish_batch(group, refresh)
        return await self._replace_more(group, refresh)

    def _wait_for_instances(self, group: Group, refresh: Refresh) -> bool:
        if group.failure:
            return self._block(group, refresh, group.failure.reason)
        waiting = next((each for each in group.capacity if each.warm > group.time), None)
        if waiting:  # as in the output of the guide's page "Monitor an instance refresh"
            refresh.reason = (
                f"Waiting for instances to warm up before continuing. For example: {waiting.identity} is warming up."
            )
        return False

    def _finish_batch(self, group: Group, refresh: Refresh) -> bool:
        for instance in [each for each in group.instances if each.identity in refresh.leaving]:
            group.terminate(instance, at=group.time, cause=REFRESHED)
        refresh.surplus, refresh.leaving, refresh.is_replacing = 0, (), False
        refresh.blocked, refresh.reason = None, ""
        # checkpoints: "the instances that are replaced and warmed up"; passed together if several are reached
        progress = progress_of(group, refresh)
        percentages = _checkpoints(refresh)
        reached = sum(progress.updated >= ceil(progress.total * each / 100) for each in percentages)
        if refresh.checkpoints < reached < len(percentages):
            refresh.pause = group.time + self.time.of(refresh.preferences["CheckpointDelay"])
        refresh.checkpoints = max(reached, refresh.checkpoints)
        return True

    async def _replace_more(self, group: Group, refresh: Refresh) -> bool:
        launch = _launch(group)
        is_forward = refresh.desired is not None and refresh.status == "InProgress"
        if is_forward and launch.template.get("Version") in _MOVABLE:
            # skip matching: a new version that $Latest or $Default means replaces also what was replaced
            refresh.target = await self._surroundings.template(group, launch)
        progress = progress_of(group, refresh)
        percentages = _checkpoints(refresh)
        if not progress.waiting or (percentages and refresh.checkpoints == len(percentages)):
            return self._finish(group, refresh)
        batch = batch_of(group, refresh, progress)
        if not batch.instances:
            return self._block(group, refresh, _why_waiting(progress))
        if refresh.blocked is not None and group.time < group.retry:
            return self._block(group, refresh, group.failure.reason if group.failure else refresh.reason)
        counting = [each for each in batch.instances if each.lifecycle != STANDBY]
        # before the terminations, so that a batch that EC2 does not launch terminates nothing
        if counting and await self._source(group, launch) is None:
            self._block(group, refresh, group.failure.reason if group.failure else "")
            return True
        if group.failure is None:
            refresh.blocked = None
        first = [each for each in batch.instances if each.lifecycle == STANDBY]
        first += counting[batch.surplus :]
        refresh.surplus = len(counting[: batch.surplus])
        refresh.leaving = tuple(each.identity for each in counting[: batch.surplus])
        refresh.is_replacing = True
        for instance in first:
            group.terminate(instance, at=group.time, cause=REFRESHED)
        return True

    def _finish(self, group: Group, refresh: Refresh) -> bool:
        if refresh.status == "RollbackInProgress":
            _show_progress(group, refresh)
            reason = refresh.rollback.reason if refresh.rollback else ""
            refresh.end("RollbackSuccessful", at=group.time, reason=reason)
            return True
        bake = refresh.preferences.get("BakeTime", 0)
        if bake:
            _show_progress(group, refresh)
            refresh.status, refresh.pause = "Baking", group.time + self.time.of(bake)
            return True
        return _succeed(group, refresh)

    def _block(self, group: Group, refresh: Refresh, reason: str) -> bool:
        """Note that a refresh cannot go on, and let it fail if that lasts ("One-hour timeout" in overview)."""
        refresh.reason = reason
        if refresh.blocked is None:
            refresh.blocked = group.time
        return group.time >= refresh.blocked + self.time.give_up and self._fail(group, refresh, reason)

    def _fail(self, group: Group, refresh: Refresh, reason: str) -> bool:
        _show_progress(group, refresh)
        if refresh.status == "RollbackInProgress":
            refresh.end("RollbackFailed", at=group.time, reason=reason)
        elif refresh.preferences["AutoRollback"]:
            roll_back(group, refresh, reason)
        else:
            refresh.end("Failed", at=group.time, reason=reason)
        group.may_launch_again()
        return True


_NO_DATA = "Waiting for the CloudWatch alarms to be in the OK state."
REFRESHED = "an instance was taken out of service in response to an instance refresh."
_UNHEALTHY = "an instance was taken out of service in response to an EC2 health check indicating it is unhealthy."


def roll_back(group: Group, refresh: Refresh, reason: str) -> None:
    """Start the rollback of a refresh: what it has replaced so far is replaced again (rollback)."""
    refresh.rollback = Rollback(reason, group.time, refresh.percentage, refresh.to_update)
    refresh.status, refresh.reason = "RollbackInProgress", reason
    refresh.surplus, refresh.leaving, refresh.is_replacing = 0, (), False
    refresh.pause, refresh.blocked, refresh.is_chosen = 0.0, None, False
    for instance in [each for each in group.instances if each.lifecycle == PENDING]:
        if instance.refresh == refresh.identity:
            group.terminate(instance, at=group.time, cause=REFRESHED)
    group.failure = None
    group.may_launch_again()


def _wanted(group: Group) -> int:
    return group.desired + (group.refresh.surplus if group.refresh else 0)


def _launch(group: Group) -> Launch:
    """What new instances are launched from.

    During a refresh this is its desired configuration, also for a scale-out (overview). Without one it is the group's,
    with updates that were made meanwhile (hashicorp/terraform-provider-aws#13791).
    """
    refresh = group.refresh
    if refresh and refresh.desired and refresh.status in ("Pending", "InProgress", "Baking"):
        return refresh.desired
    return group.launch


def _warmup(group: Group) -> float:
    if group.refresh and not group.refresh.is_chosen:
        return float(group.refresh.preferences["InstanceWarmup"])
    return group.warmup_seconds


def _alarms(refresh: Refresh) -> list[str]:
    return list(refresh.preferences["AlarmSpecification"].get("Alarms", ()))


def _checkpoints(refresh: Refresh) -> list[int]:
    """The percentages at which a refresh waits; a rollback does not."""
    if refresh.status == "RollbackInProgress":
        return []
    return list(refresh.preferences.get("CheckpointPercentages", ()))


def _is_settled(group: Group) -> bool:
    """Whether all instances are there and have warmed up."""
    capacity = group.capacity
    return len(capacity) == _wanted(group) and all(
        each.lifecycle == IN_SERVICE and each.warm <= group.time for each in capacity
    )


def _scale_in(group: Group) -> bool:
    """Terminate what is too much: first what is not in service yet, then the oldest; nothing that is protected.

    The default termination policy takes what has the oldest launch template (user guide, ec2-auto-scaling-termination-
    policies); protection: ec2-auto-scaling-instance-protection.
    """
    excess = len(group.capacity) - _wanted(group)
    if excess <= 0:
        return False
    leaving = [each for each in group.capacity if not each.protected]
    leaving.sort(key=lambda each: (each.lifecycle == IN_SERVICE, each.launched))
    for instance in leaving[:excess]:
        size = len(group.capacity)
        cause = (
            "an instance was taken out of service in response to a difference between desired and actual capacity, "
            f"shrinking the capacity from {size} to {size - 1}."
        )
        group.terminate(instance, at=group.time, cause=cause)
    return bool(leaving)


def _finish_cancelling(group: Group, refresh: Refresh) -> bool:
    """End a cancelled refresh, after launches that have begun unless that is not wanted (cancel)."""
    if refresh.waits_for_launches and any(each.lifecycle == PENDING for each in group.instances):
        return False
    _show_progress(group, refresh)
    # as described by users: ansible-collections/community.aws, ec2_asg_instance_refresh_info
    refresh.end("Cancelled", at=group.time, reason="Cancelled due to user request.")
    return True


def _succeed(group: Group, refresh: Refresh) -> bool:
    """End a refresh well: only now the group has the desired configuration (StartInstanceRefresh, overview)."""
    _show_progress(group, refresh)
    if refresh.desired:
        group.launch = refresh.desired
    refresh.end("Successful", at=group.time)
    return True


def _show_progress(group: Group, refresh: Refresh) -> None:
    progress = progress_of(group, refresh)
    refresh.percentage, refresh.to_update = progress.percentage, progress.to_update


def _why_waiting(progress: Progress) -> str:
    """In the form of a message of AWS that users have seen (with another example)."""
    instance: Instance = progress.waiting[0]
    why = "is in Standby" if instance.lifecycle == STANDBY else "is protected from scale in"
    return f"Waiting for remaining instances to be available. For example: {instance.identity} {why}."
