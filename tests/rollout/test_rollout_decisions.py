"""What comes next for a fleet, in cases that histories meet seldom."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lambda_src.rollout.configuration import After, AmiRules, FleetRules
from lambda_src.rollout.decisions import Decision, Done, Ended, Follow, Refused, Rule, Sight, Start, Wait, Wish, decide
from lambda_src.rollout.evidence import Evidence, Lack
from lambda_src.rollout.group import Group, Instance, Refresh, TemplateVersion
from lambda_src.rollout.record import Attempt, Record
from lambda_src.rollout.windows import Freeze, opening, parse_window

NOW = datetime(2026, 7, 5, 12, tzinfo=UTC)  # a Sunday
MONDAY = datetime(2026, 7, 6, tzinfo=UTC)
V1, V2, V3 = (TemplateVersion(template="lt-1", number=number, ami=f"ami-{number}") for number in (1, 2, 3))
OFFICE = "mon-fri 10:00-16:00 UTC"


def rules(**fields: Any) -> FleetRules:
    return FleetRules(
        **{
            "fleet": "prod",
            "stack": "fleet-prod",
            "image": "web",
            "channel": "stable",
            "channels": "/imagebuilder/acme/web",
            "region": "eu-west-1",
            "home": "eu-west-1",
            "ami": AmiRules(prefix="acme", build_pattern="", architecture="x86_64"),
            "group": "acme-prod",
            "record": "/goldsmith/acme/fleets/prod",
            "by": "goldsmith",
            **fields,
        }
    )


def group(version: str = "1", instances: str = "111", *, protected: str = "", **fields: Any) -> Group:
    """A group; `instances` has the version of each, `protected` the places of those that are protected."""
    found = tuple(
        Instance(
            id=f"i-{place}", state="InService", template="lt-1", version=number, is_protected=str(place) in protected
        )
        for place, number in enumerate(instances)
    )
    return Group(**{"name": "acme-prod", "template": "lt-1", "version": version, "instances": found, **fields})


def attempt(version: int = 2, end: str = "succeeded", refresh: str = "r-1", **fields: Any) -> Attempt:
    given = {"refresh": refresh, "template": "lt-1", "version": str(version), "ami": f"ami-{version}", "end": end}
    return Attempt(**{**given, **fields})


def sight(**fields: Any) -> Sight:
    return Sight(**{"group": group(), "newest": V2, "current": V1, "builds": {"ami-2": "1.0.7/2"}, **fields})


def decided(found: Sight, wish: Wish | None = None, *, windows: str = "", **fields: Any) -> Decision:
    """With the opening that the windows and freezes of the rules have now."""
    given = rules(windows=(windows,) if windows else (), **fields)
    opens = opening([parse_window(each) for each in given.windows], given.freezes, now=NOW)
    return decide(given, replace(found, opening=opens), wish or Wish())


def reasons(decision: Decision) -> tuple[str, ...]:
    assert isinstance(decision, Refused | Wait), decision
    return decision.reasons


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (sight(group=None, newest=None), "fleet-prod is not deployed: run goldsmith plan fleet-prod and apply it"),
        (sight(group=None), "group acme-prod does not exist: run goldsmith plan fleet-prod and apply it"),
        (sight(newest=None), "launch template acme-prod does not exist: run goldsmith plan fleet-prod and apply it"),
        (sight(group=group(is_being_deleted=True)), "group acme-prod is being deleted"),
        (
            sight(group=group(template="")),
            "the group has no launch template: run goldsmith plan fleet-prod and apply it",
        ),
    ],
)
def test_what_is_not_there_is_named(found: Sight, text: str) -> None:
    assert reasons(decided(found)) == (text,)


@pytest.mark.parametrize("version", ["$Latest", "$Default"])
def test_a_group_without_a_number_cannot_go_back(version: str) -> None:
    (reason,) = reasons(decided(sight(group=group(version))))
    assert reason.startswith(
        f"the group launches version {version} of its launch template, and AWS goes back to a number"
    )


@pytest.mark.parametrize(
    "found",
    [
        sight(group=group("2", "")),
        sight(group=group("2", "222")),
        sight(group=group("2", "222"), record=Record(attempts=(attempt(end="failed"),))),
    ],
    ids=["no instances", "all run it", "all run it although it failed"],
)
def test_a_fleet_that_runs_the_newest_version_is_done(found: Sight) -> None:
    assert decided(found) == Done(version=V2)


def test_a_group_without_instances_takes_the_version_for_those_to_come() -> None:
    assert decided(sight(group=group("1", ""))) == Start(version=V2)


def test_instances_of_a_version_that_the_group_does_not_launch_are_not_done() -> None:
    assert decided(sight(group=group("1", "222"))) == Start(version=V2)


@pytest.mark.parametrize("wish", [Wish(), Wish(retry=True, now=True)])
@pytest.mark.parametrize("by", ["goldsmith", "terraform"])
def test_a_refresh_that_runs_is_followed_before_all_else(wish: Wish, by: str) -> None:
    refresh = Refresh(id="r-9", status="RollbackInProgress", started=NOW)
    found = sight(refreshes=(refresh,), faults=("revoked",), record=Record(attempts=(attempt(end="failed"),)))
    assert decided(found, wish, by=by) == Follow(refresh=refresh)


@pytest.mark.parametrize("end", ["rolled back", "rollback failed", "failed", "cancelled", "not followed to its end"])
def test_what_did_not_end_well_is_tried_again_only_when_somebody_says_so(end: str) -> None:
    last = attempt(end=end)
    found = sight(record=Record(attempts=(last,)))
    assert decided(found) == Ended(attempt=last)
    assert decided(found, Wish(now=True, skip_after=True)) == Ended(attempt=last)
    assert decided(found, Wish(retry=True)) == Start(version=V2)


def test_an_ami_that_was_rolled_back_is_not_tried_in_another_version() -> None:
    last = attempt(2, "rolled back", previous_ami="ami-1")
    again = replace(V3, ami="ami-2")
    assert decided(sight(newest=again, record=Record(attempts=(last,)))) == Ended(attempt=last)


def test_another_version_with_the_ami_that_runs_may_be_tried() -> None:
    failed = attempt(2, "rolled back", ami="ami-1", previous_ami="ami-1")
    fixed = replace(V3, ami="ami-1")
    assert decided(sight(newest=fixed, record=Record(attempts=(failed,)))) == Start(version=fixed)


@pytest.mark.parametrize("end", ["not followed to its end", "failed"])
def test_how_the_ami_that_runs_came_says_nothing_against_another_version_with_it(end: str) -> None:
    brought = attempt(1, end, previous_ami="ami-0")
    fixed = replace(V3, ami="ami-1")
    assert decided(sight(newest=fixed, record=Record(attempts=(brought,)))) == Start(version=fixed)


def test_an_ami_that_ran_everywhere_since_may_be_taken() -> None:
    older = attempt(1, "rolled back", "r-1", ami="ami-2", previous_ami="ami-1")
    later = attempt(1, "succeeded", "r-2", ami="ami-2", previous_ami="ami-2")
    assert decided(sight(record=Record(attempts=(later, older)))) == Start(version=V2)


# What waits.


def test_a_queued_fleet_starts_when_a_window_opens() -> None:
    found = decided(sight(), windows=OFFICE)
    assert found == Wait(reasons=(f"outside its window {OFFICE}",), until=MONDAY.replace(hour=10))


@pytest.mark.parametrize(
    ("window", "until", "starts"),
    [
        (OFFICE, MONDAY.replace(hour=9), MONDAY.replace(hour=10)),
        (OFFICE, MONDAY.replace(hour=12), MONDAY.replace(hour=12)),
        (OFFICE, MONDAY.replace(hour=17), MONDAY.replace(day=7, hour=10)),
        ("sun 10:00-16:00 UTC", NOW.replace(hour=15), NOW.replace(hour=15)),
        ("sun 10:00-16:00 UTC", NOW.replace(hour=16), NOW.replace(day=12, hour=10)),
        ("", MONDAY.replace(hour=17), MONDAY.replace(hour=17)),
    ],
)
def test_what_ends_while_the_window_is_closed_waits_for_the_next(
    window: str, until: datetime, starts: datetime
) -> None:
    held = sight(holds=(Rule(text="web is held", until=until),))
    found = decided(held, windows=window)
    assert isinstance(found, Wait) and found.until == starts
    skipped = decided(held, Wish(now=True), windows=window)
    assert isinstance(skipped, Wait) and skipped.until == until


def test_a_freeze_after_a_hold_counts_too() -> None:
    freeze = Freeze(date(2026, 7, 6), date(2026, 7, 8), ZoneInfo("Asia/Tokyo"), "year end")
    held = sight(holds=(Rule(text="web is held", until=MONDAY.replace(hour=9)),))
    found = decided(held, freezes=(freeze,))
    assert isinstance(found, Wait) and found.until == datetime(2026, 7, 8, 15, tzinfo=UTC)
    assert found.until.tzinfo == ZoneInfo("Asia/Tokyo")


def test_a_window_that_never_opens_again_needs_a_person() -> None:
    freeze = Freeze(date(2026, 7, 5), date.max, ZoneInfo("UTC"), "closed for ever")
    assert isinstance(decided(sight(), freezes=(freeze,)), Refused)
    later = Freeze(date(2026, 7, 6), date.max, ZoneInfo("UTC"), "closed for ever")
    held = sight(holds=(Rule(text="web is held", until=MONDAY.replace(hour=9)),))
    assert reasons(decided(held, freezes=(later,))) == ("web is held",)


def test_what_needs_a_person_is_said_before_what_waits() -> None:
    found = sight(faults=("revoked",), holds=(Rule(text="web is held"), Rule(text="stable is held", until=MONDAY)))
    assert decided(found, windows=OFFICE) == Refused(reasons=("revoked", "web is held"))


def test_each_rule_is_skipped_by_its_own_wish() -> None:
    lacking = sight(evidence=Evidence(lacks=(Lack(text="not proved", until=MONDAY),)))
    after = After(fleets=("staging",), soak_minutes=60, soak="1 hour")
    given: dict[str, Any] = {"windows": OFFICE, "after": after}
    closed = f"outside its window {OFFICE}"
    assert reasons(decided(lacking, **given)) == ("not proved", closed)
    assert reasons(decided(lacking, Wish(now=True), **given)) == ("not proved",)
    assert reasons(decided(lacking, Wish(skip_after=True), **given)) == (closed,)
    both = decided(lacking, Wish(now=True, skip_after=True), **given)
    assert both == Start(version=V2, skipped=("not proved", closed))


def test_nobody_skips_guards_and_holds() -> None:
    found = sight(faults=("revoked",), holds=(Rule(text="web is held"),))
    assert reasons(decided(found, Wish(retry=True, now=True, skip_after=True))) == ("revoked", "web is held")


def test_guards_that_only_warn_stop_nothing() -> None:
    assert decided(sight(faults=("revoked",)), warns_only=True) == Start(version=V2)


def test_guards_never_only_warn_of_a_version_without_an_ami() -> None:
    found = sight(newest=V2.with_ami(""), faults=("has no copy",))
    assert reasons(decided(found, warns_only=True)) == ("has no copy",)


# Other fleets.


@pytest.mark.parametrize(
    ("attempts", "holds"),
    [
        ((attempt(end="rolled back", holds=True, reason="alarm"),), True),
        ((attempt(end="rolled back"),), False),
        ((attempt(end="", refresh="r-2", holds=True), attempt(end="failed", holds=True)), True),
        ((attempt(refresh="r-2", holds=True), attempt(end="failed", holds=True)), False),
        ((attempt(3, "failed", holds=True),), False),
        ((attempt(end="failed", holds=True, previous_ami="ami-2"),), False),
    ],
    ids=["rolled back", "does not hold", "a retry goes on", "a retry ended well", "another build", "the same build"],
)
def test_a_fleet_holds_a_build_until_a_retry_ends_well(attempts: tuple[Attempt, ...], holds: bool) -> None:
    found = decided(sight(others={"canary": Record(attempts=attempts)}))
    if holds:
        (reason,) = reasons(found)
        assert reason.startswith("fleet canary holds 1.0.7/2, which ")
        assert reason.endswith("roll out another build, or run goldsmith rollout canary --retry first")
    else:
        assert found == Start(version=V2)


# Protected instances, and fleets by Terraform.


def test_instances_that_the_last_rollout_kept_are_not_refreshed_again() -> None:
    refresh = Refresh(id="r-1", status="Successful", started=NOW - timedelta(hours=1))
    kept: dict[str, Any] = {"refreshes": (refresh,), "record": Record(attempts=(attempt(),))}
    (reason,) = reasons(decided(sight(group=group("2", "122", protected="0"), **kept)))
    assert reason.startswith(
        "1 instance of 3 is protected from scale-in, and the last rollout kept them: end the protection"
    )
    assert decided(sight(group=group("2", "112", protected="0"), **kept)) == Start(version=V2)
    assert decided(sight(group=group("2", "122", protected="0"))) == Start(version=V2), "no rollout has kept it"


def test_terraform_starts_the_rollouts_of_its_fleets() -> None:
    (reason,) = reasons(decided(sight(), by="terraform"))
    assert reason.startswith("the group launches version 1, and 2 is the newest: Terraform starts this rollout")
    assert reasons(decided(sight(), Wish(retry=True), by="terraform")) == (reason,)


def test_what_terraform_left_undone_is_started_when_somebody_says_so() -> None:
    half = sight(group=group("2", "112"))
    (reason,) = reasons(decided(half, by="terraform"))
    assert reason.startswith(
        "2 instances of 3 do not run version 2, and no refresh runs: goldsmith rollout prod --retry"
    )
    assert decided(half, Wish(retry=True), by="terraform") == Start(version=V2)
    revoked = replace(half, faults=("revoked",))
    assert reasons(decided(revoked, Wish(retry=True), by="terraform")) == ("revoked",)
