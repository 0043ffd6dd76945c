"""Whether the role of the function of a fleet may do what the function called on the local AWS."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from local_aws.callers import Caller
from local_aws.calls import Call
from local_aws.policies import Request, allows
from local_aws.server import LocalAws
from tests.support.permissions import Need, needs_of

ACCOUNT = "000000000000"
_LAUNCHED = ("image", "instance", "network-interface", "security-group", "snapshot", "subnet", "volume")
"""What a launch names or makes, beside the template itself."""


@dataclass(frozen=True, kw_only=True)
class FunctionRole:
    """A role, and what the launch template of its fleet names."""

    aws: LocalAws
    name: str
    region: str
    instance_role: str
    """The name of the role of the instances, which is also that of their profile."""

    def refused(self, calls: Iterable[Call]) -> list[str]:
        """What its policy does not allow of these calls, as lines."""
        needs = {f"{need}": need for call in calls for each in needs_of(call) for need in self._known(each)}
        return sorted(f"{need.action} on {need.resource}" for need in needs.values() if not self.allows(need))

    def allows(self, need: Need) -> bool:
        """Whether its policy allows something."""
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{self.name}/function"
        keys = {"aws:requestedregion": self.region, "kms:viaservice": f"sns.{self.region}.amazonaws.com", **need.keys}
        caller = Caller(account=ACCOUNT, arn=arn, principal=arn)
        return allows(self._policy, Request(action=need.action, resource=need.resource, caller=caller, keys=keys))

    @property
    def _policy(self) -> str:
        iam = self.aws.client("iam", region=self.region)
        (name,) = iam.list_role_policies(RoleName=self.name)["PolicyNames"]
        document = iam.get_role_policy(RoleName=self.name, PolicyName=name)["PolicyDocument"]
        return json.dumps({"Statement": [{**each, "Principal": "*"} for each in document["Statement"]]})

    def _known(self, need: Need) -> Iterator[Need]:
        """With what is not in a call, but in the launch template."""
        if need.action == "ec2:RunInstances":
            keys = {
                **need.keys,
                "ec2:instanceprofile": f"arn:aws:iam::{ACCOUNT}:instance-profile/{self.instance_role}",
                "ec2:islaunchtemplateresource": "true",
            }
            yield replace(need, resource=str(need.keys["ec2:launchtemplate"]), keys=keys)
            for kind in _LAUNCHED:
                owner = "" if kind in ("image", "snapshot") else ACCOUNT
                yield replace(need, resource=f"arn:aws:ec2:{self.region}:{owner}:{kind}/*", keys=keys)
        elif need.action == "iam:PassRole":
            yield replace(need, resource=f"arn:aws:iam::{ACCOUNT}:role/{self.instance_role}")
        else:
            yield need
