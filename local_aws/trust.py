"""Whether a role can be assumed: it exists, and its trust policy lets the caller in.

AWS also asks the caller's own policies, which are not evaluated here (`policies`).
"""

import json
from typing import Any

from botocore.exceptions import ClientError

from local_aws.callers import Caller
from local_aws.errors import AwsError
from local_aws.policies import Keys, Request, allows

_SESSION_KEYS: Keys = {"sts:externalid": None, "sts:rolesessionname": None}


def check_trust(
    role: str, *, policy: str | None, caller: Caller, keys: Keys | None = None, action: str = "sts:AssumeRole"
) -> None:
    """Raises AccessDenied with AWS's message, the same whether a role refuses the caller or does not exist.

    `role` is the ARN of the role, `policy` its trust policy, or None if it does not exist. `keys` has the condition
    keys of the request (`sts:ExternalId`).
    """
    request = Request(action=action, resource=role, caller=caller, keys={**_SESSION_KEYS, **(keys or {})})
    if policy is None or not allows(policy, request):
        raise AwsError(
            code="AccessDenied",
            message=f"User: {caller.arn} is not authorized to perform: {action} on resource: {role}",
        )


def trust_policy(iam: Any, role: str) -> str | None:
    """The trust policy of a role, in JSON, or None if it does not exist; `role` is its name or ARN.

    `iam` is a boto3 client of the role's account. Blocks.
    """
    try:
        found = iam.get_role(RoleName=role.rpartition("/")[2])["Role"]
    except ClientError:
        return None
    return json.dumps(found["AssumeRolePolicyDocument"])


def trusts_service(iam: Any, role: str, *, service: str, account: str, keys: Keys | None = None) -> bool:
    """Whether a role exists and lets a service act for an account; `role` is its name or ARN. Blocks."""
    caller = Caller(account="", arn=service, principal=service, service=service)
    try:
        check_trust(
            role, policy=trust_policy(iam, role), caller=caller, keys={"aws:sourceaccount": account, **(keys or {})}
        )
    except AwsError:
        return False
    return True


def trusts_import_and_export(iam: Any, role: str, *, account: str, region: str) -> bool:
    """Whether VM Import/Export can use a role, with the external ID that it always gives. Blocks."""
    source = f"arn:aws:vmie:{region}:{account}:task"
    keys = {"sts:externalid": "vmimport", "aws:sourcearn": source}
    return trusts_service(iam, role, service="vmie.amazonaws.com", account=account, keys=keys)
