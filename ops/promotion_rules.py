"""What is wrong with a promotion: every rule says what breaks it, and a few can be skipped for a reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from estate.models.channels import Channel
from estate.names import LATEST
from lambda_src.handoff.builds import Build, time_in, version_of
from lambda_src.handoff.failures import Failures
from lambda_src.handoff.gate import judge
from lambda_src.handoff.history import GATE, SOAK
from lambda_src.handoff.latest import was_latest
from lambda_src.handoff.run import Region
from lambda_src.handoff.soak import soaking_since
from ops.pipeline import Pipeline
from ops.screen import age, moment
from ops.sight import Sight, Usability, reasons

_SKIP_SOAK = "in an emergency --skip-soak --why REASON"
_DESPITE_GATE = "in an emergency --despite-gate --why REASON"


@dataclass(frozen=True)
class Refusal:
    """Why a build must not be promoted."""

    text: str
    ways: tuple[str, ...] = ()
    """What a person can skip, any one of these, so that it may be promoted."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A build, where it is to be promoted, and what is known about both."""

    build: Build
    channel: str
    rule: Channel
    """What the configuration says about the channel."""
    pipeline: Pipeline
    sight: Sight
    usability: Usability

    @property
    def label(self) -> str:
        """The build as a reference."""
        return f"{self.pipeline.image.name}@{version_of(self.build.arn)}"

    @property
    def target(self) -> str:
        """The channel as a reference."""
        return f"{self.pipeline.image.name}@{self.channel}"

    @cached_property
    def since(self) -> datetime | None:
        """When the channel of `from` first pointed to the build; None for never."""
        home = self.sight.run.home
        found = soaking_since(home.channels.get(self.rule.from_), self.sight.known, region=home.name)
        return found.get(self.build.arn)

    @cached_property
    def gated(self) -> str:
        """Why the gate does not let the build pass; empty when it does. What `latest` pointed to has passed."""
        run, gate = self.sight.run, self.sight.run.image.gate
        if gate is None or self.build.arn in was_latest(run):
            return ""
        failures = Failures()
        with failures.collected("gate"):
            return judge(run.imagebuilder, self.build, gate, now=run.now, failures=Failures()).reason
        return "; ".join(reasons(run, failures.collection))


def refusals(candidate: Candidate) -> Iterator[Refusal]:
    """Everything that is wrong."""
    for rule in (_is_good, _is_usable, _is_not_held, _passed_the_gate, _has_soaked, _is_newer):
        yield from rule(candidate)


def _is_good(candidate: Candidate) -> Iterator[Refusal]:
    build, label = candidate.build, candidate.label
    if build.status != "AVAILABLE":
        yield Refusal(f"{label}: must be AVAILABLE, got {build.status or 'no status'}; promote another build")
    elif build.created is None:
        yield Refusal(f"{label}: must have a creation time that can be read; promote another build")
    if build.revocation and build.is_revoked(candidate.sight.run.now):
        why = build.revocation.why
        remedy = f"promote another build, or undo it: goldsmith revoke {label} --undo"
        yield Refusal(f"{label}: must not be revoked, and is revoked: {why}; {remedy}")


def _is_usable(candidate: Candidate) -> Iterator[Refusal]:
    rest = ",".join(candidate.usability.usable)
    remedy = f"build again, or promote it elsewhere only: --regions {rest}" if rest else "build again"
    for region, fault in candidate.usability.faults.items():
        yield Refusal(f"{region}: must be able to use {candidate.label}, and is not: {fault}; {remedy}")
    for region, reason in candidate.usability.unread.items():
        only = f", or move it elsewhere only: --regions {rest}" if rest else ""
        yield Refusal(f"{region}: must be readable, and is not: {reason}; try again{only}")


def _is_not_held(candidate: Candidate) -> Iterator[Refusal]:
    yield from map(Refusal, candidate.sight.holds_of(candidate.channel))


def _passed_the_gate(candidate: Candidate) -> Iterator[Refusal]:
    if candidate.gated:
        rule = f"must pass the gate, got {candidate.gated}"
        yield Refusal(f"{candidate.label}: {rule}; build the image again, or {_DESPITE_GATE}", ways=(GATE,))


def _has_soaked(candidate: Candidate) -> Iterator[Refusal]:
    now, source, soak, label = candidate.sight.run.now, candidate.rule.from_, candidate.rule.soak, candidate.label
    if candidate.since is None:
        # the gate alone may be what kept it from `latest`
        ways = (SOAK, GATE) if candidate.gated and source == LATEST and not soak else (SOAK,)
        first = "" if source == LATEST else f"goldsmith promote {label} {source} first, or "
        rule = f"must have been in {source}, from which {candidate.target} takes its builds, and never was"
        yield Refusal(f"{label}: {rule}; {first}{_SKIP_SOAK}", ways=ways)
    elif soak and now - candidate.since < timedelta(seconds=soak.seconds):
        until = moment(candidate.since + timedelta(seconds=soak.seconds))
        rule = f"must be in {source} for {soak}, got {age(now - candidate.since)}"
        yield Refusal(f"{label}: {rule}; wait until {until}, or {_SKIP_SOAK}", ways=(SOAK,))


def _is_newer(candidate: Candidate) -> Iterator[Refusal]:
    """Than what is there. Where the build is already, it is not older: so a second run finishes a first one."""
    newer: dict[str, list[str]] = {}
    for region in candidate.sight.run.regions:
        if region.name in candidate.usability.usable and (build := _newer_in(region, candidate)):
            newer.setdefault(build, []).append(region.name)
    own = version_of(candidate.build.arn)
    for build, regions in newer.items():
        rule = f"must not move to an older build, got {own} where {', '.join(regions)} has {build}"
        yield Refusal(f"{candidate.target}: {rule}; to go back: goldsmith rollback {candidate.target} --to {own}")


def _newer_in(region: Region, candidate: Candidate) -> str:
    """The newer build that the channel points to in a region; empty when there is none."""
    channel, sight, own = candidate.channel, candidate.sight, candidate.build
    if build := sight.build_in(region, channel):
        return version_of(build.arn) if build.order > own.order else ""
    present = region.points_to(channel)
    if present is None or sight.is_by_hand(region, channel):
        return ""
    created = time_in(present.created)  # of a build that Image Builder does not have any more
    return version_of(present.build) if created and own.created and created > own.created else ""
