"""What each request about one group does."""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.auto_scaling import preferences as rules
from local_aws.auto_scaling import sizes
from local_aws.auto_scaling.batches import matches, progress_of
from local_aws.auto_scaling.groups import IN_SERVICE, STANDBY, Group, Instance, Source
from local_aws.auto_scaling.pages import page_of
from local_aws.auto_scaling.refreshes import End, Refresh
from local_aws.auto_scaling.rollout import REFRESHED, roll_back
from local_aws.auto_scaling.surroundings import Surroundings
from local_aws.errors import AwsError
from local_aws.ministack.group_templates import Launch, wanted_launch
from local_aws.ministack.launch_templates import ami_of
from local_aws.ministack.launches import FailedLaunch, Launches
from local_aws.ministack.query_api import Query

REFUSED = "Refused"
_Result = Mapping[str, Any]
_CONFIGURATION = frozenset(("LaunchTemplate", "MixedInstancesPolicy", "LaunchConfigurationName"))
SOURCES = _CONFIGURATION | {"InstanceId"}
"""What a group can be made from, by the parameters of CreateAutoScalingGroup."""


@dataclass(frozen=True)
class Request:
    """A request about a group."""

    query: Query
    group: Group
    given: Mapping[str, Any]
    launches: Launches
    surroundings: Surroundings
    chosen: dict[str, End]
    """How the next refreshes end, by the name of their group."""


async def wanted(query: Query, launches: Launches, now: Launch, *, account: str, asked: Any = None) -> Launch:
    """What a request wants instances to be launched from. Default: `now`.

    Raises ValidationError for a launch template, a version of it, or an AMI that does not exist.
    """
    try:
        launch = await wanted_launch(query, query.tree if asked is None else asked, now)
        if launch is not now:
            await launches.check(query, launch.template, account=account)
    except AwsError as error:
        message = f"You must use a valid fully-formed launch template. {error.message}"
        raise AwsError(code="ValidationError", message=message) from None
    return launch


def find_group(groups: Mapping[str, Group], given: Mapping[str, Any]) -> Group:
    """The group that a request is about, by its name or by an instance. Raises ValidationError."""
    if "AutoScalingGroupName" in given:
        name = given["AutoScalingGroupName"]
        if name not in groups:
            raise _invalid(f"AutoScalingGroup name not found - no such group: {name}")
        return groups[name]
    for group in groups.values():
        if any(instance.identity == given.get("InstanceId") for instance in group.instances):
            return group
    identity = given.get("InstanceId")
    raise _invalid(f"Instance Id not found - No managed instance found for instance ID: {identity}")


def describe_instances(groups: Mapping[str, Group], given: Mapping[str, Any]) -> _Result:
    """Answer DescribeAutoScalingInstances."""
    asked = given.get("InstanceIds")
    found = [
        instance.shown(AutoScalingGroupName=name)
        for name, group in groups.items()
        for instance in group.instances
        if not asked or instance.identity in asked
    ]
    return page_of(found, given, member="AutoScalingInstances", most=50)


def describe_activities(groups: Mapping[str, Group], given: Mapping[str, Any]) -> _Result:
    """Answer DescribeScalingActivities: newest first."""
    name = given.get("AutoScalingGroupName")
    chosen = [find_group(groups, given)] if name else list(groups.values())
    found = [(activity, group.key.name) for group in chosen for activity in reversed(group.activities)]
    found.sort(key=lambda each: each[0].started, reverse=True)  # stable
    asked = given.get("ActivityIds")
    shown = [activity.shown(group) for activity, group in found if not asked or activity.identity in asked]
    return page_of(shown, given, member="Activities", most=100)


async def _update(request: Request) -> _Result:
    group, given = request.group, request.given
    refresh = group.refresh
    if refresh and refresh.desired and _CONFIGURATION & set(given):
        # "Update restriction" in the guide's page instance-refresh-overview
        raise _invalid(
            "An active instance refresh with a desired configuration exists. All configuration options derived from "
            "the desired configuration are not available for update while the instance refresh is active."
        )
    launch = await wanted(request.query, request.launches, group.launch, account=group.key.account)
    sizes.resize(group, given)
    group.launch = launch
    group.update(given)
    group.may_launch_again()
    return {}


async def _set_desired_capacity(request: Request) -> _Result:
    sizes.set_desired(request.group, request.given["DesiredCapacity"])
    request.group.may_launch_again()
    return {}


async def _start_refresh(request: Request) -> _Result:
    group, given = request.group, request.given
    if group.refresh:
        # as met by users, for example in comments of public Terraform modules
        raise AwsError(
            code="InstanceRefreshInProgress",
            message="An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.",
        )
    asked = request.query.tree.get("DesiredConfiguration")
    desired = None
    if asked:
        desired = await wanted(request.query, request.launches, group.launch, account=group.key.account, asked=asked)
    strategy = given.get("Strategy", "Rolling")
    preferences = rules.whole_preferences(group, given.get("Preferences", {}))
    rules.check_configuration(group, preferences, desired, strategy=strategy)
    if preferences["AutoRollback"] and (why := await _why_irreversible(request, desired)):
        raise _invalid(f"The AutoRollback parameter cannot be set to true because {why}.")
    if alarms := preferences["AlarmSpecification"].get("Alarms"):
        rules.check_alarms(alarms, await request.surroundings.alarms(group.query, alarms))
    end = request.chosen.pop(group.key.name, None)
    if end and end.status == REFUSED:
        raise _invalid(end.reason or f"An instance refresh of group {group.key.name} cannot be started")
    target = await request.surroundings.template(group, desired or group.launch)
    refresh = Refresh(
        identity=str(uuid.uuid4()),
        preferences=preferences,
        desired=desired,
        started=group.time,
        old=frozenset(each.identity for each in group.instances),
        target=target,
        strategy=strategy,
    )
    if preferences["SkipMatching"]:
        matching = {each.identity for each in group.instances if matches(each, refresh)}
        refresh.old -= matching
    group.refreshes.append(refresh)
    group.may_launch_again()
    if end:
        await _end_as_chosen(request, refresh, end)
    return {"InstanceRefreshId": refresh.identity}


async def _end_as_chosen(request: Request, refresh: Refresh, end: End) -> None:
    """Replace as much of the group as `control` has chosen, and end like this, unless instances cannot be launched."""
    group = request.group
    source = await request.surroundings.launch(group, refresh.desired or group.launch)
    if isinstance(source, FailedLaunch):
        return
    count = len(group.instances) * end.percentage // 100
    for place, old in enumerate(group.instances[:count]):
        _replace(group, old, source, place=place, refresh=refresh)
    progress = progress_of(group, refresh)
    refresh.is_chosen, refresh.status, refresh.reason = True, end.status, end.reason
    refresh.percentage, refresh.to_update = end.percentage, progress.total - count
    if not refresh.is_active:
        refresh.ended = group.time
    if end.status == "Successful" and refresh.desired:
        group.launch = refresh.desired


def _replace(group: Group, old: Instance, source: Source, *, place: int, refresh: Refresh) -> None:
    group.terminate(old, at=group.time, cause=REFRESHED)
    group.add(source, at=group.time, ready=group.time, refresh=refresh.identity)
    new = group.instances.pop()
    new.lifecycle, new.warm = IN_SERVICE, group.time
    new.activity.end(group.time)
    group.instances.insert(place, new)


async def _cancel_refresh(request: Request) -> _Result:
    refresh = request.group.refresh
    if refresh is None:
        raise _no_active_refresh(request.group)
    # a rollback can be cancelled, too (CancelInstanceRefresh in the API reference)
    refresh.status, refresh.is_chosen = "Cancelling", False
    refresh.waits_for_launches = request.given.get("WaitForTransitioningInstances", True)
    return {"InstanceRefreshId": refresh.identity}


async def _roll_back_refresh(request: Request) -> _Result:
    group = request.group
    refresh = group.refresh
    if refresh is None or refresh.status not in ("Pending", "InProgress", "Baking"):
        raise _no_active_refresh(group)
    if why := await _why_irreversible(request, refresh.desired):
        raise AwsError(code="IrreversibleInstanceRefresh", message=f"The request failed because {why}.")
    roll_back(group, refresh, "Rollback was started by a request.")
    return {"InstanceRefreshId": refresh.identity}


async def _why_irreversible(request: Request, desired: Launch | None) -> str | None:
    group = request.group
    ami = await ami_of(group.query, group.launch.template)
    return rules.why_irreversible(group, desired, ami=ami)


async def _describe_refreshes(request: Request) -> _Result:
    group, given = request.group, request.given
    asked = given.get("InstanceRefreshIds")
    found = [
        refresh.shown(group.key.name) for refresh in reversed(group.refreshes) if not asked or refresh.identity in asked
    ]
    return page_of(found, given, member="InstanceRefreshes", most=100, usual=50)


async def _set_protection(request: Request) -> _Result:
    for instance in _instances(request):
        instance.protected = request.given["ProtectedFromScaleIn"]
    return {}


async def _enter_standby(request: Request) -> _Result:
    """An instance in standby does not count, and is replaced unless that is not wanted (as-enter-exit-standby)."""
    group = request.group
    entering = _instances(request)
    _check_states(entering, IN_SERVICE)
    if request.given["ShouldDecrementDesiredCapacity"]:
        if group.desired - len(entering) < group.min:
            raise _invalid(
                f"AutoScalingGroup {group.key.name} has min-size={group.min}, max-size={group.max}, and desired-size="
                f"{group.desired}. To place into standby {len(entering)} instances, please update the "
                "AutoScalingGroup sizes appropriately."
            )
        group.desired -= len(entering)
    for instance in entering:
        instance.lifecycle = STANDBY
    return {"Activities": []}


async def _exit_standby(request: Request) -> _Result:
    """The desired capacity grows by the instances that come back (as-enter-exit-standby)."""
    group = request.group
    leaving = _instances(request)
    _check_states(leaving, STANDBY)
    if group.desired + len(leaving) > group.max:
        raise _invalid(
            f"AutoScalingGroup {group.key.name} has min-size={group.min}, max-size={group.max}, and desired-size="
            f"{group.desired}. To exit standby {len(leaving)} instances, please update the AutoScalingGroup sizes "
            "appropriately."
        )
    group.desired += len(leaving)
    for instance in leaving:
        instance.lifecycle = IN_SERVICE
    return {"Activities": []}


async def _terminate_instance(request: Request) -> _Result:
    group = request.group
    (instance,) = group.find([request.given["InstanceId"]])
    if request.given["ShouldDecrementDesiredCapacity"]:
        if group.desired == group.min:
            raise _invalid(
                f"Currently, desiredSize equals minSize ({group.min}). Terminating instance without replacement will "
                "violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower "
                "group's min size."
            )
        group.desired -= 1
    group.terminate(instance, at=group.time, cause="instance was taken out of service in response to a user request.")
    activity = group.activities[-1]
    return {"Activity": activity.shown(group.key.name)}


async def _set_health(request: Request) -> _Result:
    """An instance that is reported as unhealthy is terminated and replaced (API reference)."""
    group = request.group
    (instance,) = group.find([request.given["InstanceId"]])
    if request.given["HealthStatus"] not in ("Healthy", "Unhealthy"):
        raise _invalid(f"HealthStatus must be Healthy or Unhealthy, got {request.given['HealthStatus']}")
    if request.given["HealthStatus"] == "Unhealthy" and instance.lifecycle == IN_SERVICE:
        cause = "an instance was taken out of service in response to a user health-check."
        group.terminate(instance, at=group.time, cause=cause)
    return {}


def _instances(request: Request) -> list[Instance]:
    """The instances that a request names. Raises ValidationError for one that the group does not have."""
    group = request.group
    try:
        return group.find(request.given.get("InstanceIds", []))
    except KeyError as error:
        raise _invalid(f"The instance {error.args[0]} is not part of Auto Scaling group {group.key.name}.") from None


def _check_states(instances: list[Instance], state: str) -> None:
    for instance in instances:
        if instance.lifecycle != state:
            raise _invalid(f"The instance {instance.identity} is not in {state}.")


def _no_active_refresh(group: Group) -> AwsError:
    message = f"No in progress or pending Instance Refresh found for Auto Scaling group {group.key.name}"
    return AwsError(code="ActiveInstanceRefreshNotFound", message=message)


def _invalid(message: str) -> AwsError:
    return AwsError(code="ValidationError", message=message)


ACTIONS: Mapping[str, Callable[[Request], Awaitable[_Result]]] = {
    "CancelInstanceRefresh": _cancel_refresh,
    "DescribeInstanceRefreshes": _describe_refreshes,
    "EnterStandby": _enter_standby,
    "ExitStandby": _exit_standby,
    "RollbackInstanceRefresh": _roll_back_refresh,
    "SetDesiredCapacity": _set_desired_capacity,
    "SetInstanceHealth": _set_health,
    "SetInstanceProtection": _set_protection,
    "StartInstanceRefresh": _start_refresh,
    "TerminateInstanceInAutoScalingGroup": _terminate_instance,
    "UpdateAutoScalingGroup": _update,
}
