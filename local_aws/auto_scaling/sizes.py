"""The sizes of groups, and what AWS refuses about them; its messages are those that users have met."""

from collections.abc import Mapping
from typing import Any

from local_aws.auto_scaling.groups import Group
from local_aws.errors import AwsError


def check(least: int, most: int, desired: int) -> None:
    """Raises ValidationError for sizes that do not go together (as in aws/aws-parallelcluster, eksctl, kops issues)."""
    if least > most:
        raise _invalid(f"Max bound, {most}, must be greater than or equal to min bound, {least}")
    if not least <= desired <= most:
        raise _invalid(f"Desired capacity:{desired} must be between the specified min size:{least} and max size:{most}")


def resize(group: Group, given: Mapping[str, Any]) -> None:
    """Change the sizes of a group as UpdateAutoScalingGroup does. Raises ValidationError.

    Without a desired capacity, the present one follows a new minimum or maximum (API reference).
    """
    least, most = given.get("MinSize", group.min), given.get("MaxSize", group.max)
    desired = given.get("DesiredCapacity")
    if desired is None:
        desired = max(group.desired, least) if "MinSize" in given else group.desired
        desired = min(desired, most) if "MaxSize" in given else desired
    check(least, most, desired)
    group.min, group.max, group.desired = least, most, desired


def set_desired(group: Group, desired: int) -> None:
    """Change the desired capacity as SetDesiredCapacity does. Raises ValidationError."""
    above, below = (group.max, desired > group.max, "above max"), (group.min, desired < group.min, "below min")
    for bound, is_broken, name in (above, below):
        if is_broken:
            raise _invalid(f"New SetDesiredCapacity value {desired} is {name} value {bound} for the AutoScalingGroup.")
    group.desired = desired


def check_deletion(group: Group, *, force: bool) -> None:
    """Raises ResourceInUse for a group with instances, unless `ForceDelete` terminates them (API reference)."""
    if group.instances and not force:
        raise AwsError(
            code="ResourceInUse",
            message="You cannot delete an AutoScalingGroup while there are instances still in the group.",
        )


def _invalid(message: str) -> AwsError:
    return AwsError(code="ValidationError", message=message)
