"""What a group's instances are launched from: a launch template, plain or in a mixed instances policy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.ministack.launch_templates import find_version, missing
from local_aws.ministack.query_api import Query

_DISTRIBUTION = {
    "OnDemandAllocationStrategy": "prioritized",
    "OnDemandBaseCapacity": 0,
    "OnDemandPercentageAboveBaseCapacity": 100,
    "SpotAllocationStrategy": "lowest-price",
}
"""The defaults of InstancesDistribution in the API reference."""


@dataclass(frozen=True)
class Launch:
    """What instances are launched from."""

    template: Mapping[str, str]
    """LaunchTemplateId, LaunchTemplateName and Version; empty with a launch configuration."""
    policy: Mapping[str, Any] | None = None
    """The mixed instances policy that the template is part of, if there is one."""

    @property
    def configuration(self) -> Mapping[str, Any]:
        """As groups and desired configurations show it."""
        return {"MixedInstancesPolicy": self.policy} if self.policy else {"LaunchTemplate": self.template}


async def wanted_launch(query: Query, asked: Mapping[str, Any], now: Launch) -> Launch:
    """What a request wants instances to be launched from. Default: `now`.

    Raises `AwsError` for a launch template, or a version of it, that does not exist.
    """
    if "LaunchTemplate" in asked:
        return Launch(await _template(query, asked["LaunchTemplate"]))
    if "MixedInstancesPolicy" not in asked:
        return now
    policy = {**(now.policy or {}), **asked["MixedInstancesPolicy"]}
    distribution = {**_DISTRIBUTION, **policy.get("InstancesDistribution", {})}
    if distribution["SpotAllocationStrategy"] == "lowest-price":
        distribution = {"SpotInstancePools": 2, **distribution}
    template = await _template(query, policy["LaunchTemplate"]["LaunchTemplateSpecification"])
    launch_template = {**policy["LaunchTemplate"], "LaunchTemplateSpecification": template}
    return Launch(template, {"LaunchTemplate": launch_template, "InstancesDistribution": distribution})


async def _template(query: Query, asked: Mapping[str, str]) -> Mapping[str, str]:
    """A launch template as answers show it: with ID and name. Raises `AwsError` for one that does not exist."""
    wanted = asked.get("Version", "$Default")
    version = await find_version(query, asked, wanted)
    if version is None:
        raise missing(asked)
    return {
        "LaunchTemplateId": version.template_id,
        "LaunchTemplateName": version.template_name,
        "Version": wanted,
    }
