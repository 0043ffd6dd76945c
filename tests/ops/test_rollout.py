"""`goldsmith rollout`: what it shows and asks, what it starts, and its exit status."""

from __future__ import annotations

import json
import os
import re
import sys

import pytest

from tests.support.estates import PROJECT
from tests.support.rollout_world import BY_GOLDSMITH, REGION, RolloutWorld
from tests.support.terminals import on_a_terminal, read_until

BUILD = r"\d\d \w\w\w \d\d:\d\d, 1\.0\.7/"


def test_it_shows_what_runs_and_what_will_run_and_ends_when_all_instances_run_it(fleets: RolloutWorld) -> None:
    _, new = fleets.deploy()
    answer = fleets.rollout("--why", "ticket 7")
    assert (answer.err, answer.status) == ("", 0)
    titles, plan, *lines, last = answer.out.splitlines()
    assert re.split("  +", titles.strip()) == [
        *("FLEET", "ACCOUNT", "REGION", "INSTANCES", "RUNS", "WILL RUN", "WHAT HAPPENS"),
    ]
    shown = rf"{fleets.name('dev')} +000000000000 +{REGION} +4 +{BUILD}1 +{BUILD}2 +rollout, about \d+ minutes *"
    assert re.fullmatch(shown, plan), plan
    assert lines == [f"{fleets.name('dev')}: Successful 100%; new 4, old 0"]
    assert re.fullmatch(rf"{fleets.name('dev')}: all 4 instances run {BUILD}2", last), last
    assert fleets["dev"].versions == {"2": 4}
    (attempt,) = fleets["dev"].attempts
    assert (attempt["build"], attempt["ami"], attempt["end"]) == ("1.0.7/2", new, "succeeded")
    assert (attempt["by"], attempt["why"]) == ("arn:aws:iam::000000000000:root", "ticket 7")


def test_the_refresh_has_a_number_to_go_back_from_and_what_the_fleet_declares(fleets: RolloutWorld) -> None:
    alarm = fleets.add_alarm()
    fleets.declare(
        dev="rollout: {by: goldsmith, min_healthy_percentage: 50, max_healthy_percentage: 150, warmup: 30 seconds, "
        "checkpoints: [50, 100], checkpoint_delay: 1 minute, bake: 2 minutes, protected_instances: refresh, "
        f"standby_instances: terminate, alarms: [{alarm}]}}"
    )
    fleets.deploy()
    assert fleets.rollout().status == 0
    (refresh,) = fleets["dev"].refreshes
    assert refresh["Preferences"] == {
        "MinHealthyPercentage": 50,
        "MaxHealthyPercentage": 150,
        "InstanceWarmup": 30,
        "SkipMatching": True,
        "AutoRollback": True,
        "CheckpointPercentages": [50, 100],
        "CheckpointDelay": 60,
        "BakeTime": 120,
        "ScaleInProtectedInstances": "Refresh",
        "StandbyInstances": "Terminate",
        "AlarmSpecification": {"Alarms": [alarm]},
    }
    assert refresh["DesiredConfiguration"]["LaunchTemplate"]["Version"] == "2"


def test_nothing_to_do_is_a_success_at_once(fleets: RolloutWorld) -> None:
    fleets.deploy()
    fleets.rollout()
    for options in ((), ("--retry",), ("--now", "--why", "CVE-2026-1")):
        answer = fleets.rollout(*options)
        assert (answer.err, answer.status) == ("", 0)
        assert "nothing: all instances run it" in answer.out
    asked = fleets.ops("rollout", fleets.name("dev"))
    assert (asked.status, asked.err) == (0, ""), "no question when there is nothing to agree to"
    assert len(fleets["dev"].refreshes) == 1


def test_a_group_without_instances_gets_the_version_and_that_is_said(fleets: RolloutWorld) -> None:
    fleets.deploy()
    fleets["dev"].update(MinSize=0, DesiredCapacity=0)
    for what in ("rollout, no instance is in service", "nothing: no instance is in service"):
        answer = fleets.rollout()
        _, plan, *_, last = answer.out.splitlines()
        assert (answer.status, plan.rstrip().endswith(f"  {what}")) == (0, True), plan
        words = f"{fleets.name('dev')}: no instance is in service, and the group launches {BUILD}2"
        assert re.fullmatch(words, last), last
    assert fleets["dev"].described["LaunchTemplate"]["Version"] == "2"


def test_a_group_whose_instances_cannot_start_is_no_success(fleets: RolloutWorld) -> None:
    ami = fleets.build()
    fleets.point(ami)
    fleets.aws.set_rollout_time(launch_seconds=60)  # they are still starting
    fleets["dev"].deploy(ami, size=2)
    assert {each["LifecycleState"] for each in fleets["dev"].described["Instances"]} == {"Pending"}
    name, group = fleets.name("dev"), fleets["dev"].group
    words = f"none of its 2 instances is in service: AWS still starts them, or cannot; look at the activity of {group}"
    answer = fleets.rollout()
    assert (answer.status, answer.out.splitlines()[-1]) == (1, f"{name}: {words}")
    assert [words in gap for gap in fleets.gaps()] == [True]
    fleets.aws.pass_time(60)
    assert fleets.rollout().status == 0


def test_without_a_terminal_it_needs_yes(fleets: RolloutWorld) -> None:
    fleets.deploy()
    answer = fleets.ops("rollout", fleets.name("dev"))
    words = "nobody can be asked, because standard input is not a terminal; add --yes"
    assert (answer.status, answer.err) == (1, f"{fleets.name('dev')}: {words}\n")
    assert "rollout, about" in answer.out, "it is shown anyway"
    assert fleets["dev"].refreshes == []


@pytest.mark.parametrize(
    ("typed", "last", "status"),
    [
        (b"yes\n", "all 4 instances run {build}2", 0),
        (b"y\n", "nothing was changed", 1),
        (b"\x03", "nothing was changed", 130),
        (b"\x04", "nothing was changed", 1),
    ],
    ids=["yes", "y", "Ctrl-C", "Ctrl-D"],
)
def test_on_a_terminal_only_yes_starts_it(fleets: RolloutWorld, typed: bytes, last: str, status: int) -> None:
    fleets.deploy()
    command = [sys.executable, "-m", "ops", "rollout", fleets.name("dev"), "--config", fleets.shell.config]
    wide = {**fleets.shell.environment, "COLUMNS": "200", "TERM": "dumb"}
    with on_a_terminal(command, folder=PROJECT, environment=wide) as (process, terminal):
        assert f"Roll out {fleets.name('dev')}? Type yes: " in read_until(terminal, "Type yes: ")
        os.write(terminal, typed)
        shown = read_until(terminal, "")
        assert process.wait(timeout=60) == status
    ending = rf"{fleets.name('dev')}: {last.format(build=BUILD)}"
    assert re.fullmatch(ending, shown.rstrip().splitlines()[-1]), shown
    assert len(fleets["dev"].refreshes) == (1 if status == 0 else 0)


def test_what_nobody_was_asked_about_is_not_started(fleets: RolloutWorld) -> None:
    """A rollout of an older version runs, so there is no question; the newest version is still to be rolled out."""
    fleets.deploy()
    fleets.aws.set_rollout_time(launch_seconds=30, scale=1)
    fleets["dev"].start(2)
    fleets["dev"].change(fleets.build())
    with fleets.passing():
        answer = fleets.ops("rollout", fleets.name("dev"))
    assert (answer.status, answer.err) == (1, "")
    *_, last = answer.out.splitlines()
    again = f"goldsmith rollout {fleets.name('dev')} --config {fleets.shell.config}"
    assert last == f"{fleets.name('dev')}: it can be started now: {again}"
    assert fleets["dev"].versions == {"2": 4}


def test_json_has_everything_and_the_rest_goes_to_standard_error(fleets: RolloutWorld) -> None:
    _, new = fleets.deploy()
    answer = fleets.rollout("--json")
    (shown,) = json.loads(answer.out)["fleets"]
    (refresh,) = fleets["dev"].refreshes
    (attempt,) = fleets["dev"].attempts
    assert shown == {
        "fleet": fleets.name("dev"),
        "account": "000000000000",
        "region": REGION,
        "wave": 1,
        "state": "done",
        "reasons": [],
        "until": None,
        "build": "1.0.7/2",
        "ami": new,
        "version": 2,
        "instances": {"2": 4},
        "refresh": refresh["InstanceRefreshId"],
        "by": "root",
        "started": attempt["started"],
        "ended": attempt["ended"],
        "reason": None,
        "activity": None,
    }
    assert f"{fleets.name('dev')}: Successful 100%" in answer.err
    asked = fleets.ops("rollout", fleets.name("dev"), "--json")
    words = "argument --json: needs --yes, because a program cannot answer a question\n"
    assert (asked.status, asked.out, asked.err) == (2, "", words)
    described = fleets.ops("rollout", "--help").out.partition("--json writes one object")[2]
    assert {member for member in shown if not re.search(rf"\b{member}\b", described)} == set(), "the help has them all"


def test_words_of_the_command_line_are_checked(fleets: RolloutWorld) -> None:
    fleets.declare(dev=BY_GOLDSMITH, prod=BY_GOLDSMITH)
    dev, prod = fleets.name("dev"), fleets.name("prod")
    unknown = fleets.ops("rollout", dev, prod.replace("prod", "porod"), "--yes")
    assert (unknown.status, unknown.out) == (2, "")
    assert unknown.err == f"unknown fleet '{prod.replace('prod', 'porod')}'; did you mean '{prod}'?\n"
    for flag in ("--now", "--skip-after"):
        hurried = fleets.rollout(flag)
        assert (hurried.status, hurried.err) == (2, f"argument {flag}: needs a reason; add --why REASON\n")
    both = fleets.rollout("--abort", "--retry")
    assert both.status == 2
    assert "argument --retry: not allowed with argument --abort" in both.err


def test_a_fleet_that_is_named_twice_is_rolled_out_once(fleets: RolloutWorld) -> None:
    fleets.deploy()
    status, shown = fleets.shown(fleets="dev dev")
    assert (status, [each["state"] for each in shown]) == (0, ["done"])
    assert len(fleets["dev"].refreshes) == 1


def test_fleets_of_one_command_go_side_by_side(fleets: RolloutWorld) -> None:
    fleets.declare(one=BY_GOLDSMITH, two=BY_GOLDSMITH, three=BY_GOLDSMITH)
    fleets.deploy("one", "two", "three")
    status, shown = fleets.shown(fleets="two one three")
    assert (status, [each["fleet"] for each in shown]) == (0, [*map(fleets.name, ("two", "one", "three"))])
    assert [fleets[name].versions for name in ("one", "two", "three")] == [{"2": 4}] * 3


def test_a_fleet_that_is_not_deployed_says_so(fleets: RolloutWorld) -> None:
    status, (shown,) = fleets.shown()
    stack = fleets["dev"].stack
    assert (status, shown["state"]) == (1, "refused")
    assert shown["reasons"] == [f"{stack} is not deployed: run goldsmith plan {stack} and apply it"]
    ami = fleets.build()
    fleets["dev"].client("ec2").create_launch_template(
        LaunchTemplateName=fleets["dev"].group, LaunchTemplateData={"ImageId": ami}
    )
    _, (shown,) = fleets.shown()
    assert shown["reasons"] == [f"group {fleets['dev'].group} does not exist: run goldsmith plan {stack} and apply it"]
