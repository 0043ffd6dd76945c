"""What AWS requires of an instance refresh before it starts, and the defaults of its preferences.

Rules are from `StartInstanceRefresh` and `RefreshPreferences` of the API reference, and from the user guide's pages
instance-refresh-overview and instance-refresh-rollback. Of AWS's messages only that about AutoRollback is known
(hashicorp/terraform-provider-aws#29830); the others say the rule.
"""

from collections.abc import Mapping
from typing import Any

from local_aws.auto_scaling.groups import Group
from local_aws.errors import AwsError
from local_aws.ministack.group_templates import Launch

_LONGEST_ALARMS = 10
_MOST_APART = 100


def whole_preferences(group: Group, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The preferences of a refresh as answers show them. Raises ValidationError for a mistake in them."""
    least, most = group.maintenance
    preferences: dict[str, Any] = {
        "MinHealthyPercentage": 90 if least is None else least,
        "InstanceWarmup": group.warmup_seconds,
        "SkipMatching": False,
        "AutoRollback": False,
        "AlarmSpecification": {},
    }
    if most is not None and "MinHealthyPercentage" not in given:
        preferences["MaxHealthyPercentage"] = most
    preferences |= given
    if given.get("CheckpointPercentages"):
        preferences = {"CheckpointDelay": 3600, **preferences}
    _check(given, preferences)
    return preferences


def _check(given: Mapping[str, Any], preferences: Mapping[str, Any]) -> None:
    least, most = preferences["MinHealthyPercentage"], preferences.get("MaxHealthyPercentage", 100)
    if "MaxHealthyPercentage" in given and "MinHealthyPercentage" not in given:
        raise _invalid("MinHealthyPercentage must be specified when MaxHealthyPercentage is specified.")
    if most - least > _MOST_APART:
        raise _invalid(
            "The difference between MaxHealthyPercentage and MinHealthyPercentage cannot be greater than 100, got "
            f"{most} and {least}."
        )
    percentages = given.get("CheckpointPercentages", [])
    if "CheckpointDelay" in given and not percentages:
        raise _invalid("CheckpointPercentages must be specified when CheckpointDelay is specified.")
    if percentages != sorted(set(percentages)):
        raise _invalid(f"CheckpointPercentages must be unique and in ascending order, got {percentages}.")
    alarms = preferences["AlarmSpecification"].get("Alarms", [])
    if len(alarms) > _LONGEST_ALARMS:
        raise _invalid(f"AlarmSpecification can have up to {_LONGEST_ALARMS} alarms, got {len(alarms)}.")


def check_configuration(group: Group, preferences: Mapping[str, Any], desired: Launch | None, *, strategy: str) -> None:
    """Raises ValidationError for what does not go together with the configuration of a group."""
    if strategy != "Rolling":
        raise _invalid(f"This local AWS has no instance refreshes with the strategy {strategy}.")
    if preferences["AutoRollback"] and desired is None:
        raise _invalid(
            "The request isn't valid. The AutoRollback parameter cannot be set to true when the DesiredConfiguration "
            "parameter is empty. Set AutoRollback to false or specify a desired configuration and try again."
        )
    if has_requirements(group.launch) or (desired and has_requirements(desired)):
        for name, is_used in (
            ("SkipMatching", preferences["SkipMatching"]),
            ("DesiredConfiguration", desired is not None),
        ):
            if is_used:
                raise _invalid(
                    f"{name} is not supported for an Auto Scaling group with InstanceRequirements. Start the instance "
                    "refresh without it."
                )


def check_alarms(names: list[str], states: Mapping[str, str]) -> None:
    """Raises ValidationError unless all alarms exist and are in the state OK (instance-refresh-rollback)."""
    missing = [name for name in names if name not in states]
    if missing:
        raise _invalid(f"The CloudWatch alarms do not exist: {', '.join(missing)}.")
    others = [f"{name} is in the state {state}" for name, state in states.items() if state != "OK"]
    if others:
        raise _invalid(f"The CloudWatch alarms must be in the state OK: {', '.join(others)}.")


def why_irreversible(group: Group, desired: Launch | None, *, ami: str) -> str | None:
    """Why a refresh cannot be rolled back, or None; `ami` is that of the group's template.

    The cases are those of `RollbackInstanceRefresh`; the words are those of IrreversibleInstanceRefreshFault in the API
    reference.
    """
    version = group.launch.template.get("Version")
    if desired is None:
        return "a desired configuration was not found"
    if version in ("$Latest", "$Default"):
        return f"an incompatible launch template version ({version}) is present on the Auto Scaling group"
    if ami.startswith("resolve:ssm:"):
        return (
            "an incompatible launch template (uses a Systems Manager parameter instead of an AMI ID) is present on the "
            "Auto Scaling group"
        )
    return None


def has_requirements(launch: Launch) -> bool:
    """Whether a mixed instances policy selects instance types by their attributes."""
    overrides = (launch.policy or {}).get("LaunchTemplate", {}).get("Overrides", [])
    return any("InstanceRequirements" in each for each in overrides)


def _invalid(message: str) -> AwsError:
    return AwsError(code="ValidationError", message=message)
