"""`goldsmith rollout` while a rollout runs: what it shows, and that the rollout needs neither it nor only one of it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.estates import PROJECT
from tests.support.rollout_world import BY_GOLDSMITH, RolloutWorld
from tests.support.terminals import on_a_terminal, read_until

GOING_BACK = ("Cancelling", "RollbackInProgress")
SLOW = {"launch_seconds": 30.0, "scale": 1.0}
PAUSING = (
    "rollout: {by: goldsmith, warmup: 1 minute, checkpoints: [50, 100], checkpoint_delay: 10 minutes, bake: 5 minutes}"
)


@pytest.fixture
def slow(fleets: RolloutWorld) -> RolloutWorld:
    """`dev` on the first build, with the second in its template; refreshes take minutes, which a test lets pass."""
    fleets.deploy()
    fleets.aws.set_rollout_time(**SLOW)
    return fleets


@contextmanager
def following(fleets: RolloutWorld, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own, as soon as it has shown how far the rollout is."""
    with fleets.shell.running("rollout", fleets.name("dev"), "--yes", *arguments) as process:
        assert process.stdout
        for line in process.stdout:
            if line.startswith(f"{fleets.name('dev')}: "):
                break
        yield process


def test_a_pipe_gets_a_line_for_each_change(slow: RolloutWorld) -> None:
    slow.declare(dev=PAUSING)
    shown = []
    with slow.shell.running("rollout", slow.name("dev"), "--yes") as process:
        assert process.stdout
        lines = (line.removeprefix(f"{slow.name('dev')}: ").rstrip() for line in process.stdout)
        next(lines), next(lines)
        for seconds in (95, 95, 610, 90, 310, 310):
            shown.append(next(lines))
            slow.aws.pass_time(seconds)
        shown += lines
        assert process.wait(timeout=60) == 0
    assert len(shown) == len(set(shown)), "nothing is repeated"
    written = "\n".join(shown)
    for part in (
        r"^0%; new 1 \(1 Pending\), old 4, about 23 minutes left\n",
        r"\nat checkpoint 50%, pauses 10 minutes; new 2, old 2, about 19 minutes left\n",
        r"\n75%; new [34]( \(1 Pending\))?, old 1, about 7 minutes left\n",
        r"\nall replaced, bakes 5 minutes; new 4, old 0, about 5 minutes left\n",
        r"\nSuccessful 100%; new 4, old 0\nall 4 instances run .*1\.0\.7/2$",
    ):
        assert re.search(part, written), (part, shown)


def test_a_terminal_has_one_line_that_changes(slow: RolloutWorld) -> None:
    command = [sys.executable, "-m", "ops", "rollout", slow.name("dev"), "--yes", "--config", slow.shell.config]
    wide = {**slow.shell.environment, "COLUMNS": "200", "TERM": "xterm"}
    with on_a_terminal(command, folder=PROJECT, environment=wide) as (process, terminal), slow.passing():
        written = read_until(terminal, "")
        assert process.wait(timeout=60) == 0
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written)
    assert re.search(
        rf"{slow.name('dev')} +\d+% +new \d( \(\d Pending\))? +old \d +until about \d\d \w+ \d\d:\d\d UTC", shown
    )
    assert "\x1b[1A" in written, "the line is written over"
    assert re.search(r"Successful 100% +new 4 +old 0 *\r", shown), "it is not broken where no time is left"
    assert re.search(r": all 4 instances run .*1\.0\.7/2\r?\n$", shown)


def test_a_rollout_that_waits_for_somebody_says_for_what(slow: RolloutWorld) -> None:
    fleet = slow["dev"]
    autoscaling, (kept, *_) = fleet.client("autoscaling"), fleet.instances
    protect = {"AutoScalingGroupName": fleet.group, "InstanceIds": [kept]}
    autoscaling.set_instance_protection(**protect, ProtectedFromScaleIn=True)
    fleet.start(2, MinHealthyPercentage=50, InstanceWarmup=0)
    slow.aws.pass_time(300)
    waits = f"Waiting for remaining instances to be available. For example: {kept} is protected from scale in"
    (shown,) = json.loads(slow.ops("status", slow.name("dev"), "--json").out)["fleets"]
    assert shown["progress"] == f"instance refresh is InProgress at 75%, 1 instance left: {waits}"
    with slow.shell.running("rollout", slow.name("dev"), "--yes") as process:
        assert process.stdout
        _, _, line = (next(process.stdout) for _ in range(3))
        autoscaling.set_instance_protection(**protect, ProtectedFromScaleIn=False)
        with slow.passing():
            *_, last = process.stdout
        assert process.wait(timeout=60) == 0
    assert line == f"{slow.name('dev')}: 75% {waits}; new 3, old 1\n", "how long it takes is not known"
    assert "all 4 instances run" in last


def test_times_of_an_aws_whose_clock_is_ahead_are_now(slow: RolloutWorld) -> None:
    slow.aws.pass_time(60)
    slow["dev"].start(2)
    assert "InProgress 0%, seconds ago" in slow.ops("status", slow.name("dev")).out


def test_a_second_run_joins(slow: RolloutWorld) -> None:
    with following(slow), slow.passing():
        joined = slow.rollout()
    assert (joined.status, joined.err) == (0, "")
    assert "a rollout runs: InProgress" in joined.out
    assert slow["dev"].statuses == ["Successful"]
    assert len(slow["dev"].attempts) == 1


def test_ctrl_c_leaves_it_running_and_says_how_to_go_on(slow: RolloutWorld) -> None:
    with following(slow) as process:
        process.send_signal(signal.SIGINT)
        _, words = process.communicate(timeout=30)
    follow, back = (
        f"goldsmith rollout {slow.name('dev')}{option} --config {slow.shell.config}" for option in ("", " --abort")
    )
    assert process.returncode == 130
    assert words == f"\nwhat was started goes on in AWS; to follow it: {follow}; to go back: {back}\n"
    assert slow["dev"].statuses == ["InProgress"]
    with slow.passing():
        assert slow.rollout().status == 0
    assert slow["dev"].statuses == ["Successful"]


def test_ctrl_c_on_a_terminal_leaves_the_last_line(slow: RolloutWorld) -> None:
    command = [sys.executable, "-m", "ops", "rollout", slow.name("dev"), "--yes", "--config", slow.shell.config]
    wide = {**slow.shell.environment, "COLUMNS": "200", "TERM": "xterm"}
    with on_a_terminal(command, folder=PROJECT, environment=wide) as (process, terminal):
        read_until(terminal, "old ")
        os.write(terminal, b"\x03")
        shown = read_until(terminal, "")
        assert process.wait(timeout=60) == 130
    assert "\x1b[?25h" in shown, "the cursor is shown again"
    assert f"to go back: goldsmith rollout {slow.name('dev')} --abort" in shown.rstrip().splitlines()[-1]
    assert slow["dev"].statuses == ["InProgress"]


def test_a_killed_command_changes_nothing_in_aws(slow: RolloutWorld) -> None:
    with following(slow) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
    with slow.passing():
        assert slow.rollout().status == 0
    assert slow["dev"].statuses == ["Successful"]
    (attempt,) = slow["dev"].attempts
    assert (attempt["end"], attempt["by"]) == ("succeeded", "arn:aws:iam::000000000000:root")


def test_a_rollout_that_nobody_followed_is_in_the_record_after_the_next_look(slow: RolloutWorld) -> None:
    slow["dev"].start(2)
    slow.aws.pass_time(3600)
    assert slow.rollout().status == 0
    (attempt,) = slow["dev"].attempts
    assert (attempt["end"], attempt["build"], "by" in attempt) == ("succeeded", "1.0.7/2", False)


# --- Going back


def test_abort_goes_back_and_that_is_a_success(slow: RolloutWorld) -> None:
    slow["dev"].start(2)
    slow.aws.pass_time(60)
    with slow.passing(when=lambda: slow["dev"].statuses[0] in GOING_BACK):
        answer = slow.rollout("--abort")
    assert (answer.status, answer.err) == (0, "")
    assert "goes back" in answer.out.splitlines()[1]
    assert f"\n{slow.name('dev')}: the rollout was rolled back: " in answer.out
    assert (slow["dev"].statuses, slow["dev"].versions) == (["RollbackSuccessful"], {"1": 4})
    assert slow["dev"].described["LaunchTemplate"]["Version"] == "1"


def test_whoever_follows_a_rollout_that_somebody_aborts_fails(slow: RolloutWorld) -> None:
    with following(slow) as process, slow.passing(when=lambda: slow["dev"].statuses[0] in GOING_BACK):
        assert slow.rollout("--abort").status == 0
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"{slow.name('dev')}: the rollout was rolled back: " in printed


def test_a_second_abort_follows_the_first_one(slow: RolloutWorld) -> None:
    slow["dev"].start(2)
    slow.aws.pass_time(60)
    slow["dev"].client("autoscaling").rollback_instance_refresh(AutoScalingGroupName=slow["dev"].group)
    with slow.passing():
        assert slow.rollout("--abort").status == 0
    assert slow.rollout("--abort").status == 0, "it has gone back, as it was wanted"
    with slow.passing():
        assert slow.rollout("--retry").status == 0
    late = slow.rollout("--abort")
    assert late.status == 1
    assert late.out.splitlines()[-1] == f"{slow.name('dev')}: no rollout runs, so there is nothing to abort"


def test_ctrl_c_while_it_goes_back_leaves_it_going_back(slow: RolloutWorld) -> None:
    slow["dev"].start(2)
    slow.aws.pass_time(60)
    with following(slow, "--abort") as process:
        process.send_signal(signal.SIGINT)
        _, words = process.communicate(timeout=30)
    again = f"goldsmith rollout {slow.name('dev')} --abort --config {slow.shell.config}"
    assert (process.returncode, words) == (130, f"\nwhat was ended goes back in AWS; to follow it: {again}\n")
    assert slow["dev"].statuses == ["RollbackInProgress"]


def test_abort_stops_what_terraform_started_because_it_cannot_go_back(slow: RolloutWorld) -> None:
    slow.declare(dev="rollout: {by: terraform}")
    slow["dev"].apply(slow.build())
    slow.aws.pass_time(60)
    with slow.passing(when=lambda: slow["dev"].statuses[0] in GOING_BACK):
        answer = slow.rollout("--abort")
    assert answer.status == 0
    assert "stops, because Terraform's refreshes cannot go back" in answer.out.splitlines()[1]
    assert slow["dev"].statuses == ["Cancelled"]
    assert re.search(rf"{slow.name('dev')}: the rollout was cancelled", answer.out)
    assert "  now: " in answer.out, "a part of the instances is replaced"


def test_abort_stops_what_somebody_started_without_a_version(slow: RolloutWorld) -> None:
    slow["dev"].update(LaunchTemplate=slow["dev"].specification(2))
    slow["dev"].client("autoscaling").start_instance_refresh(AutoScalingGroupName=slow["dev"].group)
    with slow.passing(when=lambda: slow["dev"].statuses[0] in GOING_BACK):
        answer = slow.rollout("--abort")
    assert answer.status == 0
    assert "stops, because it was started without a version to go back to" in answer.out.splitlines()[1]


def test_abort_asks_first(slow: RolloutWorld) -> None:
    slow["dev"].start(2)
    answer = slow.ops("rollout", slow.name("dev"), "--abort")
    assert answer.status == 1
    assert answer.err.endswith("nobody can be asked, because standard input is not a terminal; add --yes\n")
    assert slow["dev"].statuses == ["InProgress"]


def test_a_newer_version_meanwhile_is_said_and_rolled_out_by_the_next_run(slow: RolloutWorld) -> None:
    with following(slow) as process:
        slow["dev"].change(slow.build())
        with slow.passing():
            printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert printed.rstrip().endswith("1.0.7/2; version 3 of the launch template was made meanwhile")
    with slow.passing():
        assert slow.rollout().status == 0
    assert slow["dev"].versions == {"3": 4}


def test_a_run_that_joins_an_older_rollout_goes_on_to_the_newest_version(slow: RolloutWorld) -> None:
    slow["dev"].start(2)
    slow["dev"].change(slow.build())
    with slow.passing():
        answer = slow.rollout()
    assert (answer.status, answer.err) == (0, "")
    assert slow["dev"].statuses == ["Successful", "Successful"]
    assert slow["dev"].versions == {"3": 4}


def test_a_group_that_is_deleted_meanwhile_ends_it(slow: RolloutWorld) -> None:
    slow.declare(dev=BY_GOLDSMITH)
    with following(slow) as process:
        slow["dev"].client("autoscaling").delete_auto_scaling_group(
            AutoScalingGroupName=slow["dev"].group, ForceDelete=True
        )
        printed, words = process.communicate(timeout=60)
    assert (process.returncode, words) == (1, "")
    gone = f"group {slow['dev'].group} was deleted meanwhile: run goldsmith plan {slow['dev'].stack} and apply it"
    assert printed.splitlines()[-1] == f"{slow.name('dev')}: {gone}"
