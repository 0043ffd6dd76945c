"""`goldsmith rollout --due`, for a job that runs every hour: what had to wait starts, and everything else stays."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.rollout_world import BY_GOLDSMITH, RolloutWorld

CLOSED = f"window: '{f'{datetime.now(UTC) + timedelta(days=2):%a}'.lower()} 10:00-16:00 UTC'"
OPEN = "window: 'mon-sun 00:00-24:00 UTC'"
SECOND = "rollout: {by: goldsmith, wave: 2}"


def due(fleets: RolloutWorld, status: int = 0) -> dict[str, str]:
    """The states of the fleets that it deals with."""
    answer = fleets.ops("rollout", "--due", "--yes", "--json")
    assert answer.status == status, answer
    return {fleets.short(each["fleet"]): each["state"] for each in json.loads(answer.out)["fleets"]}


def test_a_fleet_that_was_queued_is_started_when_its_window_is_open(fleets: RolloutWorld) -> None:
    fleets.declare(dev=f"{BY_GOLDSMITH}, {CLOSED}")
    fleets.deploy()
    answer = fleets.ops("rollout", "--due", "--yes")
    assert (answer.status, answer.err, fleets["dev"].refreshes) == (0, "", [])
    assert ": queued for " not in answer.out and "queued for " in answer.out, "the table says until when"
    assert answer.out.splitlines()[-1] == "no rollout can start now"
    fleets.declare(dev=f"{BY_GOLDSMITH}, {OPEN}")
    assert due(fleets) == {"web-dev": "done"}
    assert fleets["dev"].versions == {"2": 4}
    assert due(fleets) == {}, "it runs the build"


def test_what_did_not_end_well_is_not_tried_again_and_holds_the_next_wave(fleets: RolloutWorld) -> None:
    fleets.declare(dev=BY_GOLDSMITH, prod=SECOND)
    fleets.deploy("dev", "prod")
    fleets.aws.break_instances(f"{fleets['dev'].template}:2")
    assert due(fleets, 1) == {"web-dev": "rolled back", "web-prod": "refused"}
    assert due(fleets) == {}, "the run before has failed, and a person has to look"
    assert (len(fleets["dev"].refreshes), fleets["prod"].refreshes) == (1, [])
    fleets.aws.heal_instances(f"{fleets['dev'].template}:2")
    assert fleets.rollout("--retry").status == 0
    assert due(fleets) == {"web-prod": "done"}


def test_a_rollout_that_runs_is_followed_only_for_the_wave_after_it(fleets: RolloutWorld) -> None:
    fleets.declare(dev=BY_GOLDSMITH)
    fleets.deploy("dev", "prod")
    fleets.aws.set_rollout_time(launch_seconds=3600)
    fleets["dev"].start(2)
    assert due(fleets) == {}, "it goes on without this job"
    fleets.declare(dev=BY_GOLDSMITH, prod=SECOND)
    with fleets.passing(4000):
        assert due(fleets) == {"web-dev": "done", "web-prod": "done"}


def test_a_fleet_that_cannot_be_looked_at_is_a_failure_and_holds_the_waves_after_it(fleets: RolloutWorld) -> None:
    fleets.declare(dev=BY_GOLDSMITH, prod=SECOND)
    fleets.deploy("dev", "prod")
    ways = "  accounts: {main: {id: '000000000000'}, away: {id: '000000000000', role: nobody}}"
    lines = (
        fleets.shell.config.read_text()
        .replace("\nimages:", f"\n{ways}\nimages:")
        .replace("-prod: {", "-prod: {account: main, ")
    )
    lines = lines.replace("-dev: {", "-dev: {account: away, ").replace(": {os:", ": {account: main, os:")
    fleets.shell.config.write_text(lines)
    assert due(fleets, 1) == {"web-dev": "unknown"}
    assert fleets["prod"].refreshes == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "argument FLEET: is missing; name fleets, or add --due for all whose rollout can start now"),
        (["--due", "WEB-dev"], "argument --due: is instead of fleets; leave one of them out"),
        (["--due", "--retry"], "argument --due: not with --retry, which needs the names of fleets"),
        (["--due", "--now", "--why", "a"], "argument --due: not with --now, which needs the names of fleets"),
    ],
)
def test_it_is_for_what_needs_no_person(fleets: RolloutWorld, arguments: list[str], words: str) -> None:
    answer = fleets.ops("rollout", *(each.replace("WEB", fleets.web.name) for each in arguments))
    assert (answer.status, answer.err) == (2, f"{words}\n")
