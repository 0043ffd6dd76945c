"""Answers that are older than what AWS has done, and others who act while the function of a fleet runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from local_aws.server import LocalAws
from tests.support.automatic_fleet import (
    ADD,
    PUBLISH,
    RECORD,
    START,
    AutomaticFleet,
    automatic_fleet,
    check_notices,
    check_rollout,
)
from tests.support.function_process import Ran, function_process
from tests.support.wire import THROTTLED, Asked, Fault, Wire, wire_to

REFRESHES, VERSIONS = "autoscaling DescribeInstanceRefreshes", "ec2 DescribeLaunchTemplateVersions"


@pytest.fixture
def fleet(local_aws: LocalAws, tmp_path: Path) -> Iterator[AutomaticFleet]:
    with automatic_fleet(local_aws, tmp_path) as fleet:
        yield fleet


@pytest.fixture
def wire(local_aws: LocalAws) -> Iterator[Wire]:
    with wire_to(local_aws.endpoint) as wire:
        yield wire


def run(fleet: AutomaticFleet, wire: Wire) -> Ran:
    wire.operations.clear()
    return fleet.function.run(environment={"AWS_ENDPOINT_URL": wire.endpoint})


def as_before() -> Fault:
    """Answers each question as it was answered the first time."""
    answers: dict[bytes, tuple[int, bytes]] = {}
    return lambda asked, answer: answers.setdefault(asked.body, answer)


def operations(calls: Sequence[str]) -> list[str]:
    """Calls of a run, as the wire names them."""
    asked = (call.split() for call in calls)
    return [f"{service.replace('-', '')} {operation}" for service, _, operation in asked]


def at(wire: Wire, calls: Sequence[str], number: int, act: Callable[[], object]) -> None:
    """Act in the next run, which begins with these calls, when AWS has answered one of them, by its number from 0, and
    the run does not know it yet."""

    def fault(_: Asked, answer: tuple[int, bytes]) -> tuple[int, bytes]:
        if len(wire.operations) == number + 1:
            act()
        return answer

    wire.faults = dict.fromkeys(operations(calls), fault)


@pytest.mark.parametrize("end", ["succeeded", "rolled back"])
def test_a_refresh_that_aws_does_not_show_yet_is_not_started_again(fleet: AutomaticFleet, wire: Wire, end: str) -> None:
    before, ami = fleet.state, fleet.build(is_bad=end != "succeeded")
    wire.faults[REFRESHES] = as_before()
    why = "AWS does not show yet what was started or added, or others were faster"
    ran = [run(fleet, wire) for _ in range(3)]
    assert [(each.raised, each.line["next"], each.line["reasons"]) for each in ran] == [("", "start", [why])] * 3
    assert ran[0].line["Started"] == 1
    wire.faults.clear()
    fleet.settle()
    check_rollout(fleet, before, ami=ami, end=end, case=end)
    check_notices(fleet, end=end, case=end)


def test_versions_that_aws_does_not_show_yet_do_no_harm(fleet: AutomaticFleet, wire: Wire) -> None:
    before, ami = fleet.state, fleet.build()
    wire.faults[VERSIONS] = as_before()
    ran = run(fleet, wire)
    assert (ran.raised, ran.line["next"], START in ran.calls) == ("", "start", False)
    wire.faults.clear()
    fleet.settle()
    check_rollout(fleet, before, ami=ami, end="succeeded", case="")
    check_notices(fleet, end="succeeded", case="")
    bad, present = fleet.build(is_bad=True), fleet.state
    fleet.function.run()
    fleet.pass_time()
    wire.faults[VERSIONS] = as_before()
    for _ in range(2):
        assert run(fleet, wire).line["next"] == "ended"
    wire.faults.clear()
    fleet.settle()
    check_rollout(fleet, present, ami=bad, end="rolled back", case="the AMI is put back twice")
    check_notices(fleet, end="rolled back", case="")


def test_what_somebody_else_starts_before_it_is_followed(fleet: AutomaticFleet, wire: Wire) -> None:
    fleet.build()
    start, *_ = fleet.settle()
    fleet.heard()
    before, ami = fleet.state, fleet.build()
    at(wire, start.calls, start.calls.index(START) - 1, lambda: fleet.fleet.start(3, AutoRollback=True))
    ran = run(fleet, wire)
    assert (ran.raised, ran.line["next"]) == ("", "follow")
    assert START in ran.calls, "AWS refuses"
    fleet.settle()
    after = check_rollout(fleet, before, ami=ami, end="succeeded", is_written_down=False, case="")
    assert "by" not in after.attempts[ran.line["refresh"]]
    check_notices(fleet, end="succeeded", case="")


@pytest.mark.parametrize(
    ("end", "writes"), [("succeeded", (ADD, START, RECORD)), ("rolled back", (RECORD, ADD, PUBLISH))]
)
def test_two_runs_at_the_same_time_do_what_one_does(
    fleet: AutomaticFleet, wire: Wire, tmp_path: Path, end: str, writes: tuple[str, ...]
) -> None:
    """The second one runs within the first, before or after one of its writes: of runs that start a rollout, or that
    see its end."""
    is_over = end == "rolled back"
    fleet.build(is_bad=is_over)
    start, ended, _ = fleet.settle()
    fleet.heard()
    calls = ended.calls if is_over else start.calls
    (tmp_path / "other").mkdir()
    with function_process(tmp_path / "other") as other:
        other.deploy(fleet.archive, arn=fleet.function.arn, environment=fleet.function.environment)
        for write in writes:
            for number in (calls.index(write) - 1, calls.index(write)):
                before, ami, case = fleet.state, fleet.build(is_bad=is_over), f"{write}, {number}"
                if is_over:
                    fleet.function.run()
                    fleet.pass_time()
                at(wire, calls, number, other.run)
                assert run(fleet, wire).raised == "", case
                fleet.settle()
                check_rollout(fleet, before, ami=ami, end=end, case=case)
                check_notices(fleet, end=end, may_repeat=is_over, case=case)


def test_a_run_that_is_throttled_at_every_call_says_so(fleet: AutomaticFleet, wire: Wire) -> None:
    before, ami = fleet.state, fleet.build()
    start, *_ = fleet.settle()
    fleet.heard()
    before, ami = fleet.state, fleet.build()
    wire.faults = dict.fromkeys(operations(start.calls), THROTTLED)
    ran = run(fleet, wire)
    assert ran.raised.startswith("Unfinished: ") and len(ran.line["unfinished"]) == 2, ran
    assert len(ran.calls) == 2, "the look, and what was sent"
    fleet.settle()
    check_rollout(fleet, before, ami=ami, end="succeeded", case="")
    check_notices(fleet, end="succeeded", case="")
