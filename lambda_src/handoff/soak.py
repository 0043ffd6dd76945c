"""The rule of a channel with a soak time: it takes over builds that were in another channel long enough.

It is decided in the home region, for all regions at once. A build qualifies when the source channel first pointed to it
so long ago, when it is good, newer than every build that this channel ever pointed to, and can be used in every region
that can be asked. The newest that qualifies is taken, also when the source has moved on. Being newer than the whole
history means that a roll-back stays until there is a newer build.

The exception is a channel whose build is revoked or gone: then it moves to the newest good build of its own history.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from .builds import Build, good_builds, time_in
from .channels import Channel
from .configuration import ChannelRule
from .known_builds import KnownBuilds
from .outputs import Usable
from .run import Decision, Present, Region, Run

SOAKED = "soaked"
MOVED_BACK = "moved back"

_EVER = datetime.min.replace(tzinfo=UTC)


def choose_soaked(run: Run, channel: str, rule: ChannelRule, known: KnownBuilds) -> Decision | None:
    """Where a channel has to move; None when it stays, or something that it depends on could not be read."""
    if run.home.failed:
        return None
    own, source = run.home.channels.get(channel), run.home.channels.get(rule.source)
    present = run.home.points_to(channel)
    good = good_builds(known.builds, now=run.now)
    newest = _newest_ever(own, known)
    soaked = _soaked(run, source, rule, good, known)
    if outputs := _usable(run, [build for build in soaked if build.order > newest]):
        return Decision(channel=channel, how=SOAKED, why=f"was in {rule.source} long enough", outputs=outputs)
    if present is None or own is None:
        return None
    if why := _unusable(run, present, known):
        pointed_to = {version.build for version in own.versions}
        older = [build for build in good if build.arn in pointed_to and build.arn != present.build]
        outputs = _usable(run, older)
        return Decision(channel=channel, how=MOVED_BACK, why=why, outputs=outputs) if outputs else None
    return _follow(run, channel, own, good)


def soaking_since(source: Channel | None, known: KnownBuilds, *, region: str) -> dict[str, datetime]:
    """When a channel first pointed to each build, by the build's ARN, as far as its history is known."""
    first: dict[str, datetime] = {}
    for version in source.versions if source else ():
        build = known.of_value(version.value, region=region)
        arn = build.arn if build else "" if source and source.is_by_hand(version) else version.build
        if arn:
            first.setdefault(arn, version.modified)
    return first


def _soaked(
    run: Run, source: Channel | None, rule: ChannelRule, good: Iterable[Build], known: KnownBuilds
) -> list[Build]:
    """The good builds that were in the source channel long enough, newest first."""
    since = soaking_since(source, known, region=run.home.name)
    soak = timedelta(minutes=rule.soak_minutes)
    return [build for build in good if build.arn in since and run.now - since[build.arn] >= soak]


def _newest_ever(own: Channel | None, known: KnownBuilds) -> tuple[datetime, int, str]:
    """The order of the newest build that a channel ever pointed to; lower than any other one without such a build."""
    orders = [(_EVER, 0, "")]
    for version in own.versions if own else ():
        build = known.get(version.build)
        created = time_in(version.record.get("created"))
        if build:
            orders.append(build.order)
        elif created and version.build:
            orders.append((created, int(version.build.rsplit("/", 1)[-1]), version.build))
    return max(orders)


def _usable(run: Run, builds: Iterable[Build]) -> dict[Region, Usable]:
    """The first of these builds that can be used in every region that can be asked, with its output in each."""
    for build in builds:
        outputs: dict[Region, Usable] = {}
        for region in run.working_regions:
            with run.attempt_in(region):
                run.check_time()
                if usable := region.target.outputs.newest_usable([build], failures=run.failures):
                    outputs[region] = usable
        asked = set(run.working_regions)
        if run.home in asked and outputs.keys() >= asked:
            return outputs
    return {}


def _unusable(run: Run, present: Present, known: KnownBuilds) -> str:
    """Why the present build must not stay: it is revoked or gone. Empty when it may, or when that is not known."""
    build = known.get(present.build) or known.of_value(present.value, region=run.home.name)
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


def _follow(run: Run, channel: str, own: Channel, good: Iterable[Build]) -> Decision | None:
    """Regions that could not be asked when the home region moved by itself move now."""
    if own.record.get("how") not in (SOAKED, MOVED_BACK) or own.is_by_hand(own.present):
        return None
    build = next((build for build in good if build.arn == own.present.build), None)
    outputs: dict[Region, Usable] = {}
    for region in run.working_regions if build else ():
        there = region.points_to(channel)
        if region is run.home or (there and (there.build == own.present.build or _is_later(region, channel, own))):
            continue
        with run.attempt_in(region):
            run.check_time()
            if build and (usable := region.target.outputs.newest_usable([build], failures=run.failures)):
                outputs[region] = usable
    how = own.record["how"]
    return Decision(channel=channel, how=how, why="follows the home region", outputs=outputs) if outputs else None


def _is_later(region: Region, channel: str, own: Channel) -> bool:
    """Whether a region's channel was moved after the home region's."""
    there = region.channels.get(channel)
    return there is not None and there.modified > own.modified
