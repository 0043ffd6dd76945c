"""What a plan warns of when an apply alone does not replace the instances, or should not now.

Warnings only: the exit status of `-detailed-exitcode` stays 0 when nothing is planned.
"""

from datetime import datetime

from cdktf import TerraformLocal, TerraformStack

from estate.estate import EstateFleet
from stacks.terraform import add_check, literal

_LAUNCHED = "aws_autoscaling_group.fleet.launch_template[0].version"
_NEWEST = "tostring(aws_launch_template.launch_template.latest_version)"


def add_rollout_checks(stack: TerraformStack, declared: EstateFleet) -> None:
    """The check that Goldsmith has rolled out the newest version of the launch template; or, where an apply rolls it
    out, that there is no freeze."""
    fleet, freezes = declared.fleet, declared.settings.freezes
    if fleet.rollout.by == "goldsmith":
        message = (
            f'Fleet {fleet.name}: the group launches version ${{try({_LAUNCHED}, "?")}} of its launch template, and '
            f'version ${{try({_NEWEST}, "?")}} is the newest: goldsmith rollout {fleet.name}'
        )
        add_check(stack, "rollout", (f"try({_LAUNCHED} == {_NEWEST}, true)", message))
    elif freezes:
        days = [{"begins": _written(freeze.begins), "ends": _written(freeze.ends)} for freeze in freezes]
        # a check has to refer to something, and what it refers to is known in every plan
        TerraformLocal(stack, "freezes", days)
        add_check(
            stack,
            "freeze",
            *(_outside(index, freeze.reason, fleet=fleet.name) for index, freeze in enumerate(freezes)),
        )


def _outside(index: int, reason: str, *, fleet: str) -> tuple[str, str]:
    """The condition that a freeze does not hold when the plan is made, and the message when it does."""
    begins, ends = f"local.freezes[{index}].begins", f"local.freezes[{index}].ends"
    condition = f"timecmp(plantimestamp(), {begins}) < 0 || timecmp(plantimestamp(), {ends}) >= 0"
    return condition, f"Fleet {fleet}: {literal(reason)}; apply this stack afterwards"


def _written(time: datetime) -> str:
    """A time in UTC as Terraform compares it."""
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
