"""What AWS and the configuration say about the fleets and builds of a report, as frozen values.

`ops.report.lookup` reads them. All of it is optional: what could not be read is None, and says why in `lacks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Component:
    """A component of a recipe, with the values of its parameters."""

    name: str
    version: str
    script: str | None = None
    """Its document; None where Image Builder does not have it any longer."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    is_test: bool | None = False
    """None where that is not known."""


@dataclass(frozen=True, kw_only=True)
class BuildFacts:
    """What Image Builder knows about a build."""

    arn: str
    status: str = ""
    created: datetime | None = None
    revoked: str = ""
    """Why nothing may use it; empty if it is not revoked."""
    commit: str = ""
    gate: str = ""
    """Why it does not pass the gate of its image; empty if it does, or there is none."""
    has_gate: bool = False
    parent: str = ""
    components: tuple[Component, ...] | None = None
    packages: Mapping[str, str] | None = None
    """Versions by name."""
    findings: Mapping[str, str] | None = None
    """Severities by vulnerability; None if the build was not scanned."""
    lacks: tuple[str, ...] = ()
    """What could not be read of it, and why."""

    @property
    def tests(self) -> tuple[str, ...] | None:
        """The test components of its recipe, which an AVAILABLE build has passed; None where they are not known."""
        if self.components is None or any(each.is_test is None for each in self.components):
            return None
        return tuple(each.name for each in self.components if each.is_test)


@dataclass(frozen=True, kw_only=True)
class Pinned:
    """What a fleet with `updates: pull-request` runs by its pin."""

    ami: str
    build: str
    """The build's ARN."""
    created: datetime | None
    proved: tuple[str, ...] = ()
    """What had proved it when it was pinned."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What the configuration says about a fleet's rollouts."""

    is_by_goldsmith: bool
    image: str = ""
    """Its name in the configuration."""
    estate: str = ""
    """The estate that makes the image and moves its channels; empty if this one does."""
    account: str = ""
    region: str = ""
    preferences: Mapping[str, Any] = field(default_factory=dict)
    wave: int = 1
    holds_others: bool = False
    """`hold_on_failure`."""
    after: tuple[str, ...] = ()
    """Fleets that must have run a build before."""
    is_open: bool = True
    """Whether windows and freezes allow a rollout when the report is made."""
    closed: str = ""
    """Why they do not."""
    opens: str = ""
    """When they do, for people."""
    is_pinned: bool = False
    """Whether the fleet takes a build by a pull request only."""
    pin: Pinned | None = None
    conditions: tuple[str, ...] = ()
    """When and how it rolls out, in words, as far as that is declared."""
    record: str = ""
    """The parameter with what was tried."""

    @property
    def alarms(self) -> tuple[str, ...]:
        """The alarms that end a rollout."""
        return tuple((self.preferences.get("AlarmSpecification") or {}).get("Alarms") or ())


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the function of a fleet with `updates: automatic` will do after the apply, by what is known now."""

    ami: str
    """Which AMI the new instances get."""
    when: str = ""
    """When it starts, in words; empty at its next run."""
    refused: str = ""
    """Why it cannot start before a person does something; empty if it can."""
    passed_over: str = ""
    """Why it is not the build that the channel points to; empty if it is."""


@dataclass(frozen=True, kw_only=True)
class FleetFacts:
    """What AWS knows about a fleet."""

    runs: Mapping[str, int] | None = None
    """How many instances run which AMI; None where that could not be read."""
    instances: int | None = None
    seconds: int | None = None
    """About how long its rollout takes."""
    builds: Mapping[str, str] = field(default_factory=dict)
    """The ARNs of builds by AMI."""
    created: Mapping[str, datetime] = field(default_factory=dict)
    """When AMIs were made."""
    faults: tuple[str, ...] = ()
    """What the guards say against its new AMI now."""
    holds: tuple[str, ...] = ()
    proofs: tuple[str, ...] = ()
    """What the fleets of `after` have proved."""
    unproved: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()
    """What is wrong with the alarms that end its rollouts."""
    tried: tuple[str, ...] = ()
    """Rollouts of the new build that did not end well, in this fleet or another one beside it."""
    expected: Expected | None = None
    """None for a fleet without a function, and for one that runs what it should."""
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NextBuild:
    """Which fleets get the next build of an image."""

    image: str
    starts: str
    """What starts it, as a sentence."""
    has_gate: bool
    by_itself: tuple[str, ...]
    """Fleets that take it without another command, each with how."""
    by_person: tuple[str, ...]
    """The other ones, each with what a person does."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything that is known beside the plans."""

    rules: Mapping[str, Rules] = field(default_factory=dict)
    """By `PlannedFleet.key`."""
    fleets: Mapping[str, FleetFacts] = field(default_factory=dict)
    """By `PlannedFleet.key`."""
    builds: Mapping[str, BuildFacts] = field(default_factory=dict)
    """By ARN."""
    ran: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Which other fleets of the image have run a build since when, by its ARN."""
    commits: Mapping[str, str] = field(default_factory=dict)
    """What git shows between the commits of two builds, by `OLD..NEW`."""
    next_builds: tuple[NextBuild, ...] = ()
    """Of images whose recipe the plans change, and those that are built on them, as far as fleets take builds by
    themselves."""
    lacks: tuple[str, ...] = ()
    """What could not be read at all, and why."""
    asked_aws: bool = True
