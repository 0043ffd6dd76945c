"""Auto Scaling groups that follow their launch template.

ministack takes a group's launch template when the group is made and never again, and its instance refresh replaces
nothing, so a plan after a rollout would not be empty. Requests to Auto Scaling pass through here: what creations and
updates say of the launch template is remembered, StartInstanceRefresh gives the instances new IDs and the group's
version, and DescribeAutoScalingGroups answers with both. A refresh takes no time.
"""

from hashlib import sha256
from urllib.parse import parse_qs
from xml.etree import ElementTree

from local_aws.asgi import App, Receive, Scope, Send, answer_of, giving, read_body, send_answer

_Group = tuple[str, str]  # region, name


class FollowingGroups:
    """An ASGI app around another; only for requests to Auto Scaling."""

    def __init__(self, *, app: App) -> None:
        self._app = app
        self._version: dict[_Group, str] = {}
        self._running: dict[_Group, str] = {}
        self._refreshes: dict[_Group, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send, *, region: str) -> None:
        """Pass the request on, remember what it says, and put the answer right."""
        body = await read_body(receive)
        asked = {key: values[0] for key, values in parse_qs(body.decode(errors="replace")).items()}
        answer = await answer_of(self._app, scope, giving(body))
        group = (region, asked.get("AutoScalingGroupName", ""))
        content = answer.body
        if answer.status == 200:
            match asked.get("Action"):
                case "CreateAutoScalingGroup":
                    self._version[group] = self._running[group] = asked.get("LaunchTemplate.Version", "")
                    self._refreshes[group] = 0
                case "UpdateAutoScalingGroup" if "LaunchTemplate.Version" in asked:
                    self._version[group] = asked["LaunchTemplate.Version"]
                case "StartInstanceRefresh":
                    self._running[group] = self._version[group]
                    self._refreshes[group] += 1
                case "DescribeAutoScalingGroups":
                    content = self._put_right(content, region)
        await send_answer(send, answer, body=content)

    def _put_right(self, content: bytes, region: str) -> bytes:
        root = ElementTree.fromstring(content)
        namespace = root.tag.partition("}")[0] + "}"
        ElementTree.register_namespace("", namespace.strip("{}"))
        for member in root.iterfind(f".//{namespace}AutoScalingGroups/{namespace}member"):
            group = (region, member.findtext(f"{namespace}AutoScalingGroupName", ""))
            for version in member.iterfind(f"{namespace}LaunchTemplate/{namespace}Version"):
                version.text = self._version[group]
            for instance in member.iterfind(f"{namespace}Instances/{namespace}member"):
                for version in instance.iterfind(f"{namespace}LaunchTemplate/{namespace}Version"):
                    version.text = self._running[group]
                for identity in instance.iterfind(f"{namespace}InstanceId"):
                    identity.text = _renewed(identity.text or "", times=self._refreshes[group])
        return ElementTree.tostring(root)


def _renewed(identity: str, *, times: int) -> str:
    """The ID of the instance that took another's place, so many refreshes later."""
    return f"i-{sha256(f'{identity} {times}'.encode()).hexdigest()[:17]}" if times else identity
