"""`goldsmith rollout` when a rollout does not end well: why, what is the case now, and commands that put it right."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.ops_world import Answer
from tests.support.rollout_world import BY_GOLDSMITH, REGION, RolloutWorld

BUILD = r"\d\d \w\w\w \d\d:\d\d, 1\.0\.7/"


def lines_of(fleets: RolloutWorld, answer: Answer, fleet: str = "dev") -> list[str]:
    """What is printed after the rollout has ended, with short names; the dates of builds are left out."""
    text = answer.out.replace(f" --config {fleets.shell.config}", "").replace(fleets.web.name, "web")
    lines = re.sub(r"\d\d \w\w\w \d\d:\d\d, (?=1\.0\.7/)", "", text).splitlines()
    return lines[next(index for index, line in enumerate(lines) if line.startswith(f"web-{fleet}: the rollout ")) :]


def run(fleets: RolloutWorld, command: str) -> Answer:
    """A command that was printed, typed as it is; a plan does to AWS what its apply does."""
    if command.startswith("goldsmith apply cdktf.out/plans"):
        return Answer("", "", 0)
    if command.startswith("goldsmith plan fleet-"):
        name = command.removeprefix("goldsmith plan fleet-").split()[0]
        ami = fleets.web.channels(REGION)["prod"].value
        (fleet,) = [fleets[each] for each in ("dev", "prod") if fleets.name(each) == name]
        by_terraform = "by: terraform" in fleets.shell.config.read_text()
        (fleet.apply if by_terraform else fleet.change)(ami)
        return Answer("", "", 0)
    program, *words = command.split()
    assert program == "goldsmith"
    words = words[: words.index("--config")] if "--config" in words else words
    return fleets.ops(*words, *(() if words[0] == "status" else ("--yes",)))


def commands(answer: Answer, purpose: str) -> list[str]:
    """The printed commands for a purpose."""
    lines = answer.out.partition(f"  {purpose}:\n")[2].splitlines()
    return [line.strip() for line in lines[: next((i for i, x in enumerate(lines) if x[:4] != "    "), len(lines))]]


@pytest.fixture
def promoted(fleets: RolloutWorld) -> RolloutWorld:
    """`prod` was promoted to the first build, which `dev` runs, and then to the second, which its template has."""
    for number in (1, 2):
        fleets.web.build()
        fleets.web.run()
        assert fleets.ops("promote", f"{fleets.web.name}@1.0.7/{number}", "prod", "--yes").status == 0
        ami = fleets.web.channels(REGION)["prod"].value
        if number == 1:
            fleets["dev"].deploy(ami)
        else:
            fleets["dev"].change(ami)
    return fleets


def newest(fleets: RolloutWorld) -> str:
    return str(fleets.web.channels(REGION)["prod"].value)


def test_aws_rolls_back_and_the_command_says_why_what_holds_and_what_to_do(promoted: RolloutWorld) -> None:
    promoted.aws.break_instances(newest(promoted), reason="the instance stopped")
    answer = promoted.rollout()
    assert (answer.status, answer.err) == (1, "")
    lines = lines_of(promoted, answer)
    assert lines.pop(1).startswith("  failed: Launching a new EC2 instance: i-")
    assert lines == [
        "web-dev: the rollout was rolled back: the instance stopped",
        "  now: web@prod says 1.0.7/2",
        "  now: the launch template has 1.0.7/2 (version 2)",
        "  now: 4 of 4 run 1.0.7/1 (version 1)",
        "  to try again:",
        "    goldsmith rollout web-dev --retry",
        "  to go back:",
        "    goldsmith rollback web@prod --to 1.0.7/1",
        "    goldsmith plan fleet-web-dev",
        "    goldsmith apply cdktf.out/plans",
        "    goldsmith rollout web-dev",
    ]
    assert promoted["dev"].described["LaunchTemplate"]["Version"] == "1"


def test_a_second_run_says_the_same_and_tries_nothing(promoted: RolloutWorld) -> None:
    promoted.aws.break_instances(newest(promoted), reason="the instance stopped")
    first = promoted.rollout()
    promoted.aws.heal_instances(newest(promoted))
    second = promoted.rollout()
    assert (second.status, lines_of(promoted, second)) == (1, lines_of(promoted, first))
    assert "nothing: the last rollout was rolled back on " in second.out
    assert len(promoted["dev"].refreshes) == 1
    status, (shown,) = promoted.shown()
    assert (status, shown["state"], shown["reason"]) == (1, "rolled back", "the instance stopped")
    assert shown["activity"].startswith("Launching a new EC2 instance: i-")
    assert (shown["instances"], shown["version"]) == ({"1": 4}, 2)


@pytest.mark.parametrize("purpose", ["to try again", "to go back"])
def test_the_printed_commands_put_it_right(promoted: RolloutWorld, purpose: str) -> None:
    bad = newest(promoted)
    promoted.aws.break_instances(bad)
    typed = commands(promoted.rollout(), purpose)
    assert promoted.gaps() != []
    if purpose == "to try again":
        promoted.aws.heal_instances(bad)
    for command in typed:
        answer = run(promoted, command)
        assert (answer.status, answer.err) == (0, ""), (command, answer.out)
    assert promoted.gaps() == []
    assert len(promoted["dev"].versions) == 1
    (attempt, *_) = promoted["dev"].attempts
    assert (attempt["end"], attempt["ami"]) == ("succeeded", newest(promoted))


def test_a_channel_that_moved_on_meanwhile_is_the_way_out(promoted: RolloutWorld) -> None:
    promoted.aws.break_instances(newest(promoted))
    promoted.rollout()
    promoted.web.build()
    promoted.web.run()
    assert promoted.ops("promote", f"{promoted.web.name}@1.0.7/3", "prod", "--yes").status == 0
    answer = promoted.rollout()
    typed = commands(answer, f"to take what {promoted.web.name}@prod says")
    assert "  now: web@prod says 1.0.7/3" in lines_of(promoted, answer)
    assert [run(promoted, command).status for command in typed] == [0, 0, 0]
    assert (promoted.gaps(), promoted["dev"].versions) == ([], {"3": 4})


def test_a_fleet_that_follows_latest_goes_back_by_a_revocation(fleets: RolloutWorld) -> None:
    fleets.declare(dev=f"channel: latest, {BY_GOLDSMITH}")
    for number in (1, 2):
        fleets.web.build()
        fleets.web.run()
        ami = fleets.web.latest()[REGION]
        (fleets["dev"].deploy if number == 1 else fleets["dev"].change)(ami)
    fleets.aws.break_instances(ami)
    typed = commands(fleets.rollout(), "to go back")
    revoke, *_ = typed
    assert revoke.startswith(f"goldsmith revoke {fleets.web.name}@1.0.7/2 --why REASON")
    assert run(fleets, revoke).status == 0
    fleets.web.run()
    fleets["dev"].change(fleets.web.latest()[REGION])
    assert run(fleets, typed[-1]).status == 0
    assert (fleets.gaps(), fleets["dev"].versions) == ([], {"3": 4})


def test_a_change_without_a_new_build_goes_back_by_a_revert(promoted: RolloutWorld) -> None:
    promoted.rollout()
    fleet = promoted["dev"]
    fleet.change(newest(promoted))
    promoted.aws.break_instances(f"{fleet.template}:3", reason="the user data fails")
    answer = promoted.rollout()
    lines = lines_of(promoted, answer)
    assert lines[0] == "web-dev: the rollout was rolled back: the user data fails"
    assert lines[-4:] == [
        "  to go back: revert the change of web-dev in the configuration:",
        "    goldsmith plan fleet-web-dev",
        "    goldsmith apply cdktf.out/plans",
        "    goldsmith rollout web-dev",
    ]
    fleet.change(newest(promoted))
    assert (promoted.rollout().status, promoted.gaps()) == (0, [])


def test_a_pinned_fleet_goes_back_by_a_revert_of_its_pin(promoted: RolloutWorld) -> None:
    promoted.declare(dev=f"updates: pull-request, {BY_GOLDSMITH}")
    assert promoted.ops("pin", promoted.name("dev")).status == 0
    promoted.aws.break_instances(newest(promoted), reason="it stopped")
    assert lines_of(promoted, promoted.rollout())[-4:] == [
        "  to go back: git revert the commit that changed the pin of web-dev:",
        "    goldsmith plan fleet-web-dev",
        "    goldsmith apply cdktf.out/plans",
        "    goldsmith rollout web-dev",
    ]


@pytest.mark.parametrize(
    ("end", "state", "words"),
    [
        ("Failed", "failed", "the rollout failed: it did not work"),
        ("Cancelled", "cancelled", "the rollout was cancelled: it did not work"),
        ("RollbackFailed", "rollback failed", "the rollout failed, and could not be rolled back: it did not work"),
    ],
)
def test_every_other_end_says_what_the_instances_run(promoted: RolloutWorld, end: str, state: str, words: str) -> None:
    promoted.aws.end_next_refresh(promoted["dev"].group, status=end, percentage=50, reason="it did not work")
    answer = promoted.rollout()
    lines = lines_of(promoted, answer)
    assert (answer.status, lines[0]) == (1, f"web-dev: {words}")
    assert [line for line in lines if " run " in line] == [
        "  now: 2 of 4 run 1.0.7/1 (version 1)",
        "  now: 2 of 4 run 1.0.7/2 (version 2)",
    ]
    status, (shown,) = promoted.shown()
    assert (status, shown["state"], shown["instances"]) == (1, state, {"1": 2, "2": 2})
    for command in commands(answer, "to go back"):
        assert run(promoted, command).status == 0
    assert (promoted.gaps(), promoted["dev"].versions) == ([], {"3": 4})


def test_retry_starts_it_again_and_the_record_has_both(promoted: RolloutWorld) -> None:
    promoted.aws.break_instances(newest(promoted))
    promoted.rollout()
    promoted.aws.heal_instances(newest(promoted))
    answer = promoted.rollout("--retry", "--why", "the database is back")
    assert (answer.status, answer.err) == (0, "")
    assert [(each["end"], each.get("why")) for each in promoted["dev"].attempts] == [
        ("succeeded", "the database is back"),
        ("rolled back", None),
    ]
    assert promoted.rollout("--retry").status == 0
    assert len(promoted["dev"].refreshes) == 2, "there is nothing to try again"


def test_another_version_is_tried_as_usual_after_a_rollback(promoted: RolloutWorld) -> None:
    promoted.aws.break_instances(newest(promoted))
    promoted.rollout()
    promoted["dev"].change(newest(promoted))
    assert "nothing: the last rollout was rolled back" in promoted.rollout().out, "the same AMI is the same build"
    promoted["dev"].change(promoted.build())
    assert promoted.rollout().status == 0


def test_protected_instances_are_kept_where_the_fleet_says_so_and_that_is_no_success(fleets: RolloutWorld) -> None:
    fleets.declare(dev="rollout: {by: goldsmith, protected_instances: ignore}")
    fleets.deploy()
    fleet = fleets["dev"]
    kept = fleet.instances[:1]
    protect = {"AutoScalingGroupName": fleet.group, "InstanceIds": kept}
    fleet.client("autoscaling").set_instance_protection(**protect, ProtectedFromScaleIn=True)
    answer = fleets.rollout()
    assert answer.status == 1
    assert (
        f"{fleets.name('dev')}: the rollout failed: the refresh ended well, and 1 of 4 instances were kept: 1 of them "
        "is protected from scale-in; end the protection, or write rollout: {protected_instances: refresh}\n"
    ) in answer.out
    assert "to go back" not in answer.out
    answer = fleets.rollout()
    assert answer.status == 1
    assert (
        "1 instance of 4 is protected from scale-in, and the last rollout kept them: end the protection, or write "
        "rollout: {protected_instances: refresh}"
    ) in answer.out
    assert len(fleet.refreshes) == 1, "another one would keep them too"
    fleet.client("autoscaling").set_instance_protection(**protect, ProtectedFromScaleIn=False)
    assert fleets.rollout().status == 0
    assert (fleet.versions, fleets.gaps()) == ({"2": 4}, [])


def test_instances_in_standby_do_not_count(fleets: RolloutWorld) -> None:
    fleets.declare(dev="rollout: {by: goldsmith, standby_instances: ignore}")
    fleets.deploy()
    fleet = fleets["dev"]
    fleet.update(MinSize=1)
    fleet.client("autoscaling").enter_standby(
        AutoScalingGroupName=fleet.group, InstanceIds=fleet.instances[:1], ShouldDecrementDesiredCapacity=True
    )
    answer = fleets.rollout()
    assert (answer.status, fleet.versions) == (0, {"1": 1, "2": 3})
    assert re.search(rf"{fleets.name('dev')}: all 3 instances run {BUILD}2", answer.out)


# --- by: terraform


@pytest.fixture
def applied(fleets: RolloutWorld) -> RolloutWorld:
    """A fleet whose rollouts Terraform starts, on the first build of `prod`."""
    fleets.declare(dev="rollout: {by: terraform}")
    fleets["dev"].deploy(fleets.build())
    return fleets


def test_what_an_apply_started_is_followed_to_its_end(applied: RolloutWorld) -> None:
    applied.aws.set_rollout_time(launch_seconds=30, scale=1)
    applied["dev"].apply(applied.build())
    with applied.passing():
        answer = applied.rollout()
    assert (answer.status, answer.err) == (0, "")
    assert "a rollout runs: InProgress" in answer.out
    assert applied["dev"].versions == {"2": 4}
    (attempt,) = applied["dev"].attempts
    assert (attempt["build"], attempt["end"]) == ("1.0.7/2", "succeeded")


def test_what_an_apply_started_and_failed_is_a_failure_with_commands(applied: RolloutWorld) -> None:
    bad = applied.build()
    applied.aws.end_next_refresh(applied["dev"].group, status="Failed", percentage=25, reason="unhealthy")
    applied["dev"].apply(bad)
    answer = applied.rollout()
    assert answer.status == 1
    assert lines_of(applied, answer) == [
        "web-dev: the rollout failed: unhealthy",
        "  now: web@prod says 1.0.7/2",
        "  now: the launch template has 1.0.7/2 (version 2)",
        "  now: 3 of 4 run 1.0.7/1 (version 1)",
        "  now: 1 of 4 runs 1.0.7/2 (version 2)",
        "  to try again:",
        "    goldsmith rollout web-dev --retry",
        "  to go back:",
        "    goldsmith rollback web@prod --to 1.0.7/1",
        "    goldsmith plan fleet-web-dev",
        "    goldsmith apply cdktf.out/plans",
        "    goldsmith rollout web-dev",
    ]
    assert run(applied, commands(answer, "to try again")[0]).status == 0
    assert (applied["dev"].versions, applied.gaps()) == ({"2": 4}, [])
    newest_refresh, *_ = applied["dev"].refreshes
    assert "DesiredConfiguration" not in newest_refresh, "Terraform owns the version of the group"


def test_only_an_apply_gives_the_group_another_version(applied: RolloutWorld) -> None:
    applied["dev"].change(applied.build())
    answer = applied.rollout("--retry")
    assert answer.status == 1
    assert (
        "the group launches version 1, and 2 is the newest: Terraform starts this rollout, so run goldsmith "
        f"plan {applied['dev'].stack} and apply it"
    ) in answer.out
    applied["dev"].update(LaunchTemplate=applied["dev"].specification(2))
    answer = applied.rollout()
    assert answer.status == 1
    words = (
        f"4 instances of 4 do not run version 2, and no refresh runs: goldsmith rollout {applied.name('dev')} --retry"
    )
    assert words in answer.out
    assert applied.rollout("--retry").status == 0


def test_an_end_that_only_a_newer_program_knows_is_no_success(fleets: RolloutWorld) -> None:
    _, new = fleets.deploy()
    attempt = {"refresh": "r-1", "template": fleets["dev"].template, "version": "2", "ami": new, "end": "paused"}
    fleets["dev"].client("ssm").put_parameter(
        Name=f"/goldsmith/acme/fleets/{fleets.name('dev')}", Value=json.dumps({"attempts": [attempt]}), Type="String"
    )
    answer = fleets.rollout()
    assert answer.status == 1
    assert f"{fleets.name('dev')}: the rollout ended as 'paused'\n" in answer.out
    assert fleets["dev"].refreshes == []
