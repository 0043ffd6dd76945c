"""The function of a fleet, killed by SIGKILL between any two calls: its next runs finish what it began.

With each build one run is killed when the rollout starts, and another one when it has ended.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_aws.server import LocalAws
from tests.support.automatic_fleet import (
    AutomaticFleet,
    automatic_fleet,
    check_notices,
    check_rollout,
    check_run,
    may_repeat,
)
from tests.support.faults import Place
from tests.support.function_process import Ran

BEFORE, AFTER = "killed", "killed after AWS did it"
Case = tuple[Place, str]


@pytest.fixture
def fleet(local_aws: LocalAws, tmp_path: Path) -> Iterator[AutomaticFleet]:
    with automatic_fleet(local_aws, tmp_path) as fleet:
        yield fleet


def cases(run: Ran) -> list[Case]:
    """Between any two calls of a run, in turn as soon as an answer has come and right before the next call goes out;
    and after the last call."""
    places = [run.place(number) for number in range(len(run.calls))]
    between = enumerate(itertools.pairwise(places))
    return [(now, AFTER) if number % 2 else (then, BEFORE) for number, (now, then) in between] + [(places[-1], AFTER)]


def test_next_runs_finish_wherever_a_run_is_killed(fleet: AutomaticFleet) -> None:
    starts, ends = dict[str, list[Case]](), dict[str, list[Case]]()
    for end in ("succeeded", "rolled back"):
        fleet.build(is_bad=end != "succeeded")
        start, ended, _ = fleet.settle()
        starts[end], ends[end] = cases(start), cases(ended)
    fleet.heard()
    # the run that starts a rollout does not know how it will end
    half = len(starts["succeeded"]) // 2
    tables = {"succeeded": starts["succeeded"][:half], "rolled back": starts["rolled back"][half:]}
    for end, table in tables.items():
        for first, second in itertools.zip_longest(table, ends[end]):
            before, ami, case = fleet.state, fleet.build(is_bad=end != "succeeded"), f"{first}, {second}"
            repeats = [run_into(fleet, first)]
            # now and then nobody looks until it is over
            if fleet.number % 2 or fleet.state.refreshes == before.refreshes:
                fleet.function.run()
            fleet.pass_time()
            repeats.append(run_into(fleet, second))
            fleet.settle()
            check_rollout(fleet, before, ami=ami, end=end, is_written_down=first is None, case=case)
            check_notices(fleet, end=end, may_repeat=any(repeats), case=case)


def run_into(fleet: AutomaticFleet, case: Case | None) -> bool:
    """A run that is killed, if there is a place; whether notifications may come again."""
    if case is None:
        fleet.function.run()
        return False
    place, fault = case
    ran = fleet.function.run(place, fault)
    check_run(ran, place=place, fault=fault, case=f"{case}")
    return may_repeat(ran, place, fault)
