"""What Image Builder must be allowed to distribute AMIs under a role of the image's own: what the image says, no more.

Source: AWS's AWSServiceRoleForImageBuilder, which does it where an image has no workflows. That it happens in the
image's regions only is said once, for all statements of the role (`workflow_permissions`): an image may go to twenty,
and the policies of a role have at most 10,240 characters.
"""

from collections.abc import Iterable, Iterator

from estate import names
from estate.estate import Estate
from estate.models.ami_image import AmiImage
from estate.models.images import Image
from stacks.policy import Statement

CROSS_ACCOUNT_ROLE = "EC2ImageBuilderDistributionCrossAccountRole"
"""The role that Image Builder takes on in another account; its name is AWS's."""

_MOST_NAMED = 20
"""Accounts, launch templates or license configurations that the policy names one by one. AWS's role names none."""

_TAGGED = {"ec2:ResourceTag/CreatedBy": "EC2 Image Builder"}
_TAGGING = {"aws:RequestTag/CreatedBy": ["EC2 Image Builder", "EC2 Fast Launch"]}


def distribution_permissions(image: Image, estate: Estate, account: str) -> list[Statement]:
    """The statements; none for a container image, which its build instance pushes."""
    if not isinstance(image, AmiImage):
        return []
    return [
        *_copies(image),
        *_encryption(),
        *_others(image, account),
        *_fast_launch(image, account),
        *_export(image, estate, account),
    ]


def _copies(image: AmiImage) -> Iterator[Statement]:
    partition = names.partition(image.home)
    images, snapshots = (f"arn:{partition}:ec2:*::{what}/*" for what in ("image", "snapshot"))
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


def _others(image: AmiImage, account: str) -> Iterator[Statement]:
    """Other accounts, launch templates and license configurations."""
    partition = names.partition(image.home)
    templates = [(region, each) for region in image.regions for each in image.distribution_in(region).launch_templates]
    accounts = {*image.target_accounts, *(each.account_id for _, each in templates if each.account_id)}
    if accounts:
        yield {
            "Sid": "WorkInOtherAccounts",
            "Action": "sts:AssumeRole",
            # who trusts this account in a role of that name is another account's own affair
            "Resource": _named(
                (f"arn:{partition}:iam::{each}:role/{CROSS_ACCOUNT_ROLE}" for each in accounts),
                otherwise=f"arn:{partition}:iam::*:role/{CROSS_ACCOUNT_ROLE}",
            ),
        }
    own = [(region, each) for region, each in templates if not each.account_id]
    if own:
        yield {
            "Sid": "UpdateLaunchTemplates",
            "Action": ["ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate"],
            "Resource": _named(
                (
                    f"arn:{partition}:ec2:{region}:{account}:launch-template/{each.launch_template_id}"
                    for region, each in own
                ),
                otherwise=f"arn:{partition}:ec2:*:{account}:launch-template/*",
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
            "Resource": _named(licenses, otherwise=f"arn:{partition}:license-manager:*:*:license-configuration:*"),
        }


def _named(arns: Iterable[str], *, otherwise: str) -> list[str]:
    """Some ARNs, or what stands for them all where they are too many for a policy."""
    each = sorted(set(arns))
    return each if len(each) <= _MOST_NAMED else [otherwise]


def _fast_launch(image: AmiImage, account: str) -> Iterator[Statement]:
    partition = names.partition(image.home)
    enabled = [each for region in image.regions if (each := image.distribution_in(region).fast_launch)]
    if not enabled:
        return
    here, by_ec2 = f"arn:{partition}:ec2:*:{account}", {"StringEquals": {"aws:RequestTag/CreatedBy": "EC2 Fast Launch"}}
    images, snapshots = (f"arn:{partition}:ec2:*::{what}/*" for what in ("image", "snapshot"))
    # without one that is named, EC2 makes its own
    templates = _named(
        {f"{here}:launch-template/{each.launch_template_id or '*'}" for each in enabled},
        otherwise=f"{here}:launch-template/*",
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
            *(f"{here}:{what}/*" for what in ("network-interface", "security-group", "subnet")),
        ],
    }
    made = [f"{here}:{what}/*" for what in ("instance", "volume")]
    yield {"Sid": "PrepareSnapshots", "Action": "ec2:RunInstances", "Resource": made, "Condition": by_ec2}
    yield {
        "Sid": "TagWhatPreparesSnapshots",
        "Action": "ec2:CreateTags",
        "Resource": [*made, f"{here}:launch-template/*"],
        "Condition": by_ec2,
    }
    yield {
        "Sid": "LetEc2KeepSnapshots",
        "Action": "iam:CreateServiceLinkedRole",
        "Resource": f"arn:{partition}:iam::{account}:role/aws-service-role/ec2fastlaunch.amazonaws.com/*",
        "Condition": {"StringEquals": {"iam:AWSServiceName": "ec2fastlaunch.amazonaws.com"}},
    }


def _export(image: AmiImage, estate: Estate, account: str) -> Iterator[Statement]:
    if image.export is None:
        return
    partition, home = names.partition(image.home), image.home
    tasks = f"arn:{partition}:ec2:{home}:{account}:export-image-task/*"
    yield {
        "Sid": "ExportImages",
        "Action": "ec2:ExportImage",
        "Resource": f"arn:{partition}:ec2:{home}::image/*",
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
        "Resource": f"arn:{partition}:iam::{account}:role/"
        + names.global_name(estate.settings.namespace, image.name, "export", home),
        "Condition": {"StringEquals": {"iam:PassedToService": "vmie.amazonaws.com"}},
    }
