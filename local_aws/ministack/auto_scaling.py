"""Auto Scaling groups that follow their launch template, which ministack's do not.

ministack takes a group's launch template when the group is made and never again, drops a mixed instances policy, and
its instance refresh replaces nothing, so a plan after a rollout would not be empty. Here each group keeps what its
instances are launched from: an instance refresh gives them new IDs and the template of the group, or that of the
refresh's desired configuration, and DescribeAutoScalingGroups shows it. A refresh ends at once and well, unless
`control` has another end for it. EC2 shows the AMIs of the instances (`group_instances`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from local_aws.asgi import Answer, App, Receive, Scope, Send, read_body, send_answer
from local_aws.errors import AwsError
from local_aws.ministack.callers import Callers
from local_aws.ministack.group_instances import Origin
from local_aws.ministack.group_templates import Launch, wanted_launch
from local_aws.ministack.iam import service_linked_role_of_auto_scaling
from local_aws.ministack.launches import Launches
from local_aws.ministack.query_api import Query, add, changed, parsed, refusal

REFUSED = "Refused"
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
_RUNNING = ("Pending", "InProgress", "Cancelling", "RollbackInProgress", "Baking")


@dataclass(frozen=True)
class End:
    """How an instance refresh ends: its status, how much of the group it has replaced, and why it ended."""

    status: str = "Successful"
    percentage: int = 100
    reason: str = ""


@dataclass
class _Group:
    """What is kept of a group."""

    role: str
    """The ARN of the service-linked role that launches its instances."""
    launch: Launch
    """What new instances are launched from."""
    rollouts: list[tuple[Launch, int]]
    """What instances were launched from, oldest first, and which percentage of them, from the first one on."""
    refreshes: dict[str, tuple[End, Launch | None]] = field(default_factory=dict)
    """By ID: how an instance refresh ended, and its desired configuration if it has one."""
    failed_launches: list[Mapping[str, Any]] = field(default_factory=list)
    """As scaling activities, oldest first."""
    has_instances: bool = True
    """False if none could be launched so far."""

    def instance(self, index: int, count: int) -> tuple[Launch, int]:
        """What an instance was launched from, and how many instances it has replaced."""
        launches = [launch for launch, percentage in self.rollouts if index < count * percentage // 100]
        return launches[-1], len(launches) - 1


class _Key(NamedTuple):
    """What identifies a group."""

    account: str
    region: str
    name: str


class AutoScaling:
    """An ASGI app in front of ministack, for requests to Auto Scaling."""

    def __init__(self, *, app: App, callers: Callers, launches: Launches) -> None:
        self._app = app
        self._callers = callers
        self._launches = launches
        self._groups: dict[_Key, _Group] = {}
        self._next: dict[str, End] = {}
        self.origins: dict[tuple[str, str], Origin] = {}
        """What instances were launched from, by account and ID, as soon as their group has been described."""

    def end_next_refresh(self, group: str, end: End) -> None:
        """Let the next instance refresh of a group with this name, in any account, be refused, or end like this."""
        if end.status not in (REFUSED, *STATUSES):
            raise ValueError(f"an instance refresh is one of {', '.join(STATUSES)}, or {REFUSED}")
        self._next[group] = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        query = Query(self._app, scope, await read_body(receive))
        try:
            answer = await self._answer(query, await self._callers.account(scope))
        except AwsError as error:
            answer = refusal(error)
        await send_answer(send, answer)

    async def _answer(self, query: Query, account: str) -> Answer:
        key = _Key(account, query.region, query.parameters.get("AutoScalingGroupName", ""))
        group = self._groups.get(key)
        match query.action:
            case "CreateAutoScalingGroup":
                return await self._create(query, key)
            case "DeleteAutoScalingGroup":
                self._groups.pop(key, None)
                return await query.answer()
            case "UpdateAutoScalingGroup" if group:
                group.launch = await self._launch(query, query.tree, group.launch, account=account)
                return await query.answer()
            case "StartInstanceRefresh" if group:
                return await self._start_refresh(query, group, key)
            case "DescribeAutoScalingGroups":
                return changed(await query.answer(), lambda root: self._complete_groups(root, key))
            case "DescribeScalingActivities" if group:
                return changed(await query.answer(), lambda root: _complete_activities(root, group))
            case "DescribeInstanceRefreshes" if group:
                return changed(await query.answer(), lambda root: _complete_refreshes(root, group))
            case _:
                return await query.answer()

    async def _create(self, query: Query, key: _Key) -> Answer:
        launch = await self._launch(query, query.tree, Launch({}), account=key.account)
        answer = await query.answer()
        if answer.status == 200:
            role = query.parameters.get("ServiceLinkedRoleARN") or await service_linked_role_of_auto_scaling(query)
            group = self._groups[key] = _Group(role, launch, [(launch, 100)])
            failure = await self._launches.failure(query, launch.template, account=key.account, role=role)
            group.has_instances = failure is None
            group.failed_launches += [failure.activity(key.name)] if failure else []
        return answer

    async def _start_refresh(self, query: Query, group: _Group, key: _Key) -> Answer:
        end = self._next.pop(key.name, None) or End()
        if end.status == REFUSED:
            reason = end.reason or f"An instance refresh of group {key.name} cannot be started"
            raise AwsError(code="ValidationError", message=reason)
        desired = query.tree.get("DesiredConfiguration")
        launch = await self._launch(query, desired or {}, group.launch, account=key.account)
        failure = await self._launches.failure(query, launch.template, account=key.account, role=group.role)
        if failure:  # AWS tries again for an hour
            end = End("Failed", percentage=0, reason=failure.reason)
            group.failed_launches.append(failure.activity(key.name))
        answer = await query.answer()
        identity = parsed(answer).findtext(".//{*}InstanceRefreshId", "")
        group.refreshes[identity] = (end, launch if desired else None)
        group.rollouts.append((launch, end.percentage))
        group.has_instances |= end.percentage > 0
        if end.status == "Successful":
            group.launch = launch
        return answer

    async def _launch(self, query: Query, asked: Mapping[str, Any], now: Launch, *, account: str) -> Launch:
        """What a request wants instances to be launched from. Default: `now`.

        Raises ValidationError for a version of a launch template, or an AMI, that does not exist.
        """
        try:
            launch = await wanted_launch(query, asked, now)
            if launch is not now:
                await self._launches.check(query, launch.template, account=account)
        except AwsError as error:
            message = f"You must use a valid fully-formed launch template. {error.message}"
            raise AwsError(code="ValidationError", message=message) from None
        return launch

    def _complete_groups(self, root: Element, asked: _Key) -> None:
        for member in root.iterfind(".//{*}AutoScalingGroups/{*}member"):
            group = self._groups[asked._replace(name=member.findtext("{*}AutoScalingGroupName", ""))]
            _show_launch(member, group.launch.configuration)
            for role in member.findall("{*}ServiceLinkedRoleARN"):
                member.remove(role)
            add(member, "ServiceLinkedRoleARN", group.role)
            instances = member.findall("{*}Instances/{*}member")
            if not group.has_instances:
                for shown in member.iterfind("{*}Instances"):
                    shown.clear()
                continue
            for index, instance in enumerate(instances):
                launch, times = group.instance(index, len(instances))
                _show_launch(instance, {"LaunchTemplate": launch.template})
                for identity in instance.iterfind("{*}InstanceId"):
                    identity.text = _replaced(identity.text or "", times=times)
                    if launch.template:
                        self.origins[asked.account, identity.text] = Origin(
                            launch.template["LaunchTemplateId"], launch.template["Version"]
                        )


def _show_launch(member: Element, shown: Mapping[str, Any]) -> None:
    """Replace what ministack shows of the launch template of a group or instance."""
    for element in member.findall("{*}LaunchTemplate"):
        member.remove(element)
    for name, value in shown.items():
        if value:
            add(member, name, value, entry="member")


def _complete_refreshes(root: Element, group: _Group) -> None:
    for refresh in root.iterfind(".//{*}InstanceRefreshes/{*}member"):
        end, desired = group.refreshes[refresh.findtext("{*}InstanceRefreshId", "")]
        shown = {"Status": end.status, "PercentageComplete": str(end.percentage)}
        for name, text in (shown | ({"StatusReason": end.reason} if end.reason else {})).items():
            for element in refresh.iterfind(f"{{*}}{name}"):
                element.text = text
        for element in refresh.findall("{*}EndTime") if end.status in _RUNNING else ():
            refresh.remove(element)
        if desired:
            add(refresh, "DesiredConfiguration", desired.configuration, entry="member")


def _complete_activities(root: Element, group: _Group) -> None:
    for activities in root.iterfind(".//{*}Activities"):
        for activity in reversed(group.failed_launches):
            add(activities, "member", activity, entry="member")


def _replaced(identity: str, *, times: int) -> str:
    """The ID of the instance that is in the place of a first one after so many replacements."""
    return f"i-{sha256(f'{identity} {times}'.encode()).hexdigest()[:17]}" if times else identity
