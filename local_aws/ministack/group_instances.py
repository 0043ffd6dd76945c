"""The instances of Auto Scaling groups, which ministack's EC2 does not know: DescribeInstances by their IDs.

Only what says what they run: ID, AMI and state.
"""

from collections.abc import Mapping
from urllib.parse import parse_qs, urlencode
from xml.etree import ElementTree

from local_aws.asgi import App, Receive, Scope, Send, answer_of, giving, read_body, send_answer
from local_aws.ministack.auto_scaling import Origin
from local_aws.ministack.ec2_xml import add, text


class GroupInstances:
    """An ASGI app around another; only for requests to EC2. `origins` says what instances were launched from."""

    def __init__(self, *, app: App, origins: Mapping[str, Origin]) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the instances that are asked for by ID, and pass everything else on as it is."""
        body = await read_body(receive)
        asked = {key: values[0] for key, values in parse_qs(body.decode(errors="replace")).items()}
        wanted = [value for value in asked.values() if value in self._origins]
        if asked.get("Action") != "DescribeInstances" or not wanted:
            await self._app(scope, giving(body), send)
            return
        # ministack refuses IDs that it does not know, and takes filters
        rest = {key: value for key, value in asked.items() if not key.startswith("InstanceId.")}
        answer = await answer_of(self._app, scope, giving(urlencode(rest).encode()))
        root = ElementTree.fromstring(answer.body)
        reservations = root.find("{*}reservationSet")
        if reservations is not None:
            for identity in wanted:
                await self._add(reservations, identity, scope)
        await send_answer(send, answer, body=text(root))

    async def _add(self, reservations: ElementTree.Element, identity: str, scope: Scope) -> None:
        origin = self._origins[identity]
        question = {
            "Action": "DescribeLaunchTemplateVersions",
            "LaunchTemplateId": origin.template,
            "LaunchTemplateVersion.1": origin.version,
        }
        answer = await answer_of(self._app, scope, giving(urlencode(question).encode()))
        ami = ElementTree.fromstring(answer.body).findtext(".//{*}launchTemplateData/{*}imageId", "")
        instance = add(add(add(reservations, "item"), "instancesSet"), "item")
        add(instance, "instanceId", identity)
        add(instance, "imageId", ami)
        state = add(instance, "instanceState")
        add(state, "code", "16")
        add(state, "name", "running")
