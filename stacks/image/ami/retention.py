"""Retention of AMIs: the permissions of a lifecycle policy, and the AMIs that it does not change."""

from cdktf_cdktf_provider_aws.imagebuilder_lifecycle_policy import (
    ImagebuilderLifecyclePolicyPolicyDetailExclusionRulesAmis,
    ImagebuilderLifecyclePolicyPolicyDetailExclusionRulesAmisLastLaunched,
)

from estate.models.ami_image import AmiImage
from estate.models.retention import Retention
from stacks.image.scope import ImageScope
from stacks.policy import MADE_BY_IMAGE_BUILDER, Statement, any_of, only_in

_TAGGED = {"aws:ResourceTag/CreatedBy": MADE_BY_IMAGE_BUILDER}
_BACK_TO_AVAILABLE = ("ec2:DisableImageDeprecation", "ec2:EnableImage")
_ACTIONS = {
    "DEPRECATE": ("ec2:EnableImageDeprecation", *_BACK_TO_AVAILABLE),
    "DISABLE": ("ec2:DisableImage", *_BACK_TO_AVAILABLE),
    "DELETE": ("ec2:DeregisterImage",),
}


def excluded_amis(image: AmiImage, retention: Retention) -> ImagebuilderLifecyclePolicyPolicyDetailExclusionRulesAmis:
    """Public AMIs, and those of the exclusion rules."""
    rules = retention.exclusion_rules
    value, unit = rules.last_launched.as_image_builder
    return ImagebuilderLifecyclePolicyPolicyDetailExclusionRulesAmis(
        is_public=True,
        last_launched=[ImagebuilderLifecyclePolicyPolicyDetailExclusionRulesAmisLastLaunched(value=value, unit=unit)],
        shared_accounts=list(_excluded_accounts(image, retention)) or None,
        regions=list(rules.regions) or None,
        tag_map=rules.tag_map or None,
    )


def _excluded_accounts(image: AmiImage, retention: Retention) -> tuple[str, ...]:
    """AMIs that are shared with these accounts are excluded: those configured, or all with launch permission."""
    configured, permissions = retention.exclusion_rules.shared_accounts, image.launch_permissions
    return configured if configured is not None else permissions.accounts if permissions else ()


def lifecycle_statements(retention: Retention, scope: ImageScope) -> list[Statement]:
    """For the actions of the rules, on AMIs of this image and on snapshots made by Image Builder."""
    regions = scope.image.regions
    of_image = _TAGGED | {f"aws:ResourceTag/{key}": value for key, value in scope.names.owner_tag.items()}

    def everywhere(kind: str) -> list[str]:
        return [scope.arn("ec2", f"{kind}/*", account="", region=any_of(regions))]

    statements: list[Statement] = [
        {
            "Sid": "ChangeAmis",
            "Action": [
                "ec2:DescribeImageAttribute",
                *sorted({action for rule in retention.rules for action in _ACTIONS[rule]}),
            ],
            "Resource": everywhere("image"),
            "Condition": {"StringEquals": of_image},
        },
    ]
    if retention.rules.keys() - {"DELETE"}:
        statements += [
            _tagging("TagDeprecatedAmis", everywhere("image"), of_image),
            _tagging("TagDeprecatedSnapshots", everywhere("snapshot"), _TAGGED),
        ]
    if "DELETE" in retention.rules:
        statements.append(
            {
                # snapshots have Image Builder's tag, not those of the AMI; EC2 does not delete one that an AMI needs
                "Sid": "DeleteSnapshots",
                "Action": "ec2:DeleteSnapshot",
                "Resource": everywhere("snapshot"),
                "Condition": {"StringEquals": _TAGGED},
            }
        )
    return [only_in(regions, statement) for statement in statements]


def _tagging(sid: str, resources: list[str], tagged: dict[str, str]) -> Statement:
    """For the tag that Image Builder adds to what it deprecates, and removes again."""
    return {
        "Sid": sid,
        "Action": ["ec2:CreateTags", "ec2:DeleteTags"],
        "Resource": resources,
        "Condition": {
            "StringEquals": {"aws:RequestTag/DeprecatedBy": MADE_BY_IMAGE_BUILDER, **tagged},
            "ForAllValues:StringEquals": {"aws:TagKeys": "DeprecatedBy"},
        },
    }
