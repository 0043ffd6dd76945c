"""Requests to Auto Scaling: those about sizes, instances and instance refreshes are answered here.

Everything else is passed on to ministack, whose answers about groups are completed.
"""

import asyncio
import time
import uuid
from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element

from local_aws.asgi import Answer, App, Receive, Scope, Send, read_body, send_answer, signed
from local_aws.auto_scaling import requests, sizes
from local_aws.auto_scaling.groups import Group, Instance, Key
from local_aws.auto_scaling.parameters import parameters
from local_aws.auto_scaling.refreshes import STATUSES, End
from local_aws.auto_scaling.requests import REFUSED, Request
from local_aws.auto_scaling.rollout import Rollout
from local_aws.auto_scaling.surroundings import Surroundings
from local_aws.auto_scaling.times import RolloutTime
from local_aws.errors import AwsError
from local_aws.ministack.callers import Callers
from local_aws.ministack.group_templates import Launch
from local_aws.ministack.iam import service_linked_role_of_auto_scaling
from local_aws.ministack.launches import Launches
from local_aws.ministack.query_api import Query, add_all, changed, query_like, refusal, xml_answer

_NAMESPACE = "http://autoscaling.amazonaws.com/doc/2011-01-01/"


class AutoScaling:
    """An ASGI app in front of ministack, for requests to Auto Scaling."""

    def __init__(self, *, app: App, callers: Callers, launches: Launches) -> None:
        self._app = app
        self._callers = callers
        self._launches = launches
        self._surroundings = Surroundings(launches=launches)
        self._rollout = Rollout(surroundings=self._surroundings)
        self._groups: dict[Key, Group] = {}
        self._next: dict[str, End] = {}
        self._lock = asyncio.Lock()
        self.instances: dict[tuple[str, str], Instance] = {}
        """All instances of groups, also terminated ones, by account and ID."""

    async def catch_up(self) -> None:
        """Let happen what happens until now. To be called before a request of any service is answered.

        So each group meets the AMIs, templates and alarms of its time, whenever somebody looks.
        """
        if any(self._rollout.is_due(group) for group in self._groups.values()):
            async with self._lock:
                for group in list(self._groups.values()):
                    if self._rollout.is_due(group):
                        await self._rollout.advance(group)

    def end_next_refresh(self, group: str, end: End) -> None:
        """Let the next instance refresh of a group with this name, in any account, be refused, or end like this."""
        if end.status not in (REFUSED, *STATUSES):
            raise ValueError(f"an instance refresh is one of {', '.join(STATUSES)}, or {REFUSED}")
        self._next[group] = end

    def set_time(self, rollout_time: RolloutTime) -> None:
        """Change how long launches and refreshes take from now on."""
        self._rollout.time = rollout_time

    def pass_time(self, seconds: float) -> None:
        """Let time pass at once for all groups that there are."""
        if seconds < 0:
            raise ValueError(f"time does not go back, got {seconds} seconds")
        for group in self._groups.values():
            group.passed += seconds

    def break_instances(self, name: str, *, reason: str) -> None:
        """Let instances of an AMI, or of a template's version (`lt-…:2`), that are launched not become healthy."""
        self._surroundings.broken[name] = reason

    def heal_instances(self, name: str) -> None:
        """Let them become healthy again; groups that wait to try again do so at once."""
        self._surroundings.broken.pop(name, None)
        for group in self._groups.values():
            group.retry = min(group.retry, group.now)

    def reset(self) -> None:
        """Forget all groups, and what was chosen for them."""
        self._groups.clear()
        self.instances.clear()
        self._next.clear()
        self._surroundings.broken.clear()
        self._rollout.time = RolloutTime()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        query = Query(self._app, scope, await read_body(receive))
        try:
            account = await self._callers.account(scope)
            given = await asyncio.to_thread(parameters, query.action, query.tree)
            async with self._lock:
                answer = await self._answer(query, account, given)
        except AwsError as error:
            answer = refusal(error)
        await send_answer(send, answer)

    async def _answer(self, query: Query, account: str, given: Mapping[str, Any]) -> Answer:
        key = Key(account, query.region, given.get("AutoScalingGroupName", ""))
        groups = {each.name: group for each, group in self._groups.items() if each[:2] == key[:2]}
        match query.action:
            case "CreateAutoScalingGroup":
                return await self._create(query, key, given)
            case "DeleteAutoScalingGroup" if key.name in groups:
                sizes.check_deletion(groups[key.name], force=given.get("ForceDelete", False))
                answer = await query.answer()
                self._groups.pop(key).empty()
                return answer
            case "DescribeAutoScalingGroups":
                return changed(await query.answer(), lambda root: _complete_groups(root, groups))
            case "DescribeAutoScalingInstances":
                return _result(query, requests.describe_instances(groups, given))
            case "DescribeScalingActivities":
                return _result(query, requests.describe_activities(groups, given))
            case action if action in requests.ACTIONS:
                return await self._act(query, requests.find_group(groups, given), given)
            case _:
                return await query.answer()

    async def _create(self, query: Query, key: Key, given: Mapping[str, Any]) -> Answer:
        least, most = given["MinSize"], given["MaxSize"]
        desired = given.get("DesiredCapacity", least)
        sizes.check(least, most, desired)
        if not requests.SOURCES & set(given):
            raise AwsError(
                code="ValidationError",
                message="Valid requests must contain either launchTemplate, launchConfigurationName, InstanceId or "
                "MixedInstancesPolicy parameter.",
            )
        launch = await requests.wanted(query, self._launches, Launch({}), account=key.account)
        answer = await query.answer()
        if answer.status == 200:
            role = given.get("ServiceLinkedRoleARN") or await service_linked_role_of_auto_scaling(query)
            group = self._groups[key] = Group(
                key=key,
                query=query_like(self._app, signed(query.scope, account=key.account), {}),
                role=role,
                launch=launch,
                settings={},
                time=time.time(),
                min=least,
                max=most,
                desired=desired,
                launched=self.instances,
            )
            group.update(given)
            await self._rollout.advance(group)
        return answer

    async def _act(self, query: Query, group: Group, given: Mapping[str, Any]) -> Answer:
        """Answer a request about one group; what it starts happens at once, as far as it takes no time."""
        await self._rollout.advance(group)
        request = Request(query, group, given, self._launches, self._surroundings, self._next)
        answer = _result(query, await requests.ACTIONS[query.action](request))
        if query.action == "UpdateAutoScalingGroup":
            answer = await query.answer()
        await self._rollout.advance(group)
        return answer


def _complete_groups(root: Element, groups: Mapping[str, Group]) -> None:
    """Show what is kept of groups here in place of what ministack keeps."""
    for member in root.iterfind(".//{*}AutoScalingGroups/{*}member"):
        shown = groups[member.findtext("{*}AutoScalingGroupName", "")].shown()
        names = {*shown, "LaunchTemplate", "MixedInstancesPolicy"}
        for element in [each for each in member if each.tag.rpartition("}")[2] in names]:
            member.remove(element)
        add_all(member, shown, entry="member")


def _result(query: Query, result: Mapping[str, Any]) -> Answer:
    content = {f"{query.action}Result": result, "ResponseMetadata": {"RequestId": str(uuid.uuid4())}}
    return xml_answer(f"{query.action}Response", content, namespace=_NAMESPACE, entry="member")
