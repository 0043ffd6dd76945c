"""Whether a role can be assumed: it exists, and its trust policy lets the caller in.

AWS also asks the caller's own policies, which are not evaluated here (`policies`).
"""

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
