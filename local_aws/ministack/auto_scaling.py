"""Auto Scaling groups that follow their launch template.

ministack takes a group's launch template when the group is made and never again, and its instance refresh replaces
nothing, so a plan after a rollout would not be empty. Requests to Auto Scaling pass through here: what creations and
updates say of the launch template is remembered, StartInstanceRefresh gives the instances new IDs and the group's
version, and DescribeAutoScalingGroups answers with both. A refresh takes no time, unless the next one was said to be
refused or to end otherwise (`control`). What instances run, EC2 says too (`group_instances`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import parse_qs
from xml.etree import ElementTree

from local_aws.asgi import Answer, App, Receive, Scope, Send, answer_of, giving, read_body, send_answer

_Group = tuple[str, str]  # region, name
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
_LASTING = ("Pending", "InProgress", "Cancelling", "RollbackInProgress", "Baking")


@dataclass(frozen=True)
class End:
    """What becomes of an instance refresh: how much of the group it replaces, and why it ended."""

    status: str = "Successful"
    percentage: int = 100
    reason: str = ""


@dataclass(frozen=True)
class Origin:
    """What an instance was launched from."""

    template: str
    version: str


@dataclass
class _State:
    """What is remembered of a group. `rollouts` are versions and which part of the instances, from the first on, got
    each in turn."""

    version: str
    rollouts: list[tuple[str, int]] = field(default_factory=list)
    ends: dict[str, End] = field(default_factory=dict)

    def instance(self, index: int, count: int) -> tuple[str, int]:
        """The version of an instance, and how many took its place before it."""
        got = [version for version, percentage in self.rollouts if index < count * percentage // 100]
        return got[-1], len(got) - 1


class FollowingGroups:
    """An ASGI app around another; only for requests to Auto Scaling."""

    def __init__(self, *, app: App) -> None:
        self._app = app
        self._groups: dict[_Group, _State] = {}
        self._next: dict[str, End] = {}
        self.origins: dict[str, Origin] = {}
        """What instances were launched from, as far as somebody has asked for their group."""

    def end_next_refresh(self, group: str, end: End) -> None:
        """Let the next instance refresh of a group be refused, or end so."""
        if end.status not in (REFUSED, *STATUSES):
            raise ValueError(f"an instance refresh is one of {', '.join(STATUSES)}, or {REFUSED}")
        self._next[group] = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send, *, region: str) -> None:
        """Pass the request on, remember what it says, and put the answer right."""
        body = await read_body(receive)
        asked = {key: values[0] for key, values in parse_qs(body.decode(errors="replace")).items()}
        action, name = asked.get("Action"), asked.get("AutoScalingGroupName", "")
        end = self._next.pop(name, End()) if action == "StartInstanceRefresh" else End()
        if end.status == REFUSED:
            await _refuse(send, end.reason or f"An instance refresh of group {name} cannot be started")
            return
        answer = await answer_of(self._app, scope, giving(body))
        content = self._follow(answer, asked, (region, name), end) if answer.status == 200 else answer.body
        await send_answer(send, answer, body=content)

    def _follow(self, answer: Answer, asked: dict[str, str], group: _Group, end: End) -> bytes:
        match asked.get("Action"):
            case "CreateAutoScalingGroup":
                version = asked.get("LaunchTemplate.Version", "")
                self._groups[group] = _State(version, [(version, 100)])
            case "UpdateAutoScalingGroup" if "LaunchTemplate.Version" in asked:
                self._groups[group].version = asked["LaunchTemplate.Version"]
            case "StartInstanceRefresh":
                state = self._groups[group]
                state.rollouts.append((state.version, end.percentage))
                identity = ElementTree.fromstring(answer.body).findtext(".//{*}InstanceRefreshId", "")
                state.ends[identity] = end
            case "DescribeAutoScalingGroups":
                return _changed(answer.body, lambda root: self._put_groups_right(root, group[0]))
            case "DescribeInstanceRefreshes":
                return _changed(answer.body, lambda root: _put_refreshes_right(root, self._groups[group].ends))
        return answer.body

    def _put_groups_right(self, root: ElementTree.Element, region: str) -> None:
        for member in root.iterfind(".//{*}AutoScalingGroups/{*}member"):
            state = self._groups[region, member.findtext("{*}AutoScalingGroupName", "")]
            for version in member.iterfind("{*}LaunchTemplate/{*}Version"):
                version.text = state.version
            instances = member.findall("{*}Instances/{*}member")
            for index, instance in enumerate(instances):
                number, times = state.instance(index, len(instances))
                for version in instance.iterfind("{*}LaunchTemplate/{*}Version"):
                    version.text = number
                identity = instance.find("{*}InstanceId")
                if identity is not None:
                    identity.text = _renewed(identity.text or "", times=times)
                    template = instance.findtext("{*}LaunchTemplate/{*}LaunchTemplateId", "")
                    self.origins[identity.text] = Origin(template, number)


def _put_refreshes_right(root: ElementTree.Element, ends: dict[str, End]) -> None:
    for refresh in root.iterfind(".//{*}InstanceRefreshes/{*}member"):
        end = ends[refresh.findtext("{*}InstanceRefreshId", "")]
        words = {"Status": end.status, "PercentageComplete": str(end.percentage)}
        for name, text in (words | ({"StatusReason": end.reason} if end.reason else {})).items():
            for element in refresh.iterfind(f"{{*}}{name}"):
                element.text = text
        for element in refresh.findall("{*}EndTime") if end.status in _LASTING else ():
            refresh.remove(element)


def _changed(content: bytes, change: Callable[[ElementTree.Element], None]) -> bytes:
    root = ElementTree.fromstring(content)
    ElementTree.register_namespace("", root.tag.partition("}")[0].strip("{}"))
    change(root)
    return ElementTree.tostring(root)


async def _refuse(send: Send, message: str) -> None:
    """In the form of Auto Scaling's query API."""
    error = f"<Error><Type>Sender</Type><Code>ValidationError</Code><Message>{message}</Message></Error>"
    body = f"<ErrorResponse>{error}<RequestId>refused</RequestId></ErrorResponse>".encode()
    headers = [(b"content-type", b"text/xml"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _renewed(identity: str, *, times: int) -> str:
    """The ID of the instance that took another's place, so many refreshes later."""
    return f"i-{sha256(f'{identity} {times}'.encode()).hexdigest()[:17]}" if times else identity
