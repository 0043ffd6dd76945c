"""Whatever goes wrong in a call of the function of a fleet: its next runs finish what it began.

A fleet lives on from case to case. In each, a build is taken; one run meets a fault when the rollout starts, and
another one when it has ended.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from local_aws.server import LocalAws
from tests.support.automatic_fleet import (
    ADD,
    PUBLISH,
    START,
    WRITES,
    AutomaticFleet,
    automatic_fleet,
    check_notices,
    check_rollout,
    check_run,
    may_repeat,
)
from tests.support.faults import FAULTS, LOST, Place
from tests.support.function_process import Ran
from tests.support.rollout_world import REGION

FLEETS = "700000000022"
KINDS = [kind for kind in FAULTS if kind != "killed"]
LOST_KINDS = [kind for kind in LOST if not kind.startswith("killed")]
Case = tuple[Place, str]


@pytest.fixture
def fleet(local_aws: LocalAws, tmp_path: Path) -> Iterator[AutomaticFleet]:
    with automatic_fleet(local_aws, tmp_path) as fleet:
        yield fleet


def cases(run: Ran, *, first: int) -> list[Case]:
    """Each call of a run with one kind in turn, and the writes among them also with an answer that is lost.

    Only what AWS has done has an answer that can be cut off.
    """
    kinds, lost = (itertools.islice(itertools.cycle(each), first, None) for each in (KINDS, LOST_KINDS))
    found = []
    for number in range(len(run.calls)):
        place, kind = run.place(number), next(kinds)
        if place[0] in WRITES:
            found.append((place, next(lost)))
            kind = next(kinds) if kind == "truncated" else kind
        found.append((place, kind))
    return found


@dataclass(frozen=True)
class Met:
    """What a run has met, and what it means for notifications."""

    text: str = "nothing"
    may_repeat: bool = False
    refused: int | None = None
    """The number of the topic that refuses, if one does."""


@pytest.mark.parametrize("end", ["succeeded", "rolled back"])
def test_next_runs_finish_whatever_a_call_meets(fleet: AutomaticFleet, end: str) -> None:
    is_bad = end != "succeeded"
    fleet.build(is_bad=is_bad)
    start, ended, _ = fleet.settle()
    fleet.heard()
    # the run that starts a rollout does not know how it will end: so each end has half of its cases
    starts = cases(start, first=0)[is_bad::2]
    for first, second in itertools.zip_longest(starts, cases(ended, first=2 * is_bad)):
        before, ami = fleet.state, fleet.build(is_bad=is_bad)
        met = [run_into(fleet, first)]
        if fleet.number % 2 or fleet.state.refreshes == before.refreshes:  # now and then nobody looks until it is over
            fleet.function.run()
        fleet.pass_time()
        met += [run_into(fleet, second)]
        fleet.settle()
        case = ", ".join(each.text for each in met)
        check_rollout(fleet, before, ami=ami, end=end, is_written_down=first is None, case=case)
        refused = [each.refused for each in met if each.refused is not None]
        check_notices(fleet, end=end, may_repeat=any(each.may_repeat for each in met), refused=refused, case=case)


def run_into(fleet: AutomaticFleet, case: Case | None) -> Met:
    """A run that meets a fault, or none."""
    if case is None:
        fleet.function.run()
        return Met()
    place, fault = case
    ran, text = fleet.function.run(place, fault), f"{fault} at {place}"
    check_run(ran, place=place, fault=fault, case=text)
    refused = place[1] if (place[0], fault) == (PUBLISH, "denied") else None
    return Met(text, may_repeat(ran, place, fault), refused)


@pytest.mark.parametrize("write", WRITES)
def test_an_answer_that_is_lost_once_needs_no_other_run(fleet: AutomaticFleet, write: str) -> None:
    """boto3 tries again what AWS has done already."""
    before, ami = fleet.state, fleet.build()
    if write == PUBLISH:
        fleet.function.run()
        fleet.pass_time()
    ran = fleet.function.run((write, 0), "timed out after AWS did it", once=True)
    assert (ran.raised, ran.line["problems"], write in ran.calls) == ("", [], True), ran
    assert ran.line["next"] == ("done" if write == PUBLISH else "follow")
    fleet.settle()
    check_rollout(fleet, before, ami=ami, end="succeeded", is_written_down=write != START, case=write)
    check_notices(fleet, end="succeeded", may_repeat=write == PUBLISH, case=write)


def test_next_runs_roll_out_what_terraform_changes_whatever_a_write_meets(fleet: AutomaticFleet) -> None:
    """By plans that were saved when the fleet ran an older build."""
    old, ami, numbers = fleet.state.launches, fleet.build(), itertools.count()
    fleet.settle()

    def apply() -> None:
        data = {"ImageId": old, "UserData": f"{next(numbers)}"}
        fleet.fleet.client("ec2").create_launch_template_version(
            LaunchTemplateName=fleet.fleet.group, LaunchTemplateData=data
        )

    apply()
    start, *_ = fleet.settle()
    fleet.heard()
    for place, fault in cases(start, first=0):
        if place[0] not in WRITES:
            continue
        before = fleet.state
        apply()
        met = run_into(fleet, (place, fault))
        fleet.settle()
        check_rollout(fleet, before, ami=ami, end="succeeded", is_written_down=False, case=met.text)
        check_notices(fleet, end="succeeded", what="of the launch template", case=met.text)


def test_next_runs_put_the_ami_back_whatever_a_call_meets_after_an_old_plan(fleet: AutomaticFleet) -> None:
    old, ami = fleet.state.launches, fleet.build()
    fleet.settle()
    fleet.heard()
    fleet.fleet.change(old)
    run, *_ = fleet.settle()
    for place, fault in cases(run, first=3):
        before = fleet.state
        assert (before.launches, before.newest) == (ami, ami)
        fleet.fleet.change(old)
        met = run_into(fleet, (place, fault))
        fleet.settle()
        assert fleet.state == before, f"{met.text}: the newest version has what runs, and nothing was replaced"
    assert not any(fleet.heard().values())


def test_next_runs_of_a_fleet_in_another_account_finish_whatever_a_call_meets(
    local_aws: LocalAws, tmp_path: Path
) -> None:
    with automatic_fleet(local_aws, tmp_path, account=FLEETS) as fleet:
        fleet.build()
        start, *_ = fleet.settle()
        fleet.heard()
        assume = start.place(0)
        assert assume[0] == f"sts {REGION} AssumeRole"
        look = cases(start, first=0)[1 : start.calls.index(ADD)]
        for place, fault in [*((assume, kind) for kind in KINDS), *look]:
            before, ami = fleet.state, fleet.build()
            met = run_into(fleet, (place, fault))
            assert fleet.state == before, f"{met.text}: nothing is done without a look"
            fleet.settle()
            check_rollout(fleet, before, ami=ami, end="succeeded", case=met.text)
            check_notices(fleet, end="succeeded", case=met.text)
