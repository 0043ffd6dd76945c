"""What proves that a fleet has run a build long enough, case by case."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambda_src.rollout.configuration import After
from lambda_src.rollout.evidence import Evidence, Runs, Wanted, evidence
from lambda_src.rollout.group import Group, Instance, TemplateVersion
from lambda_src.rollout.record import Attempt, Record

NOW = datetime(2026, 7, 10, 12, tzinfo=UTC)
AFTER = After(fleets=("staging",), soak_minutes=2880, soak="2 days")
BUILDS = {"ami-1": "1.0.7/1", "ami-2": "1.0.7/2", "ami-3": "1.0.7/3"}
WANTED = Wanted(build="1.0.7/2", ami="ami-2")


def days(count: float) -> datetime:
    """So many days ago."""
    return NOW - timedelta(days=count)


def rollout(number: int, began: float, end: str = "succeeded", **fields: Any) -> Attempt:
    """Of build `number`, so many days ago; it took an hour."""
    started = days(began)
    return Attempt(
        **{
            "refresh": f"r-{began}",
            "template": "lt-1",
            "version": str(number),
            "ami": f"ami-{number}",
            "build": f"1.0.7/{number}",
            "started": started.isoformat(),
            "ended": (started + timedelta(hours=1)).isoformat() if end else "",
            "end": end,
            **fields,
        }
    )


def runs(*attempts: Attempt, now: int = 2, instances: str = "222", launched: tuple[float, ...] = ()) -> Runs:
    """A fleet whose group launches build `now`, with instances of these builds; attempts are given oldest first."""
    found = tuple(
        Instance(id=f"i-{place}", state="InService", template="lt-1", version=number)
        for place, number in enumerate(instances)
    )
    return Runs(
        record=Record(attempts=attempts[::-1]),
        group=Group(name="staging", template="lt-1", version=str(now), instances=found),
        current=TemplateVersion(template="lt-1", number=now, ami=f"ami-{now}"),
        builds=BUILDS,
        launched=tuple(map(days, launched)),
    )


def judged(found: Runs | str, wanted: Wanted = WANTED) -> Evidence:
    return evidence(AFTER, {"staging": found}, wanted=wanted, now=NOW)


PROVED = {
    "it runs since long": runs(rollout(2, 3)),
    "another version with the same build changed nothing": runs(rollout(2, 3), rollout(2, 1, version="3")),
    "a change of something else that failed keeps the build": runs(
        rollout(2, 3), rollout(2, 1, "rolled back", previous_ami="ami-2")
    ),
    "it ran long enough before another build came": runs(rollout(2, 6), rollout(3, 3), now=3, instances="333"),
    "another build was rolled back long ago": runs(rollout(2, 9), rollout(3, 3, "rolled back", previous_ami="ami-2")),
    "the record knows only that it came back": runs(rollout(3, 3, "rolled back", previous_ami="ami-2")),
    "the group never had a rollout": runs(launched=(9, 4, 3)),
    "a retry ended well": runs(rollout(2, 5, "rolled back", previous_ami="ami-1"), rollout(2, 3)),
    "launches completed what was cancelled": runs(rollout(2, 9, "cancelled"), launched=(5, 4, 3)),
    "the group was made anew with what was rolled back": runs(
        rollout(2, 9, "rolled back", previous_ami="ami-1"), launched=(5, 4, 3)
    ),
}
LACKING: dict[str, Runs | str] = {
    "staging has run 1.0.7/2 since 09 Jul 13:00 UTC, and has to for 2 days": runs(rollout(2, 1)),
    "staging has run 1.0.7/2 since 10 Jul 00:00 UTC, and has to for 2 days": runs(launched=(9, 0.5, 3)),
    "staging has to run 1.0.7/2 for 2 days first: it runs 1.0.7/1": runs(now=1, instances="111"),
    "staging has to run 1.0.7/2 for 2 days first: it runs 1.0.7/3": runs(
        rollout(2, 4), rollout(3, 3), now=3, instances="333"
    ),
    "staging has to run 1.0.7/2 for 2 days first: it has no instances": runs(rollout(2, 3), instances=""),
    "staging has to run 1.0.7/2 for 2 days first: not all of its instances run that": runs(
        rollout(2, 3), instances="221"
    ),
    "staging has to run 1.0.7/2 for 2 days first: since when it runs that is not known": runs(launched=(9, 4)),
    "1.0.7/2 was rolled back (alarm web-5xx) in fleet staging, which has to run it first": runs(
        rollout(2, 5, "rolled back", reason="alarm web-5xx.", previous_ami="ami-1"), now=1, instances="111"
    ),
    "1.0.7/2 failed in fleet staging, which has to run it first": runs(
        rollout(2, 5, "failed", previous_ami="ami-1"), now=2, instances="221"
    ),
    "1.0.7/2 failed, and could not be rolled back in fleet staging, which has to run it first": runs(
        rollout(2, 9), rollout(1, 6), rollout(2, 5, "rollback failed", previous_ami="ami-1"), now=1, instances="112"
    ),
    "fleet staging, which has to run 1.0.7/2 first, cannot be read: no credentials": "no credentials",
    "staging has to run 1.0.7/2 for 2 days first: it is not deployed": Runs(
        record=Record(), group=None, current=None, builds={}
    ),
}


@pytest.mark.parametrize("what", PROVED)
def test_what_proves_a_build(what: str) -> None:
    found = judged(PROVED[what])
    assert found.lacks == ()
    assert found.proofs[0].startswith("staging has run it since ")


@pytest.mark.parametrize("text", LACKING)
def test_what_does_not_prove_a_build(text: str) -> None:
    found = judged(LACKING[text])
    (lack,) = found.lacks
    assert lack.text.endswith(text) and found.proofs == ()


@pytest.mark.parametrize(
    "found",
    [
        runs(rollout(2, 3), instances="221"),
        runs(rollout(2, 3), instances=""),
        runs(rollout(2, 3), now=1, instances="222"),
        runs(rollout(2, 9, "")),
        runs(launched=(9, 4)),
        runs(rollout(2, 1.5), rollout(3, 1, "cancelled"), instances="223"),
    ],
    ids=["an old instance", "no instance", "the group launches another", "it goes on", "a launch is unknown", "mixed"],
)
def test_what_is_not_all_of_the_fleet_now_proves_nothing(found: Runs) -> None:
    (lack,) = judged(found).lacks
    assert (lack.until, "for 2 days first" in lack.text) == (None, True)


def test_it_is_proved_as_soon_as_the_time_is_over() -> None:
    found = runs(rollout(2, 1))
    (lack,) = judged(found).lacks
    assert lack.until == days(1) + timedelta(hours=1, days=2)
    ready = evidence(AFTER, {"staging": found}, wanted=WANTED, now=lack.until)
    assert ready.lacks == () and ready.proofs == ("staging has run it since 09 Jul 13:00",)


def test_each_fleet_has_to_prove_it() -> None:
    after = After(fleets=("a", "b", "c"), soak_minutes=60, soak="1 hour")
    fleets: dict[str, Runs | str] = {"a": runs(rollout(2, 3)), "b": runs(now=1, instances="1"), "c": "no credentials"}
    found = evidence(after, fleets, wanted=WANTED, now=NOW)
    assert (len(found.proofs), [lack.text.split()[1].rstrip(",") for lack in found.lacks]) == (1, ["b", "c"])


def test_an_ami_without_a_build_is_proved_by_itself_only() -> None:
    """Not by other rollouts of which the build is not known."""
    other = runs(rollout(2, 5, ami="ami-8", build=""), instances="222")
    (lack,) = judged(other, Wanted(build="", ami="ami-9")).lacks
    assert lack.text == "fleet staging has to run ami-9 for 2 days first: it runs 1.0.7/2"
    same = runs(rollout(2, 5, build=""))
    assert judged(same, Wanted(build="", ami="ami-2")).lacks == ()


def test_a_copy_in_another_account_is_the_same_build() -> None:
    assert judged(runs(rollout(2, 3)), Wanted(build="1.0.7/2", ami="ami-copy")).lacks == ()
