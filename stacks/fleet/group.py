"""The Auto Scaling group, and how it replaces its instances."""

from cdktf import TerraformStack
from cdktf_cdktf_provider_aws.autoscaling_group import (
    AutoscalingGroup,
    AutoscalingGroupInstanceRefresh,
    AutoscalingGroupInstanceRefreshPreferences,
    AutoscalingGroupLaunchTemplate,
    AutoscalingGroupTag,
)
from cdktf_cdktf_provider_aws.kms_grant import KmsGrant
from cdktf_cdktf_provider_aws.launch_template import LaunchTemplate

from estate.estate import EstateFleet


def add_group(
    stack: TerraformStack,
    declared: EstateFleet,
    *,
    subnets: list[str],
    launch_template: LaunchTemplate,
    key_grant: KmsGrant | None,
) -> AutoscalingGroup:
    """The group. An apply with a new version of the launch template starts an instance refresh. Without the grant, its
    instances cannot start."""
    fleet = declared.fleet
    preferences = fleet.rollout.model_dump(exclude_none=True, exclude={"warmup"})
    if fleet.rollout.warmup is not None:
        preferences["instance_warmup"] = str(fleet.rollout.warmup.seconds)  # text in the provider
    return AutoscalingGroup(
        stack,
        "fleet",
        name=declared.names.group,
        min_size=fleet.capacity.min,
        max_size=fleet.capacity.max,
        desired_capacity=fleet.capacity.desired,
        vpc_zone_identifier=subnets,
        # also an empty list, because the provider keeps target groups that are left out
        target_group_arns=list(fleet.target_group_arns),
        health_check_type=fleet.health_check_type,
        health_check_grace_period=fleet.health_check.grace_period.seconds,
        launch_template=AutoscalingGroupLaunchTemplate(
            id=launch_template.id,
            # a number, because "$Latest" never changes, and would never start a refresh
            version="${tostring(aws_launch_template.launch_template.latest_version)}",
        ),
        instance_refresh=AutoscalingGroupInstanceRefresh(
            strategy="Rolling", preferences=AutoscalingGroupInstanceRefreshPreferences(**preferences)
        ),
        # a group does not get the provider's default tags; instances get theirs from the launch template
        tag=[
            AutoscalingGroupTag(key=key, value=value, propagate_at_launch=False) for key, value in declared.tags.items()
        ],
        depends_on=[key_grant] if key_grant else None,
    )
