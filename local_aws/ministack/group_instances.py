"""DescribeInstances for the instances of Auto Scaling groups, which ministack's EC2 does not have.

It shows those that are asked for by their IDs, also as values of a filter. A terminated instance stays visible; in EC2
it does for about an hour.
"""

from collections.abc import Mapping
from xml.etree.ElementTree import Element

from local_aws.asgi import Answer
from local_aws.auto_scaling.groups import Instance
from local_aws.ministack.query_api import Query, add, changed


async def describe_instances(query: Query, account: str, instances: Mapping[tuple[str, str], Instance]) -> Answer:
    """Answer DescribeInstances for an account; `instances` are those of groups, by account and ID."""
    wanted = [value for value in query.parameters.values() if (account, value) in instances]
    if not wanted:
        return await query.answer()
    # ministack refuses IDs that it does not know
    others = {name: value for name, value in query.parameters.items() if not name.startswith("InstanceId.")}
    answer = await query.asking(others).answer()
    shown = [instances[account, identity].shown_by_ec2() for identity in wanted]

    def complete(root: Element) -> None:
        for reservations in root.iterfind("{*}reservationSet"):
            for instance in shown:
                add(reservations, "item", {"instancesSet": [instance]})

    return changed(answer, complete)
