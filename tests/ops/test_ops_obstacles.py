"""`goldsmith build` says at once what keeps a good build from `latest`, and waits only for what ends by itself."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lambda_src.handoff.builds import REVOKED_TAG
from lambda_src.handoff.holds import Hold
from local_aws.server import LocalAws
from tests.support.handoff_world import HOME
from tests.support.ops_world import OpsWorld
from tests.support.scanned_world import ScannedWorld
from tests.support.wire import DENIED, wire_to

CRITICAL = {"severity": "CRITICAL", "vulnerability": "CVE-2026-0001", "package": "openssl", "version": "3.0.1"}
GATED = ", image_scanning: {image_scanning_enabled: true}, gate: {max_severity: high}"
LONG = ("--handoff-timeout", "1 hour")
"""A test that waited so long would never end."""


@pytest.fixture
def scanned(world: OpsWorld, local_aws: LocalAws) -> tuple[OpsWorld, ScannedWorld]:
    """A world whose image is scanned and has a gate."""
    web = ScannedWorld(local_aws)
    world = replace(world, web=web)
    world.declare(web.name, more=GATED)
    return world, web


def test_build_that_the_gate_refuses_is_named_at_once(scanned: tuple[OpsWorld, ScannedWorld]) -> None:
    world, web = scanned
    web.scanned(CRITICAL)
    answer = world.ops("build", world.name, "--attach", *LONG)
    refused = f"{world.name} 1.0.7/1 does not pass the gate: 1 critical"
    remedy = f"fix what was found, or add it to gate.except, then goldsmith build {world.name}"
    emergency = f"goldsmith promote {world.name}@1.0.7/1 prod --despite-gate --why REASON"
    assert (answer.err, answer.status) == (f"{refused}; {remedy}; or in an emergency {emergency}\n", 1)
    assert "hand-off" not in answer.out, "there is nothing to wait for"
    assert world.ops(*emergency.split()[1:], "--yes").status == 0, "the command that is named works"

    world.declare(world.name, channels="{slow: {soak: 1 day}}", more=GATED)
    answer = world.ops("build", world.name, "--attach", "--json", *LONG)
    assert json.loads(answer.out)["reason"] == "does not pass the gate: 1 critical"
    assert answer.err.endswith(f"{refused}; {remedy}\n"), "a soak time cannot be skipped with the gate"


def test_scan_that_ended_badly_is_named_at_once(scanned: tuple[OpsWorld, ScannedWorld]) -> None:
    world, web = scanned
    web.scanned(status="FAILED", reason="no agent")
    answer = world.ops("build", world.name, "--attach", *LONG)
    assert answer.err.startswith(
        f"{world.name} 1.0.7/1 does not pass the gate: scan ended FAILED: no agent; goldsmith build {world.name}; or "
    )
    assert answer.status == 1


def test_scan_that_has_not_ended_is_waited_for_with_its_reason(
    scanned: tuple[OpsWorld, ScannedWorld], local_aws: LocalAws
) -> None:
    world, web = scanned
    build = web.scanned(status="SCANNING")
    answer = world.ops("build", world.name, "--attach", "--handoff-timeout", "0 seconds")
    again = f"goldsmith build {world.name} --attach 1.0.7/1 --config {world.config}"
    assert (answer.err, answer.status) == (
        f"{world.name} 1.0.7/1 waits for the gate: scan SCANNING; latest moves by itself within an hour after a good "
        f"scan, or go on with: {again}\n",
        1,
    )
    with world.running("build", world.name, "--attach", *LONG) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        local_aws.change_scan(build)
        web.run()
        _, err = process.communicate(timeout=30)
    waits = f"{world.name} 1.0.7/1 waits for the gate: scan SCANNING; this waits for at most 1:00:00\n"
    assert lines == [f"{world.name} 1.0.7/1 AVAILABLE\n", waits]
    assert (err, process.returncode) == ("", 0)


def test_what_the_gate_says_may_be_unknown_to_a_person(
    scanned: tuple[OpsWorld, ScannedWorld], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, web = scanned
    web.scanned()
    with wire_to(web.aws.endpoint) as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        wire.faults["imagebuilder POST /ListImageScanFindingAggregations"] = DENIED
        attach = ("build", world.name, "--attach", "--handoff-timeout", "0 seconds")
        answer = world.ops(*attach)
        web.run()
        assert world.ops(*attach).status == 0, "the function knows"
    assert answer.err.startswith(
        f"{world.name} 1.0.7/1 waits for the gate: its verdict cannot be read: AWS does not allow "
        "ListImageScanFindingAggregations in us-east-1: no; ask for this permission; "
    )
    assert answer.status == 1


def test_held_image_and_revoked_build_are_named_at_once(world: OpsWorld) -> None:
    arn, name = world.web.build(), world.name
    for channel, place in (("-latest", f"{name}@latest"), ("", name)):
        hold = Hold(held=True, by="arn:aws:iam::000000000000:user/anna", why="audit").to_json()
        world.web.other_ssm[HOME].put_parameter(Name=f"{world.web.path}/_hold{channel}", Value=hold, Type="String")
        answer = world.ops("build", name, "--attach", *LONG)
        assert answer.err == f"{name} 1.0.7/1 is not latest, held by anna: audit; goldsmith hold {place} --undo\n"
    tags = {REVOKED_TAG: "2026-01-01T00:00:00Z CVE-2026-1"}
    world.web.other_imagebuilder.tag_resource(resourceArn=arn, tags=tags)
    answer = world.ops("build", name, "--attach", *LONG)
    assert answer.err == f"{name} 1.0.7/1 is revoked: CVE-2026-1; goldsmith revoke {name}@1.0.7/1 --undo\n"
    assert answer.status == 1
