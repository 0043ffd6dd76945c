"""Whether the role of a function may do what the function called on the local AWS."""

from __future__ import annotations

import json
from collections.abc import Iterable

from local_aws.callers import Caller
from local_aws.calls import Call
from local_aws.policies import Request, allows
from local_aws.server import LocalAws
from tests.support.permissions import Need, needs_of

_ACCOUNT = "000000000000"


def refused_by_role(aws: LocalAws, role: str, calls: Iterable[Call], *, region: str) -> list[str]:
    """What the policy of a role does not allow of these calls, as lines."""
    iam = aws.client("iam", region=region)
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    document = json.loads(document) if isinstance(document, str) else document
    policy = json.dumps({"Statement": [{**each, "Principal": "*"} for each in document["Statement"]]})
    arn = f"arn:aws:sts::{_ACCOUNT}:assumed-role/{role}/function"
    caller = Caller(account=_ACCOUNT, arn=arn, principal=arn)
    needs = {f"{need}": need for call in calls for need in needs_of(call)}
    lines = {
        f"{need.action} on {need.resource}"
        for need in needs.values()
        if not allows(policy, _request(need, caller, region))
    }
    return sorted(lines)


def _request(need: Need, caller: Caller, region: str) -> Request:
    keys = {"aws:requestedregion": region, "kms:viaservice": f"sns.{region}.amazonaws.com", **need.keys}
    return Request(action=need.action, resource=need.resource, caller=caller, keys=keys)
