"""Moves the channels of an image for a person, by the code with which the hand-off function moves them.

A command looks at everything, decides, shows what it will do, and asks. `Mover.move` then looks and decides again,
because the answer may take a while, writes the move into the history, then into each region, and reads it back. When
somebody else has moved a channel meanwhile, everything is looked at once more. What a run leaves unfinished, because it
was stopped or a region failed, is completed by the same command, or by the function.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from botocore.exceptions import ClientError

from estate.estate import EstateImage
from estate.models.images import Image
from estate.recipes.handoff import handoff_of
from lambda_src.handoff.builds import Build
from lambda_src.handoff.cache import read_cache
from lambda_src.handoff.configuration import PIPELINE_ARN, history_bucket, image_of
from lambda_src.handoff.failures import Failure, code_of
from lambda_src.handoff.history import History
from lambda_src.handoff.known_builds import KnownBuilds, read_builds
from lambda_src.handoff.look import is_pending, look
from lambda_src.handoff.moves import complete_moves, make_move, note_moves_by_hand
from lambda_src.handoff.outputs import Usable
from lambda_src.handoff.run import Decision, Region, Report, Run, Target
from ops.accounts import Accounts, access_to_image
from ops.aws import EXPIRED, Aws
from ops.errors import Interrupted, OpsError
from ops.pipeline import Pipeline
from ops.sight import Sight, reason_in, reasons

ROUNDS = 3
"""How often a command looks and decides when others move channels at the same time."""

_CONFIRM_WITHIN_SECONDS = 10.0

State = Literal["to move", "to complete", "unchanged", "moved", "failed"]


class Refused(OpsError):
    """What a person wants breaks rules; a line for each."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


class HomeDown(OpsError):
    """The home region, in which moves are decided, does not answer at the moment."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Where a channel is to point."""

    channel: str
    how: str
    why: str = ""
    skipped: tuple[str, ...] = ()
    """What is skipped, as in `lambda_src.handoff.history.Move`."""
    wanted: Mapping[str, Usable]
    """By region, never empty; the build is the same one everywhere."""
    notes: tuple[str, ...] = ()
    """What a person should know before the question."""
    loud: tuple[str, ...] = ()
    """What a person must not miss."""

    @property
    def build(self) -> Build:
        """The build; one without an ARN for AMIs that no build made."""
        return next(iter(self.wanted.values())).build


@dataclass(frozen=True, kw_only=True)
class Step:
    """A plan, or what became of it, in one region."""

    region: str
    previous: str | None
    """What the channel's parameter holds before; None when there is none."""
    previous_build: str | None
    """The ARN of its build, if that is known."""
    value: str
    state: State
    reason: str | None = None
    """Why it failed."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a plan."""

    plan: Plan
    number: int | None
    """The number of the move in the history; None when nothing had to be written."""
    steps: tuple[Step, ...]

    @property
    def failed(self) -> tuple[Step, ...]:
        """The regions in which the channel does not point to where it should."""
        return tuple(step for step in self.steps if step.state == "failed")


@dataclass(frozen=True, kw_only=True)
class Mover:
    """Looks at one image and moves its channels, with credentials of its account."""

    declared: EstateImage[Image]
    pipeline: Pipeline
    aws: Aws

    @staticmethod
    def of(declared: EstateImage[Image], accounts: Accounts, *, region: str | None = None) -> Mover:
        """For an image, in its account. `region` is where it is asked who the credentials belong to; by default the
        home region. Raises `Unreachable`."""
        access = access_to_image(declared)
        aws = accounts.reach(replace(access, region=region or access.region))
        return Mover(declared=declared, pipeline=Pipeline(declared=declared, account=aws.account), aws=aws)

    def open_run(self) -> Run:
        """A run that has not read anything yet. Raises `OpsError`."""
        declared, aws = self.declared, self.aws
        home, regions = declared.image.home, declared.image.regions
        bucket = history_bucket(declared.names.namespace, account=self.pipeline.account, region=home)
        targets = (Target(region, self.pipeline.outputs(region, aws=aws), aws.ssm(region)) for region in regions)
        return Run(
            image=image_of(handoff_of(declared), environment={PIPELINE_ARN: self.pipeline.arn}),
            imagebuilder=aws.imagebuilder(home),
            regions=tuple(map(Region, targets)),
            history=History(aws.s3(home), bucket, self.pipeline.account, declared.image.name),
            by=aws.caller,
            seconds_left=lambda: math.inf,
            confirm_within_seconds=_CONFIRM_WITHIN_SECONDS,
            now=datetime.now(UTC),
            report=Report(),
        )

    def look(self) -> Sight:
        """Read channels, holds, moves and builds. A region other than the home may be unreadable, and is `failed` then.

        Raises `OpsError`, and `HomeDown` when a later try may work.
        """
        run, can_decide = self._look()
        known = _read_builds(run) if can_decide else None
        if known is None:
            raise _undecidable(run)
        return Sight(run, known)

    def look_as_far_as_possible(self) -> Sight:
        """Read the builds, and of channels, holds and moves what can be read. Raises `OpsError`."""
        run, _ = self._look()
        known = _read_builds(run)
        if known is None:
            raise OpsError("\n".join(reasons(run, [each for each in run.failures.collection if each.error])))
        return Sight(run, known)

    def _look(self) -> tuple[Run, bool]:
        """A run that has read channels, holds and moves, and whether these are enough to decide from."""
        run = self.open_run()
        if cached := read_cache(run.history, run.failures):
            run.cache.take(cached)
        return run, look(run)

    def move(self, decide: Callable[[Sight], Plan]) -> Outcome:
        """Look, decide and move, in as many rounds as it takes, and look again.

        Raises `OpsError` when nothing was written, with what `decide` raises, and `Interrupted` after Ctrl-C. What
        failed in a region is in the outcome.
        """
        lines: list[str] = []
        name = self.pipeline.image.name
        for _ in range(ROUNDS):
            sight = self.look()
            plan = decide(sight)
            steps = steps_of(plan, sight)
            try:
                is_done, lines = _make(sight, plan, steps)
                if is_done:
                    return outcome_of(plan, steps, run=sight.run)
            except KeyboardInterrupt:
                rest = "the same command, or the hand-off function, does what is left"
                raise Interrupted(f"\n{name}@{plan.channel} may be moved in some regions only: {rest}") from None
        others = f"{name}@{plan.channel}: somebody else moves channels of {name} at this moment; try again"
        raise OpsError("\n".join(lines) or others)


def _read_builds(run: Run) -> KnownBuilds | None:
    """The builds; None when they cannot be read."""
    with run.failures.collected("Image Builder"):
        return read_builds(run)
    return None


def steps_of(plan: Plan, sight: Sight) -> list[Step]:
    """What a plan means, in the order of the image's regions."""
    return [_step(region, plan, sight) for region in sight.run.regions if region.name in plan.wanted]


def _step(region: Region, plan: Plan, sight: Sight) -> Step:
    value, channel = plan.wanted[region.name].value, region.channels.get(plan.channel)
    present = region.points_to(plan.channel)
    state: State = "to move"
    if present and present.value == value:
        state = "to complete" if plan.channel in region.pending else "unchanged"
    recorded = channel.present.build if channel else None
    known = sight.known.of_value(channel.value, region=region.name) if channel else None
    return Step(
        region=region.name,
        previous=channel.value if channel else None,
        previous_build=(known.arn if known else recorded) or None,
        value=value,
        state=state,
    )


def _undecidable(run: Run) -> OpsError:
    places = (run.home.name, "history", "Image Builder")
    failures = [failure for failure in run.failures.collection if failure.place in places]
    message = "\n".join(reasons(run, failures))
    return HomeDown(message) if all(map(_may_pass, failures)) else OpsError(message)


def _may_pass(failure: Failure) -> bool:
    """Whether it may end by itself: other credentials have to be fetched by a person."""
    expired = isinstance(failure.error, ClientError) and code_of(failure.error) in EXPIRED
    return failure.retryable and not expired


def _make(sight: Sight, plan: Plan, steps: Sequence[Step]) -> tuple[bool, list[str]]:
    """Write what is not as planned. Not done, and with why, when somebody else came between or another try may work."""
    run = sight.run
    states = {step.region: step.state for step in steps}
    outputs = {region: plan.wanted[region.name] for region in run.regions if states.get(region.name) == "to move"}
    if not outputs and "to complete" not in states.values():
        return True, []
    before = len(run.failures.collection)
    decision = Decision(channel=plan.channel, how=plan.how, why=plan.why, skipped=plan.skipped, outputs=outputs)
    if note_moves_by_hand(run) and (not outputs or make_move(run, decision)):
        # a slower writer may have put an earlier move over this one
        if look(run) and complete_moves(run, sight.known, at_once=True, channel=plan.channel):
            look(run)
        return True, []
    failures = run.failures.collection[before:]
    lines = reasons(run, failures)
    if not all(map(_may_pass, failures)):
        raise OpsError("\n".join(lines))
    return False, lines


def outcome_of(plan: Plan, steps: Sequence[Step], *, run: Run) -> Outcome:
    """What became of a plan, by the last look of the run."""
    regions = {region.name: region for region in run.regions}
    after = tuple(_after(regions[step.region], step, plan, run) for step in steps)
    changed = [regions[step.region] for step in steps if step.state != "unchanged"]
    numbers = [move.number for region in changed if (move := region.pending.get(plan.channel))]
    numbers += [region.channels[plan.channel].move for region in changed if plan.channel in region.channels]
    return Outcome(plan=plan, number=max(numbers, default=0) or None, steps=after)


def _after(region: Region, step: Step, plan: Plan, run: Run) -> Step:
    if step.state == "unchanged":
        return step
    if region.failed:
        return replace(step, state="failed", reason=reason_in(region, run))
    found, move = region.channels.get(plan.channel), region.pending.get(plan.channel)
    is_left = move and is_pending(move, found, region.name)
    if found and found.value == step.value and not is_left:
        return replace(step, state="moved")
    if is_left:
        return replace(step, state="failed", reason="the move is in the history, and not in the region yet")
    return replace(step, state="failed", reason=f"somebody else has moved it to {found.value if found else 'nothing'}")
