"""What keeps `latest` from moving to a build that has just been made, although the hand-off function works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from estate.estate import EstateImage
from estate.models.channels import channels_of
from estate.models.images import Image
from estate.names import LATEST
from estate.recipes.handoff import handoff_of
from lambda_src.handoff.builds import Build, version_of
from lambda_src.handoff.channels import Folder
from lambda_src.handoff.failures import Failures
from lambda_src.handoff.gate import PASSES, Verdict, judge
from lambda_src.handoff.holds import Hold
from ops.aws import Aws, asking
from ops.channel_gaps import gate_reason, gate_waits, hold_in, hold_reason
from ops.errors import OpsError


@dataclass(frozen=True, kw_only=True)
class Obstacle:
    """Why a build is not `latest`."""

    reason: str
    """As `goldsmith status` says it."""
    remedy: str
    ends_by_itself: bool = False
    """Whether it is worth waiting for its end."""
    is_of_build: bool = False
    """Whether it takes another build, or another configuration, to get past it."""


class Watch:
    """Looks at one good build of an image until it is `latest`."""

    def __init__(self, declared: EstateImage[Image], build: Build, *, aws: Aws) -> None:
        self._declared, self._build = declared, build
        self.aws = aws
        self._gate = handoff_of(declared).gate
        self._verdict: Verdict | None = None

    def obstacle(self, home: Folder) -> Obstacle | None:
        """What keeps the build from `latest`, by what is in Parameter Store in the home region. None when the hand-off
        has only not moved it yet."""
        build, image, now = self._build, self._declared.image.name, datetime.now(UTC)
        label = f"{image}@{version_of(build.arn)}"
        if build.revocation and build.is_revoked(now):
            undo = f"goldsmith revoke {label} --undo"
            return Obstacle(reason=f"is revoked: {build.revocation.why}", remedy=undo, is_of_build=True)
        verdict = self._judge(home, now)
        if not verdict.passes:
            waits, reason = gate_waits(verdict), gate_reason(verdict)
            remedy = _AFTER_THE_SCAN if waits else _remedy(self._declared, label, verdict)
            return Obstacle(reason=reason, remedy=remedy, ends_by_itself=waits, is_of_build=not waits)
        if found := hold_in(_holds(home), LATEST, now=now):
            place = f"{image}@{LATEST}" if found[0] else image
            return Obstacle(reason=f"is not {LATEST}, {hold_reason(found[1])}", remedy=f"goldsmith hold {place} --undo")
        return None

    def _judge(self, home: Folder, now: datetime) -> Verdict:
        """What the gate says. It is asked until it lets the build pass: that stays."""
        latest = home.channels.get(LATEST)
        if self._gate is None or (latest and self._build.arn in {version.build for version in latest.versions}):
            return PASSES
        if self._verdict is None or not self._verdict.passes:
            region = self._declared.image.home
            try:
                with asking(region):
                    imagebuilder = self.aws.imagebuilder(region)
                    self._verdict = judge(imagebuilder, self._build, self._gate, now=now, failures=Failures())
            except OpsError as error:  # the function asks with a role of its own
                self._verdict = Verdict(passes=False, waits=True, reason=f"its verdict cannot be read: {error}")
        return self._verdict


_AFTER_THE_SCAN = "latest moves by itself within an hour after a good scan"


def _holds(home: Folder) -> Mapping[str, Hold]:
    return {channel: Hold.from_json(value) for channel, value in home.holds.items()}


def _remedy(declared: EstateImage[Image], label: str, verdict: Verdict) -> str:
    """What to do about a build that the gate refuses."""
    image = declared.image
    build = f"goldsmith build {image.name}"
    first = f"fix what was found, or add it to gate.except, then {build}" if verdict.is_final else build
    rules = channels_of(image.channels)
    channel = next((name for name, rule in rules.items() if rule.from_ == LATEST and not rule.soak), None)
    if channel is None:
        return first
    return f"{first}; or in an emergency goldsmith promote {label} {channel} --despite-gate --why REASON"
