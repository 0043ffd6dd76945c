"""One run of the function: what all of its steps share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from .builds import Build
from .cache import Cache
from .channels import LATEST, Channel, channel_path
from .configuration import Image
from .failures import Failures, NotYet
from .gate import Verdict
from .history import History, Move
from .holds import Hold
from .outputs import Outputs, Usable

if TYPE_CHECKING:  # the Lambda runtime has no type stubs
    from mypy_boto3_imagebuilder import ImagebuilderClient
    from mypy_boto3_ssm import SSMClient


class Publish(Protocol):
    """Sends a notification to everybody who gets them."""

    def __call__(self, *, subject: str, text: str) -> None:
        """Raises GarbledAnswer, and what boto3 raises."""


@dataclass(frozen=True, eq=False)
class Target:
    """A region that has the image's channels: where its outputs are looked up, and its Parameter Store."""

    region: str
    outputs: Outputs
    ssm: SSMClient


@dataclass(eq=False)
class Region:
    """A target in one run. After a failure in a region, nothing more is done there in this run."""

    target: Target
    failed: bool = False
    channels: dict[str, Channel] = field(default_factory=dict)
    """The channels by name, as they were last read."""
    pending: dict[str, Move] = field(default_factory=dict)
    """The moves by channel that this region's parameters do not show yet."""
    noted: set[tuple[str, datetime]] = field(default_factory=set)
    """The channels and times of versions that were written without the history, and are in it now."""
    is_noted: bool = False
    """Whether the history has all versions that `channels` has."""
    written: set[str] = field(default_factory=set)
    """The values that channels had before and after writes of this run."""

    @property
    def name(self) -> str:
        """The region, such as eu-west-1."""
        return self.target.region

    def points_to(self, channel: str) -> Present | None:
        """Where a channel points: what its parameter says, unless a move is pending. None before its first move."""
        if move := self.pending.get(channel):
            change = move.changes[self.name]
            return Present(value=change.value, build=change.build, created=change.created or "")
        found = self.channels.get(channel)
        if found is None:
            return None
        return Present(value=found.value, build=found.present.build, created=found.record.get("created", ""))


@dataclass(frozen=True, kw_only=True)
class Present:
    """Where a channel points in a region."""

    value: str
    build: str
    """The ARN of its build, as the record says; empty when it says none."""
    created: str
    """When the build was made, in ISO 8601; empty when that is unknown."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Where a channel is to point, by region."""

    channel: str
    how: str
    """new build, soaked, moved back, promoted, rolled back, taken over: for people."""
    why: str = ""
    skipped: tuple[str, ...] = ()
    """What was skipped, as in `Move`."""
    outputs: dict[Region, Usable]


@dataclass(frozen=True)
class Moved:
    """A channel that was moved in one region. `previous` is None when the parameter is new."""

    region: str
    channel: str
    how: str
    previous: str | None
    value: str
    build: str
    version: int
    """The parameter's version with this value."""


@dataclass
class Report:
    """What a run found and did."""

    newest: Build | None = None
    """The newest good build."""
    moves: list[Moved] = field(default_factory=list)
    held: dict[str, str] = field(default_factory=dict)
    """The channels that a hold stops, with the reason."""
    revoked: list[str] = field(default_factory=list)
    """The AMIs that got or lost the tag of revoked builds, as messages."""
    gate: dict[str, Verdict] = field(default_factory=dict)
    """The builds that do not pass the gate, by ARN."""
    untagged: int = 0
    """How many builds still need a change of their tags."""
    failures: Failures = field(default_factory=Failures)


@dataclass(frozen=True, kw_only=True)
class Run:
    """The image and its regions, the time that is left, and the report.

    `by` is written into the record of each move. When `seconds_left` returns 0 or less, nothing new is begun; the
    next run does the rest. Parameter Store may need a moment to show a write; `confirm_within_seconds` limits how
    long that is waited for.
    """

    image: Image
    imagebuilder: ImagebuilderClient
    regions: Sequence[Region]
    """The first one is the image's home."""
    history: History
    by: str
    seconds_left: Callable[[], float]
    confirm_within_seconds: float
    now: datetime
    report: Report
    cache: Cache = field(default_factory=Cache)
    publish: Publish | None = None
    """Sends notifications; None when nobody gets any."""
    seen: dict[int, Move] = field(default_factory=dict)
    """The moves that were read or made, by number."""
    holds: dict[str, Hold] = field(default_factory=dict)
    """What is held, by channel; `""` is everything. As it was last read."""

    @property
    def home(self) -> Region:
        """The region in which moves are decided."""
        return self.regions[0]

    @property
    def channels_path(self) -> str:
        """The path of the image's channels in Parameter Store."""
        return channel_path(namespace=self.image.namespace, image=self.image.image)

    @property
    def failures(self) -> Failures:
        """The failures of the report."""
        return self.report.failures

    @property
    def working_regions(self) -> list[Region]:
        """The regions without a failure so far."""
        return [region for region in self.regions if not region.failed]

    @property
    def latest(self) -> dict[str, str]:
        """The value of `latest` by region, where it is known."""
        found = {region.name: region.channels.get(LATEST) for region in self.working_regions}
        return {name: channel.value for name, channel in found.items() if channel}

    def hold_of(self, channel: str) -> Hold | None:
        """What holds a channel now."""
        holds = (self.holds.get(""), self.holds.get(channel))
        return next((hold for hold in holds if hold and hold.holds_at(self.now)), None)

    @contextmanager
    def attempt_in(self, region: Region) -> Iterator[None]:
        """An attempt in one region. When it fails, the block ends there, and the other regions are not affected."""
        with self.failures.collected(region.name) as attempt:
            yield
        region.failed = region.failed or attempt.failed

    def check_time(self) -> None:
        """Raises NotYet when no time is left."""
        if self.seconds_left() <= 0:
            raise NotYet("no time was left for this region")
