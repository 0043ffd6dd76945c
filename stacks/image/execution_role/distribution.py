"""What Image Builder must be allowed to distribute AMIs under a role of the image's own: what the image says, no more.

Source: AWS's AWSServiceRoleForImageBuilder, which does it where an image has no workflows. That it happens in the
image's regions only is said once, for all statements of the role (`workflow_permissions`): an image may go to twenty,
and the policies of a role have at most 10,240 characters.
"""

from collections.abc import Iterable, Iterator

from estate.models.ami_image import AmiImage
from stacks.image.scope import ImageScope
from stacks.policy import MADE_BY_IMAGE_BUILDER, Statement

CROSS_ACCOUNT_ROLE = "EC2ImageBuilderDistributionCrossAccountRole"
"""The role that Image Builder takes on in another account; its name is AWS's."""

_MOST_NAMED = 20
"""Accounts, launch templates or license configurations that the policy names one by one. AWS's role names none."""

_TAGGED = {"ec2:ResourceTag/CreatedBy": MADE_BY_IMAGE_BUILDER}
_TAGGING = {"aws:RequestTag/CreatedBy": [MADE_BY_IMAGE_BUILDER, "EC2 Fast Launch"]}


def distribution_statements(image: AmiImage, scope: ImageScope) -> list[Statement]:
    """The statements. A container image needs none: its build instance pushes it."""
    return [
        *_copies(image, scope),
        *_encryption(),
        *_others(image, scope),
        *_fast_launch(image, scope),
        *_export(image, scope),
    ]


def _copies(image: AmiImage, scope: ImageScope) -> Iterator[Statement]:
    images, snapshots = _images_and_snapshots(scope)
    # tags of what is copied are no condition that EC2 knows here
    yield {"Sid": "CopyImages", "Action": "ec2:CopyImage", "Resource": [images, snapshots]}
    yield {
        "Sid": "DistributeImages",
        "Action": ["ec2:DeregisterImage", "ec2:ModifyImageAttribute"],
        "Resource": images,
        "Condition": {"StringEquals": _TAGGED},
    }
    # a copy gets its first tags here
    yield {"Sid": "TagImages", "Action": "ec2:CreateTags", "Resource": images}
    yield {
        "Sid": "TagSnapshots",
        "Action": "ec2:CreateTags",
        "Resource": snapshots,
        "Condition": {"StringEquals": _TAGGING},
    }
    if image.launch_permission or image.target_accounts:
        yield {
            "Sid": "ShareSnapshots",
            "Action": "ec2:ModifySnapshotAttribute",
            "Resource": snapshots,
            "Condition": {"StringEquals": _TAGGED},
        }


def _encryption() -> Iterator[Statement]:
    """The keys of the volumes: the regions' own, or the one with which the parent is encrypted, whichever that is."""
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
    yield {"Sid": "LookAtKeys", "Action": "kms:DescribeKey", "Resource": "*", "Condition": for_ec2}
    yield {
        "Sid": "LetEc2UseKeys",
        "Action": "kms:CreateGrant",
        "Resource": "*",
        "Condition": {**for_ec2, "Bool": {"kms:GrantIsForAWSResource": "true"}},
    }


def _others(image: AmiImage, scope: ImageScope) -> Iterator[Statement]:
    """Other accounts, launch templates and license configurations."""
    templates = [(region, each) for region in image.regions for each in image.distribution_in(region).launch_templates]
    accounts = {*image.target_accounts, *(each.account_id for _, each in templates if each.account_id)}
    if accounts:
        yield {
            "Sid": "WorkInOtherAccounts",
            "Action": "sts:AssumeRole",
            # who trusts this account in a role of that name is another account's own affair
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
            "Sid": "LookAtLaunchTemplates",
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
    """All of them, in every region; they belong to no account."""
    return [scope.arn("ec2", f"{kind}/*", account="", region="*") for kind in ("image", "snapshot")]


def _named(arns: Iterable[str], *, otherwise: str) -> list[str]:
    """Some ARNs, or what stands for them all where they are too many for a policy."""
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

    # without one that is named, EC2 makes its own
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
        "Sid": "EnableFastLaunchBy",
        "Action": ["ec2:CreateLaunchTemplate", "ec2:EnableFastLaunch"],
        "Resource": templates,
    }
    yield {
        "Sid": "PrepareSnapshotsFrom",
        "Action": "ec2:RunInstances",
        "Resource": [
            images,
            snapshots,
            *templates,
            *map(everywhere, ("network-interface", "security-group", "subnet")),
        ],
    }
    made = [everywhere("instance"), everywhere("volume")]
    yield {"Sid": "PrepareSnapshots", "Action": "ec2:RunInstances", "Resource": made, "Condition": by_ec2}
    yield {
        "Sid": "TagWhatPreparesSnapshots",
        "Action": "ec2:CreateTags",
        "Resource": [*made, everywhere("launch-template")],
        "Condition": by_ec2,
    }
    yield {
        "Sid": "LetEc2KeepSnapshots",
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
    yield {"Sid": "FollowExports", "Action": ["ec2:CreateTags", "ec2:ExportImage"], "Resource": tasks}
    yield {"Sid": "LookAtExports", "Action": "ec2:DescribeExportImageTasks", "Resource": "*"}
    yield {
        "Sid": "CancelExports",
        "Action": "ec2:CancelExportTask",
        "Resource": tasks,
        "Condition": {"StringEquals": _TAGGED},
    }
    yield {
        "Sid": "GiveExportsTheirRole",
        "Action": "iam:PassRole",
        # known to EC2 by its name alone, it has no path
        "Resource": scope.iam_arn(f"role/{scope.role_name('export')}"),
        "Condition": {"StringEquals": {"iam:PassedToService": "vmie.amazonaws.com"}},
    }
