"""The function of a fleet as it is deployed in another account than its image: archive, Lambda, reader role."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from estate.load import load
from local_aws.clients import ACCOUNT
from local_aws.server import LocalAws
from stacks.fleet.rollout_archive import rollout_code
from tests.support.handoff_world import ImageWorld
from tests.support.ops_world import impatient_shell
from tests.support.rollout_world import REGION, RolloutWorld

FLEETS = "700000000021"
SETTINGS = f"""  accounts:
    images: {{id: '{ACCOUNT}', role: roller}}
    fleets: {{id: '{FLEETS}', role: roller}}"""
FIELDS = "account: fleets, updates: automatic"


@pytest.fixture
def team(
    local_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[RolloutWorld]:
    """The fleets `dev` and `prod` on the first build, and the second one in the channel; both are shared."""
    shell = impatient_shell(local_aws, tmp_path / "estate.yaml", monkeypatch, capsys)
    team = RolloutWorld(local_aws, ImageWorld(local_aws), shell, accounts={"dev": FLEETS, "prod": FLEETS})
    after = f"{FIELDS}, after: {{fleets: [WEB-dev], soak: 0 minutes}}"
    team.declare(SETTINGS, "account: images, ", dev=FIELDS, prod=after)
    old = share(team)
    for fleet in ("dev", "prod"):
        team[fleet].deploy(old)
    share(team)
    yield team
    local_aws.set_rollout_time()


def share(team: RolloutWorld) -> str:
    """A new build, which the fleets' account may launch."""
    ami = team.build()
    ec2 = team.aws.client("ec2", region=REGION)
    ec2.modify_image_attribute(ImageId=ami, LaunchPermission={"Add": [{"UserId": FLEETS}]})
    return ami


def make_reader_role(team: RolloutWorld) -> None:
    team.aws.make_role(f"acme_{team.web.name}_reader_us-east-1", account=ACCOUNT, trusts=[FLEETS])


def call(team: RolloutWorld, fleet: str) -> dict[str, Any]:
    """Deploy the function of a fleet if it is not, and call it; its line in the log."""
    client, name = team.aws.client("lambda", region=REGION, account=FLEETS), f"{team[fleet].group}_rollout"
    code = rollout_code(load(team.shell.config).fleet(team.name(fleet)))
    if name not in {each["FunctionName"] for each in client.list_functions()["Functions"]}:
        client.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=f"arn:aws:iam::{FLEETS}:role/{name}",
            Handler=code.handler,
            Code={"ZipFile": code.archive},
            Timeout=300,
        )
    answer = client.invoke(FunctionName=name, Payload=b"{}", LogType="Tail")
    assert "FunctionError" not in answer, answer["Payload"].read()
    log = base64.b64decode(answer["LogResult"]).decode()
    (line,) = [json.loads(each) for each in log.splitlines() if each.startswith("{")]
    assert isinstance(line, dict)
    return line


def test_it_reads_the_image_by_the_reader_role_and_waits_for_the_fleet_before(team: RolloutWorld) -> None:
    make_reader_role(team)
    waiting = call(team, "prod")
    assert (waiting["next"], [team.short(each) for each in waiting["reasons"]]) == (
        "refused",
        ["fleet web-dev has to run 1.0.7/2 for 0 minutes first: it runs 1.0.7/1"],
    )
    assert waiting["NeedsPerson"] == 0, "the function of the other fleet says what is the matter there"
    assert [call(team, "dev")["next"] for _ in range(2)] == ["follow", "done"]
    assert [call(team, "prod")["next"] for _ in range(2)] == ["follow", "done"]
    assert team["prod"].versions == {"2": 4}
    (attempt,) = team["prod"].attempts
    assert attempt["by"] == f"arn:aws:lambda:{REGION}:{FLEETS}:function:{team['prod'].group}_rollout"


def test_a_reader_role_that_does_not_trust_it_is_a_problem_for_a_person(team: RolloutWorld) -> None:
    line = call(team, "dev")
    assert line["NeedsPerson"] == 1
    (problem,) = line["problems"]
    assert problem.startswith("rollout: An error occurred (AccessDenied) when calling the AssumeRole operation")
    assert team["dev"].versions == {"1": 4}
