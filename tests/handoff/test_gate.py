"""The gate: builds with severe findings do not become `latest`, and nothing else is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from lambda_src.handoff.configuration import Gate
from local_aws.server import LocalAws
from tests.support.answers import refused
from tests.support.handoff_world import REGIONS, ImageWorld, asked, intercepted
from tests.support.scanned_world import ScannedWorld

CRITICAL = {"severity": "CRITICAL", "vulnerability": "CVE-2026-0001", "package": "openssl", "version": "3.0.1"}
HIGH = {"severity": "HIGH", "vulnerability": "CVE-2026-0002", "package": "openssl", "version": "3.0.1"}
MEDIUM = {"severity": "MEDIUM", "vulnerability": "CVE-2026-0003", "package": "curl", "version": "8.0"}
LOW = {"severity": "LOW", "vulnerability": "CVE-2026-0004", "package": "curl", "version": "8.0"}
RUNNING = ["PENDING", "SCANNING", "COLLECTING"]


@pytest.fixture
def web(local_aws: LocalAws) -> ScannedWorld:
    return ScannedWorld(local_aws)


@pytest.mark.parametrize(
    ("limit", "findings", "reason"),
    [
        ("high", [HIGH, MEDIUM, LOW], None),
        ("high", [CRITICAL, HIGH], "1 critical"),
        ("medium", [MEDIUM, LOW], None),
        ("medium", [HIGH, HIGH, MEDIUM], "2 high"),
        ("low", [LOW], None),
        ("low", [CRITICAL, HIGH, HIGH, MEDIUM], "1 critical, 2 high, 1 medium"),
        ("high", [], None),
    ],
)
def test_worst_severity_decides(
    web: ScannedWorld, limit: str, findings: Sequence[Mapping[str, str]], reason: str | None
) -> None:
    web.limit(limit)
    build = web.scanned(*findings)
    run = web.run()
    assert web.latest() == ({} if reason else web.amis(build))
    assert run.line.get("gate", {}) == ({build: reason} if reason else {})
    assert (run.line["Problems"], run.error) == (0, ""), "a verdict is no failure"


def test_verdict_is_not_asked_for_again_until_the_gate_changes(web: ScannedWorld) -> None:
    build = web.scanned(CRITICAL)
    first = web.run()
    with asked(web.imagebuilder) as operations:
        second = web.run()
    assert set(operations) == {"ListImagePipelineImages"}
    assert first.line["gate"] == second.line["gate"] == {build: "1 critical"}
    web.limit("high", CVE_2026_0001="2099-01-01")
    web.run()
    assert web.latest() == web.amis(build)


def test_older_build_that_passes_is_taken_and_none_is_moved_back(web: ScannedWorld) -> None:
    good = web.scanned(LOW)
    web.scanned(CRITICAL)
    web.run()
    assert web.latest() == web.amis(good)
    web.limit("low")
    web.run()
    assert web.latest() == web.amis(good), "the gate judges newer builds only"
    better = web.scanned(LOW)
    web.run()
    assert web.latest() == web.amis(better)


def test_refused_build_is_no_way_back_from_a_revoked_one(web: ScannedWorld) -> None:
    first = web.scanned()
    web.run()
    web.scanned(CRITICAL)
    third = web.scanned()
    web.run()
    assert web.latest() == web.amis(third)
    web.other_imagebuilder.tag_resource(resourceArn=third, tags={"goldsmith:revoked": "2026-01-01T00:00:00Z no"})
    web.run()
    assert web.latest() == web.amis(first)


@pytest.mark.parametrize("status", RUNNING)
def test_scan_that_runs_is_waited_for(web: ScannedWorld, status: str) -> None:
    build = web.scanned(status=status)
    run = web.run()
    assert (web.latest(), run.line["gate"], run.line["Problems"]) == ({}, {build: f"scan {status}"}, 0)
    later = datetime.now(UTC) + timedelta(hours=6, minutes=5)
    run = web.run(now=later)
    assert run.line["problems"] == [f"gate: the scan of {build} has not ended for 6 hours"]
    web.aws.change_scan(build)
    run = web.run(now=later)
    assert (web.latest(), run.line["Problems"]) == (web.amis(build), 0)


@pytest.mark.parametrize("status", ["ABANDONED", "FAILED", "TIMED_OUT"])
def test_scan_that_failed_lets_nothing_pass_and_needs_a_person(web: ScannedWorld, status: str) -> None:
    build = web.scanned(status=status, reason="Inspector was disabled")
    run = web.run()
    assert web.latest() == {}
    assert run.line["problems"] == [
        f"gate: the scan of {build} ended {status}: Inspector was disabled: build the image again"
    ]


def test_build_that_was_not_scanned_does_not_pass(web: ScannedWorld, local_aws: LocalAws) -> None:
    plain = ImageWorld(local_aws)
    plain.image = replace(plain.image, gate=Gate(max_severity="high"))
    build = plain.build()
    run = plain.run()
    assert plain.latest() == {}
    assert run.line["gate"] == {build: "scan is missing"}
    assert run.line["Problems"] == 1


def test_exception_holds_until_its_last_day_and_for_its_vulnerability_only(web: ScannedWorld) -> None:
    web.limit("medium", CVE_2026_0001="2026-12-31")
    build = web.scanned(CRITICAL, *[LOW] * 30)
    web.run(now=datetime(2026, 12, 31, 23, 59, tzinfo=UTC))
    assert web.latest() == web.amis(build)
    other = web.scanned(CRITICAL, HIGH)
    reason = "1 without exception: CVE-2026-0002"
    assert web.run(now=datetime(2026, 12, 31, tzinfo=UTC)).line["gate"] == {other: reason}
    later = web.scanned(CRITICAL)
    gate = web.run(now=datetime(2027, 1, 1, tzinfo=UTC)).line["gate"]
    assert gate == {other: reason, later: "1 critical"}


@pytest.mark.parametrize("operation", ["ListImageScanFindingAggregations", "ListImageScanFindings"])
@pytest.mark.parametrize(("code", "retried"), [("ThrottlingException", True), ("AccessDeniedException", False)])
def test_findings_that_cannot_be_read_let_nothing_pass(
    web: ScannedWorld, operation: str, code: str, retried: bool
) -> None:
    web.limit("high", CVE_2026_0001="2099-12-31")
    old = web.scanned()
    web.run()
    build = web.scanned(CRITICAL)
    with intercepted(web.imagebuilder, operation, lambda: refused(code)):
        run = web.run()
    assert web.latest() == web.amis(old)
    assert (bool(run.error), run.line["Problems"]) == (retried, 0 if retried else 1)
    web.run()
    assert web.latest() == web.amis(build)


def test_what_latest_has_is_not_judged_again(web: ScannedWorld) -> None:
    web.scanned()
    web.run()
    with asked(web.imagebuilder) as operations:
        web.run()
    assert not {name for name in operations if "Scan" in name}
    assert set(web.latest()) == set(REGIONS)
