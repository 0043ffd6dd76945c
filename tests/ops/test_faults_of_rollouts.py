"""Whatever goes wrong in a call of `goldsmith rollout`, or kills it between two writes: the rollout goes on in AWS, and
a second run joins or finishes it."""

from __future__ import annotations

import itertools
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local_aws.server import LocalAws
from tests.support.handoff_world import ImageWorld
from tests.support.ops_world import Answer, impatient_shell
from tests.support.rollout_world import RolloutWorld
from tests.support.wire import BROKEN, DENIED, RESET, THROTTLED, TRUNCATED, Asked, Fault, Wire, wire_to

FAULTS: dict[str, Fault] = {
    "throttled": THROTTLED,
    "server error": BROKEN,
    "denied": DENIED,
    "truncated": TRUNCATED,
    "reset": RESET,
}
"""Each is met after AWS has done what was asked, so that its answer is lost."""
GROUPS = 3
START, RECORD = "autoscaling StartInstanceRefresh", "ssm PutParameter"


@pytest.fixture
def wire(local_aws: LocalAws) -> Iterator[Wire]:
    with wire_to(local_aws.endpoint) as wire:
        yield wire


@pytest.fixture
def fleets(
    local_aws: LocalAws,
    wire: Wire,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[RolloutWorld]:
    """Fleets whose commands use the wire, and try each call once."""
    shell = impatient_shell(local_aws, tmp_path / "estate.yaml", monkeypatch, capsys)
    monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
    shell = replace(shell, environment={**shell.environment, "AWS_ENDPOINT_URL": wire.endpoint})
    fleets = RolloutWorld(local_aws, ImageWorld(local_aws), shell)
    fleets.declare()
    yield fleets
    local_aws.set_rollout_time()


def met_by(number: int, fault: Fault) -> Fault:
    """The fault for one of the calls of an operation; the others are answered as usual."""
    calls = itertools.count()
    return lambda asked, answer: fault(asked, answer) if next(calls) == number else answer


def met_after_start(wire: Wire, number: int, fault: Fault) -> Fault:
    """The same for one of the calls after the refresh was started."""
    later = met_by(number, fault)
    return lambda asked, answer: later(asked, answer) if START in wire.operations else answer


def places(wire: Wire, run: Callable[[], Answer]) -> list[tuple[str, int]]:
    """The calls of a run that meets no faults: each operation, and which of several, the first and the last one."""
    wire.operations.clear()
    assert run().status == 0
    counts = {operation: wire.operations.count(operation) for operation in wire.operations}
    return [(operation, number) for operation, count in counts.items() for number in dict.fromkeys((0, count - 1))]


def check(answer: Answer, case: str) -> None:
    """It ended in words: well, or with one line for the fleet."""
    assert answer.status in (0, 1), (case, answer)
    assert "Traceback" not in answer.err + answer.out, (case, answer)
    assert "unexpected error" not in answer.err, (case, answer)
    assert answer.status == 0 or "AWS" in answer.out + answer.err, (case, answer)


@pytest.mark.parametrize("group", range(GROUPS))
def test_a_second_run_finishes_whatever_a_call_of_the_first_one_meets(
    fleets: RolloutWorld, wire: Wire, group: int
) -> None:
    _, new = fleets.deploy()
    fleet, kinds = fleets["dev"], itertools.cycle(FAULTS)
    cases = [(place, next(kinds)) for place in places(wire, fleets.rollout)]
    cases += [(place, kind) for place in ((START, 0), (RECORD, 0)) for kind in FAULTS]
    assert {operation for (operation, _), _ in cases} >= {START, RECORD, "ec2 DescribeImages"}
    for (operation, number), kind in cases[group::GROUPS]:
        case, version, before = f"{kind} at {operation}, after {number}", fleet.change(new), len(fleet.refreshes)
        wire.faults[operation] = met_by(number, FAULTS[kind])
        check(fleets.rollout(), case)
        wire.faults.clear()
        assert fleets.rollout().status == 0, case
        assert fleet.versions == {str(version): 4}, case
        assert len(fleet.refreshes) == before + 1, f"{case}: one refresh, however often the command was run"
        (attempt, *_) = fleet.attempts
        assert (attempt["version"], attempt["end"]) == (str(version), "succeeded"), case


def test_following_goes_on_when_aws_does_not_answer(fleets: RolloutWorld, wire: Wire) -> None:
    fleets.deploy()
    fleets.aws.set_rollout_time(launch_seconds=30, scale=1)
    wire.faults = {
        "autoscaling DescribeInstanceRefreshes": met_after_start(wire, 2, THROTTLED),
        "autoscaling DescribeAutoScalingGroups": met_after_start(wire, 2, RESET),
        "ssm GetParametersByPath": met_after_start(wire, 0, BROKEN),
    }

    def looks() -> int:
        operations = list(wire.operations)
        later = operations[operations.index(START) :] if START in operations else []
        return later.count("autoscaling DescribeAutoScalingGroups")

    with fleets.passing(200, when=lambda: looks() > 3):
        answer = fleets.rollout()
    assert (answer.status, answer.err) == (0, "")
    silent = f"{fleets.name('dev')}: AWS does not answer; trying again"
    first, *between, note, last = answer.out.splitlines()[2:]
    assert (between[0], note) == (silent, silent), "in the middle, and when it has ended"
    assert between[-1] == f"{fleets.name('dev')}: Successful 100%; new 4, old 0"
    assert last.startswith(f"{fleets.name('dev')}: all 4 instances run ") and "about" in first


def test_following_ends_when_it_is_not_allowed(fleets: RolloutWorld, wire: Wire) -> None:
    fleets.deploy()
    fleets.aws.set_rollout_time(launch_seconds=30, scale=1)
    fleets["dev"].start(2)
    wire.faults["autoscaling DescribeInstanceRefreshes"] = met_by(2, DENIED)
    answer = fleets.rollout()
    assert answer.status == 1
    assert f"{fleets.name('dev')}: AWS does not allow DescribeInstanceRefreshes in eu-west-1: " in answer.out
    assert fleets["dev"].statuses == ["InProgress"]


def test_an_end_that_cannot_be_explained_is_shown_without_the_activity(fleets: RolloutWorld, wire: Wire) -> None:
    _, new = fleets.deploy()
    fleets.aws.break_instances(new, reason="it stopped")
    wire.faults["autoscaling DescribeScalingActivities"] = DENIED
    answer = fleets.rollout()
    assert (answer.status, answer.err) == (1, "")
    assert "the rollout was rolled back: it stopped" in answer.out
    assert "  failed: " not in answer.out and "  to go back:" in answer.out


@pytest.mark.parametrize("kind", FAULTS)
def test_an_abort_whose_answer_is_lost_is_finished_by_a_second_one(fleets: RolloutWorld, wire: Wire, kind: str) -> None:
    fleets.deploy()
    fleets.aws.set_rollout_time(launch_seconds=30, scale=1)
    fleets["dev"].start(2)
    wire.faults["autoscaling RollbackInstanceRefresh"] = met_by(0, FAULTS[kind])
    check(fleets.rollout("--abort"), kind)
    assert fleets["dev"].statuses == ["RollbackInProgress"]
    with fleets.passing():
        assert fleets.rollout("--abort").status == 0
    assert (fleets["dev"].statuses, fleets["dev"].versions) == (["RollbackSuccessful"], {"1": 4})


@pytest.mark.parametrize("kind", FAULTS)
def test_a_retry_whose_answer_is_lost_is_not_a_second_one(fleets: RolloutWorld, wire: Wire, kind: str) -> None:
    _, new = fleets.deploy()
    fleets.aws.end_next_refresh(fleets["dev"].group, status="Failed", percentage=50, reason="it stopped")
    assert fleets.rollout().status == 1
    wire.faults[START] = met_by(0, FAULTS[kind])
    check(fleets.rollout("--retry"), kind)
    assert fleets.rollout("--retry").status == 0
    assert (fleets["dev"].statuses, fleets["dev"].versions) == (["Successful", "Failed"], {"2": 4})
    assert new


class Killing:
    """A fault that kills the command, before or after AWS has done what was asked."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None

    def __call__(self, _: Asked, __: tuple[int, bytes]) -> None:
        while self.process is None:
            pass
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=30)


@pytest.mark.parametrize("write", [START, RECORD])
def test_a_run_that_is_killed_after_a_write_is_finished_by_the_next(
    fleets: RolloutWorld, wire: Wire, write: str
) -> None:
    fleets.deploy()
    wire.faults[write] = killing = Killing()
    with fleets.shell.running("rollout", fleets.name("dev"), "--yes") as process:
        killing.process = process
        assert process.wait(timeout=60) == -signal.SIGKILL
    wire.faults.clear()
    assert fleets.rollout().status == 0
    assert (fleets["dev"].statuses, fleets["dev"].versions) == (["Successful"], {"2": 4})
    (attempt,) = fleets["dev"].attempts
    assert (attempt["build"], attempt["end"]) == ("1.0.7/2", "succeeded")


def test_a_rollout_that_ends_while_status_reads_leaves_no_gap(fleets: RolloutWorld, wire: Wire) -> None:
    fleets.deploy()
    fleets.aws.set_rollout_time(launch_seconds=30, scale=1)
    fleets["dev"].start(2)
    is_over = iter([False])

    def ends(_: Asked, answer: tuple[int, bytes]) -> tuple[int, bytes]:
        """After the first of both answers, so that the other one has its end."""
        if not next(is_over, True):
            fleets.aws.pass_time(3600)
        return answer

    for operation in ("DescribeInstanceRefreshes", "DescribeAutoScalingGroups"):
        wire.faults[f"autoscaling {operation}"] = ends
    assert fleets.gaps() == []
    assert fleets["dev"].versions == {"2": 4}
