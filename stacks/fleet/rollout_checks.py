"""What a plan warns of when an apply alone does not replace the instances, or should not now.

Warnings only: the exit status of `-detailed-exitcode` stays 0 when nothing is planned.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from cdktf import TerraformLocal, TerraformStack

from estate.estate import EstateFleet
from lambda_src.rollout.windows import Freeze
from stacks.terraform import add_check, literal

_GROUP, _TEMPLATE = "aws_autoscaling_group.fleet.launch_template[0]", "aws_launch_template.launch_template"
_LAUNCHED, _NEWEST = f"{_GROUP}.version", f"tostring({_TEMPLATE}.latest_version)"
_IS_OTHER = f"{_GROUP}.id != {_TEMPLATE}.id"
"""Whether the template was made anew, or the group was given another one by hand."""


def add_rollout_checks(stack: TerraformStack, declared: EstateFleet) -> None:
    """The check that Goldsmith has rolled out the newest version of the launch template; or, where an apply rolls it
    out, that there is no freeze.

    After a rollback the function of a fleet with `updates: automatic` adds a version with the AMI that runs, which the
    group does not launch. So of such a fleet only another template counts.
    """
    fleet, freezes = declared.fleet, declared.settings.freezes
    if fleet.rollout.by == "goldsmith":
        rollout = f"goldsmith rollout {fleet.name}"
        other = (
            f'Fleet {fleet.name}: the group launches another launch template, ${{try({_GROUP}.id, "?")}}, and not its '
            f'own, ${{try({_TEMPLATE}.id, "?")}}; it cannot launch instances if the other was deleted: {rollout}'
        )
        behind = (
            f'Fleet {fleet.name}: the group launches version ${{try({_LAUNCHED}, "?")}} of its launch template, and '
            f'version ${{try({_NEWEST}, "?")}} is the newest: {rollout}'
        )
        is_newest = (f"try({_IS_OTHER} || {_LAUNCHED} == {_NEWEST}, true)", behind)
        add_check(
            stack,
            "rollout",
            (f"try(!({_IS_OTHER}), true)", other),
            *(() if fleet.is_automatic else (is_newest,)),
        )
    elif freezes:
        add_check(stack, "freeze", *_outside(stack, freezes, fleet=fleet.name))


def _outside(stack: TerraformStack, freezes: Sequence[Freeze], *, fleet: str) -> Iterator[tuple[str, str]]:
    """For each freeze, the condition that it does not hold when the plan is made, and the message when it does."""
    now = "plantimestamp()"
    for number, freeze in enumerate(freezes, 1):
        # a check has to refer to something, and what it refers to is known in every plan
        name = f"freeze_{number}"
        TerraformLocal(stack, name, {"begins": _written(freeze.begins), "ends": _written(freeze.ends)})
        condition = f"timecmp({now}, local.{name}.begins) < 0 || timecmp({now}, local.{name}.ends) >= 0"
        yield condition, f"Fleet {fleet}: {literal(freeze.reason)}; apply this stack afterwards"


def _written(time: datetime) -> str:
    """A time in UTC as Terraform compares it."""
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
