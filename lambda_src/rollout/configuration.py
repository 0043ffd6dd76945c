"""What these rules know about a fleet, as its configuration says: nothing in it comes from AWS.

The function of a fleet has it in `configuration.json`, a file in its archive: the contract between the fleet's stack,
which writes it, and the function. This module needs nothing but the standard library, so that synthesis can import it
without boto3.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from .windows import Freeze, parse_window

FILE = "configuration.json"
"""The name of the file, which is in the same folder as this module."""

EMAILS_TOPIC = "GOLDSMITH_EMAILS_TOPIC"
"""The name of the environment variable that holds the ARN of the topic for e-mail, if there is one."""

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
    def deploy(self) -> str:
        """How people apply its stack, as a part of a sentence."""
        return f"goldsmith plan {self.stack} and apply it"

    @property
    def is_pinned(self) -> bool:
        """Whether a pin says what it runs."""
        return self.pinned is not None

    @property
    def is_by_goldsmith(self) -> bool:
        """Whether a command starts its rollouts, and not an apply."""
        return self.by == GOLDSMITH

    @property
    def zones(self) -> frozenset[str]:
        """The names of the time zones of its windows and freezes."""
        zones = [parse_window(window).zone for window in self.windows] + [freeze.zone for freeze in self.freezes]
        return frozenset(zone.key for zone in zones)


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What the function of a fleet knows, as far as it is known at synthesis."""

    label: str
    """The fleet's name in metrics and messages: `acme/web-dev`."""
    rules: FleetRules
    before: tuple[FleetRules, ...] = ()
    """The fleets of its `after`."""
    reader_role: str = ""
    """The ARN of the role with which it reads the account of the image; empty if that is its own account."""
    topics: tuple[str, ...] = ()
    """The ARNs of topics of the team that get notifications."""
    notices: str
    """The parameter that holds what was sent."""

    def to_json(self) -> str:
        """The file's text: ASCII, and the same for equal configurations."""
        return json.dumps(asdict(self), default=_plain, indent=2, sort_keys=True) + "\n"

    @staticmethod
    def from_json(text: str) -> Configuration:
        """From the file's text. Raises KeyError, TypeError or ValueError for any other text."""
        members = json.loads(text)
        before = tuple(_rules(each) for each in members["before"])
        read = {"rules": _rules(members["rules"]), "before": before, "topics": tuple(members["topics"])}
        return Configuration(**{**members, **read})


def read_configuration() -> Configuration:
    """The configuration of the function that runs. Raises OSError where there is no file, as in a checkout."""
    return Configuration.from_json(Path(__file__).with_name(FILE).read_text(encoding="utf-8"))


def _plain(value: Any) -> str:
    if isinstance(value, ZoneInfo):
        return value.key
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not written in a configuration")


def _rules(members: Mapping[str, Any]) -> FleetRules:
    ami, after, pinned = members["ami"], members["after"], members["pinned"]
    read = {
        "ami": AmiRules(**{**ami, "accept": tuple(ami["accept"])}),
        "pinned": Pinned(**pinned) if pinned else None,
        "after": After(**{**after, "fleets": tuple(after["fleets"])}) if after else None,
        "windows": tuple(members["windows"]),
        "freezes": tuple(_freeze(each) for each in members["freezes"]),
    }
    return FleetRules(**{**members, **read})


def _freeze(members: Mapping[str, Any]) -> Freeze:
    days = {name: date.fromisoformat(members[name]) for name in ("start", "end")}
    return Freeze(**{**members, **days, "zone": ZoneInfo(members["zone"])})
