"""The function of a fleet with `updates: automatic`: what a run does, its log line, and what it sends."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import boto3
import pytest

from lambda_src.handoff.failures import Unfinished
from lambda_src.rollout.configuration import Configuration
from lambda_src.rollout.handler import respond, unknown_preferences
from lambda_src.rollout.notices import Memory
from lambda_src.rollout.windows import Freeze
from tests.support.memory_aws import Call, Crash, refusal
from tests.support.memory_groups import MemoryGroup
from tests.support.memory_rollouts import AUTOMATIC, CHANNELS, FLEETS, PROD, REGION, Habits, RolloutWorld

FUNCTION = "arn:aws:lambda:eu-west-1:000000000000:function:acme_web-prod_rollout"
NOTICES = "/goldsmith/acme/notices/web-prod"
FIVE_MINUTES = timedelta(minutes=5)
FREEZE = Freeze(date(2026, 7, 1), date(2026, 7, 2), ZoneInfo("UTC"), "year end")


@dataclass
class Function:
    """The function of `web-prod`, and what it does and says."""

    world: RolloutWorld
    capsys: pytest.CaptureFixture[str]
    sent: list[str] = field(default_factory=list)
    refuse: Exception | None = None
    """What SNS says to the next notifications."""
    lines: list[dict[str, Any]] = field(default_factory=list)
    unknown: tuple[str, ...] = ()

    def publish(self, *, subject: str, text: str) -> None:
        if self.refuse:
            raise self.refuse
        assert subject == text.removeprefix("Fleet ")
        self.sent.append(text)

    def run(self) -> dict[str, Any]:
        """One run; its line. Five minutes pass afterwards."""
        try:
            respond(
                configuration=Configuration(label="acme/web-prod", rules=self.world.rules(PROD), notices=NOTICES),
                reach=lambda: self.world.operator(PROD, FUNCTION),
                publish=self.publish,
                memory=Memory(self.world.cloud.client("ssm", region=REGION, user=FUNCTION), NOTICES),
                unknown=self.unknown,
                now=lambda: self.world.cloud.now,
            )
        finally:
            (line,) = map(json.loads, self.capsys.readouterr().out.splitlines())
            self.lines.append(line)
            self.world.cloud.now += FIVE_MINUTES
        return self.lines[-1]

    def runs(self, count: int) -> list[str]:
        """That many runs, between which AWS does what it can; what was sent meanwhile."""
        before = len(self.sent)
        for _ in range(count):
            self.run()
            self.world.settle([PROD])
        return self.sent[before:]

    @property
    def metrics(self) -> set[str]:
        """Those of the last line that CloudWatch reads."""
        line = self.lines[-1]
        found = {each["Name"] for each in line["_aws"]["CloudWatchMetrics"] for each in each["Metrics"]}
        assert all(line[name] > 0 for name in found)
        return found

    @property
    def group(self) -> MemoryGroup:
        group = self.world.group(PROD)
        assert group
        return group

    def fail_next(self, reason: str) -> None:
        """Start the rollout of a new build, which fails."""
        self.world.point(self.world.build())
        self.run()
        self.group.fail(reason)
        self.world.settle([PROD])


@pytest.fixture
def function(capsys: pytest.CaptureFixture[str]) -> Function:
    """Of a fleet that runs its first build, after the first run."""
    return _function(capsys, Habits(by=dict.fromkeys(FLEETS, AUTOMATIC)))


def _function(capsys: pytest.CaptureFixture[str], habits: Habits) -> Function:
    world = RolloutWorld(habits)
    first = world.build()
    world.point(first)
    world.apply(PROD, ami=first)
    world.settle([PROD])
    made = Function(world, capsys)
    made.run()
    return made


def test_an_idle_run_says_that_nothing_is_to_be_done(function: Function) -> None:
    line = function.run()
    assert (line["Fleet"], line["next"], line["build"], line["launches"]) == ("acme/web-prod", "done", "1.0.7/1", "1")
    assert function.metrics == set()
    assert function.sent == []
    assert [call.operation for call in function.world.cloud.calls if call.user == FUNCTION].count("PutParameter") == 1


def test_an_idle_run_makes_the_calls_that_the_page_counts(function: Function) -> None:
    """In docs/rollouts.md, "What it costs"; the home region is another one here."""
    calls = function.world.cloud.calls
    before = len(calls)
    function.run()
    assert [call.operation for call in calls[before:]] == [
        "GetParametersByPath",  # the records
        "DescribeInstanceRefreshes",
        "DescribeAutoScalingGroups",
        "DescribeLaunchTemplateVersions",
        "DescribeLaunchTemplateVersions",
        "GetParametersByPath",
        "GetParametersByPath",  # at home
        "DescribeImages",
        "GetParameter",  # what was sent
    ]


def test_an_idle_run_asks_once_for_all_that_has_no_room_in_the_record(function: Function) -> None:
    for _ in range(20):
        function.world.point(function.world.build())
        function.runs(2)
    calls = function.world.cloud.calls
    assert 0 < len(function.world.record(PROD)) < 20 == len(function.group.refreshes)
    before = len(calls)
    function.run()
    asked = [call.params["Versions"] for call in calls[before:] if call.operation == "DescribeLaunchTemplateVersions"]
    assert asked[:2] == [["$Latest"], ["21"]]
    assert [len(each) for each in asked[2:]] == [20 - len(function.world.record(PROD))]


def test_a_build_is_rolled_out_and_its_end_is_sent_once(function: Function) -> None:
    function.world.point(function.world.build())
    assert (function.run()["next"], function.metrics) == ("follow", {"Started"})
    function.world.settle([PROD])
    assert function.runs(3) == [
        "Fleet acme/web-prod: the rollout of the build of 1 Jul 00:06 UTC, 1.0.7/2 succeeded; all 3 instances run "
        "1.0.7/2."
    ]
    attempt = next(iter(function.world.record(PROD).values()))
    assert (attempt["by"], attempt["why"]) == (FUNCTION, "updates: automatic")


def test_a_rollback_is_sent_with_its_reason_and_needs_a_person_until_there_is_a_newer_build(function: Function) -> None:
    function.fail_next("alarm web-5xx is in ALARM.")
    assert function.runs(4) == [
        "Fleet acme/web-prod: the rollout of the build of 1 Jul 00:06 UTC, 1.0.7/2 was rolled back: alarm web-5xx is "
        "in ALARM; all 3 instances run 1.0.7/1; this is not tried again until there is a newer build, or "
        "somebody runs goldsmith rollout web-prod --retry."
    ]
    assert function.metrics == {"NeedsPerson"}
    assert function.lines[-1]["reasons"] == ["was rolled back: alarm web-5xx is in ALARM."]
    assert function.world.newest(PROD)[2] == function.world.order[0]  # type: ignore[index]
    function.world.point(function.world.build())
    assert "1.0.7/3 succeeded" in function.runs(3)[0]
    assert function.metrics == set()


def test_what_a_person_has_rolled_out_and_recorded_is_sent_too(function: Function) -> None:
    function.world.point(function.world.build())
    for _ in range(2):
        function.world.run(PROD)
        function.world.settle([PROD])
    assert [attempt["end"] for attempt in function.world.record(PROD).values()] == ["succeeded"]
    assert len(function.runs(2)) == 1


def test_many_rollouts_fit_into_what_is_remembered(function: Function) -> None:
    for _ in range(70):
        function.world.point(function.world.build())
        function.runs(2)
    function.runs(2)
    assert len(function.sent) == len({*function.sent}) == 70
    assert len(function.world.cloud.parameters[REGION, NOTICES][-1]["Value"]) < 4096


def test_what_was_tried_before_the_first_run_is_not_sent(capsys: pytest.CaptureFixture[str]) -> None:
    function = _function(capsys, Habits(by=dict.fromkeys(FLEETS, AUTOMATIC)))
    function.fail_next("no")
    del function.world.cloud.parameters[REGION, NOTICES]
    assert function.runs(3) == []


@pytest.mark.parametrize(
    "error", [refusal("Throttling", "Describe"), refusal("AccessDenied", "Describe")], ids=["throttled", "denied"]
)
def test_neither_is_it_when_the_first_run_cannot_look(capsys: pytest.CaptureFixture[str], error: Exception) -> None:
    function = _function(capsys, Habits(by=dict.fromkeys(FLEETS, AUTOMATIC)))
    function.fail_next("no")
    del function.world.cloud.parameters[REGION, NOTICES]
    _once(function, "DescribeAutoScalingGroups", error)
    with suppress(Unfinished):
        function.run()
    assert function.runs(3) == []
    function.world.point(function.world.build())
    assert "1.0.7/3 succeeded" in function.runs(3)[0]


def test_what_could_not_be_sent_is_sent_by_the_next_run(function: Function) -> None:
    function.fail_next("no")
    function.refuse = refusal("Throttling", "Publish")
    with pytest.raises(Unfinished, match=r"acme/web-prod needs another run: notifications: .*Throttling"):
        function.run()
    assert function.metrics == {"NeedsPerson", "Unfinished"}
    function.refuse = None
    assert len(function.runs(3)) == 1


def test_what_will_never_be_sent_is_a_problem_and_is_not_tried_again(function: Function) -> None:
    function.fail_next("no")
    function.refuse = refusal("NotFound", "Publish")
    function.run()
    assert function.metrics == {"NeedsPerson", "Problems"}
    function.refuse = None
    assert function.runs(2) == []


def test_a_run_that_ends_between_sending_and_remembering_sends_again(function: Function) -> None:
    function.fail_next("no")
    _once(function, "PutParameter", Crash(), to=NOTICES)
    with pytest.raises(Crash):
        function.run()
    assert len(function.runs(2)) == 1
    assert len(function.sent) == 2


def test_what_needs_a_person_is_sent_once_after_the_second_run_that_sees_it(function: Function) -> None:
    ami = function.world.build()
    function.world.tag(ami, "goldsmith:revoked", "2026-06-30T00:00:00Z CVE-2026-1234")
    function.world.point(ami)
    assert function.run()["next"] == "refused"
    assert (function.metrics, function.sent) == ({"NeedsPerson"}, [])
    assert function.runs(4) == [
        f"Fleet acme/web-prod: a person is needed: {ami} is revoked since 30 Jun 00:00 UTC: CVE-2026-1234."
    ]
    function.world.tag(ami, "goldsmith:revoked", None)
    assert "1.0.7/2 succeeded" in function.runs(3)[0]


def test_a_run_that_cannot_look_neither_forgets_nor_repeats_what_needs_a_person(function: Function) -> None:
    ami = function.world.build()
    function.world.tag(ami, "goldsmith:revoked", "2026-06-30T00:00:00Z CVE-2026-1234")
    function.world.point(ami)
    function.run()
    for expected in (1, 1):
        _once(function, "DescribeAutoScalingGroups", refusal("Throttling", "Describe"))
        with pytest.raises(Unfinished):
            function.run()
        function.runs(3)
        assert len(function.sent) == expected


def test_a_channel_that_was_deleted_needs_a_person(function: Function) -> None:
    del function.world.cloud.parameters[REGION, f"{CHANNELS}/stable"]
    assert function.runs(4) == [
        "Fleet acme/web-prod: a person is needed: channel stable of image web is not set in eu-west-1."
    ]
    assert (function.metrics, function.group.refreshes) == ({"NeedsPerson"}, [])


def test_a_freeze_is_the_reason_to_wait_and_needs_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    function = _function(capsys, Habits(by=dict.fromkeys(FLEETS, AUTOMATIC), freezes=(FREEZE,)))
    function.world.point(function.world.build())
    line = function.run()
    assert (line["next"], line["reasons"]) == ("wait", ["freeze until Thu 2 Jul: year end"])
    assert line["until"] == "2026-07-03T00:00:00+00:00"
    assert (function.metrics, function.sent) == (set(), [])


def test_a_fleet_of_after_that_cannot_be_read_needs_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    function = _function(capsys, Habits(by=dict.fromkeys(FLEETS, AUTOMATIC), soak_minutes=1))
    function.world.point(function.world.build())
    assert (function.runs(4), function.metrics) == ([], set()), "it is not deployed, and its function says so"

    def before(call: Call) -> None:
        if (call.user, call.params.get("AutoScalingGroupName")) == (FUNCTION, "acme-web-staging"):
            raise refusal("AccessDenied", call.operation)

    function.world.cloud.before = before
    (said,) = function.runs(4)
    assert "a person is needed: fleet web-staging, which has to run 1.0.7/2 first, cannot be read: " in said
    assert function.metrics == {"NeedsPerson"}


def test_what_a_retry_fixes_is_raised_and_the_line_is_written(function: Function) -> None:
    _once(function, "DescribeAutoScalingGroups", refusal("InternalFailure", "Describe", status=500))
    with pytest.raises(Unfinished, match="acme/web-prod needs another run: rollout: "):
        function.run()
    assert function.metrics == {"Unfinished"}


def test_what_no_retry_fixes_is_a_problem_that_people_get(function: Function) -> None:
    function.world.cloud.before = _refusing("StartInstanceRefresh", refusal("AccessDenied", "StartInstanceRefresh"))
    function.world.point(function.world.build())
    said = function.runs(4)
    assert function.metrics == {"NeedsPerson", "Problems"}
    assert [each[:72] for each in said] == ["Fleet acme/web-prod: a person is needed: rollout: An error occurred (Acc"]
    assert len(function.world.cloud.templates[REGION, function.world.newest(PROD)[0]].versions) == 2  # type: ignore[index]


def test_a_refusal_that_ec2_encodes_anew_each_time_is_sent_once(function: Function) -> None:
    refused = count()

    def before(call: Call) -> None:
        if (call.user, call.operation) == (FUNCTION, "CreateLaunchTemplateVersion"):
            encoded = "abcdefgh"[next(refused)] * 600
            message = f"You are not authorized. Encoded authorization failure message: {encoded}"
            raise refusal("UnauthorizedOperation", call.operation, message=message)

    function.world.cloud.before = before
    function.world.point(function.world.build())
    assert len(function.runs(6)) == 1


def test_a_preference_that_boto3_does_not_know_is_a_reason_to_start_nothing(function: Function) -> None:
    function.unknown = ("BakeTime",)
    assert function.run()["next"] == "done"
    function.world.point(function.world.build())
    line = function.run()
    assert line["next"] == "refused"
    assert line["reasons"] == [
        f"boto3 {boto3.__version__} of the function's runtime cannot send BakeTime: goldsmith rollout web-prod can, "
        "until AWS updates it"
    ]
    assert function.group.refreshes == []
    assert len(function.runs(2)) == 1


def test_preferences_are_compared_with_those_of_the_client() -> None:
    client = boto3.client("autoscaling", region_name="eu-west-1")
    assert unknown_preferences(client, {"SkipMatching": True, "BakeTime": 60, "Newer": 1}) == ("Newer",)


def _refusing(operation: str, error: BaseException, *, to: str = "") -> Callable[[Call], None]:
    def before(call: Call) -> None:
        if (call.user, call.operation) == (FUNCTION, operation) and to in (call.params.get("Name", ""), ""):
            raise error

    return before


def _once(function: Function, operation: str, error: BaseException, *, to: str = "") -> None:
    """Refuse the next call of the function."""
    refusing = _refusing(operation, error, to=to)

    def before(call: Call) -> None:
        try:
            refusing(call)
        except BaseException:
            function.world.cloud.before = lambda call: None
            raise

    function.world.cloud.before = before
