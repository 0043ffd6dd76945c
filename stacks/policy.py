"""IAM and resource policies as JSON text: statements in, one canonical document out."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_MOST_INLINE = 10_240
_MOST_MANAGED = 6_144
_TOKEN = r"\$\{TfToken\[[^]]*\]\}"
"""What cdktf puts for a value that only Terraform knows."""
_LONGEST_VALUE = 130
"""Characters of such a value, an ARN."""

Statement = Mapping[str, Any]
"""One statement in IAM's own words: Sid, Effect (Allow if absent), Principal, Action, Resource, Condition."""

Condition = Mapping[str, Mapping[str, str]]
"""When a statement holds, in IAM's own words: operator, key, value."""

MADE_BY_IMAGE_BUILDER = "EC2 Image Builder"
"""The tag `CreatedBy` of everything that Image Builder makes."""

MANAGED_BY_SYSTEMS_MANAGER: Statement = {
    "Sid": "ManagedBySystemsManager",
    "Action": [
        "ec2messages:AcknowledgeMessage",
        "ec2messages:DeleteMessage",
        "ec2messages:FailMessage",
        "ec2messages:GetEndpoint",
        "ec2messages:GetMessages",
        "ec2messages:SendReply",
        "ssm:DescribeAssociation",
        "ssm:DescribeDocument",
        "ssm:GetDeployablePatchSnapshotForInstance",
        "ssm:GetDocument",
        "ssm:GetManifest",
        "ssm:ListAssociations",
        "ssm:ListInstanceAssociations",
        "ssm:PutComplianceItems",
        "ssm:PutConfigurePackageResult",
        "ssm:PutInventory",
        "ssm:UpdateAssociationStatus",
        "ssm:UpdateInstanceAssociationStatus",
        "ssm:UpdateInstanceInformation",
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
    ],
    # the agent's own channel: most of these actions know no resource, and the agent reaches only its own instance's
    "Resource": "*",
}
"""What the agent of Systems Manager needs: AmazonSSMManagedInstanceCore without its leave to read every parameter."""


def policy(*statements: Statement) -> str:
    """A policy document."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", **statement} for statement in statements],
        },
        separators=(",", ":"),
    )


def in_policies(statements: Iterable[Statement]) -> list[list[Statement]]:
    """Statements of a role as its policies have room for them: the first is its inline policy, others are managed ones.

    IAM takes 10,240 characters of all inline policies of a role together, and 6,144 of each managed one ("IAM and AWS
    STS quotas" in its user guide), and counts no blanks.
    """
    parts: list[list[Statement]] = [[]]
    for statement in statements:
        most = _MOST_INLINE if len(parts) == 1 else _MOST_MANAGED
        if _size(*parts[-1], statement) > most and parts[-1]:
            parts.append([])
        parts[-1].append(statement)
    return parts


def _size(*statements: Statement) -> int:
    """The characters of a policy with Terraform's values in place: accounts, and names as long as they get."""
    text = re.sub(rf"(?<=:){_TOKEN}(?=:)", "0" * 12, policy(*statements))
    return len(re.sub(_TOKEN, "x" * _LONGEST_VALUE, text))


def own_account(root: str) -> Statement:
    """The statement of a key's own policy that lets the policies of its account decide, by the ARN of its root."""
    return {
        "Sid": "ThisAccountByItsPolicies",
        "Principal": {"AWS": root},
        "Action": "kms:*",
        # in a key's own policy the resource "*" is that key
        "Resource": "*",
    }


def only_over_tls(actions: str | list[str], resource: str | list[str]) -> Statement:
    """The statement of a resource's own policy that refuses everybody who comes without TLS."""
    return {
        "Sid": "OnlyEncryptedConnections",
        "Effect": "Deny",
        "Principal": "*",
        "Action": actions,
        "Resource": resource,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def any_of(regions: Sequence[str]) -> str:
    """The region in the ARN of what is in each of some regions; the statement is then held to them by `only_in`.

    One ARN and a condition instead of an ARN for each region: IAM takes 10,240 characters of all inline policies of a
    role together.
    """
    return regions[0] if len(regions) == 1 else "*"


def only_in(regions: Sequence[str], statement: Statement) -> Statement:
    """A statement that holds for calls to some regions only, where its ARNs do not name the one that there is."""
    if len(regions) == 1:
        return statement
    condition = statement.get("Condition", {})
    equal = {**condition.get("StringEquals", {}), "aws:RequestedRegion": list(regions)}
    return {**statement, "Condition": {**condition, "StringEquals": equal}}


def for_account(account: str) -> Condition:
    """That a service acts for this account, and is nobody's confused deputy from another one."""
    return {"StringEquals": {"aws:SourceAccount": account}}


def trust(service: str, *, condition: Condition | None = None) -> str:
    """The trust policy of a role that a service assumes."""
    statement = {"Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return policy({**statement, "Condition": condition} if condition else statement)
