"""The permissions to distribute AMIs as the image configures it.

Source: the policy of AWS's AWSServiceRoleForImageBuilder, which distributes when an image has no workflows. One
statement limits the whole role to the image's regions (`stacks.image.execution_role.statements`), because a list of
regions in each of these is too long for the policies of a role.
"""

from collections.abc import Iterable, Iterator

from estate.models.ami_image import AmiImage
from stacks.image.scope import ImageScope
from stacks.policy import MADE_BY_IMAGE_BUILDER, Statement

CROSS_ACCOUNT_ROLE = "EC2ImageBuilderDistributionCrossAccountRole"
"""The role that Image Builder assumes in another account. AWS requires this name."""

_MOST_NAMED = 20
"""The most accounts, launch templates or license configurations that the policy lists. AWS's policy lists none."""

_TAGGED = {"ec2:ResourceTag/CreatedBy": MADE_BY_IMAGE_BUILDER}
_TAGGING = {"aws:RequestTag/CreatedBy": [MADE_BY_IMAGE_BUILDER, "EC2 Fast Launch"]}


def distribution_statements(image: AmiImage, scope: ImageScope) -> list[Statement]:
    """The statements. Container images need none, because build instances push them."""
    return [
        *_copies(image, scope),
        *_encryption(),
        *_others(image, scope),
        *_fast_launch(image, scope),
        *_export(image, scope),
    ]


def _copies(image: AmiImage, scope: ImageScope) -> Iterator[Statement]:
    images, snapshots = _images_and_snapshots(scope)
    # EC2 has no condition on tags of the source for this action
    yield {"Sid": "CopyImages", "Action": "ec2:CopyImage", "Resource": [images, snapshots]}
    yield {
        "Sid": "DistributeImages",
        "Action": ["ec2:DeregisterImage", "ec2:ModifyImageAttribute"],
        "Resource": images,
        "Condition": {"StringEquals": _TAGGED},
    }
    # without a condition, because a copy has no tags yet
    yield {"Sid": "TagImages", "Action": "ec2:CreateTags", "Resource": images}
    yield {
        "Sid": "TagSnapshots",
        "Action": "ec2:CreateTags",
        "Resource": snapshots,
        "Condition": {"StringEquals": _TAGGING},
    }
    if image.launch_permission or image.target_accounts or scope.declared.fleets_elsewhere:
        yield {
            "Sid": "ShareSnapshots",
            "Action": "ec2:ModifySnapshotAttribute",
            "Resource": snapshots,
            "Condition": {"StringEquals": _TAGGED},
        }


def _encryption() -> Iterator[Statement]:
    """For the keys of volumes: configured keys, those of the regions, and the key of the parent, which is not known."""
    for_ec2 = {"StringLike": {"kms:ViaService": "ec2.*.amazonaws.com"}}
    yield {
        "Sid": "EncryptVolumes",
        "Action": [
            "kms:Decrypt",
            "kms:Encrypt",
            "kms:GenerateDataKeyWithoutPlaintext",
            "kms:ReEncryptFrom",
            "kms:ReEncryptTo",
        ],
        "Resource": "*",
        "Condition": {**for_ec2, "ForAllValues:StringEquals": {"kms:EncryptionContextKeys": "aws:ebs:id"}},
    }
    yield {"Sid": "DescribeKeys", "Action": "kms:DescribeKey", "Resource": "*", "Condition": for_ec2}
    yield {
        "Sid": "GrantKeysToEc2",
        "Action": "kms:CreateGrant",
        "Resource": "*",
        "Condition": {**for_ec2, "Bool": {"kms:GrantIsForAWSResource": "true"}},
    }


def _others(image: AmiImage, scope: ImageScope) -> Iterator[Statement]:
    """For other accounts, launch templates and license configurations."""
    templates = [(region, each) for region in image.regions for each in image.distribution_in(region).launch_templates]
    accounts = {*image.target_accounts, *(each.account_id for _, each in templates if each.account_id)}
    if accounts:
        yield {
            "Sid": "AssumeDistributionRoles",
            "Action": "sts:AssumeRole",
            # whether a role with this name trusts this account is decided in the other account
            "Resource": _named(
                (scope.arn("iam", f"role/{CROSS_ACCOUNT_ROLE}", account=each, region="") for each in accounts),
                otherwise=scope.arn("iam", f"role/{CROSS_ACCOUNT_ROLE}", account="*", region=""),
            ),
        }
    own = [(region, each) for region, each in templates if not each.account_id]
    if own:
        yield {
            "Sid": "UpdateLaunchTemplates",
            "Action": ["ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate"],
            "Resource": _named(
                (scope.arn("ec2", f"launch-template/{each.launch_template_id}", region=region) for region, each in own),
                otherwise=scope.arn("ec2", "launch-template/*", region="*"),
            ),
        }
        yield {
            "Sid": "DescribeLaunchTemplates",
            "Action": ["ec2:DescribeLaunchTemplateVersions", "ec2:DescribeLaunchTemplates"],
            "Resource": "*",
        }
    licenses = {arn for region in image.regions for arn in image.distribution_in(region).license_configuration_arns}
    if licenses:
        yield {
            "Sid": "AssociateLicenses",
            "Action": "license-manager:UpdateLicenseSpecificationsForResource",
            "Resource": _named(
                licenses, otherwise=scope.arn("license-manager", "license-configuration:*", account="*", region="*")
            ),
        }


def _images_and_snapshots(scope: ImageScope) -> list[str]:
    """All images and all snapshots, in every region. Their ARNs have no account."""
    return [scope.arn("ec2", f"{kind}/*", account="", region="*") for kind in ("image", "snapshot")]


def _named(arns: Iterable[str], *, otherwise: str) -> list[str]:
    """A list of ARNs, or `otherwise`, which stands for all of them, if they are too many for a policy."""
    each = sorted(set(arns))
    return each if len(each) <= _MOST_NAMED else [otherwise]


def _fast_launch(image: AmiImage, scope: ImageScope) -> Iterator[Statement]:
    enabled = [each for region in image.regions if (each := image.distribution_in(region).fast_launch)]
    if not enabled:
        return
    by_ec2 = {"StringEquals": {"aws:RequestTag/CreatedBy": "EC2 Fast Launch"}}
    images, snapshots = _images_and_snapshots(scope)

    def everywhere(kind: str, name: str = "*") -> str:
        return scope.arn("ec2", f"{kind}/{name}", region="*")

    # EC2 makes a launch template when none is configured
    templates = _named(
        {everywhere("launch-template", each.launch_template_id or "*") for each in enabled},
        otherwise=everywhere("launch-template"),
    )
    yield {
        "Sid": "EnableFastLaunch",
        "Action": "ec2:EnableFastLaunch",
        "Resource": images,
        "Condition": {"StringEquals": _TAGGED},
    }
    yield {
        "Sid": "EnableFastLaunchWithTemplates",
        "Action": ["ec2:CreateLaunchTemplate", "ec2:EnableFastLaunch"],
        "Resource": templates,
    }
    yield {
        "Sid": "RunFastLaunchInstancesWith",
        "Action": "ec2:RunInstances",
        "Resource": [
            images,
            snapshots,
            *templates,
            *map(everywhere, ("network-interface", "security-group", "subnet")),
        ],
    }
    made = [everywhere("instance"), everywhere("volume")]
    yield {"Sid": "RunFastLaunchInstances", "Action": "ec2:RunInstances", "Resource": made, "Condition": by_ec2}
    yield {
        "Sid": "TagFastLaunchResources",
        "Action": "ec2:CreateTags",
        "Resource": [*made, everywhere("launch-template")],
        "Condition": by_ec2,
    }
    yield {
        "Sid": "CreateFastLaunchRole",
        "Action": "iam:CreateServiceLinkedRole",
        "Resource": scope.iam_arn("role/aws-service-role/ec2fastlaunch.amazonaws.com/*"),
        "Condition": {"StringEquals": {"iam:AWSServiceName": "ec2fastlaunch.amazonaws.com"}},
    }


def _export(image: AmiImage, scope: ImageScope) -> Iterator[Statement]:
    if image.export is None:
        return
    tasks = scope.arn("ec2", "export-image-task/*")
    yield {
        "Sid": "ExportImages",
        "Action": "ec2:ExportImage",
        "Resource": scope.arn("ec2", "image/*", account=""),
        "Condition": {"StringEquals": _TAGGED},
    }
    yield {"Sid": "CreateExportTasks", "Action": ["ec2:CreateTags", "ec2:ExportImage"], "Resource": tasks}
    yield {"Sid": "DescribeExports", "Action": "ec2:DescribeExportImageTasks", "Resource": "*"}
    yield {
        "Sid": "CancelExports",
        "Action": "ec2:CancelExportTask",
        "Resource": tasks,
        "Condition": {"StringEquals": _TAGGED},
    }
    yield {
        "Sid": "PassExportRole",
        "Action": "iam:PassRole",
        # EC2 takes only the name of this role, so it has no path
        "Resource": scope.iam_arn(f"role/{scope.role_name('export')}"),
        "Condition": {"StringEquals": {"iam:PassedToService": "vmie.amazonaws.com"}},
    }
