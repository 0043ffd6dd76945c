"""DescribeInstances for the instances of Auto Scaling groups, which ministack's EC2 does not have.

It shows ID, AMI and state of those that are asked for by their IDs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from local_aws.asgi import Answer
from local_aws.ministack.launch_templates import ami_of
from local_aws.ministack.query_api import Query, add, changed


@dataclass(frozen=True)
class Origin:
    """What an instance was launched from."""

    template: str
    version: str


async def describe_instances(query: Query, account: str, origins: Mapping[tuple[str, str], Origin]) -> Answer:
    """Answer DescribeInstances for an account; `origins` has the instances of groups, by account and ID."""
    wanted = [value for value in query.parameters.values() if (account, value) in origins]
    if not wanted:
        return await query.answer()
    # ministack refuses IDs that it does not know
    others = {name: value for name, value in query.parameters.items() if not name.startswith("InstanceId.")}
    instances = [await _instance(query, identity, origins[account, identity]) for identity in wanted]

    def complete(root: Element) -> None:
        for reservations in root.iterfind("{*}reservationSet"):
            for instance in instances:
                add(reservations, "item", {"instancesSet": [instance]})

    return changed(await query.asking(others).answer(), complete)


async def _instance(query: Query, identity: str, origin: Origin) -> Mapping[str, object]:
    return {
        "instanceId": identity,
        "imageId": await ami_of(query, {"LaunchTemplateId": origin.template, "Version": origin.version}),
        "instanceState": {"code": 16, "name": "running"},
    }
