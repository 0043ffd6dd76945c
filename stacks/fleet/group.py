"""The Auto Scaling group, and how it replaces its instances."""

from cdktf import TerraformResourceLifecycle, TerraformStack
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
from estate.models.durations import Duration
from estate.models.rollout import Rollout


def add_group(
    stack: TerraformStack,
    declared: EstateFleet,
    *,
    subnets: list[str],
    launch_template: LaunchTemplate,
    key_grant: KmsGrant | None,
) -> AutoscalingGroup:
    """The group. An apply with a new version of the launch template starts an instance refresh, unless Goldsmith does
    it. Without the grant, its instances cannot start."""
    fleet = declared.fleet
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
        instance_refresh=_instance_refresh(fleet.rollout),
        # a group does not get the provider's default tags; instances get theirs from the launch template
        tag=[
            AutoscalingGroupTag(key=key, value=value, propagate_at_launch=False) for key, value in declared.tags.items()
        ],
        depends_on=[key_grant] if key_grant else None,
        lifecycle=_lifecycle(fleet.rollout),
    )


def _instance_refresh(rollout: Rollout) -> AutoscalingGroupInstanceRefresh | None:
    if rollout.by != "terraform":
        return None
    return AutoscalingGroupInstanceRefresh(
        strategy="Rolling",
        preferences=AutoscalingGroupInstanceRefreshPreferences(
            min_healthy_percentage=rollout.min_healthy_percentage,
            max_healthy_percentage=rollout.max_healthy_percentage,
            instance_warmup=_seconds(rollout.warmup),
            skip_matching=rollout.skip_matching,
            checkpoint_percentages=list(rollout.checkpoints) or None,
            checkpoint_delay=_seconds(rollout.checkpoint_delay),
            scale_in_protected_instances=rollout.protected_instances and rollout.protected_instances.capitalize(),
            standby_instances=rollout.standby_instances and rollout.standby_instances.capitalize(),
        ),
    )


def _seconds(duration: Duration | None) -> str | None:
    """Text in the provider."""
    return None if duration is None else str(duration.seconds)


def _lifecycle(rollout: Rollout) -> TerraformResourceLifecycle | None:
    """A rollout by Goldsmith changes what the group launches; Terraform must not change it back, or try to while AWS
    refuses it: the provider (5.100) tries anew every ten seconds, for ten minutes, and then the apply fails.

    Not the version alone: for a template that was made anew the provider would send the new ID with the old number,
    which AWS refuses, because the versions of a new template begin with 1.
    """
    if rollout.by != "goldsmith":
        return None
    return TerraformResourceLifecycle(ignore_changes=["launch_template"])
