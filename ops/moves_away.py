"""Moves channels that people move away from builds that were revoked, as `goldsmith rollback` does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from estate.estate import Estate
from lambda_src.handoff.builds import version_of
from ops.accounts import Accounts
from ops.affected import AffectedChannel
from ops.errors import OpsError
from ops.moving import Mover, Outcome, Plan
from ops.rollback import Rollback, place_to_return_to, plan_rollback
from ops.sight import Sight


@dataclass(frozen=True, kw_only=True)
class MovedAway:
    """What became of one channel."""

    image: str
    channel: str
    regions: tuple[str, ...]
    """Where it pointed to a revoked build."""
    build: str | None = None
    """The build to which it was moved; None when it was not."""
    reason: str | None = None
    """Why it was not moved, or not in every region."""

    @property
    def text(self) -> str:
        """For people."""
        place = f"{self.image}@{self.channel}"
        if self.reason is None:
            return f"{place} points to {self.build} in {', '.join(self.regions)}"
        return f"{place} was not rolled back: {self.reason}"


def move_away(
    channels: Iterable[AffectedChannel], why: str, *, estate: Estate, accounts: Accounts
) -> Iterator[MovedAway]:
    """Roll each channel back, in the regions in which it points to a revoked build, one after the other."""
    regions: dict[tuple[str, str], list[str]] = {}
    for channel in channels:
        if not channel.moves_by_itself:
            regions.setdefault((channel.image, channel.channel), []).extend(channel.regions)
    for (image, name), where in regions.items():
        yield _move(image, name, tuple(where), why, estate=estate, accounts=accounts)


def _move(
    image: str, channel: str, where: tuple[str, ...], why: str, *, estate: Estate, accounts: Accounts
) -> MovedAway:
    moved = MovedAway(image=image, channel=channel, regions=where)
    try:
        mover = Mover.of(estate.image(image), accounts)
        rollback = Rollback(pipeline=mover.pipeline, channel=channel, why=why, regions=where)
        outcome = mover.move(lambda sight: _decide(rollback, sight, mover))
    except OpsError as error:
        return replace(moved, reason="; ".join(str(error).splitlines()))
    return replace(moved, build=version_of(outcome.plan.build.arn) or None, reason=_failed(outcome, rollback))


def _decide(rollback: Rollback, sight: Sight, mover: Mover) -> Plan:
    place, notes = place_to_return_to(rollback, sight, aws=mover.aws)
    return plan_rollback(rollback, place, sight, aws=mover.aws, notes=notes)


def _failed(outcome: Outcome, rollback: Rollback) -> str | None:
    if not outcome.failed:
        return None
    lines = [f"{step.region}: {step.reason}" for step in outcome.failed]
    return "; ".join([*lines, f"finish it with: goldsmith {rollback.again(outcome.plan)}"])
