"""What `goldsmith status` says of fleets whose rollouts Goldsmith starts, and when `--check` wants a person."""

from __future__ import annotations

import csv
import json
from io import StringIO
from typing import Any

import pytest

from lambda_src.handoff.builds import REVOKED_TAG
from tests.support.rollout_world import BY_GOLDSMITH, RolloutWorld, days


def status(fleets: RolloutWorld) -> tuple[int, dict[str, Any]]:
    """Exit status of `--check`, and the JSON of `dev`; what it writes must not change anything."""
    answer = fleets.ops("status", fleets.name("dev"), "--json", "--check")
    (found,) = json.loads(answer.out)["fleets"]
    assert found["errors"] == []
    return answer.status, found


def reasons(fleets: RolloutWorld) -> list[str]:
    """Of which `--check` says that a person is needed; a person reads the same lines."""
    code, found = status(fleets)
    gaps = [fleets.short(gap) for gap in found["gaps"]]
    assert (code, found["progress"], found["queued"]) == (1 if gaps else 0, None, None)
    text = fleets.short(fleets.ops("status", fleets.name("dev")).out)
    assert [gap for gap in gaps if f"fleet web-dev: {gap}\n" not in text] == []
    return gaps


def test_a_rollout_that_nobody_started(fleets: RolloutWorld) -> None:
    fleets.deploy()
    assert reasons(fleets) == [
        "the launch template has 1.0.7/2 (version 2), and no rollout was started: run goldsmith rollout web-dev"
    ]
    fleets.rollout()
    assert reasons(fleets) == []


def test_status_writes_no_record(fleets: RolloutWorld) -> None:
    fleets.deploy()
    fleets["dev"].start(2)
    assert reasons(fleets) == []
    assert fleets["dev"].attempts == []


def test_a_queued_rollout_needs_nobody(fleets: RolloutWorld) -> None:
    fleets.declare(f"  freeze: [{{from: {days(0)}, to: {days(3)}, why: year end}}]", dev=BY_GOLDSMITH)
    fleets.deploy()
    code, found = status(fleets)
    assert (code, found["gaps"], found["progress"]) == (0, [], None)
    assert found["queued"].startswith("queued for ") and "year end" in found["queued"]
    assert f"fleet {fleets.name('dev')}: {found['queued']}\n" in fleets.ops("status").out
    *_, row = csv.DictReader(StringIO(fleets.ops("status", fleets.name("dev"), "--csv").out))
    assert (row["fleet"], row["reason"]) == (fleets.name("dev"), found["queued"])


def test_a_running_rollout_needs_nobody(fleets: RolloutWorld) -> None:
    fleets.deploy()
    fleets.aws.set_rollout_time(launch_seconds=30, scale=1)
    fleets["dev"].start(2)
    fleets.aws.pass_time(35)
    code, found = status(fleets)
    progress = "instance refresh is InProgress at 25%, 2 instances left"
    assert (code, found["gaps"], found["progress"], found["queued"]) == (0, [], progress, None)
    *_, row = csv.DictReader(StringIO(fleets.ops("status", fleets.name("dev"), "--csv").out))
    assert row["reason"] == progress


def test_a_rollout_that_goes_back_needs_somebody(fleets: RolloutWorld) -> None:
    fleets.deploy()
    fleets.aws.set_rollout_time(launch_seconds=30, scale=1)
    fleets["dev"].start(2)
    fleets.aws.pass_time(35)
    fleets["dev"].client("autoscaling").rollback_instance_refresh(AutoScalingGroupName=fleets["dev"].group)
    (reason,) = reasons(fleets)
    assert reason.startswith("the rollout is RollbackInProgress at ")
    assert reason.endswith("%: Rollback was started by a request; wait for its end"), "not what it waits for"


def test_a_rollout_that_was_rolled_back_has_its_reason_and_the_command(fleets: RolloutWorld) -> None:
    _, new = fleets.deploy()
    fleets.aws.break_instances(new, reason="the instance stopped.")
    fleets.rollout()
    assert reasons(fleets) == [
        "the rollout of 1.0.7/2 was rolled back (the instance stopped): goldsmith rollout web-dev says what to do, and "
        "tries again with --retry"
    ]


def test_a_channel_that_people_move_says_that_the_build_was_rolled_back(fleets: RolloutWorld) -> None:
    fleets.declare(dev=f"channel: latest, {BY_GOLDSMITH}")
    old, _ = fleets.deploy()
    fleets.web.run()
    fleets.point(old)
    fleets.aws.break_instances(f"{fleets['dev'].template}:2", reason="it stopped")
    fleets.rollout()
    answer = fleets.ops("status", "--json")
    (image,) = json.loads(answer.out)["images"]
    assert [(gap["channel"], fleets.short(gap["reason"])) for gap in image["gaps"]] == [
        (
            "prod",
            "1.0.7/2 was rolled back (it stopped) in fleet web-dev: if that is not the build's fault, "
            "goldsmith promote web prod",
        )
    ]


def test_a_rollout_whose_end_nobody_saw_has_its_reason_too(fleets: RolloutWorld) -> None:
    _, new = fleets.deploy()
    fleets.aws.break_instances(new, reason="the instance stopped.")
    fleets["dev"].start(2, AutoRollback=True)
    (reason,) = reasons(fleets)
    assert reason.startswith("the rollout of 1.0.7/2 was rolled back (the instance stopped): ")


@pytest.mark.parametrize(
    ("end", "words"),
    [("Failed", "failed"), ("Cancelled", "was cancelled"), ("RollbackFailed", "failed, and could not be")],
)
def test_every_other_end(fleets: RolloutWorld, end: str, words: str) -> None:
    fleets.deploy()
    fleets.aws.end_next_refresh(fleets["dev"].group, status=end, percentage=50, reason="because")
    fleets["dev"].start(2)
    (reason,) = reasons(fleets)
    assert reason.startswith(f"the rollout of 1.0.7/2 {words}") and "(because): goldsmith rollout web-dev" in reason


def test_what_a_person_has_to_allow(fleets: RolloutWorld) -> None:
    _, new = fleets.deploy()
    tags = [{"Key": REVOKED_TAG, "Value": "2026-01-02T03:04:05Z CVE-2026-1"}]
    fleets["dev"].client("ec2").create_tags(Resources=[new], Tags=tags)
    assert reasons(fleets)[-1] == (
        f"no rollout of 1.0.7/2 (version 2): {new} is revoked since 02 Jan 03:04 UTC: CVE-2026-1"
    )


def test_a_record_that_somebody_has_overwritten_is_a_gap_and_stays_as_it_is(fleets: RolloutWorld) -> None:
    fleets.deploy()
    ssm, name = fleets["dev"].client("ssm"), f"/goldsmith/acme/fleets/{fleets.name('dev')}"
    ssm.put_parameter(Name=name, Value="my notes", Type="String")
    fault = "its record, the parameter /goldsmith/acme/fleets/web-dev, cannot be read: bring an earlier version of it "
    fault += "back, or delete it"
    assert reasons(fleets) == [f"no rollout of 1.0.7/2 (version 2): {fault}"]
    answer = fleets.rollout()
    assert (answer.status, fleets["dev"].versions) == (1, {"1": 4})
    assert f"web-dev: {fault}" in fleets.short(answer.out)
    fleets["dev"].start(2)
    assert fleets.rollout().status == 0, "what somebody has started is followed"
    assert reasons(fleets) == [fault]
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == "my notes"
    ssm.delete_parameter(Name=name)
    assert fleets.rollout().status == 0
    assert (reasons(fleets), [each["end"] for each in fleets["dev"].attempts]) == ([], ["succeeded"])


def test_a_channel_ahead_of_the_template_is_a_gap_of_its_own(fleets: RolloutWorld) -> None:
    fleets.deploy()
    fleets.build()
    assert reasons(fleets) == [
        "channel prod of image web points to 1.0.7/3, and the launch template has 1.0.7/2: run goldsmith "
        "plan fleet-web-dev and apply it",
        "the launch template has 1.0.7/2 (version 2), and no rollout was started: run goldsmith rollout web-dev",
    ]
