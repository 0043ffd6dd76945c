"""The record of a fleet's rollouts: what is written, what can be read again, and what AWS adds."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambda_src.rollout.group import Refresh, TemplateVersion, read_versions
from lambda_src.rollout.record import LIMIT, Attempt, Record, closed, completed
from local_aws.server import LocalAws
from tests.support.groups import Group

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
V1 = TemplateVersion(template="lt-1", number=1, ami="ami-1", created=NOW - timedelta(days=20))
V2 = TemplateVersion(template="lt-1", number=2, ami="ami-2", created=NOW - timedelta(days=2))
CONFIGURED: dict[str, Any] = {"template": "lt-1", "version": "2"}


def attempt(refresh: str = "r-1", **fields: Any) -> Attempt:
    return Attempt(**{"refresh": refresh, "template": "lt-1", "version": "2", "ami": "ami-2", **fields})


def refresh(identity: str = "r-1", status: str = "Successful", hours: float = 1, **fields: Any) -> Refresh:
    """That started so many hours ago, and took half an hour."""
    started = NOW - timedelta(hours=hours)
    return Refresh(id=identity, status=status, started=started, ended=started + timedelta(minutes=30), **fields)


def complete(record: Record, *refreshes: Refresh, current: TemplateVersion = V1, **fields: Any) -> list[Attempt]:
    """What AWS makes of a record; the attempts, newest first."""
    known = completed(record, refreshes, versions=[V1, V2], current=current, builds={"ami-2": "1.0.7/2"}, **fields)
    return [*known.attempts]


def test_what_is_written_can_be_read_again() -> None:
    record = Record(attempts=(attempt("r-2", by="ann", why="ü {{x}}", holds=True), attempt(end="rolled back")))
    assert Record.from_json(record.to_json()) == record


def test_a_value_has_no_braces_that_parameter_store_takes_for_a_reference() -> None:
    written = Record(attempts=(attempt(why="{{ssm:name}} and {{{x}}}"),)).to_json()
    assert "{{" not in written
    assert json.loads(written)["attempts"][0]["why"] == "{{ssm:name}} and {{{x}}}"


def test_of_many_attempts_the_newest_fit_into_a_parameter() -> None:
    record = Record(attempts=tuple(attempt(f"r-{number}", reason="x" * 300) for number in range(99, 0, -1)))
    written = record.to_json()
    kept = Record.from_json(written).attempts
    assert len(written) <= LIMIT
    assert [each.refresh for each in kept] == [f"r-{number}" for number in range(99, 99 - len(kept), -1)]
    assert 5 < len(kept) <= 20


@pytest.mark.parametrize("letter", ["x", "ü", "\N{PILE OF POO}", '"'])
def test_the_newest_attempt_is_kept_however_long_its_texts_are(letter: str) -> None:
    longest = attempt(why=letter * 5000, reason=letter * 5000, by="arn:" + "a" * 500, build="1.0.123456789/12345")
    written = Record(attempts=(longest,)).to_json()
    assert len(written) <= LIMIT
    (kept,) = Record.from_json(written).attempts
    assert kept.why.endswith("…") and kept.reason.endswith("…") and kept.why[0] == letter


@pytest.mark.parametrize(
    "written",
    [
        *("", "{", "null", "[]", "1", '"x"', "{}", '{"attempts": 1}', '{"attempts": null}', "[" * 100_000),
        *('{"attempts": "r-1"}', '{"attempts": {"a": 1}}'),
    ],
)
def test_a_value_that_is_no_record_is_known_as_such(written: str) -> None:
    found = Record.from_json(written)
    assert found == Record(is_readable=False)
    after = completed(found, [refresh(**CONFIGURED)], versions=[V2], current=V1, builds={})
    assert len(after.attempts) == 1, "AWS knows the last weeks"
    assert not closed(after.released("ami-2"), [], now=NOW).is_readable


@pytest.mark.parametrize("bad", [{"end": 1}, {"holds": "yes"}, {"refresh": None}, {"ami": ["ami-1"]}, 7, "r-1", None])
def test_an_attempt_that_cannot_be_read_takes_no_other_with_it(bad: Any) -> None:
    good = {"refresh": "r-1", "template": "lt-1", "version": "2", "ami": "ami-2"}
    other = {**good, **bad} if isinstance(bad, dict) else bad
    assert Record.from_json(json.dumps({"attempts": [other, good]})) == Record(attempts=(attempt(),))


def test_members_of_a_newer_program_are_ignored() -> None:
    written = {"format": 2, "attempts": [{"refresh": "r-1", "template": "lt-1", "version": "2", "colour": {"a": 1}}]}
    assert Record.from_json(json.dumps(written)) == Record(attempts=(attempt(ami=""),))


@pytest.mark.parametrize(
    ("status", "end"),
    [
        *(("Pending", ""), ("InProgress", ""), ("Baking", ""), ("Cancelling", ""), ("RollbackInProgress", "")),
        *(("Successful", "succeeded"), ("RollbackSuccessful", "rolled back"), ("RollbackFailed", "rollback failed")),
        *(("Failed", "failed"), ("Cancelled", "cancelled"), ("SomethingNew", "")),
    ],
)
def test_every_status_of_aws_has_an_end_or_none(status: str, end: str) -> None:
    (found,) = complete(Record(attempts=(attempt(by="ann"),)), refresh(status=status, **CONFIGURED))
    assert (found.end, bool(found.ended), found.by) == (end, bool(end), "ann")


def test_the_reason_is_why_aws_went_back() -> None:
    (found,) = complete(Record(), refresh(status="RollbackSuccessful", reason="done", rollback="alarm", **CONFIGURED))
    assert found.reason == "alarm"
    (well,) = complete(Record(attempts=(found,)), refresh(reason="done", **CONFIGURED))
    assert well.reason == ""


def test_a_refresh_that_is_not_in_the_record_is_found() -> None:
    (found,) = complete(Record(), refresh(status="RollbackSuccessful", **CONFIGURED), holds=True)
    assert (found.version, found.ami, found.build) == ("2", "ami-2", "1.0.7/2")
    assert (found.previous_ami, found.holds, found.by) == ("ami-1", True, "")


def test_only_a_refresh_with_a_configuration_can_hold_a_build() -> None:
    """One that a person starts by hand brings nothing new."""
    (by_hand,) = complete(Record(), refresh(status="Failed"), holds=True)
    assert not by_hand.holds


def test_what_the_group_launched_before_an_older_refresh_is_not_guessed() -> None:
    """Terraform may have given the group another version since."""
    _, older = complete(Record(), refresh("r-2", hours=1), refresh("r-1", "RollbackSuccessful", hours=2, **CONFIGURED))
    assert (older.ami, older.previous_ami) == ("ami-2", "")
    assert older.brought("ami-2")


def test_a_refresh_without_configuration_is_for_what_the_group_launches() -> None:
    """Not for the newest version of the template, which a fleet by Goldsmith may not launch yet."""
    (found,) = complete(Record(), refresh(), current=V1)
    assert (found.version, found.ami) == ("1", "ami-1")


def test_what_a_refresh_without_configuration_was_for_is_not_guessed() -> None:
    (before,) = complete(Record(), refresh(hours=72), current=V2)
    assert (before.version, before.ami) == ("", ""), "version 2 did not exist yet"
    _, before = complete(Record(), refresh("r-2", **CONFIGURED), refresh("r-1", hours=5), current=V2)
    assert (before.version, before.ami) == ("", ""), "the group launched something else then"


def test_what_was_not_known_at_first_is_added_later() -> None:
    pending = Refresh(id="r-1", status="Pending", started=None)
    unknown = completed(Record(), [pending], versions=[], current=None, builds={})
    assert [each.version for each in unknown.attempts] == [""]
    (known,) = complete(unknown, refresh(), current=V2)
    assert (known.version, known.ami, known.build, known.end) == ("2", "ami-2", "1.0.7/2", "succeeded")


def test_attempts_are_in_the_order_in_which_they_began() -> None:
    record = Record(attempts=(attempt("r-0", started="2026-06-01T00:00:00Z", end="succeeded"),))
    found = complete(record, refresh("r-3", "Pending", hours=0.9), refresh("r-2"), refresh("r-1"))
    assert [each.refresh for each in found] == ["r-3", "r-2", "r-1", "r-0"]


def test_one_that_was_cancelled_before_it_began_is_not_the_newest_for_ever() -> None:
    never = Refresh(id="r-1", status="Cancelled", started=None, ended=NOW - timedelta(hours=2), **CONFIGURED)
    assert [each.refresh for each in complete(Record(), refresh("r-2", **CONFIGURED), never)] == ["r-2", "r-1"]


def test_what_aws_has_forgotten_has_an_end_in_words() -> None:
    long_ago = attempt("r-1", started="2026-05-01T00:00:00Z")
    (found,) = closed(Record(attempts=(long_ago,)), [], now=NOW).attempts
    assert (found.end, found.has_failed) == ("not followed to its end", True)
    assert closed(Record(attempts=(long_ago,)), [refresh()], now=NOW).attempts == (long_ago,)


def test_a_refresh_that_was_only_seen_pending_has_an_end_too_when_aws_has_forgotten_it() -> None:
    pending = Refresh(id="r-1", status="Pending", started=None, **CONFIGURED)
    seen = closed(Record(attempts=tuple(complete(Record(), pending))), [pending], now=NOW)
    assert [each.started for each in seen.attempts] == [f"{NOW:%Y-%m-%dT%H:%M:%SZ}"]
    (found,) = closed(seen, [], now=NOW + timedelta(weeks=7)).attempts
    assert found.end == "not followed to its end"


def test_what_was_started_just_now_may_be_missing_in_answers() -> None:
    """AWS's answers are eventually consistent."""
    record = Record(attempts=(attempt(started="2026-07-01T11:50:00Z"),))
    assert closed(record, [], now=NOW) == record


@pytest.mark.parametrize(
    ("fields", "is_tried"),
    [
        ({"version": "3"}, True),
        ({"ami": "ami-9", "version": "3"}, True),
        ({"version": "1", "ami": "ami-3"}, True),
        ({"version": "1", "ami": "ami-3", "previous_ami": "ami-3", "end": "failed"}, False),
        ({"version": "1", "ami": "ami-3", "previous_ami": "ami-3", "end": "succeeded"}, True),
        ({"version": "1", "ami": "ami-1"}, False),
        ({"version": "1", "ami": ""}, False),
        ({"version": "3", "template": "lt-9", "ami": ""}, False),
    ],
)
def test_a_version_was_tried_if_it_or_its_ami_was(fields: dict[str, str], is_tried: bool) -> None:
    version = TemplateVersion(template="lt-1", number=3, ami="ami-3")
    last = Record(attempts=(attempt(**fields),)).last_try(version, launched="ami-2")
    assert (last is not None) is is_tried


def test_an_unknown_ami_is_not_that_of_another_version() -> None:
    version = TemplateVersion(template="lt-1", number=3, ami="")
    assert Record(attempts=(attempt(ami=""),)).last_try(version, launched="ami-2") is None


def test_versions_that_do_not_exist_any_more_are_left_out(local_aws: LocalAws) -> None:
    group = Group(local_aws)
    for numbers, expected in ((["1", "2"], [1, 2]), (["1", "7"], [1]), (["7"], []), ([], [])):
        found = read_versions(group.ec2, numbers=numbers, template=group.template_id)
        assert [version.number for version in found] == expected
    assert read_versions(group.ec2, numbers=["1"], template="lt-0a1b2c3d4e5f60718") == []
