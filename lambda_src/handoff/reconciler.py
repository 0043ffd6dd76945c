"""The steps of one run: look, complete what is not completed, decide, move, look again, and tag AMIs and builds.

The function is a reconciler: each run decides from what Image Builder, Parameter Store and the history say then, never
from a message, and writes only what has to change. So it may run at any time, any number of times, and twice at the
same time, also beside commands of people. Each move takes a number in the history first; when its number is taken,
something was decided meanwhile, and the run looks again. Parameter Store has no conditional write: when a slow writer
puts an older move over a newer one, the next look sees it and corrects it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .builds import newest_good
from .cache import Cache
from .channels import LATEST
from .configuration import ChannelRule
from .known_builds import KnownBuilds, read_builds
from .latest import choose_latest
from .look import look, remember
from .moves import complete_moves, make_move, note_moves_by_hand
from .notices import announce
from .revocations import copy_revocations
from .run import Decision, Run
from .soak import choose_soaked
from .tags import tag_builds

ROUNDS = 3
"""How often a run looks at most. The look after the last write normally finds nothing left to do."""


def reconcile(run: Run) -> None:
    """Point each channel that moves by itself to where it belongs, in every region; then tag AMIs and builds.

    Every step is done for all regions before the next step begins, so all of them are checked before the first one is
    written. What was found and done is in the run's report, also when this raises.
    """
    cached = None
    with run.failures.collected("history") as reading:
        cached = Cache.from_json(run.history.read_cache() or "")
    run.cache.take(cached or Cache())
    before, announced = run.cache.to_json(), cached.announced if cached else None
    for _ in range(ROUNDS):
        decidable = look(run)
        if decidable and run.cache.last == 0:
            announced = 0  # nothing has ever been moved
        with run.failures.collected("Image Builder") as attempt:
            known = read_builds(run)
        if attempt.failed:
            return  # without the list of builds, nothing can be decided and no tag changed
        run.report.newest = newest_good(known.builds, now=run.now)
        if not decidable or not _move(run, known):
            break
    copy_revocations(run, known.builds)
    if decidable:
        announce(run, known, since=announced)
    run.report.untagged = tag_builds(run, known.builds)
    if not reading.failed:  # a cache that could not be read has what this one lacks
        remember(run, before=before)


def _move(run: Run, known: KnownBuilds) -> bool:
    """Complete and make moves; whether everything has to be looked at again."""
    if not note_moves_by_hand(run) or complete_moves(run, known):
        return True  # what is decided follows from what the channels show
    again = False
    for channel, choose in _rules(run, known):
        if hold := run.hold_of(channel):
            run.report.held[channel] = hold.text
        elif decision := choose():
            again = True
            if not make_move(run, decision):
                break  # what was decided meanwhile may change the other decisions
    return again


def _rules(run: Run, known: KnownBuilds) -> Iterator[tuple[str, Callable[[], Decision | None]]]:
    """The channels that move by themselves, each after the one from which it takes builds."""
    yield LATEST, lambda: choose_latest(run, known)
    soaking = {name: rule for name, rule in run.image.channels.items() if rule.soak_minutes}
    for name in sorted(soaking, key=lambda name: _depth(run, name)):
        rule: ChannelRule = soaking[name]
        yield name, lambda name=name, rule=rule: choose_soaked(run, name, rule, known)  # type: ignore[misc]


def _depth(run: Run, channel: str) -> tuple[int, str]:
    """How many channels there are between this one and `latest`."""
    depth, name = 0, channel
    while name in run.image.channels and depth <= len(run.image.channels):
        depth, name = depth + 1, run.image.channels[name].source
    return depth, channel
