"""The roles of VM Import/Export for an image."""

from typing import Literal

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy

from stacks.image.scope import ImageScope
from stacks.policy import Statement
from stacks.role import add_role


def add_service_role(
    stack: TerraformStack, scope: ImageScope, part: Literal["export", "import"], *, statements: list[Statement]
) -> tuple[IamRole, IamRolePolicy]:
    """The role `<part>_role`, which the service assumes for this account only; `statements` are for its bucket.

    EC2 takes only the name of the role, so it has no path, whatever the settings have.
    """
    return add_role(
        stack,
        part,
        name=scope.role_name(part),
        service="vmie.amazonaws.com",
        statements=[*statements, _snapshots(scope.image.home)],
        iam=scope.declared.iam.model_copy(update={"path": "/"}),
        trust_condition={
            # the external ID is the same for all accounts; the other conditions exclude other accounts
            "StringEquals": {"sts:ExternalId": "vmimport", "aws:SourceAccount": scope.account},
            "ArnLike": {"aws:SourceArn": scope.arn("vmie", "*", region="*")},
        },
    )


def _snapshots(region: str) -> Statement:
    """For EC2 ("Required service role" in the user guide of VM Import/Export)."""
    return {
        "Sid": "CopySnapshots",
        # as AWS documents it, without the permission to register AMIs; most of these actions have no resource types
        "Action": ["ec2:CopySnapshot", "ec2:Describe*", "ec2:ModifySnapshotAttribute"],
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:RequestedRegion": region}},
    }
