"""Which fleet is rolled out after which, and when: waves, holds of builds, `after`, windows and freezes."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambda_src.handoff.holds import Hold
from tests.support.handoff_world import HOME
from tests.support.rollout_world import BY_GOLDSMITH, REGION, RolloutWorld, days, wait_until

SOON = datetime.now(UTC) + timedelta(days=2)
CLOSED = f"window: '{f'{SOON:%a}'.lower()} 10:00-16:00 UTC'"
WAVES = {
    "one": "rollout: {by: goldsmith}",
    "two": "rollout: {by: goldsmith, wave: 2}",
    "three": "rollout: {by: goldsmith, wave: 3}",
}


def states(shown: list[dict[str, Any]]) -> list[str]:
    return [each["state"] for each in shown]


# --- Waves


def test_a_wave_begins_when_the_one_before_has_ended_well(fleets: RolloutWorld) -> None:
    fleets.declare(**WAVES)
    fleets.deploy("one", "two", "three")
    answer = fleets.rollout(fleets="three two one")
    assert (answer.status, answer.err) == (0, "")
    assert [line.rpartition("wave ")[2].partition(":")[0] for line in answer.out.splitlines()[1:4]] == ["3", "2", "1"]
    ends, starts = (
        {name: datetime.fromisoformat(fleets[name].attempts[0][member]) for name in WAVES}
        for member in ("ended", "started")
    )
    assert ends["one"] <= starts["two"] and ends["two"] <= starts["three"]
    assert [fleets[name].versions for name in WAVES] == [{"2": 4}] * 3


def test_a_failed_wave_stops_the_next_ones(fleets: RolloutWorld) -> None:
    fleets.declare(**WAVES)
    fleets.deploy("one", "two", "three")
    fleets.aws.break_instances(f"{fleets['one'].template}:2")
    status, shown = fleets.shown(fleets="one two three")
    assert (status, states(shown)) == (1, ["rolled back", "refused", "refused"])
    before = f"wave 1 has to end well first: {fleets.name('one')}"
    assert [each["reasons"] for each in shown[1:]] == [[before], [before]]
    assert [fleets[name].refreshes for name in ("two", "three")] == [[], []]


def test_a_wave_after_a_queued_one_is_queued_until_the_same_time(fleets: RolloutWorld) -> None:
    fleets.declare(**WAVES | {"one": f"{WAVES['one']}, {CLOSED}"})
    fleets.deploy("one", "two", "three")
    status, shown = fleets.shown(fleets="one two three")
    assert (status, states(shown)) == (0, ["queued"] * 3)
    assert {each["until"] for each in shown} == {f"{SOON:%Y-%m-%d}T10:00:00+00:00"}


def test_nobody_is_asked_about_a_wave_that_cannot_begin(fleets: RolloutWorld) -> None:
    fleets.declare(**WAVES | {"two": f"{WAVES['two']}, {CLOSED}"})
    fleets.deploy("one", "two", "three")
    fleets.rollout(fleets="one")
    answer = fleets.ops("rollout", *map(fleets.name, ("one", "two", "three")))
    assert (answer.status, answer.err) == (0, "")
    plan = [line.rstrip().rpartition("  wave ")[2] for line in answer.out.splitlines()[1:4]]
    assert plan[0] == "1: nothing: all instances run it"
    assert plan[1].startswith("2: queued for ")
    assert plan[2] == "3: waits: wave 2 has to end well first"
    assert fleets["three"].refreshes == []


def test_what_is_done_already_is_no_part_of_the_order(fleets: RolloutWorld) -> None:
    fleets.declare(**WAVES)
    fleets.deploy("one", "two", "three")
    fleets.rollout(fleets="three")
    fleets.aws.break_instances(f"{fleets['one'].template}:2")
    _, shown = fleets.shown(fleets="one two three")
    assert states(shown) == ["rolled back", "refused", "done"]


# --- A build that failed elsewhere


def test_a_build_that_failed_is_held_for_the_other_fleets_until_a_retry_ends_well(fleets: RolloutWorld) -> None:
    fleets.declare(dev="rollout: {by: goldsmith, hold_on_failure: true}", prod=BY_GOLDSMITH)
    _, new = fleets.deploy("dev", "prod")
    fleets.aws.break_instances(f"{fleets['dev'].template}:2", reason="it stopped")
    fleets.rollout()
    status, (shown,) = fleets.shown(fleets="prod")
    assert (status, shown["state"], shown["reasons"]) == (
        1,
        "refused",
        [
            f"fleet {fleets.name('dev')} holds 1.0.7/2, which was rolled back there (it stopped): roll out another "
            f"build, or run goldsmith rollout {fleets.name('dev')} --retry first"
        ],
    )
    assert fleets.shown("--now", "--why", "hurry", fleets="prod")[0] == 1, "this is no matter of time"
    assert fleets["prod"].refreshes == []
    fleets.aws.heal_instances(f"{fleets['dev'].template}:2")
    assert fleets.rollout("--retry").status == 0
    assert fleets.rollout(fleets="prod").status == 0
    assert fleets["prod"].versions == {"2": 4}
    assert new


def test_a_hold_ends_when_all_instances_run_the_build_also_if_a_newer_one_waits(fleets: RolloutWorld) -> None:
    held = "rollout: {by: goldsmith, hold_on_failure: true}"
    fleets.declare(dev=held, prod=BY_GOLDSMITH)
    fleets.deploy("dev", "prod")
    fleets.aws.break_instances(f"{fleets['dev'].template}:2")
    fleets.rollout()
    fleets.aws.heal_instances(f"{fleets['dev'].template}:2")
    fleets["dev"].update(LaunchTemplate=fleets["dev"].specification(2), MinSize=0, DesiredCapacity=0)
    wait_until(lambda: not fleets["dev"].instances)
    fleets["dev"].update(MinSize=4, DesiredCapacity=4)
    wait_until(lambda: fleets["dev"].versions == {"2": 4})
    fleets["dev"].change(fleets.build())
    fleets.declare(dev=f"{held}, {CLOSED}", prod=BY_GOLDSMITH)
    assert states(fleets.shown()[1]) == ["queued"]
    status, shown = fleets.shown(fleets="prod")
    assert (status, states(shown)) == (0, ["done"])


def test_without_hold_on_failure_the_others_may_run_it(fleets: RolloutWorld) -> None:
    fleets.declare(dev=BY_GOLDSMITH, prod=BY_GOLDSMITH)
    fleets.deploy("dev", "prod")
    fleets.aws.break_instances(f"{fleets['dev'].template}:2")
    status, shown = fleets.shown(fleets="dev prod")
    assert (status, states(shown)) == (1, ["rolled back", "done"])


def test_another_build_is_not_held(fleets: RolloutWorld) -> None:
    fleets.declare(dev="rollout: {by: goldsmith, hold_on_failure: true}", prod=BY_GOLDSMITH)
    fleets.deploy("dev", "prod")
    fleets.aws.break_instances(f"{fleets['dev'].template}:2")
    fleets.rollout()
    fleets["prod"].change(fleets.build())
    assert fleets.rollout(fleets="prod").status == 0


# --- Windows and freezes


def test_outside_of_its_window_a_fleet_is_queued_which_is_no_failure(fleets: RolloutWorld) -> None:
    fleets.declare(dev=f"{BY_GOLDSMITH}, {CLOSED}")
    fleets.deploy()
    answer = fleets.rollout()
    assert (answer.status, answer.err) == (0, "")
    until = f"queued for {SOON:%a} {SOON.day} {SOON:%b} 10:00 UTC: "
    plan, last = answer.out.splitlines()[1:]
    assert until in plan and last.startswith(f"{fleets.name('dev')}: {until}")
    status, (shown,) = fleets.shown()
    assert (status, shown["state"], shown["until"]) == (0, "queued", f"{SOON:%Y-%m-%d}T10:00:00+00:00")
    assert fleets["dev"].refreshes == []
    fleets.declare(dev=f"{BY_GOLDSMITH}, window: 'mon-sun 00:00-24:00 UTC'")
    assert fleets.rollout().status == 0
    assert fleets["dev"].versions == {"2": 4}


def test_a_freeze_queues_until_its_last_day_is_over(fleets: RolloutWorld) -> None:
    freeze = f"  freeze: [{{from: {days(0)}, to: {days(3)}, why: year end}}]"
    fleets.declare(freeze, dev=BY_GOLDSMITH)
    fleets.deploy()
    status, (shown,) = fleets.shown()
    assert (status, shown["state"], shown["until"]) == (0, "queued", f"{days(4)}T00:00:00+00:00")
    assert "year end" in shown["reasons"][0]
    assert fleets["dev"].refreshes == []


def test_an_emergency_needs_a_reason_and_is_shown_and_recorded(fleets: RolloutWorld) -> None:
    freeze = f"  freeze: [{{from: {days(0)}, to: {days(3)}, why: year end}}]"
    fleets.declare(freeze, dev=f"{BY_GOLDSMITH}, {CLOSED}")
    fleets.deploy()
    assert fleets.rollout("--now").err == "argument --now: needs a reason; add --why REASON\n"
    answer = fleets.rollout("--now", "--why", "CVE-2026-1 is exploited")
    assert (answer.status, answer.err) == (0, "")
    assert "; SKIPPED: " in answer.out.splitlines()[1]
    (attempt,) = fleets["dev"].attempts
    assert (attempt["why"], fleets["dev"].versions) == ("CVE-2026-1 is exploited", {"2": 4})


def test_a_rollout_that_runs_is_followed_in_a_freeze_too(fleets: RolloutWorld) -> None:
    fleets.declare(f"  freeze: [{{from: {days(0)}, to: {days(3)}, why: year end}}]", dev=BY_GOLDSMITH)
    fleets.deploy()
    fleets.aws.set_rollout_time(launch_seconds=30, scale=1)
    fleets["dev"].start(2)
    with fleets.passing():
        assert fleets.rollout().status == 0


# --- Holds of people


@pytest.mark.parametrize("channel", ["", "prod"])
def test_what_a_person_holds_waits_until_the_hold_ends(fleets: RolloutWorld, channel: str) -> None:
    fleets.deploy()
    end = datetime.now(UTC) + timedelta(hours=30)
    name = f"{fleets.web.path}/_hold{f'-{channel}' if channel else ''}"
    for until, status, state in ((f"{end:%Y-%m-%dT%H:%M:%SZ}", 0, "queued"), (None, 1, "refused")):
        hold = Hold(held=True, by="arn:aws:iam::000000000000:user/anna", why="audit", until=until)
        fleets.web.other_ssm[HOME].put_parameter(Name=name, Value=hold.to_json(), Type="String", Overwrite=True)
        held = f"{fleets.web.name}@{channel}" if channel else fleets.web.name
        ends = f" until {end:%d %b %H:%M} UTC" if until else f"; goldsmith hold {held} --undo"
        got, (shown,) = fleets.shown("--now", "--why", "windows are not holds")
        assert (got, shown["state"]) == (status, state)
        assert shown["reasons"] == [f"{held} is held by anna: audit{ends}"]
    assert fleets["dev"].refreshes == []
    fleets.web.other_ssm[HOME].put_parameter(Name=name, Value=Hold(held=False).to_json(), Type="String", Overwrite=True)
    assert fleets.rollout().status == 0


# --- after


def ordered(fleets: RolloutWorld, soak: str = "0 minutes", by: str = "goldsmith") -> None:
    """`prod` after `dev`, which both run the first build; both templates have the second one."""
    after = f"after: {{fleets: [WEB-dev], soak: {soak}}}"
    fleets.declare(dev=f"rollout: {{by: {by}}}", prod=f"{BY_GOLDSMITH}, {after}")
    fleets.deploy("dev", "prod")


def reasons(fleets: RolloutWorld, *arguments: str) -> tuple[str, list[str]]:
    _, (shown,) = fleets.shown(*arguments, fleets="prod")
    return shown["state"], [fleets.short(reason) for reason in shown["reasons"]]


def test_a_fleet_waits_for_one_that_has_not_run_the_build(fleets: RolloutWorld) -> None:
    ordered(fleets)
    assert reasons(fleets) == ("refused", ["fleet web-dev has to run 1.0.7/2 for 0 minutes first: it runs 1.0.7/1"])
    assert fleets.rollout().status == 0
    assert fleets.rollout(fleets="prod").status == 0
    assert fleets["prod"].versions == {"2": 4}


def test_a_soak_time_begins_when_the_rollout_has_ended_and_is_waited_for(fleets: RolloutWorld) -> None:
    ordered(fleets, "2 days")
    fleets.rollout()
    (attempt,) = fleets["dev"].attempts
    ended = datetime.fromisoformat(attempt["ended"])
    status, (shown,) = fleets.shown(fleets="prod")
    assert (status, shown["state"], shown["until"]) == (0, "queued", (ended + timedelta(days=2)).isoformat())
    words = f"fleet web-dev has run 1.0.7/2 since {ended:%d %b %H:%M} UTC, and has to for 2 days"
    assert [fleets.short(reason) for reason in shown["reasons"]] == [words]
    answer = fleets.rollout("--skip-after", "--why", "CVE-2026-1", fleets="prod")
    assert answer.status == 0
    assert f"SKIPPED: {words}" in fleets.short(answer.out)


def test_a_record_proves_it_after_aws_has_forgotten_the_refresh(fleets: RolloutWorld) -> None:
    ordered(fleets, "2 days")
    fleets.rollout()
    dev = fleets["dev"]
    (attempt,) = dev.attempts
    past = f"{datetime.now(UTC) - timedelta(days=60):%Y-%m-%dT%H:%M:%SZ}"
    record = {"attempts": [{**attempt, "refresh": "forgotten", "started": past, "ended": past}]}
    dev.client("ssm").put_parameter(
        Name=f"/goldsmith/acme/fleets/{dev.name}", Value=json.dumps(record), Type="String", Overwrite=True
    )
    assert fleets.rollout(fleets="prod").status == 0


def test_a_rollback_there_is_the_opposite_of_a_proof(fleets: RolloutWorld) -> None:
    ordered(fleets)
    fleets.aws.break_instances(f"{fleets['dev'].template}:2", reason="it stopped")
    fleets.rollout()
    lack = "1.0.7/2 was rolled back (it stopped) in fleet web-dev, which has to run it first"
    assert reasons(fleets) == ("refused", [lack])


def test_refreshes_of_an_apply_prove_it_without_a_record(fleets: RolloutWorld) -> None:
    ordered(fleets, by="terraform")
    dev = fleets["dev"]
    dev.update(LaunchTemplate=dev.specification(2))
    time.sleep(1.1)  # EC2 has the time of a version to the second
    dev.client("autoscaling").start_instance_refresh(AutoScalingGroupName=dev.group)
    assert dev.statuses == ["Successful"]
    assert fleets.rollout(fleets="prod").status == 0


def test_launch_times_prove_it_for_a_group_that_never_had_a_refresh(fleets: RolloutWorld) -> None:
    after = "after: {fleets: [WEB-dev], soak: 0 minutes}"
    fleets.declare(dev=BY_GOLDSMITH, prod=f"{BY_GOLDSMITH}, {after}")
    old, new = fleets.deploy("prod")
    fleets["dev"].deploy(new)
    assert fleets.rollout(fleets="prod").status == 0
    assert old != new


def test_how_long_a_channel_points_to_a_build_proves_nothing(fleets: RolloutWorld) -> None:
    ordered(fleets, "1 minute")
    new = fleets.web.channels(REGION)["prod"].value
    fleets.aws.date_ami(new, "2026-01-02T03:04:05.000Z")
    state, (lack,) = reasons(fleets)
    assert (state, lack) == ("refused", "fleet web-dev has to run 1.0.7/2 for 1 minute first: it runs 1.0.7/1")


def test_waves_and_after_go_together_in_one_command(fleets: RolloutWorld) -> None:
    after = "after: {fleets: [WEB-dev], soak: 0 minutes}"
    fleets.declare(dev=BY_GOLDSMITH, prod=f"rollout: {{by: goldsmith, wave: 2}}, {after}")
    fleets.deploy("dev", "prod")
    status, shown = fleets.shown(fleets="dev prod")
    assert (status, states(shown)) == (0, ["done", "done"]), "the second one is looked at again when its turn comes"
