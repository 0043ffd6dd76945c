"""Everything that a report is made of: the plans, their fleets, and what is known beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property

from ops.report.facts import BuildFacts, Facts, FleetFacts, Pinned, Rules
from ops.report.fleet import Ami, PlannedFleet, amis_of, fleets_of
from ops.report.labels import Label, Labels
from ops.report.plan import QUIET
from ops.report.sources import StackPlan


@dataclass(frozen=True, kw_only=True)
class Material:
    """The plans and the facts; `now` is when the report is made."""

    stacks: tuple[StackPlan, ...]
    facts: Facts
    now: datetime

    @cached_property
    def fleets(self) -> tuple[PlannedFleet, ...]:
        """The fleets of all plans, changed or not, in the order of their waves."""
        found = [self._as_expected(fleet) for stack in self.stacks for fleet in fleets_in(stack)]
        return tuple(sorted(found, key=lambda fleet: (self.rules_of(fleet) or Rules(is_by_goldsmith=False)).wave))

    @cached_property
    def affected(self) -> tuple[PlannedFleet, ...]:
        """The fleets that are new, destroyed, or get other instances."""
        return tuple(each for each in self.fleets if each.is_new or each.is_destroyed or each.replaces)

    @cached_property
    def concerned(self) -> tuple[PlannedFleet, ...]:
        """These, and the fleets whose function changes: what AWS and the configuration say about them is looked up."""
        return tuple(each for each in self.fleets if each in self.affected or each.function not in (None, *QUIET))

    def _as_expected(self, fleet: PlannedFleet) -> PlannedFleet:
        """With the AMI that its function will take, where that is known better than from the plan."""
        expected = self.facts_of(fleet).expected
        return replace(fleet, new_ami=expected.ami) if expected else fleet

    @cached_property
    def amis(self) -> dict[str, Ami]:
        """What data sources of the plans have read."""
        return {ami: found for stack in self.stacks if stack.plan for ami, found in amis_of(stack.plan).items()}

    @cached_property
    def arns(self) -> dict[str, str]:
        """The builds of AMIs, as far as they are known."""
        known = {pin.ami: pin.build for pin in self.pins}
        known |= {ami: found.build for ami, found in self.amis.items() if found.build}
        for facts in self.facts.fleets.values():
            known |= facts.builds
        return known

    @cached_property
    def labels(self) -> Labels:
        """The names of builds."""
        created = {pin.ami: pin.created for pin in self.pins if pin.created}
        created |= {ami: each.created for ami, each in self.amis.items() if each.created}
        for facts in self.facts.fleets.values():
            created |= facts.created
        created |= {arn: each.created for arn, each in self.facts.builds.items() if each.created}
        return Labels(builds=self.arns, created=created, ids=self.facts.builds, now=self.now)

    @property
    def pins(self) -> tuple[Pinned, ...]:
        """The pins of the fleets that the configuration has."""
        return tuple(rules.pin for rules in self.facts.rules.values() if rules.pin)

    def rules_of(self, fleet: PlannedFleet) -> Rules | None:
        """What the configuration says, if there is one that has the fleet."""
        return self.facts.rules.get(fleet.key)

    def facts_of(self, fleet: PlannedFleet) -> FleetFacts:
        """What AWS says; nothing where it was not asked."""
        return self.facts.fleets.get(fleet.key, FleetFacts())

    def build_of(self, ami: str) -> BuildFacts | None:
        """What is known about the build of an AMI."""
        return self.facts.builds.get(self.arns.get(ami, ""))

    def created(self, ami: str) -> datetime | None:
        """When an AMI was made."""
        build, read = self.build_of(ami), self.amis.get(ami)
        known = [build and build.created, read and read.created]
        known += [pin.created for pin in self.pins if pin.ami == ami]
        known += [facts.created.get(ami) for facts in self.facts.fleets.values()]
        return next((time for time in known if time), None)

    def is_by_goldsmith(self, fleet: PlannedFleet) -> bool:
        """Whether a command rolls out, and not the apply."""
        rules = self.rules_of(fleet)
        return rules.is_by_goldsmith if rules else fleet.is_by_goldsmith

    def seconds(self, fleet: PlannedFleet) -> int | None:
        """About how long its rollout takes."""
        if not fleet.rolls:
            return None
        rules = self.rules_of(fleet)
        known = self.facts_of(fleet).seconds
        if known is not None:
            return known
        return fleet.seconds(rules.preferences if rules else None, instances=self.instances(fleet))

    def instances(self, fleet: PlannedFleet) -> int | None:
        """How many it has."""
        known = self.facts_of(fleet).instances
        return known if known is not None else fleet.instances

    def image(self, fleet: PlannedFleet) -> str:
        """The image as commands take it: without the namespace."""
        rules = self.rules_of(fleet)
        return (rules.image if rules else "") or fleet.image.rpartition("/")[2]

    def label(self, ami: str) -> Label:
        """The name of an AMI's build."""
        return self.labels.of_ami(ami)

    def total_seconds(self, fleets: Iterable[PlannedFleet]) -> tuple[int, bool]:
        """About how long the rollouts of fleets take, wave after wave, and whether all of that is known."""
        waves: dict[int, list[int | None]] = {}
        for fleet in fleets:
            rules = self.rules_of(fleet)
            waves.setdefault(rules.wave if rules else 1, []).append(self.seconds(fleet))
        known = [[seconds for seconds in wave if seconds is not None] for wave in waves.values()]
        return sum(max(wave, default=0) for wave in known), all(None not in wave for wave in waves.values())


def material(stacks: Sequence[StackPlan], facts: Facts, *, now: datetime) -> Material:
    """What a report is made of."""
    return Material(stacks=tuple(stacks), facts=facts, now=now.astimezone(UTC))


def fleets_in(stack: StackPlan) -> tuple[PlannedFleet, ...]:
    """The fleets of a stack's plan."""
    if stack.plan is None:
        return ()
    return fleets_of(stack.plan, stack=stack.stack, region=stack.region, account=stack.account)
