"""What a report finds out about builds and fleets in AWS and git, and what it says where it cannot."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from local_aws.server import LocalAws
from ops.command_line import main
from tests.support.fleet_world import FIELDS, REGION
from tests.support.handoff_world import HOME, ImageWorld
from tests.support.ops_world import Shell, impatient_shell, refusing, serving
from tests.support.report_world import ReportWorld


@pytest.fixture
def shell(
    local_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    return impatient_shell(local_aws, tmp_path / "config" / "estate.yaml", monkeypatch, capsys)


@pytest.fixture
def world(local_aws: LocalAws, shell: Shell) -> ReportWorld:
    shell.config.parent.mkdir()
    world = ReportWorld(local_aws, ImageWorld(local_aws), shell.config, shell.ops)
    world.declare(f"{FIELDS}\n    rollout: {{by: goldsmith, warmup: 1 minute, alarms: [web-5xx]}}")
    return world


def texts(members: Mapping[str, Any], kind: str) -> list[str]:
    return [need["text"] for need in members["needs"] if need["kind"] == kind]


def test_says_what_is_inside_and_what_runs(world: ReportWorld) -> None:
    old, new = world.move()
    members = world.members(old, new)
    (fleet,) = members["fleets"]
    assert (fleet["fleet"], fleet["instances"], fleet["minutes"]) == (world.fleet, 4, "about 8 minutes")
    assert (fleet["runs"]["exact"], fleet["will_run"]["exact"]) == (
        f"1.0.111222333/1, {old}",
        f"1.0.444555666/1, {new}",
    )
    (inside,) = members["inside"]
    contents = inside["contents"]
    steps = [(step["name"], step["before"], step["after"]) for step in contents["stepped"]]
    assert steps == [("openssl", "1.1.1", "3.0.7"), ("nginx", "1.26.3", "1.28.0")]
    assert contents["added"] == {"jq": "1.7.1"}
    (script,) = (script for script in contents["scripts"] if script["name"] == "app")
    assert script["what"] == "changed"
    assert "+            - dnf install -y openssl-3.0.7 nginx-1.28.0 jq-1.7.1" in script["diff"]
    assert "passed the tests boots" in members["proofs"][0]["lines"]
    assert texts(members, "package")[0].endswith("has a major step of packages: openssl 1.1.1 → 3.0.7")
    assert members["unchecked"] == [
        f"{fleet['runs']['short']} and {fleet['will_run']['short']}: vulnerabilities: the build was not scanned "
        "(image_scanning)"
    ]


def test_text_shows_differences_with_their_indentation(world: ReportWorld) -> None:
    lines = world.report(*world.move(), "--format", "text").out.splitlines()
    assert "    +            - dnf install -y openssl-3.0.7 nginx-1.28.0 jq-1.7.1" in lines


@pytest.mark.parametrize(
    ("refused", "lack"),
    [
        (
            ("app",),
            "the documents of app: AWS allows GetComponent for the other components only; from another account, a "
            "component that was removed from the image's recipe cannot be read",
        ),
        (("app", "boots"), "the documents of its components: AWS does not allow GetComponent"),
    ],
)
def test_says_which_documents_of_components_it_may_not_read(
    refused: tuple[str, ...], lack: str, world: ReportWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = world.move()

    def answer(request: BaseHTTPRequestHandler, body: str) -> tuple[int, str]:
        if request.path.startswith("/GetComponent?") and any(f"-{name}%2F" in request.path for name in refused):
            return 403, json.dumps({"__type": "AccessDeniedException", "message": "no"})
        passed = Request(world.aws.endpoint + request.path, data=body.encode() or None, headers=dict(request.headers))
        with urlopen(passed) as answered:
            return answered.status, answered.read().decode()

    with serving(answer) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_IMAGEBUILDER", endpoint)
        unchecked = world.members(old, new)["unchecked"]
    assert [each for each in unchecked if each.endswith(f": {lack}")], unchecked


def test_says_that_a_build_is_revoked_held_or_was_rolled_back(world: ReportWorld) -> None:
    old, new = world.move()
    world.aws.client("ec2", region=REGION).create_tags(
        Resources=[new], Tags=[{"Key": "goldsmith:revoked", "Value": "2026-01-02T03:04:05Z openssl is broken"}]
    )
    assert world.ops("hold", world.web.name, "--why", "audit", "--yes").status == 0
    members = world.members(old, new)
    label = members["fleets"][0]["will_run"]["short"]
    revoked = f"{world.fleet}: {label} is revoked since 02 Jan 03:04 UTC: openssl is broken"
    assert texts(members, "revoked") == [revoked]
    assert texts(members, "held")[0].startswith(f"{world.fleet}: {world.web.name} is held by")
    answer = world.report(old, new, "--fail-on", "revoked,gate")
    assert (answer.status, answer.err.partition(":")[0]) == (1, "--fail-on revoked")


def test_a_build_above_the_gate_fails_if_that_is_wanted_and_one_below_it_passes(world: ReportWorld) -> None:
    text, scanned = world.config.read_text(), ", image_scanning: {image_scanning_enabled: true}"
    world.config.write_text(
        text.replace("channels: [prod]", f"channels: [prod]{scanned}, gate: {{max_severity: high}}")
    )
    world.aws.client("inspector2", region=HOME).enable(resourceTypes=["EC2"])
    world.web.pipeline = {**world.web.pipeline, "imageScanningConfiguration": {"imageScanningEnabled": True}}  # type: ignore[dict-item]
    findings = [
        {"severity": severity, "vulnerability": f"CVE-2026-{severity}", "package": "openssl", "version": "3.0.7"}
        for severity in ("CRITICAL", "HIGH")
    ]
    world.install("1.0.111222333", "openssl-3.0.7")
    world.aws.scan_next_build(world.web.image.pipeline_arn, findings=findings[1:])
    old = world.deploy()
    world.aws.scan_next_build(world.web.image.pipeline_arn, findings=findings)
    new = world.build()
    world.point(new)
    refused = world.report(old, new, "--fail-on", "gate")
    (line,) = refused.err.splitlines()
    assert (refused.status, "does not pass the gate: 1 critical" in line) == (1, True), line
    back = world.report(new, old, "--fail-on", "gate")
    assert (back.status, back.err) == (0, "")
    assert "passes the gate" in back.out


def test_what_fleets_of_after_have_not_proved_fails_if_that_is_wanted(world: ReportWorld) -> None:
    world.declare(
        f"{FIELDS}\n  {world.fleet}-2:\n    image: {world.web.name}{FIELDS}\n    rollout: {{by: goldsmith}}\n"
        f"    after: {{fleets: [{world.fleet}], soak: 2 days}}"
    )
    old, new = world.move()
    text = world.plan(old, new).replace(world.group, f"{world.group}-2")
    file = world.config.parent / "plan.json"
    file.write_text(text)
    asked = world.ops("report", str(file), "--fail-on", "unproved")
    assert asked.status == 1
    assert f"fleet {world.fleet} has to run 4445/1 for 2 days first: it runs 1112/1" in asked.err
    blind = world.ops("report", str(file), "--fail-on", "unproved", "--no-aws")
    assert (blind.status, "nothing shows that fleet" in blind.err) == (1, True)


def test_shows_the_configuration_between_the_commits_of_both_builds(world: ReportWorld) -> None:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(world.config.parent), "-c", "user.name=A", "-c", "user.email=a@example.com"]
        return subprocess.run([*command, *arguments], check=True, capture_output=True, text=True).stdout.strip()

    def commit() -> str:
        git("add", ".")
        git("commit", "-q", "-m", "change")
        return git("rev-parse", "HEAD")

    git("init", "-q")
    first, text = commit(), world.config.read_text()
    world.config.write_text(text.replace("min: 4", "min: 3"))
    second = commit()
    old, new = world.move()
    for version, sha in (("1.0.111222333", first), ("1.0.444555666", second)):
        arn = f"{world.web.image.pipeline_arn.replace('image-pipeline', 'image')}/{version}/1"
        world.web.other_imagebuilder.tag_resource(resourceArn=arn, tags={"goldsmith:commit": sha})
    (inside,) = world.members(old, new)["inside"]
    assert inside["commit"] == f"{first[:12]} → {second[:12]}"
    assert "-    capacity: {min: 4, max: 4}\n+    capacity: {min: 3, max: 4}" in inside["diff"]
    # a shallow clone
    subprocess.run(["rm", "-rf", str(world.config.parent / ".git")], check=True)
    (lack,) = (each for each in world.members(old, new)["unchecked"] if "commits" in each)
    assert lack.endswith("fetch them (fetch-depth: 0 of actions/checkout)")


def test_without_a_configuration_it_asks_with_the_credentials_of_the_environment(
    world: ReportWorld,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    old, new = world.move()
    file = tmp_path_factory.mktemp("nowhere") / "somebody.json"
    file.write_text(world.plan(old, new))
    monkeypatch.chdir(file.parent)
    assert main(["report", "somebody.json", "--format", "json"]) == 0
    members = json.loads(capsys.readouterr().out)
    assert members["fleets"][0]["runs"]["exact"] == f"1.0.111222333/1, {old}"
    assert members["inside"][0]["contents"]["added"] == {"jq": "1.7.1"}
    assert "windows, `after` and alarms: there is no configuration" in members["unchecked"]


@pytest.mark.parametrize("reason", ["no credentials", "denied", "--no-aws"])
def test_says_what_was_not_checked_and_why(world: ReportWorld, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    more: tuple[str, ...] = ()
    if reason == "no credentials":
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        said = "there are no AWS credentials: log in"
    elif reason == "--no-aws":
        more, said = ("--no-aws",), "AWS was not asked (--no-aws)"
    else:
        said = "AWS does not allow"
    if reason == "denied":
        with refusing("AccessDeniedException", "no") as endpoint:
            monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
            members = world.members("ami-0123456789abcdef0", "ami-0123456789abcdef1")
    else:
        members = world.members("ami-0123456789abcdef0", "ami-0123456789abcdef1", *more)
    assert [each for each in members["unchecked"] if said in each], members["unchecked"]
    assert (
        members["title"]
        == f"{world.web.name} another AMI in 1 fleet, 12 instances, about 24 minutes; nothing else changes"
    )


def test_says_which_other_fleets_run_the_build_and_which_alarms_would_end_the_rollout(world: ReportWorld) -> None:
    old, new = world.move()
    group = world.group
    other = f"  other:\n    image: {world.web.name}{FIELDS}"
    world.declare(f"{FIELDS}\n    rollout: {{by: goldsmith, alarms: [loud-5xx, gone-5xx]}}\n{other}")
    world.aws.client("cloudwatch", region=REGION).put_metric_alarm(
        AlarmName="loud-5xx",
        Namespace="acme",
        MetricName="errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    world.aws.client("cloudwatch", region=REGION).set_alarm_state(
        AlarmName="loud-5xx", StateValue="ALARM", StateReason="a test"
    )
    ec2 = world.aws.client("ec2", region=REGION)
    ec2.create_launch_template(LaunchTemplateName="acme_other", LaunchTemplateData={"ImageId": new})
    world.aws.client("autoscaling", region=REGION).create_auto_scaling_group(
        AutoScalingGroupName="acme_other",
        MinSize=1,
        MaxSize=1,
        LaunchTemplate={"LaunchTemplateName": "acme_other", "Version": "1"},
        AvailabilityZones=[f"{REGION}a"],
    )
    members = world.members(old, new)
    assert group == f"acme_{members['fleets'][0]['fleet']}"
    (ran,) = (line for line in members["proofs"][0]["lines"] if line.startswith("other "))
    assert ran.startswith("other has run it since ")
    assert texts(members, "alarm") == [
        f"{world.fleet}: alarm loud-5xx is in the state ALARM now, which ends a rollout",
        f"{world.fleet}: alarm gone-5xx does not exist, and AWS does not start a rollout without it",
    ]
