"""A rollback while the home region does not answer: in the other regions, by their own history in Parameter Store.

Image Builder and the history bucket are in the home region, as are holds. So nothing there is read, and the history
gets the move from the hand-off function, when the region answers again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from lambda_src.handoff.builds import REVOKED_TAG, Build, Revocation, version_of
from lambda_src.handoff.channels import Version, read_folder
from lambda_src.handoff.failures import Failures
from lambda_src.handoff.known_builds import KnownBuilds
from lambda_src.handoff.moves import make_move_without_history
from lambda_src.handoff.outputs import Usable
from lambda_src.handoff.run import Decision, Region, Run
from ops.confirmed_move import Options, finish_move, show_plan, with_functions
from ops.errors import OpsError
from ops.moving import Mover, Plan, Refused, outcome_of, steps_of
from ops.pipeline import created_in
from ops.rollback import ROLLED_BACK, Place, Rollback, way_back
from ops.screen import open_console
from ops.sight import Sight, reason_in
from ops.values import read_amis


def run_without_home(mover: Mover, wish: Rollback, *, why_down: str, options: Options) -> int:
    """Show, and move if that is not to be asked for; the exit status. Raises `OpsError`."""
    console, run = open_console(to_stderr=options.as_json), mover.open_run()
    sight = Sight(run, KnownBuilds((), frozenset(), {}))
    with console.status("Reading Parameter Store"):
        regions = _regions(mover, wish, run)
        plan = with_functions(mover, _plan(mover, wish, run, regions, why_down=why_down))
    steps = steps_of(plan, sight)
    show_plan(plan, steps, sight=sight, target=wish.target, console=console)
    if options.asks:
        raise OpsError(f"{wish.target}: nothing was moved; without the home region this needs --yes")
    to_move = {step.region for step in steps if step.state == "to move"}
    outputs = {region: plan.wanted[region.name] for region in regions if region.name in to_move}
    if outputs:
        make_move_without_history(run, Decision(channel=plan.channel, how=plan.how, why=plan.why, outputs=outputs))
        for region in outputs:
            _read(region, run)
    finish_move(mover, outcome_of(plan, steps, run=run), console=console, options=options)
    return 0


def _read(region: Region, run: Run) -> None:
    if not region.failed:
        with run.attempt_in(region):
            region.channels = read_folder(region.target.ssm, path=run.channels_path, known=region.channels).channels


def _regions(mover: Mover, wish: Rollback, run: Run) -> list[Region]:
    """The regions other than the home in which the channel is set. Raises `Refused`."""
    home = mover.pipeline.image.home
    named = [region for region in run.regions if region.name != home]
    named = [region for region in named if wish.regions is None or region.name in wish.regions]
    for region in named:
        _read(region, run)
    lines = [f"{each.name}: must be readable, and is not: {reason_in(each, run)}" for each in named if each.failed]
    is_set = [region for region in named if wish.channel in region.channels]
    if not lines and not is_set:
        lines = [f"{wish.target}: must point to something in another region than {home}, which does not answer"]
    if lines:
        raise Refused(lines)
    return is_set


def _plan(mover: Mover, wish: Rollback, run: Run, regions: Sequence[Region], *, why_down: str) -> Plan:
    skipped: list[str] = []
    for place in _candidates(wish, regions):
        wanted, fault = _outputs(mover, wish, place, regions)
        if not fault:
            home = mover.pipeline.image.home
            later = f"goldsmith rollback {wish.target} --to {version_of(place.arn)}"
            notes = (
                f"{home} does not answer: {why_down}",
                f"whether {wish.target} is held, and which builds are revoked, could not be read",
                f"the channel in {home} is not moved; when the region answers again: {later}",
                *(f"skips {line}" for line in skipped),
            )
            return Plan(channel=wish.channel, how=ROLLED_BACK, why=wish.why, wanted=wanted, notes=notes)
        skipped.append(f"{wish.label(place)}: {fault}")
    rule = f"must have been at a build before that can still be used, by the history in {regions[0].name}"
    raise Refused([f"{wish.target}: {rule}, got {'; '.join(skipped) or 'no other one'}"])


def _candidates(wish: Rollback, regions: Sequence[Region]) -> Iterator[Place]:
    versions = regions[0].channels[wish.channel].versions
    places = [Place(version.build, version.value, version.move) for version in versions]
    if wish.to is None:
        if stopped := _stopped(wish, regions):
            yield stopped
        yield from way_back(places)
        return
    found = {place.arn: place for place in places if place.arn and wish.to.matches(version_of(place.arn))}
    yield from found.values()


def _stopped(wish: Rollback, regions: Sequence[Region]) -> Place | None:
    """Where a rollback like this one went that was stopped before all regions were there: some are where the others
    were before it."""
    channels = [region.channels[wish.channel] for region in regions]
    for channel in channels:
        *_, before, present = [None, *channel.versions]
        is_ours = present is not None and present.record.get("how") == ROLLED_BACK and not present.move
        if is_ours and before and any(before.build == other.present.build for other in channels):
            return Place(present.build, present.value, present.move)
    return None


def _outputs(mover: Mover, wish: Rollback, place: Place, regions: Sequence[Region]) -> tuple[dict[str, Usable], str]:
    """What the channel holds at a place, by region, or why it cannot go there."""
    wanted: dict[str, Usable] = {}
    if not place.arn:
        return {}, f"it is no build of {wish.pipeline.image.name}"
    for region in regions:
        channel = region.channels[wish.channel]
        version = next((each for each in reversed(channel.versions) if each.build == place.arn), None)
        if version is None:
            return {}, f"the channel never had it in {region.name}"
        created, present = created_in(version.record), created_in(channel.present.record)
        if created and present and created > present:
            return {}, f"it is newer than what {region.name} has"
        usable, fault = _usable(mover, version, region, created)
        if fault or usable is None:
            return {}, f"{fault} ({region.name})"
        wanted[region.name] = usable
    return wanted, ""


def _usable(mover: Mover, version: Version, region: Region, created: datetime | None) -> tuple[Usable | None, str]:
    """The output of a version's build in a region, or why it cannot be used. Raises `OpsError`."""
    pipeline, failures = mover.pipeline, Failures()
    output = version.value
    if pipeline.repository:  # Image Builder's own tag, which it does not move
        output = f"{version.value.partition('@')[0]}:{version_of(version.build).replace('/', '-')}"
    elif ami := read_amis([output], aws=mover.aws, region=region.name).get(output):
        tags = {tag.get("Key"): tag.get("Value", "") for tag in ami.get("Tags", ())}
        if REVOKED_TAG in tags:
            return None, f"it is revoked: {Revocation.from_tag(tags[REVOKED_TAG]).why}"
    build = Build(arn=version.build, status="AVAILABLE", created=created, outputs={region.name: output}, tags={})
    found = None
    with failures.collected(region.name) as attempt:
        found = region.target.outputs.newest_usable([build], failures=failures)
    texts = [failure.reason.removeprefix(f"{build.arn} cannot be used: ") for failure in failures.collection]
    if attempt.failed:
        raise OpsError("\n".join(texts))
    return found, "; ".join(texts)
