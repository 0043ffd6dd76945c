"""The rule of the channel `latest`: in each region it points to the newest build that can be used there.

It moves to an older build only when the build that it points to is gone: its output cannot be used any more, or Image
Builder does not have the build, or has it in another status than AVAILABLE. While Image Builder's answer about that
build is missing or incomplete, `latest` moves only to a newer build. The channel's record says which build it points
to; a record that names no build of this image is ignored.
"""

from __future__ import annotations

from .builds import good_builds, time_in
from .channels import LATEST, Channel
from .known_builds import KnownBuilds
from .outputs import Usable
from .run import Region, Run


def choose_latest(run: Run, known: KnownBuilds) -> dict[Region, Usable]:
    """The build for each region in which `latest` has to move."""
    chosen, good = {}, good_builds(known.builds)
    for region in run.working_regions:
        with run.attempt_in(region):
            run.check_time()
            usable = region.target.outputs.newest_usable(good, failures=run.failures)
            if usable and _has_to_move(run, region, usable, known):
                chosen[region] = usable
    return chosen


def _has_to_move(run: Run, region: Region, usable: Usable, known: KnownBuilds) -> bool:
    latest = region.channels.get(LATEST)
    if latest is None:
        return True
    if latest.value == usable.value:
        return False
    if _may_move(latest, usable, known, region=region.name):
        return True
    if (arn := latest.record["build"]) not in known.unknown:  # that failure is collected already
        reason = f"what Image Builder says about {arn} is incomplete"
        run.failures.add_problem(region.name, f"latest does not move back to {usable.build.arn}: {reason}")
    return False


def _may_move(latest: Channel, usable: Usable, known: KnownBuilds, *, region: str) -> bool:
    """Whether the present build is clearly gone, or older than the usable one."""
    arn = latest.record.get("build", "")
    present = known.get(arn)
    incomplete = present and present.unclear and not (present.status and present.created and region in present.outputs)
    if present == usable.build or not (incomplete or arn in known.unknown):
        return True
    created = (present and present.created) or time_in(latest.record.get("created"))
    return bool(created and usable.build.created and usable.build.created > created)
