"""The role under which VM Import/Export works for an image."""

from typing import Literal

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.iam_role import IamRole
from cdktf_cdktf_provider_aws.iam_role_policy import IamRolePolicy

from stacks.image.scope import ImageScope
from stacks.policy import Statement
from stacks.role import add_role


def add_service_role(
    stack: TerraformStack, scope: ImageScope, whose: Literal["export", "import"], *, statements: list[Statement]
) -> tuple[IamRole, IamRolePolicy]:
    """The role `<whose>_role`, which the service assumes for this account only; `statements` are those of its bucket.

    It is known to EC2 by its name alone, so it has no path, whatever the settings say.
    """
    return add_role(
        stack,
        whose,
        name=scope.role_name(whose),
        service="vmie.amazonaws.com",
        statements=[*statements, _snapshots(scope.image.home)],
        iam=scope.settings.iam.model_copy(update={"path": "/"}),
        trust_condition={
            # the external ID is the service's own word, the same for everybody; the others keep other accounts out
            "StringEquals": {"sts:ExternalId": "vmimport", "aws:SourceAccount": scope.account},
            "ArnLike": {"aws:SourceArn": scope.arn("vmie", "*", region="*")},
        },
    )


def _snapshots(region: str) -> Statement:
    """What the service needs of EC2 ("Required service role" in the user guide of VM Import/Export)."""
    return {
        "Sid": "CopySnapshots",
        # as AWS documents the role, without its leave to register AMIs; most of these actions know no resource
        "Action": ["ec2:CopySnapshot", "ec2:Describe*", "ec2:ModifySnapshotAttribute"],
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:RequestedRegion": region}},
    }
