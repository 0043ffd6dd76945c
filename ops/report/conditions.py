"""When and how the function of a fleet rolls out, in words."""

from __future__ import annotations

from collections.abc import Iterator

from lambda_src.rollout.configuration import FleetRules
from ops.report.words import listed, minutes

SOON = "within five minutes"
"""How often a function looks (`stacks.fleet.rollout_function`)."""


def when(rules: FleetRules) -> Iterator[str]:
    """What it waits for, beside freezes and holds; nothing without windows and `after`."""
    if rules.windows:
        yield f"in its window {' or '.join(rules.windows)}"
    if rules.after:
        fleets = rules.after.fleets
        verb = "has" if len(fleets) == 1 else "have"
        yield f"after {listed(fleets)} {verb} run the build for {rules.after.soak}"


def how(rules: FleetRules) -> Iterator[str]:
    """What may end a rollout, and where it pauses."""
    preferences = rules.preferences
    if alarms := (preferences.get("AlarmSpecification") or {}).get("Alarms"):
        yield f"watched by {'alarm' if len(alarms) == 1 else 'alarms'} {listed(alarms)}"
    if checkpoints := preferences.get("CheckpointPercentages"):
        yield f"with checkpoints at {listed([f'{each}%' for each in checkpoints])}"
    if bake := preferences.get("BakeTime"):
        yield f"with a bake time of {minutes(bake)}"
