"""The steps of one run: read the channels and the builds, choose, write, confirm, look again, and tag the builds.

The function is a reconciler: each run decides from what Image Builder and Parameter Store say at that time, never
from a message, and writes only what has to change. So it may run at any time, any number of times, and twice at the
same time. Parameter Store has no conditional write. When two runs write at the same time, the one that decided from
older data looks again after its write, and corrects it.
"""

from __future__ import annotations

from .builds import newest_good
from .channels import LATEST, read_channels
from .known_builds import read_builds
from .latest import choose_latest
from .moves import confirm_moves, write_moves
from .run import Run
from .tags import tag_builds

ROUNDS = 3
"""How often a run looks at most. The look after the last write normally finds nothing left to do."""


def reconcile(run: Run) -> None:
    """Point `latest` in every region to the newest usable build, then tag the builds.

    Every step is done for all regions before the next step begins, so all of them are checked before the first one is
    written. What was found and done is in the run's report, also when this raises.
    """
    for _ in range(ROUNDS):
        _read_channels(run)
        with run.failures.collected("Image Builder") as attempt:
            known = read_builds(run)
        if attempt.failed:
            return  # without the list of builds, nothing can be decided and no tag changed
        run.report.newest = newest_good(known.builds)
        moves = write_moves(run, choose_latest(run, known))
        confirm_moves(run, moves)
        if not moves:
            break
    run.report.untagged = tag_builds(run, known.builds)


def _read_channels(run: Run) -> None:
    for region in run.working_regions:
        with run.attempt_in(region):
            run.check_time()
            region.channels = read_channels(region.target.ssm, path=run.channels_path, known=region.channels)
            region.moved = frozenset()
            if latest := region.channels.get(LATEST):
                run.report.latest[region.name] = latest.value
