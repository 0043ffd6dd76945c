"""One run of the function: what all of its steps share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .builds import Build
from .channels import Channel, channel_path
from .configuration import Image
from .failures import Failures, NotYet
from .outputs import Outputs

if TYPE_CHECKING:  # the Lambda runtime has no type stubs
    from mypy_boto3_imagebuilder import ImagebuilderClient
    from mypy_boto3_ssm import SSMClient


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
    moved: frozenset[str] = frozenset()
    """The values that `latest` had before and after a write of this run, until the channels are read again."""

    @property
    def name(self) -> str:
        """The region, such as eu-west-1."""
        return self.target.region


@dataclass(frozen=True)
class Move:
    """A channel that was moved in one region. `previous` is None when the parameter is new."""

    region: str
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
    latest: dict[str, str] = field(default_factory=dict)
    """The value of `latest` by region, where it is known."""
    moves: list[Move] = field(default_factory=list)
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
    by: str
    seconds_left: Callable[[], float]
    confirm_within_seconds: float
    report: Report

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
