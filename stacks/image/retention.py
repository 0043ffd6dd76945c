"""Retention of builds: a lifecycle policy, and the role with which Image Builder applies it."""

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.imagebuilder_lifecycle_policy import (
    ImagebuilderLifecyclePolicy,
    ImagebuilderLifecyclePolicyPolicyDetail,
    ImagebuilderLifecyclePolicyPolicyDetailAction,
    ImagebuilderLifecyclePolicyPolicyDetailExclusionRules,
    ImagebuilderLifecyclePolicyPolicyDetailFilter,
    ImagebuilderLifecyclePolicyResourceSelection,
)

from estate import names
from estate.models.durations import Duration
from estate.models.retention import Retention
from stacks.image.scope import ImageScope
from stacks.policy import Statement, for_account
from stacks.role import add_role


def add_retention(stack: TerraformStack, scope: ImageScope) -> None:
    """The lifecycle policy, if the image has `retention:`."""
    retention = scope.image.retention
    if retention is None:
        return
    role, role_policy = add_role(
        stack,
        "lifecycle",
        name=scope.role_name("lifecycle"),
        service="imagebuilder.amazonaws.com",
        statements=_statements(scope, retention),
        iam=scope.declared.iam,
        trust_condition=for_account(scope.account),
    )
    ImagebuilderLifecyclePolicy(
        stack,
        "retention",
        name=scope.names.image_builder,
        description=f"Old builds of image {scope.names.label}",
        execution_role=role.arn,
        resource_type=scope.kind.lifecycle_type,
        policy_detail=[_rule(scope, retention, action=action, age=age) for action, age in retention.rules.items()],
        # By a tag, because a selection by recipes needs their versions. By this tag, because AWS may run a policy at
        # once, and the function tags the newest builds within an hour.
        resource_selection=[
            ImagebuilderLifecyclePolicyResourceSelection(tag_map=scope.names.retention_tag(retention.newest))
        ],
        depends_on=[role_policy],
    )


def _rule(
    scope: ImageScope, retention: Retention, *, action: str, age: Duration
) -> ImagebuilderLifecyclePolicyPolicyDetail:
    """One rule. Without `retain_at_least`, because AWS counts builds separately for each version of the recipe."""
    value, unit = age.as_image_builder
    excluded_amis = scope.kind.excluded_amis(retention)
    return ImagebuilderLifecyclePolicyPolicyDetail(
        action=[
            ImagebuilderLifecyclePolicyPolicyDetailAction(
                type=action, include_resources=[scope.kind.lifecycle_resources(action)]
            )
        ],
        filter=[ImagebuilderLifecyclePolicyPolicyDetailFilter(type="AGE", value=value, unit=unit)],
        exclusion_rules=[
            ImagebuilderLifecyclePolicyPolicyDetailExclusionRules(
                tag_map={**retention.exclusion_rules.tag_map, **names.IN_USE_TAG, **names.NEWEST_TAG},
                amis=[excluded_amis] if excluded_amis else None,
            )
        ],
    )


def _statements(scope: ImageScope, retention: Retention) -> list[Statement]:
    """AWS's EC2ImageBuilderLifecycleExecutionPolicy, limited to the actions of the rules and to this image."""
    return [
        # neither action has resource types
        {"Sid": "FindResources", "Action": ["ec2:DescribeImages", "tag:GetResources"], "Resource": "*"},
        {
            "Sid": "DeleteBuilds",
            "Action": "imagebuilder:DeleteImage",
            "Resource": f"{scope.image_builder_arn('image')}/*",
        },
        *scope.kind.lifecycle_statements(retention, scope),
    ]
