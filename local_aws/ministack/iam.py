"""IAM, where ministack differs: the names of service-linked roles, and the principals of trust policies.

ministack calls the role of Auto Scaling `AWSServiceRoleForAutoscaling`, and takes trust policies that name roles which
do not exist.
"""

import json
from xml.etree.ElementTree import Element

from local_aws.asgi import Answer, App, Receive, Scope, Send, read_body, send_answer
from local_aws.errors import AwsError
from local_aws.ministack.principals import missing_principal
from local_aws.ministack.query_api import Query, changed, parsed, refusal

AUTO_SCALING = "autoscaling.amazonaws.com"
_SERVICE_LINKED_ROLES = {
    AUTO_SCALING: "AWSServiceRoleForAutoScaling",
    "imagebuilder.amazonaws.com": "AWSServiceRoleForImageBuilder",
    "spot.amazonaws.com": "AWSServiceRoleForEC2Spot",
}
_POLICIES = {"CreateRole": "AssumeRolePolicyDocument", "UpdateAssumeRolePolicy": "PolicyDocument"}
"""The operations with a trust policy, and its parameter."""


class Iam:
    """An ASGI app in front of ministack, for requests to IAM."""

    def __init__(self, *, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        query = Query(self._app, scope, await read_body(receive))
        try:
            answer = await _answer(query)
        except AwsError as error:
            answer = refusal(error)
        await send_answer(send, answer)


async def _answer(query: Query) -> Answer:
    if query.action == "CreateServiceLinkedRole":
        asked = query.parameters
        return await create_service_linked_role(
            query, asked["AWSServiceName"], suffix=asked.get("CustomSuffix", ""), description=asked.get("Description")
        )
    if query.action in _POLICIES and (policy := query.parameters.get(_POLICIES[query.action])):
        try:
            missing = await missing_principal(query, policy)
        except ValueError:  # ministack refuses it
            missing = None
        if missing:
            raise AwsError(code="MalformedPolicyDocument", message=f'Invalid principal in policy: "AWS":"{missing}"')
    return await query.answer()


async def create_service_linked_role(
    query: Query, service: str, *, suffix: str = "", description: str | None = None
) -> Answer:
    """Do CreateServiceLinkedRole for the client of `query`. Raises `AwsError` if the account has the role already."""
    if service not in _SERVICE_LINKED_ROLES:
        raise AwsError(
            code="InvalidInput", message=f"The local AWS does not know the service-linked role of {service}."
        )
    if suffix and service != AUTO_SCALING:
        raise AwsError(code="InvalidInput", message=f"Custom suffix is not allowed for {service}")
    name = _SERVICE_LINKED_ROLES[service] + (f"_{suffix}" if suffix else "")
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    asked = {
        "Action": "CreateRole",
        "RoleName": name,
        "Path": f"/aws-service-role/{service}/",
        "AssumeRolePolicyDocument": json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        **({"Description": description} if description else {}),
    }
    answer = await query.asking(asked, service="iam").answer()
    if answer.status == 409:
        message = f"Service role name {name} has been taken in this account, please try a different suffix."
        raise AwsError(code="InvalidInput", message=message)
    return changed(answer, _renamed)


async def service_linked_role_of_auto_scaling(query: Query) -> str:
    """The ARN of Auto Scaling's role in the account of the client, which is made if it does not exist.

    Auto Scaling does so when the first group is made.
    """
    asked = {"Action": "GetRole", "RoleName": _SERVICE_LINKED_ROLES[AUTO_SCALING]}
    answer = await query.asking(asked, service="iam").answer()
    if answer.status != 200:
        answer = await create_service_linked_role(query, AUTO_SCALING)
    return parsed(answer).findtext(".//{*}Role/{*}Arn", "")


def _renamed(root: Element) -> None:
    """Name the elements of a CreateRole answer as those of CreateServiceLinkedRole."""
    for element in (root, *root):
        element.tag = element.tag.replace("}CreateRole", "}CreateServiceLinkedRole")
