"""What was checked, and what was not, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ops.report.fleet import PlannedFleet
from ops.report.material import Material, fleets_in
from ops.report.words import count, listed

_GUARDS = {
    "data.aws_ssm_parameters_by_path.channel": "the channel has a build",
    "data.aws_ami_ids.made": "the AMI exists in the account of its image",
    "data.aws_ami_ids.found": "the AMI exists, in the account and region of the fleet",
    "data.aws_ami.ami": "the AMI is a build of its image, has its architecture and is not revoked",
    "data.aws_ami.build": "the AMI is a build of its image, has its architecture and is not revoked",
    "check.age": "the build is not too old",
    "check.deprecation": "the AMI is not deprecated",
    "check.revoked_later": "no date is set at which the build will be revoked",
    "check.freeze": "there is no freeze",
}
"""The guards of `stacks.guarded_ami`, by the address of what has them."""


def checked_of(material: Material) -> Iterator[str]:
    """What is as it should be."""
    passed: dict[str, list[str]] = {}
    others = 0
    for stack in material.stacks:
        fleets = [fleet.name for fleet in fleets_in(stack)]
        for address in stack.plan.passed if stack.plan else ():
            text = next((text for guard, text in _GUARDS.items() if _is_at(address, guard)), "")
            if text and fleets:
                passed.setdefault(text, []).extend(name for name in fleets if name not in passed.get(text, ()))
            else:
                others += 1
    for text, names in passed.items():
        yield f"{text}: {listed(names)}"
    if others:
        yield f"{count(others, 'other condition')} of the plans"
    yield from _by_aws(material)


def _is_at(address: str, guard: str) -> bool:
    return re.fullmatch(rf"(?:module\.\S+\.)?{re.escape(guard)}", address) is not None


def _by_aws(material: Material) -> Iterator[str]:
    """What the plans do not have, and AWS was asked."""
    fleets = [fleet for fleet in material.affected if fleet.key in material.facts.fleets]
    looked = [fleet for fleet in fleets if not material.facts_of(fleet).lacks and not fleet.is_destroyed]
    for text, names in (
        ("no hold", [each.name for each in looked if not material.facts_of(each).holds and material.rules_of(each)]),
        ("what ran before in the fleets of `after`", [each.name for each in looked if _has_after(material, each)]),
        ("what the instances run now", [each.name for each in looked if material.facts_of(each).runs is not None]),
    ):
        if names:
            yield f"{text}: {listed(names)}"
    builds = [build for build in material.facts.builds.values() if build.has_gate and not build.gate]
    if builds:
        yield f"the gate: {listed([material.labels.of_build(build.arn).short for build in builds])}"


def _has_after(material: Material, fleet: PlannedFleet) -> bool:
    rules = material.rules_of(fleet)
    return bool(rules and rules.after)


def unchecked_of(material: Material) -> Iterator[str]:
    """What is not known, each reason once."""
    yield from material.facts.lacks
    for stack in material.stacks:
        if stack.plan is None:
            yield f"{stack.stack}: everything, because its plan failed"
        elif stack.has_failed:
            yield f"{stack.stack}: everything after the error, because its plan failed"
        elif not stack.plan.is_complete:
            yield f"{stack.stack}: what its plan leaves out (-target, or what Terraform defers)"
    lacks: dict[str, list[str]] = {}
    for fleet in material.affected:
        for lack in material.facts_of(fleet).lacks:
            lacks.setdefault(lack, []).append(fleet.name)
    for build in material.facts.builds.values():
        for lack in build.lacks:
            lacks.setdefault(lack, []).append(material.labels.of_build(build.arn).short)
    for lack, names in lacks.items():
        yield f"{listed(list(dict.fromkeys(names)))}: {material.labels.plain(lack)}"
