"""Why a channel does not point to the newest build that it could: one reason for each channel, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from estate.names import LATEST
from lambda_src.handoff.builds import Build, good_builds, newest_good, time_in, version_of
from lambda_src.handoff.channels import Channel
from lambda_src.handoff.configuration import ChannelRule
from lambda_src.handoff.gate import Verdict
from lambda_src.handoff.holds import Hold
from lambda_src.handoff.known_builds import KnownBuilds
from lambda_src.handoff.soak import BuildOrder, newest_ever, soaking_since
from ops.rollback import ROLLED_BACK
from ops.screen import moment

_RUN = timedelta(hours=1)
"""How often the function looks by itself."""


@dataclass(frozen=True, kw_only=True)
class ChannelGap:
    """Why a channel is where it is."""

    channel: str
    reason: str
    needs_person: bool = False
    """Whether it stays so until somebody does something about it."""


@dataclass(frozen=True, kw_only=True)
class ChannelFacts:
    """What is known about an image's channels in its home region, where moves are decided."""

    image: str
    pipeline_arn: str
    region: str
    channels: Mapping[str, Channel]
    rules: Mapping[str, ChannelRule]
    """The channels beside `latest`."""
    holds: Mapping[str, Hold]
    builds: Sequence[Build]
    verdict: Verdict | None
    """What the gate says about the newest good build, if that is not in `latest`."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Builds whose last rollout in a fleet did not end well: `was rolled back in fleet web-dev`."""
    now: datetime


def channel_gaps(facts: ChannelFacts) -> tuple[ChannelGap, ...]:
    """The gaps, at most one for each channel."""
    return tuple(gap for channel in (LATEST, *facts.rules) if (gap := _gap(facts, channel)))


def _gap(facts: ChannelFacts, channel: str) -> ChannelGap | None:
    known = _known(facts)
    own = facts.channels.get(channel)
    build = _build(own, known, region=facts.region)
    if build and build.revocation and build.is_revoked(facts.now):
        return _revoked(facts, channel, build.revocation.why)
    gap = _of_latest(facts, build) if channel == LATEST else _of_other(facts, channel, own, build, known)
    if gap and (found := hold_in(facts.holds, channel, now=facts.now)):
        return ChannelGap(channel=channel, reason=hold_reason(found[1]))
    return gap


def hold_in(holds: Mapping[str, Hold], channel: str, *, now: datetime) -> tuple[str, Hold] | None:
    """What holds a channel, and the channel that the hold is of; the empty text for the hold of the image."""
    return next(((key, hold) for key in ("", channel) if (hold := holds.get(key)) and hold.holds_at(now)), None)


def hold_reason(hold: Hold) -> str:
    """`held by alice until 05 Jan 00:00: year end`."""
    ends = time_in(hold.until)
    end = f" until {moment(ends)}" if ends else ""
    return f"held{_by(hold.by)}{end}: {hold.why}"


def gate_waits(verdict: Verdict) -> bool:
    """Whether a build that the gate does not let pass need only wait."""
    return verdict.waits and not verdict.is_overdue


def gate_reason(verdict: Verdict) -> str:
    """Why the gate does not let a build pass: `does not pass the gate: 2 critical`."""
    return f"{'waits for' if gate_waits(verdict) else 'does not pass'} the gate: {verdict.reason}"


def _of_latest(facts: ChannelFacts, present: Build | None) -> ChannelGap | None:
    newest = newest_good(facts.builds, now=facts.now)
    if newest is None or present == newest or (present and present.order >= newest.order):
        return None
    name = version_of(newest.arn)
    if facts.verdict and not facts.verdict.passes:
        needs_person = not gate_waits(facts.verdict)
        return ChannelGap(channel=LATEST, reason=f"{name} {gate_reason(facts.verdict)}", needs_person=needs_person)
    late = newest.created is not None and facts.now - newest.created > 2 * _RUN
    reason = f"the hand-off has not moved it to {name} yet" + ("; look at its alarms and its log" if late else "")
    return ChannelGap(channel=LATEST, reason=reason, needs_person=late)


def _of_other(
    facts: ChannelFacts, channel: str, own: Channel | None, present: Build | None, known: KnownBuilds
) -> ChannelGap | None:
    rule = facts.rules[channel]
    since = soaking_since(facts.channels.get(rule.source), known, region=facts.region)
    newer = [build for build in good_builds(facts.builds, now=facts.now) if build.arn in since]
    newer = [build for build in newer if not present or build.order > present.order]
    if not newer:
        return None
    if own and own.record.get("how") == ROLLED_BACK and newer[0].order <= _newest_ever(facts, own, known):
        why = f": {own.record['why']}" if own.record.get("why") else ""
        by = _by(own.record.get("by", ""))
        return ChannelGap(channel=channel, reason=f"rolled back{by}{why}; it stays until there is a newer build")
    if not rule.soak_minutes:
        name, promote = version_of(newer[0].arn), f"goldsmith promote {facts.image} {channel}"
        reason = f"{name} waits for somebody to promote it: {promote}"
        if failed := facts.failed.get(name):
            reason = f"{name} {failed}: if that is not the build's fault, {promote}"
        return ChannelGap(channel=channel, reason=reason)
    ever = _newest_ever(facts, own, known)
    ends = {since[build.arn] + timedelta(minutes=rule.soak_minutes): build for build in newer if build.order > ever}
    if not ends:
        return None
    end = min(ends)
    name = version_of(ends[end].arn)
    if end > facts.now:
        return ChannelGap(channel=channel, reason=f"{name} soaks in {rule.source} until {moment(end)}")
    late = facts.now - end > 2 * _RUN
    reason = f"{name} has soaked, and the hand-off has not moved it yet" + (
        "; look at its alarms and its log" if late else ""
    )
    return ChannelGap(channel=channel, reason=reason, needs_person=late)


def _revoked(facts: ChannelFacts, channel: str, why: str) -> ChannelGap:
    by_itself = channel == LATEST or facts.rules[channel].soak_minutes
    remedy = "the hand-off moves it within an hour" if by_itself else f"run goldsmith rollback {facts.image}@{channel}"
    reason = f"points to a revoked build ({why}): {remedy}"
    return ChannelGap(channel=channel, reason=reason, needs_person=not by_itself)


def _build(channel: Channel | None, known: KnownBuilds, *, region: str) -> Build | None:
    """The build that a channel points to."""
    return known.of_version(channel.present, region=region) if channel else None


def _newest_ever(facts: ChannelFacts, own: Channel | None, known: KnownBuilds) -> BuildOrder:
    return newest_ever(own, known, pipeline_arn=facts.pipeline_arn, region=facts.region)


def _known(facts: ChannelFacts) -> KnownBuilds:
    """The builds, and which of them the values of channels mean, as the records say."""
    versions = (version for channel in facts.channels.values() for version in channel.versions)
    return KnownBuilds(
        facts.builds,
        frozenset(),
        {(facts.region, version.value): version.build for version in versions if version.build},
    )


def _by(arn: str) -> str:
    return f" by {arn.rpartition('/')[2]}" if arn and ":function:" not in arn else ""
