"""The rule of a channel with a soak time: it takes over builds that were in another channel long enough.

It is decided in the home region, for all regions at once. A build qualifies when the source channel first pointed to it
so long ago, when it is good, newer than every build that this channel ever pointed to, and can be used in every region
that can be asked. The newest that qualifies is taken, also when the source has moved on. Being newer than the whole
history means that a roll-back stays until there is a newer build.

The exception is a channel whose build is revoked or gone: then it moves to the newest good older build of its own
history. A newer one in its history is not taken: somebody rolled it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from .builds import Build, good_builds, is_build_of, time_in
from .channels import Channel, Version
from .configuration import ChannelRule
from .known_builds import KnownBuilds
from .outputs import Usable
from .run import Decision, Region, Run

SOAKED = "soaked"
MOVED_BACK = "moved back"

BuildOrder = tuple[datetime, int, str]
"""`Build.order`: greater for a newer build."""
_BEFORE_ALL: BuildOrder = (datetime.min.replace(tzinfo=UTC), 0, "")


def choose_soaked(run: Run, channel: str, rule: ChannelRule, known: KnownBuilds) -> Decision | None:
    """Where a channel has to move; None when it stays, or something that it depends on could not be read, or somebody
    else is moving it."""
    if run.home.failed or channel in run.home.pending:
        return None
    own, source = run.home.channels.get(channel), run.home.channels.get(rule.source)
    good = good_builds(known.builds, now=run.now)
    newest = newest_ever(own, known, pipeline_arn=run.image.pipeline_arn, region=run.home.name)
    soaked = [build for build in _soaked(run, source, rule, good, known) if build.order > newest]
    if outputs := _usable(run, soaked, run.working_regions):
        return Decision(channel=channel, how=SOAKED, why=f"was in {rule.source} long enough", outputs=outputs)
    if own is None:
        return None
    if why := _unusable(run, own.present, known):
        return _back(run, channel, own, good, known, why=why)
    return _follow(run, channel, own, good)


def soaking_since(source: Channel | None, known: KnownBuilds, *, region: str) -> dict[str, datetime]:
    """When a channel first pointed to each build, by the build's ARN, as far as its history is known."""
    first: dict[str, datetime] = {}
    for version in source.versions if source else ():
        if build := known.of_version(version, region=region):
            first.setdefault(build.arn, version.modified)
    return first


def newest_ever(own: Channel | None, known: KnownBuilds, *, pipeline_arn: str, region: str) -> BuildOrder:
    """The order of the newest build that a channel ever pointed to; before all others without such a build."""
    versions = own.versions if own else ()
    orders = (_order(version, known, pipeline_arn=pipeline_arn, region=region) for version in versions)
    return max(filter(None, orders), default=_BEFORE_ALL)


def _soaked(
    run: Run, source: Channel | None, rule: ChannelRule, good: Iterable[Build], known: KnownBuilds
) -> list[Build]:
    """The good builds that were in the source channel long enough, newest first."""
    since = soaking_since(source, known, region=run.home.name)
    soak = timedelta(minutes=rule.soak_minutes)
    return [build for build in good if build.arn in since and run.now - since[build.arn] >= soak]


def _order(version: Version, known: KnownBuilds, *, pipeline_arn: str, region: str) -> BuildOrder | None:
    """The order of the build of a version, also of one that is gone; None for what is no build of the image."""
    if build := known.of_version(version, region=region):
        return build.order
    created = time_in(version.record.get("created"))
    if not created or not is_build_of(pipeline_arn, arn=version.build):
        return None
    return created, int(version.build.rsplit("/", 1)[-1]), version.build


def _usable(run: Run, builds: Sequence[Build], regions: Sequence[Region]) -> dict[Region, Usable]:
    """The first of these builds that can be used in all of these regions, except those that cannot be asked, with its
    output in each. Empty when there is none, or the home region cannot be asked.

    Each region is asked for the first one that it can use, and the next ones only for that one and those after it.
    """
    left = [build for build in builds if all(region.name in build.outputs for region in regions)]
    while left:
        outputs: dict[Region, Usable] = {}
        for region in regions:
            if region.failed:
                continue
            with run.attempt_in(region):
                run.check_time()
                usable = region.target.outputs.newest_usable(left, failures=run.failures)
                if usable is None:
                    return {}
                left = left[left.index(usable.build) :]
                outputs[region] = usable
        if run.home.failed:
            return {}
        if all(usable.build == left[0] for usable in outputs.values()):
            return outputs
    return {}


def _unusable(run: Run, present: Version, known: KnownBuilds) -> str:
    """Why the present build must not stay: it is revoked or gone. Empty when it may, or when that is not known."""
    build = known.of_version(present, region=run.home.name)
    if build is None:
        return "" if present.build in known.unknown or not present.build else "the build is gone"
    if build.revocation and build.is_revoked(run.now):
        return f"the build is revoked: {build.revocation.why}"
    if build.unclear or build.status == "DEPRECATED":
        return ""
    if build.status != "AVAILABLE":
        return f"the build is {build.status}"
    usable = None
    with run.attempt_in(run.home):
        usable = run.home.target.outputs.newest_usable([build], failures=run.failures)
    return "" if usable or run.home.failed else "its output cannot be used any more"


def _back(
    run: Run, channel: str, own: Channel, good: Iterable[Build], known: KnownBuilds, *, why: str
) -> Decision | None:
    """To the newest good older build of the channel's history. In a region to which that build did not go, because
    the region is new, the channel stays."""
    present = _order(own.present, known, pipeline_arn=run.image.pipeline_arn, region=run.home.name)
    in_history = {build.arn for version in own.versions if (build := known.of_version(version, region=run.home.name))}
    for build in good:
        if build.arn in in_history and present and build.order < present:
            went_to = [region for region in run.working_regions if region.name in build.outputs]
            if outputs := _usable(run, [build], went_to):
                return Decision(channel=channel, how=MOVED_BACK, why=why, outputs=outputs)
    return None


def _follow(run: Run, channel: str, own: Channel, good: Iterable[Build]) -> Decision | None:
    """Regions that could not be asked when the home region moved by itself move now."""
    how = own.record.get("how")
    build = next((build for build in good if build.arn == own.present.build), None)
    if build is None or how not in (SOAKED, MOVED_BACK):
        return None
    outputs: dict[Region, Usable] = {}
    for region in run.working_regions:
        there = region.channels.get(channel)
        if channel in region.pending or (there and (there.present.build == build.arn or _is_later(there, own))):
            continue
        with run.attempt_in(region):
            run.check_time()
            usable = region.target.outputs.newest_usable([build], failures=run.failures)
            if usable and not (there and there.value == usable.value):
                outputs[region] = usable
    return Decision(channel=channel, how=how, why="follows the home region", outputs=outputs) if outputs else None


def _is_later(there: Channel, own: Channel) -> bool:
    """Whether a region's channel was moved after the home region's. A move can be completed long after it was decided,
    so numbers of moves count, and the time for what has none."""
    return there.move > own.move if there.move else there.modified > own.modified
