"""Auto Scaling groups that follow their launch template.

ministack takes a group's launch template when the group is made and never again, and its instance refresh replaces
nothing, so a plan after a rollout would not be empty. Here the launch template of each group is kept: an instance
refresh gives the instances new IDs and the group's version, and DescribeAutoScalingGroups answers with both. A refresh
takes no time, unless the next one is to be refused or to end otherwise (`control`). EC2 shows what the instances run
(`group_instances`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from xml.etree.ElementTree import Element

from local_aws.asgi import Answer, App, Receive, Scope, Send, read_body, send_answer
from local_aws.errors import AwsError
from local_aws.ministack.group_instances import Origin
from local_aws.ministack.launch_templates import find_version
from local_aws.ministack.query_api import Query, changed, parsed, xml_answer

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

    version: str
    """The version of the launch template that new instances get."""
    rollouts: list[tuple[str, int]]
    """Versions that instances got, oldest first, each with the percentage of the instances, from the first one on."""
    ends: dict[str, End] = field(default_factory=dict)
    """By the ID of the instance refresh."""

    def instance(self, index: int, count: int) -> tuple[str, int]:
        """The version of an instance, and how often it was replaced."""
        versions = [version for version, percentage in self.rollouts if index < count * percentage // 100]
        return versions[-1], len(versions) - 1


class AutoScaling:
    """An ASGI app in front of ministack, for requests to Auto Scaling."""

    def __init__(self, *, app: App) -> None:
        self._app = app
        self._groups: dict[tuple[str, str], _Group] = {}  # by region and name
        self._next: dict[str, End] = {}
        self.origins: dict[str, Origin] = {}
        """What instances were launched from, as soon as somebody has described their group."""

    def end_next_refresh(self, group: str, end: End) -> None:
        """Let the next instance refresh of a group be refused, or end like this."""
        if end.status not in (REFUSED, *STATUSES):
            raise ValueError(f"an instance refresh is one of {', '.join(STATUSES)}, or {REFUSED}")
        self._next[group] = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        query = Query(self._app, scope, await read_body(receive))
        try:
            answer = await self._answer(query)
        except AwsError as error:
            content = {"Error": {"Type": "Sender", "Code": error.code, "Message": error.message}}
            answer = xml_answer("ErrorResponse", content, status=400)
        await send_answer(send, answer)

    async def _answer(self, query: Query) -> Answer:
        key = (query.region, query.parameters.get("AutoScalingGroupName", ""))
        match query.action:
            case "CreateAutoScalingGroup":
                return await self._create(query, key)
            case "UpdateAutoScalingGroup" if "LaunchTemplate.Version" in query.parameters:
                return await self._update(query, key)
            case "StartInstanceRefresh":
                return await self._start_refresh(query, key)
            case "DescribeAutoScalingGroups":
                return changed(await query.answer(), lambda root: self._complete_groups(root, query.region))
            case "DescribeInstanceRefreshes":
                return changed(await query.answer(), lambda root: _complete_refreshes(root, self._groups[key].ends))
            case _:
                return await query.answer()

    async def _create(self, query: Query, key: tuple[str, str]) -> Answer:
        await _check_version(query)
        answer = await query.answer()
        if answer.status == 200:
            version = query.parameters.get("LaunchTemplate.Version", "")
            self._groups[key] = _Group(version, [(version, 100)])
        return answer

    async def _update(self, query: Query, key: tuple[str, str]) -> Answer:
        await _check_version(query)
        answer = await query.answer()
        if answer.status == 200:
            self._groups[key].version = query.parameters["LaunchTemplate.Version"]
        return answer

    async def _start_refresh(self, query: Query, key: tuple[str, str]) -> Answer:
        name = query.parameters.get("AutoScalingGroupName", "")
        end = self._next.pop(name, End())
        if end.status == REFUSED:
            reason = end.reason or f"An instance refresh of group {name} cannot be started"
            raise AwsError(code="ValidationError", message=reason)
        answer = await query.answer()
        if answer.status == 200:
            group = self._groups[key]
            group.rollouts.append((group.version, end.percentage))
            group.ends[parsed(answer).findtext(".//{*}InstanceRefreshId", "")] = end
        return answer

    def _complete_groups(self, root: Element, region: str) -> None:
        for member in root.iterfind(".//{*}AutoScalingGroups/{*}member"):
            group = self._groups[region, member.findtext("{*}AutoScalingGroupName", "")]
            for version in member.iterfind("{*}LaunchTemplate/{*}Version"):
                version.text = group.version
            instances = member.findall("{*}Instances/{*}member")
            for index, instance in enumerate(instances):
                number, times = group.instance(index, len(instances))
                for version in instance.iterfind("{*}LaunchTemplate/{*}Version"):
                    version.text = number
                for identity in instance.iterfind("{*}InstanceId"):
                    identity.text = _replaced(identity.text or "", times=times)
                    template = instance.findtext("{*}LaunchTemplate/{*}LaunchTemplateId", "")
                    self.origins[identity.text] = Origin(template, number)


async def _check_version(query: Query) -> None:
    """Raises `AwsError` for a version of a launch template that does not exist, with EC2's message after its own."""
    template: Mapping[str, str] = query.tree.get("LaunchTemplate", {})
    try:
        await find_version(query, template, template.get("Version", "$Default"))
    except AwsError as error:
        raise AwsError(
            code="ValidationError", message=f"You must use a valid fully-formed launch template. {error.message}"
        ) from None


def _complete_refreshes(root: Element, ends: Mapping[str, End]) -> None:
    for refresh in root.iterfind(".//{*}InstanceRefreshes/{*}member"):
        end = ends[refresh.findtext("{*}InstanceRefreshId", "")]
        shown = {"Status": end.status, "PercentageComplete": str(end.percentage)}
        for name, text in (shown | ({"StatusReason": end.reason} if end.reason else {})).items():
            for element in refresh.iterfind(f"{{*}}{name}"):
                element.text = text
        for element in refresh.findall("{*}EndTime") if end.status in _RUNNING else ():
            refresh.remove(element)


def _replaced(identity: str, *, times: int) -> str:
    """The ID of the instance that took the place of another one, which was replaced so many times."""
    return f"i-{sha256(f'{identity} {times}'.encode()).hexdigest()[:17]}" if times else identity
