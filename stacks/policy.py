"""IAM policies and policies of resources: from statements to JSON."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_MOST_INLINE = 10_240
_MOST_MANAGED = 6_144
_TOKEN = r"\$\{TfToken\[[^]]*\]\}"
"""The placeholder that cdktf writes for a value that only Terraform knows."""
_LONGEST_VALUE = 130
"""The characters of such a value, an ARN, at most."""

Statement = Mapping[str, Any]
"""A statement with IAM's own keys: Sid, Effect (default: Allow), Principal, Action, Resource, Condition."""

Condition = Mapping[str, Mapping[str, str]]
"""The condition of a statement: operator, key, value."""

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
    # most of these actions have no resource types; the agent reaches only the channels of its own instance
    "Resource": "*",
}
"""For the agent of Systems Manager: AmazonSSMManagedInstanceCore without the permission to read every parameter."""


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
    """The statements of a role, divided into policies of at most IAM's size: the first is inline, others are managed.

    All inline policies of a role together have at most 10,240 characters, a managed policy 6,144, without white space
    ("IAM and AWS STS quotas" in IAM's user guide).
    """
    parts: list[list[Statement]] = [[]]
    for statement in statements:
        most = _MOST_INLINE if len(parts) == 1 else _MOST_MANAGED
        if _size(*parts[-1], statement) > most and parts[-1]:
            parts.append([])
        parts[-1].append(statement)
    return parts


def _size(*statements: Statement) -> int:
    """The characters of a policy with Terraform's values in it: account numbers, and ARNs at their longest."""
    text = re.sub(rf"(?<=:){_TOKEN}(?=:)", "0" * 12, policy(*statements))
    return len(re.sub(_TOKEN, "x" * _LONGEST_VALUE, text))


def own_account(root: str) -> Statement:
    """For a key's policy: lets IAM policies of the account decide. `root` is the ARN of the account's root."""
    return {
        "Sid": "EnableIamPolicies",
        "Principal": {"AWS": root},
        "Action": "kms:*",
        # in a key's policy: that key
        "Resource": "*",
    }


def encrypting_logs(groups: Sequence[str], *, region: str) -> Statement:
    """For a key's policy: lets log groups, by their ARNs, use the key."""
    return {
        "Sid": "LogGroups",
        "Principal": {"Service": f"logs.{region}.amazonaws.com"},
        "Action": [
            "kms:Decrypt*",
            "kms:Describe*",
            "kms:Encrypt*",
            "kms:GenerateDataKey*",
            "kms:ReEncrypt*",
        ],
        # in a key's policy: that key
        "Resource": "*",
        "Condition": {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": list(groups)}},
    }


def only_over_tls(actions: str | list[str], resource: str | list[str]) -> Statement:
    """For a resource's policy: denies requests without TLS."""
    return {
        "Sid": "OnlyEncryptedConnections",
        "Effect": "Deny",
        "Principal": "*",
        "Action": actions,
        "Resource": resource,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def any_of(regions: Sequence[str]) -> str:
    """The region in the ARN of a resource that exists in several regions; `only_in` limits the statement to these.

    One ARN and a condition are shorter than an ARN for each region, and the size of policies is limited.
    """
    return regions[0] if len(regions) == 1 else "*"


def only_in(regions: Sequence[str], statement: Statement) -> Statement:
    """Limits a statement to requests in these regions. A single region is in its ARNs already."""
    if len(regions) == 1:
        return statement
    condition = statement.get("Condition", {})
    equal = {**condition.get("StringEquals", {}), "aws:RequestedRegion": list(regions)}
    return {**statement, "Condition": {**condition, "StringEquals": equal}}


def for_account(account: str) -> Condition:
    """Lets a service act for this account only (IAM's "confused deputy problem")."""
    return {"StringEquals": {"aws:SourceAccount": account}}


def trust(service: str, *, condition: Condition | None = None) -> str:
    """The trust policy of a role that a service assumes."""
    statement = {"Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return policy({**statement, "Condition": condition} if condition else statement)
