"""`goldsmith promote`: points a channel to a build, or to AMIs that were built elsewhere.

Everything that is wrong with it is reported at once; `promotion_rules` has the rules.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rich.console import Console

from estate.models.ami_image import AmiImage
from estate.models.channels import channels_of
from estate.names import LATEST
from estate.references import BuildReference, ChannelReference
from lambda_src.handoff.builds import Build, version_of
from lambda_src.handoff.history import GATE, SOAK
from lambda_src.handoff.outputs import Usable
from ops.aws import Aws
from ops.confirmed_move import Options, report_move, run_move
from ops.moving import Mover, Plan, Refused
from ops.named_build import find_build
from ops.pipeline import Pipeline
from ops.promotion_rules import Candidate, refusals
from ops.screen import moment
from ops.selection import OfImage
from ops.sight import Sight, reason_in
from ops.values import Output, read_outputs

PROMOTED, TAKEN_OVER = "promoted", "taken over"


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """What a person wants."""

    pipeline: Pipeline
    source: OfImage
    """The image, then what the channel's `from` points to; a channel of it; or a build."""
    channel: str
    why: str = ""
    regions: tuple[str, ...]
    """Where the channel is moved."""
    skips: frozenset[str] = frozenset()
    """What may be skipped, as in `lambda_src.handoff.history`."""
    amis: tuple[str, ...] = ()
    """AMIs that were built elsewhere, which an empty channel takes over."""

    @property
    def target(self) -> str:
        """The channel as a reference."""
        return f"{self.pipeline.image.name}@{self.channel}"


def run_promote(mover: Mover, wish: Promotion, *, as_json: bool, asks: bool, command: Callable[[str], str]) -> int:
    """Show, ask and move; the exit status. `command` completes `promote web prod` to a whole command line.

    Raises `OpsError`.
    """
    arns: list[str] = []

    def decide(sight: Sight) -> Plan:
        if wish.amis:
            return plan_takeover(wish, sight, aws=mover.aws)
        # what was shown is moved, also when the channel of `from` moves meanwhile
        arns[:] = arns or [build_to_promote(wish, sight).arn]
        return plan_promotion(wish, arns[0], sight)

    def again(plan: Plan) -> str:
        source = f"{wish.pipeline.image.name}@{version_of(plan.build.arn)}" if plan.build.arn else wish.source
        return command(shlex.join(["promote", str(source), wish.channel, *_options(wish)]))

    options = Options(as_json=as_json, asks=asks, again=again)
    return run_move(mover, decide, channel=wish.channel, options=options)


def promote_build(mover: Mover, wish: Promotion, arn: str, *, console: Console, command: Callable[[str], str]) -> None:
    """Move to a build, after a person has agreed to it. Raises `OpsError`."""
    outcome = mover.move(lambda sight: plan_promotion(wish, arn, sight))
    for line in outcome.plan.loud:
        console.print(line, style="bold red", soft_wrap=True)
    build = f"{wish.pipeline.image.name}@{version_of(arn)}"
    again = command(shlex.join(["promote", build, wish.channel, *_options(wish)]))
    report_move(outcome, target=wish.target, console=console, again=again)


def _options(wish: Promotion) -> Iterator[str]:
    if wish.regions != wish.pipeline.image.regions:
        yield from ("--regions", ",".join(wish.regions))
    for ami in wish.amis:
        yield from ("--ami", ami)
    for skip, option in ((SOAK, "--skip-soak"), (GATE, "--despite-gate")):
        if skip in wish.skips:
            yield option
    if wish.why:
        yield from ("--why", wish.why)


def build_to_promote(wish: Promotion, sight: Sight) -> Build:
    """The build that is meant. Raises `Refused` when a channel points to no build, and what `find_build` raises."""
    image, home = wish.pipeline.image, sight.run.home
    if isinstance(wish.source, BuildReference):
        arn = wish.pipeline.build_arn(f"{wish.source.version}/{wish.source.number}")
        found = sight.build(arn) if wish.source.is_whole else None
        return found or find_build(wish.source, sight.known.builds)
    if isinstance(wish.source, ChannelReference):
        name = wish.source.channel
    else:
        name = channels_of(image.channels)[wish.channel].from_
    if build := sight.build_in(home, name):
        return build
    present, place = home.points_to(name), f"{image.name}@{name}"
    if present is None:
        remedy = f"goldsmith build {image.name}" if name == LATEST else f"goldsmith promote {image.name} {name}"
        raise Refused([f"{place}: must point to a build in {home.name}, and is empty; {remedy}"])
    rule = f"must point to a build of {image.name} in {home.name}, got {present.value}"
    raise Refused([f"{place}: {rule}; name a build, such as {image.name}@6718/3"])


def plan_promotion(wish: Promotion, arn: str, sight: Sight) -> Plan:
    """The move of a channel to a build. Raises `Refused` with everything that is wrong."""
    image = wish.pipeline.image
    build = sight.build(arn)
    if build is None:
        raise Refused([f"{image.name}@{version_of(arn)}: must exist, and is gone; promote another build"])
    candidate = Candidate(
        build=build,
        channel=wish.channel,
        rule=channels_of(image.channels)[wish.channel],
        pipeline=wish.pipeline,
        sight=sight,
        usability=sight.usability(build, wish.regions, noun=wish.pipeline.noun),
    )
    lines: list[str] = []
    skipped: dict[str, str] = {}
    for refusal in refusals(candidate):
        if way := next((way for way in refusal.ways if way in wish.skips), None):
            skipped.setdefault(way, f"SKIPPED {way}: {refusal.text.partition(';')[0]}")
        else:
            lines.append(refusal.text)
    if lines:
        raise Refused(lines)
    return Plan(
        channel=wish.channel,
        how=PROMOTED,
        why=wish.why,
        skipped=tuple(skipped),
        loud=tuple(skipped.values()),
        wanted=candidate.usability.usable,
        notes=tuple(_notes(candidate)),
    )


def plan_takeover(wish: Promotion, sight: Sight, *, aws: Aws) -> Plan:
    """The first move of a channel, to AMIs that Image Builder did not make. Raises `Refused`."""
    lines = list(sight.holds_of(wish.channel))
    wanted: dict[str, Usable] = {}
    for region in sight.run.regions:
        if region.name not in wish.regions:
            continue
        if region.failed:
            lines.append(f"{region.name}: must be readable, and is not: {reason_in(region, sight.run)}")
            continue
        outputs = read_outputs(wish.pipeline, wish.amis, aws=aws, region=region.name)
        present = region.points_to(wish.channel)
        found = [ami for ami in wish.amis if outputs[ami].exists]
        if present and present.value not in found:
            rule = f"{wish.target} must be empty, got {present.value}; --ami is for the first value of a channel"
            lines.append(f"{region.name}: {rule}")
        elif len(found) != 1:
            rule = f"must have one of the AMIs, got {' and '.join(found) or 'none'}"
            lines.append(f"{region.name}: {rule}; name one for each region, or the regions with --regions")
        elif problem := _fault(found[0], outputs[found[0]], wish):
            lines.append(f"{region.name}: {problem}")
        else:
            ami = found[0]
            build = Build(arn="", status="AVAILABLE", created=outputs[ami].created, outputs={}, tags={})
            wanted[region.name] = Usable(build, ami)
    if lines:
        raise Refused(lines)
    return Plan(channel=wish.channel, how=TAKEN_OVER, why=wish.why, wanted=wanted)


def _fault(ami: str, output: Output, wish: Promotion) -> str | None:
    """Why fleets would not launch an AMI that was built elsewhere."""
    image = wish.pipeline.image
    if isinstance(image, AmiImage) and ami not in image.accept:
        remedy = f"add accept: [{ami}] to image {image.name}, and apply the stacks of its fleets"
        return f"{ami} must be in accept of image {image.name}; {remedy}"
    return output.problem


def _notes(candidate: Candidate) -> Iterator[str]:
    if revocation := candidate.build.revocation:  # one that holds already is refused
        yield f"{candidate.label} will be revoked at {moment(revocation.since)}: {revocation.why}"
