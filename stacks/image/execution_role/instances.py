"""The permissions to launch instances, run commands on them, and make images of them."""

from collections.abc import Iterable, Iterator, Set

from stacks.image.scope import ImageScope
from stacks.policy import MADE_BY_IMAGE_BUILDER, Statement

_COMMANDS = (
    "BootstrapInstanceForContainer",
    "CollectImageScanFindings",
    "DistributeContainerImage",
    "ExecuteComponents",
    "RunCommand",
    "RunSysPrep",
    "SanitizeInstance",
)


def instance_statements(actions: Set[str], documents: Iterable[str], scope: ImageScope) -> list[Statement]:
    """The statements for the `actions` of workflows; `documents` are the command documents in them."""
    statements = [*_instances(actions, scope), *_images(actions, scope)]
    if not actions.isdisjoint(_COMMANDS):
        statements += _commands(actions, documents, scope)
    if "CollectImageMetadata" in actions:
        statements += _inventory(scope)
    if "CollectImageScanFindings" in actions and scope.image.image_scanning.image_scanning_enabled:
        statements += _findings(scope)
    return statements


def _instances(actions: Set[str], scope: ImageScope) -> Iterator[Statement]:
    infrastructure = scope.image.infrastructure
    subnet = infrastructure.subnet_id or "*"
    groups = infrastructure.security_group_ids or ("*",)
    makes = ["ec2:CreateImage"] if "CreateImage" in actions else []
    key_pairs = [infrastructure.key_pair] if infrastructure.key_pair else []
    yield {
        "Sid": "LaunchInstancesWith",
        "Action": "ec2:RunInstances",
        "Resource": [
            *(scope.arn("ec2", f"{what}/*", account="") for what in ("image", "snapshot")),
            scope.arn("ec2", f"subnet/{subnet}"),
            scope.arn("ec2", "network-interface/*"),
            *(scope.arn("ec2", f"security-group/{group}") for group in groups),
            *(scope.arn("ec2", f"key-pair/{name}") for name in key_pairs),
            # those of the parent
            scope.arn("license-manager", "license-configuration:*", account="*"),
        ],
    }
    yield {
        "Sid": "LaunchInstances",
        "Action": "ec2:RunInstances",
        "Resource": [scope.arn("ec2", f"{what}/*") for what in ("volume", "instance")],
        "Condition": {"StringEquals": {"aws:RequestTag/CreatedBy": MADE_BY_IMAGE_BUILDER}},
    }
    yield {
        "Sid": "PassInstanceRole",
        "Action": "iam:PassRole",
        "Resource": scope.iam_arn(f"role{scope.settings.iam.path}{scope.role_name('build')}"),
        "Condition": {"StringEquals": {"iam:PassedToService": ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"]}},
    }
    yield {
        "Sid": "ManageInstances",
        "Action": [*makes, "ec2:StartInstances", "ec2:StopInstances", "ec2:TerminateInstances"],
        "Resource": scope.arn("ec2", "instance/*"),
        "Condition": {"StringEquals": {"ec2:ResourceTag/CreatedBy": MADE_BY_IMAGE_BUILDER}},
    }
    yield {
        "Sid": "TagNewResources",
        "Action": "ec2:CreateTags",
        "Resource": [scope.arn("ec2", "*"), scope.arn("ec2", "*", account="")],
        "Condition": {
            "StringEquals": {
                "ec2:CreateAction": ["CreateImage", "RegisterImage", "RunInstances"],
                "aws:RequestTag/CreatedBy": MADE_BY_IMAGE_BUILDER,
            }
        },
    }


def _images(actions: Set[str], scope: ImageScope) -> Iterator[Statement]:
    yield {
        "Sid": "DescribeEc2",
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
        # most of these have no resource types
        "Resource": "*",
    }
    if "CreateImage" in actions:
        yield {
            "Sid": "CreateImages",
            "Action": "ec2:CreateImage",
            "Resource": [scope.arn("ec2", f"{what}/*", account="") for what in ("image", "snapshot")],
        }
    if "RegisterImage" in actions:
        yield {
            "Sid": "RegisterImages",
            "Action": "ec2:RegisterImage",
            "Resource": scope.arn("ec2", "image/*", account=""),
            "Condition": {"StringEquals": {"aws:RequestTag/CreatedBy": MADE_BY_IMAGE_BUILDER}},
        }
        yield {
            "Sid": "RegisterImagesFromSnapshots",
            "Action": "ec2:RegisterImage",
            "Resource": scope.arn("ec2", "snapshot/*", account=""),
            "Condition": {"StringEquals": {"ec2:ResourceTag/CreatedBy": MADE_BY_IMAGE_BUILDER}},
        }


def _commands(actions: Set[str], documents: Iterable[str], scope: ImageScope) -> Iterator[Statement]:
    windows = scope.image.platform == "Windows"
    wanted = {"AWS-RunPowerShellScript" if windows else "AWS-RunShellScript", *documents}
    if windows and "RunSysPrep" in actions:
        wanted.add("AWSEC2-RunSysprep")
    yield {
        "Sid": "RunDocuments",
        "Action": "ssm:SendCommand",
        "Resource": [
            # ARNs of AWS's own documents have no account
            *(
                each if each.startswith("arn:") else scope.arn("ssm", f"document/{each}", account="*")
                for each in sorted(wanted)
            ),
            scope.logs.arn,
        ],
    }
    yield {
        "Sid": "RunOnInstances",
        "Action": "ssm:SendCommand",
        "Resource": scope.arn("ec2", "instance/*"),
        "Condition": {"StringEquals": {"ssm:resourceTag/CreatedBy": MADE_BY_IMAGE_BUILDER}},
    }
    yield {
        "Sid": "ReadCommandResults",
        "Action": [
            "ssm:DescribeInstanceInformation",
            "ssm:GetCommandInvocation",
            "ssm:ListCommandInvocations",
            "ssm:ListCommands",
        ],
        # they have no resources that are known before a build
        "Resource": "*",
    }


def _inventory(scope: ImageScope) -> Iterator[Statement]:
    yield {
        "Sid": "CollectInventory",
        "Action": [
            "ssm:CreateAssociation",
            "ssm:DeleteAssociation",
            "ssm:DescribeAssociationExecutions",
            "ssm:DescribeInstanceAssociationsStatus",
        ],
        "Resource": [
            scope.arn("ssm", "document/AWS-GatherSoftwareInventory", account="*"),
            scope.arn("ssm", "association/*"),
            scope.arn("ec2", "instance/*"),
        ],
    }
    yield {
        "Sid": "TagInventory",
        "Action": "ssm:AddTagsToResource",
        "Resource": scope.arn("ssm", "association/*"),
    }
    # it has no resource types
    yield {"Sid": "ReadInventory", "Action": "ssm:ListInventoryEntries", "Resource": "*"}
    yield {
        "Sid": "CreateSystemsManagerRole",
        "Action": "iam:CreateServiceLinkedRole",
        "Resource": scope.iam_arn("role/aws-service-role/ssm.amazonaws.com/*"),
        "Condition": {"StringEquals": {"iam:AWSServiceName": "ssm.amazonaws.com"}},
    }


def _findings(scope: ImageScope) -> Iterator[Statement]:
    yield {
        "Sid": "ReadFindings",
        "Action": ["inspector2:ListCoverage", "inspector2:ListFindings"],
        "Resource": "*",
    }
    yield {
        "Sid": "ManageFindingsRules",
        "Action": [
            "events:DeleteRule",
            "events:DescribeRule",
            "events:PutRule",
            "events:PutTargets",
            "events:RemoveTargets",
        ],
        "Resource": scope.arn("events", "rule/ImageBuilder-*"),
    }
