"""A report as values, without a form: what a reviewer reads, in this order. Texts are plain; writers escape them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # with what asks AWS, which the help does not need
    from ops.report.contents import Contents
    from ops.report.labels import Label
    from ops.report.plan import Change, Kind

FAIL_ON = ("destroy", "replace", "revoked", "gate", "age", "unproved")
"""What `--fail-on` can name: kinds of needs."""


@dataclass(frozen=True, kw_only=True)
class Need:
    """Something that a person should read before anything else."""

    kind: str
    """One of `FAIL_ON`, or failed, forget, volume, rolled back, held, alarm, window, package, older, rollout, drift or
    warning."""
    text: str
    stack: str = ""


@dataclass(frozen=True, kw_only=True)
class FleetRow:
    """A fleet that the plans change."""

    stack: str
    fleet: str
    image: str
    account: str
    region: str
    what: str
    """`new`, `destroyed`, `replaced`, `image`, `instances`: what happens to it."""
    runs: Label
    others: tuple[Label, ...] = ()
    """What more its instances run now."""
    will_run: Label
    instances: int | None
    order: str
    """Its wave, and who replaces its instances."""
    minutes: str


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What is known about a build that fleets get."""

    image: str
    build: Label
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Inside:
    """What is different inside two builds of an image."""

    image: str
    old: Label
    new: Label
    commit: str
    """The commits of the configuration that both were built from."""
    diff: str
    """What git shows between them."""
    contents: Contents


@dataclass(frozen=True, kw_only=True)
class WayBack:
    """What happens when it goes wrong, for fleets for which that is the same."""

    fleets: tuple[str, ...]
    lines: tuple[str, ...]
    commands: tuple[str, ...]
    """To go back later, to paste."""


@dataclass(frozen=True, kw_only=True)
class DriftLine:
    """What was changed outside Terraform, and what the plan does about it."""

    address: str
    text: str


@dataclass(frozen=True, kw_only=True)
class StackReport:
    """Everything that a plan does."""

    stack: str
    account: str = ""
    region: str = ""
    has_failed: bool = False
    error: str = ""
    """What Terraform wrote."""
    counts: Mapping[Kind, int] = field(default_factory=dict)
    """Of all resources in the plan, also those that do not change."""
    changes: tuple[Change, ...] = ()
    """What changes, the most severe first."""
    outputs: tuple[Change, ...] = ()
    drift: tuple[DriftLine, ...] = ()
    refreshed: int = 0
    """Resources of which AWS says something else than the state, and that no plan changes."""
    warnings: tuple[str, ...] = ()
    """What checks say, in full."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """A report."""

    title: str
    is_alarming: bool
    needs: tuple[Need, ...]
    fleets: tuple[FleetRow, ...]
    by_itself: tuple[str, ...]
    """What goes on after the apply without another command."""
    proofs: tuple[Proof, ...]
    inside: tuple[Inside, ...]
    ways_back: tuple[WayBack, ...]
    checked: tuple[str, ...]
    unchecked: tuple[str, ...]
    counts: Mapping[Kind, int]
    """Of all resources of all plans."""
    stacks: tuple[StackReport, ...]

    def fails(self, kinds: tuple[str, ...]) -> tuple[Need, ...]:
        """The needs of some kinds."""
        return tuple(need for need in self.needs if need.kind in kinds)
