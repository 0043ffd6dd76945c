"""What these rules know about a fleet, as its configuration says: nothing in it comes from AWS.

This module needs nothing but the standard library, so that synthesis can import it without boto3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .windows import Freeze

TERRAFORM = "terraform"
GOLDSMITH = "goldsmith"
"""Who starts a rollout: `rollout.by`."""


@dataclass(frozen=True, kw_only=True)
class After:
    """Which fleets must have run a build, and for how long, before this one takes it."""

    fleets: tuple[str, ...]
    soak_minutes: int
    soak: str
    """The same as text, `2 days`."""


@dataclass(frozen=True, kw_only=True)
class AmiRules:
    """What an AMI of an image must be."""

    prefix: str
    """How its name begins."""
    build_pattern: str
    """A regular expression for the beginning of its build's ARN."""
    architecture: str
    accept: tuple[str, ...] = ()
    """AMIs that were not built for the image and may be launched."""


@dataclass(frozen=True, kw_only=True)
class Pinned:
    """What the pin of a fleet says, which a merged pull request changes."""

    ami: str = ""
    """As the fleet's account has it; empty without a pin that fits."""
    build: str = ""
    lack: str = ""
    """Why there is no pin that fits."""


@dataclass(frozen=True, kw_only=True)
class FleetRules:
    """A fleet, as far as its rollouts need it."""

    fleet: str
    stack: str
    """The name of its stack."""
    image: str
    channel: str
    channels: str
    """The path of the image's channels and holds."""
    region: str
    home: str
    """The image's home region, where holds are."""
    ami: AmiRules
    is_elsewhere: bool = False
    """Whether the image is of another account."""
    runs_copy: bool = False
    """Whether it runs a copy of the AMI that its own account owns."""
    group: str
    """The name of its group and of its launch template."""
    record: str
    """The parameter that holds its record."""
    by: str = TERRAFORM
    is_automatic: bool = False
    """Whether it takes what its channel points to by itself. Then `by` is goldsmith, and Terraform leaves the AMI of
    the launch template alone."""
    preferences: Mapping[str, Any] = field(default_factory=dict)
    """Of its instance refreshes, in AWS's words, without AutoRollback."""
    wave: int = 1
    hold_on_failure: bool = False
    pinned: Pinned | None = None
    """None for a fleet that runs what its channel points to."""
    after: After | None = None
    windows: tuple[str, ...] = ()
    """As `lambda_src.rollout.windows.parse_window` reads them."""
    freezes: tuple[Freeze, ...] = ()
    warns_only: bool = False
    """Whether guards only warn."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """For its record."""

    @property
    def records(self) -> str:
        """The path of the records of all fleets of the estate."""
        return self.record.rpartition("/")[0]

    @property
    def is_pinned(self) -> bool:
        """Whether a pin says what it runs."""
        return self.pinned is not None

    @property
    def is_by_goldsmith(self) -> bool:
        """Whether a command starts its rollouts, and not an apply."""
        return self.by == GOLDSMITH
