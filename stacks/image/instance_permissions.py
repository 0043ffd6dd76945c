"""What Image Builder must be allowed to launch instances, run commands on them and make images of them."""

from collections.abc import Iterable, Iterator, Set

from estate import names
from estate.models.ami_image import AmiImage
from estate.models.image_scanning import SCANNING_REPOSITORY
from stacks.image.surroundings import Surroundings
from stacks.policy import Statement

_COMMANDS = (
    "BootstrapInstanceForContainer",
    "CollectImageScanFindings",
    "DistributeContainerImage",
    "ExecuteComponents",
    "RunCommand",
    "RunSysPrep",
    "SanitizeInstance",
)

_MADE_BY_IMAGE_BUILDER = "EC2 Image Builder"
"""The tag `CreatedBy` of all that it makes."""


def instance_permissions(actions: Set[str], documents: Iterable[str], around: Surroundings) -> list[Statement]:
    """The statements for the `actions` of workflows; `documents` are the command documents that they name."""
    statements = [*_instances(actions, around), *_images(actions, around)]
    if not actions.isdisjoint(_COMMANDS):
        statements += _commands(actions, documents, around)
    if "CollectImageMetadata" in actions:
        statements += _inventory(around)
    if "CollectImageScanFindings" in actions and around.image.image_scanning.image_scanning_enabled:
        statements += _findings(around)
    return statements


def _instances(actions: Set[str], around: Surroundings) -> Iterator[Statement]:
    infrastructure, settings = around.image.infrastructure, around.estate.settings
    subnet = infrastructure.subnet_id or "*"
    groups = infrastructure.security_group_ids or ("*",)
    makes = ["ec2:CreateImage"] if "CreateImage" in actions else []
    key_pairs = [infrastructure.key_pair] if infrastructure.key_pair else []
    yield {
        "Sid": "LaunchFrom",
        "Action": "ec2:RunInstances",
        "Resource": [
            *(around.arn("ec2", f"{what}/*", account="") for what in ("image", "snapshot")),
            around.arn("ec2", f"subnet/{subnet}"),
            around.arn("ec2", "network-interface/*"),
            *(around.arn("ec2", f"security-group/{group}") for group in groups),
            *(around.arn("ec2", f"key-pair/{name}") for name in key_pairs),
            # a parent brings its own
            around.arn("license-manager", "license-configuration:*", account="*"),
        ],
    }
    yield {
        "Sid": "LaunchInstances",
        "Action": "ec2:RunInstances",
        "Resource": [around.arn("ec2", f"{what}/*") for what in ("volume", "instance")],
        "Condition": {"StringEquals": {"aws:RequestTag/CreatedBy": _MADE_BY_IMAGE_BUILDER}},
    }
    role = names.global_name(settings.namespace, around.image.name, "build", around.image.home)
    yield {
        "Sid": "GiveInstancesTheirRole",
        "Action": "iam:PassRole",
        "Resource": f"arn:{around.partition}:iam::{around.account}:role{settings.iam.path}{role}",
        "Condition": {"StringEquals": {"iam:PassedToService": ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"]}},
    }
    yield {
        "Sid": "WorkWithInstances",
        "Action": [*makes, "ec2:StartInstances", "ec2:StopInstances", "ec2:TerminateInstances"],
        "Resource": around.arn("ec2", "instance/*"),
        "Condition": {"StringEquals": {"ec2:ResourceTag/CreatedBy": _MADE_BY_IMAGE_BUILDER}},
    }
    yield {
        "Sid": "TagWhatIsMade",
        "Action": "ec2:CreateTags",
        "Resource": [around.arn("ec2", "*"), around.arn("ec2", "*", account="")],
        "Condition": {
            "StringEquals": {
                "ec2:CreateAction": ["CreateImage", "RegisterImage", "RunInstances"],
                "aws:RequestTag/CreatedBy": _MADE_BY_IMAGE_BUILDER,
            }
        },
    }


def _images(actions: Set[str], around: Surroundings) -> Iterator[Statement]:
    yield {
        "Sid": "LookAtEc2",
        "Action": [
            "ec2:DescribeHosts",
            "ec2:DescribeImages",
            "ec2:DescribeInstanceAttribute",
            "ec2:DescribeInstanceStatus",
            "ec2:DescribeInstanceTypeOfferings",
            "ec2:DescribeInstanceTypes",
            "ec2:DescribeInstances",
            "ec2:DescribeSnapshots",
            "ec2:DescribeSubnets",
            "ec2:DescribeTags",
        ],
        # most of these know no resource
        "Resource": "*",
    }
    if "CreateImage" in actions:
        yield {
            "Sid": "CreateImages",
            "Action": "ec2:CreateImage",
            "Resource": [around.arn("ec2", f"{what}/*", account="") for what in ("image", "snapshot")],
        }
    if "RegisterImage" in actions:
        yield {
            "Sid": "RegisterImages",
            "Action": "ec2:RegisterImage",
            "Resource": around.arn("ec2", "image/*", account=""),
            "Condition": {"StringEquals": {"aws:RequestTag/CreatedBy": _MADE_BY_IMAGE_BUILDER}},
        }
        yield {
            "Sid": "RegisterImagesFrom",
            "Action": "ec2:RegisterImage",
            "Resource": around.arn("ec2", "snapshot/*", account=""),
            "Condition": {"StringEquals": {"ec2:ResourceTag/CreatedBy": _MADE_BY_IMAGE_BUILDER}},
        }


def _commands(actions: Set[str], documents: Iterable[str], around: Surroundings) -> Iterator[Statement]:
    windows = around.image.platform == "Windows"
    wanted = {"AWS-RunPowerShellScript" if windows else "AWS-RunShellScript", *documents}
    if windows and "RunSysPrep" in actions:
        wanted.add("AWSEC2-RunSysprep")
    yield {
        "Sid": "RunDocuments",
        "Action": "ssm:SendCommand",
        "Resource": [
            # AWS's own documents belong to no account
            *(
                each if each.startswith("arn:") else around.arn("ssm", f"document/{each}", account="*")
                for each in sorted(wanted)
            ),
            around.log_bucket,
        ],
    }
    yield {
        "Sid": "RunOnInstances",
        "Action": "ssm:SendCommand",
        "Resource": around.arn("ec2", "instance/*"),
        "Condition": {"StringEquals": {"ssm:resourceTag/CreatedBy": _MADE_BY_IMAGE_BUILDER}},
    }
    yield {
        "Sid": "FollowCommands",
        "Action": [
            "ssm:DescribeInstanceInformation",
            "ssm:GetCommandInvocation",
            "ssm:ListCommandInvocations",
            "ssm:ListCommands",
        ],
        # they know no resource that could be named before a build
        "Resource": "*",
    }


def _inventory(around: Surroundings) -> Iterator[Statement]:
    yield {
        "Sid": "CollectInventory",
        "Action": [
            "ssm:CreateAssociation",
            "ssm:DeleteAssociation",
            "ssm:DescribeAssociationExecutions",
            "ssm:DescribeInstanceAssociationsStatus",
        ],
        "Resource": [
            around.arn("ssm", "document/AWS-GatherSoftwareInventory", account="*"),
            around.arn("ssm", "association/*"),
            around.arn("ec2", "instance/*"),
        ],
    }
    yield {
        "Sid": "TagInventory",
        "Action": "ssm:AddTagsToResource",
        "Resource": around.arn("ssm", "association/*"),
    }
    # it knows no resources
    yield {"Sid": "ReadInventory", "Action": "ssm:ListInventoryEntries", "Resource": "*"}
    yield {
        "Sid": "LetSystemsManagerCollect",
        "Action": "iam:CreateServiceLinkedRole",
        "Resource": f"arn:{around.partition}:iam::{around.account}:role/aws-service-role/ssm.amazonaws.com/*",
        "Condition": {"StringEquals": {"iam:AWSServiceName": "ssm.amazonaws.com"}},
    }


def _findings(around: Surroundings) -> Iterator[Statement]:
    yield {
        "Sid": "ReadFindings",
        "Action": ["inspector2:ListCoverage", "inspector2:ListFindings"],
        "Resource": "*",
    }
    yield {
        "Sid": "HearOfFindings",
        "Action": [
            "events:DeleteRule",
            "events:DescribeRule",
            "events:PutRule",
            "events:PutTargets",
            "events:RemoveTargets",
        ],
        "Resource": around.arn("events", "rule/ImageBuilder-*"),
    }
    if not isinstance(around.image, AmiImage) and around.image.image_scanning.repository_name == SCANNING_REPOSITORY:
        # where Image Builder puts a container image to be scanned, if no repository is named
        made = {"StringEquals": {"aws:RequestTag/CreatedBy": _MADE_BY_IMAGE_BUILDER}}
        repositories = around.arn("ecr", "repository/image-builder-*")
        yield {
            "Sid": "MakeScanRepository",
            "Action": ["ecr:CreateRepository", "ecr:TagResource"],
            "Resource": repositories,
            "Condition": made,
        }
        yield {
            "Sid": "EmptyScanRepository",
            "Action": "ecr:BatchDeleteImage",
            "Resource": repositories,
            "Condition": {"StringEquals": {"ecr:ResourceTag/CreatedBy": _MADE_BY_IMAGE_BUILDER}},
        }
