"""Stacks of fleets with `updates: pull-request`: what they look up, and what they wait for."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.estates import PROJECT, synthesize

ESTATE = """\
settings:
  namespace: pinned
  accounts:
    images: {id: "111111111111", role: images}
    prod: {id: "333333333333", role: prod}
defaults:
  images: {account: images, os: amazon-linux-2023, build: [update-os], regions: [eu-west-1]}
  fleets:
    image: web
    channel: latest
    region: eu-west-1
    instance_type: t3.small
    subnets: [subnet-0a]
    capacity: {min: 1, max: 2}
images:
  web: {}
  jobs: {target_accounts: [prod]}
fleets:
  web-here: {UPDATES}
  web-prod: {account: prod, UPDATES}
  jobs-prod: {account: prod, image: jobs, guards: warn, UPDATES}
"""
PULL_REQUEST = ESTATE.replace("UPDATES", "updates: pull-request")
SHARED = "ami-0123456789abcdef0"
COPY = "ami-0fedcba9876543210"
KEY = "arn:aws:kms:eu-west-1:111111111111:key/1f2e"
PINS = f"""\
pins:
  web-here: &pin
    image: web
    build: "1.0.7/3"
    channel: latest
    region: eu-west-1
    ami: {SHARED}
    owner: "111111111111"
    created: "2026-11-24T03:12:00+00:00"
  web-prod: {{<<: *pin, key: "{KEY}"}}
  jobs-prod: {{<<: *pin, image: jobs, ami: {COPY}, owner: "333333333333", key: "{KEY}"}}
"""
Stacks = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pinned") / "config"
    folder.mkdir()
    (folder / "estate.yaml").write_text(PULL_REQUEST)
    (folder / "pins.yaml").write_text(PINS)
    return folder


@pytest.fixture(scope="module")
def stacks(folder: Path) -> Stacks:
    return synthesize(folder, folder.parent / "cdktf.out")


def test_a_pinned_fleet_reads_its_ami_in_its_own_account_and_nothing_else(stacks: Stacks) -> None:
    for name, ami, owner in [
        ("web-here", SHARED, "self"),
        ("web-prod", SHARED, "111111111111"),
        ("jobs-prod", COPY, "self"),
    ]:
        stack = stacks[f"fleet-{name}"]
        assert [*stack["provider"]["aws"]] == stack["provider"]["aws"][:1], "no aws.images"
        assert "read_images" not in stack.get("variable", {})
        assert {"aws_ssm_parameters_by_path", "aws_kms_key"} & stack["data"].keys() == set()
        (found,), (read,) = stack["data"]["aws_ami_ids"].values(), stack["data"]["aws_ami"].values()
        for lookup in (found, read):
            assert (lookup["owners"], lookup["filter"]) == ([owner], [{"name": "image-id", "values": [ami]}])
        output = {"image": name.partition("-")[0], "channel": "latest", "build": "1.0.7/3"}
        assert stack["output"]["build"]["value"] == output | {"created": "2026-11-24T03:12:00+00:00"}


def test_every_guard_that_the_account_can_answer_stops_the_plan(stacks: Stacks) -> None:
    def messages(name: str) -> list[str]:
        stopping = stacks[f"fleet-{name}"]["data"]["aws_ami"]["ami"].get("lifecycle", {}).get("postcondition", ())
        return [each["error_message"] for each in stopping]

    own, shared = messages("web-here"), messages("web-prod")
    rules = ("its name, ", "its tag Ec2ImageBuilderArn", "is built for ", "is revoked")
    assert [next(rule for rule in rules if rule in message) for message in own] == [*rules]
    # the tags of a shared AMI are seen by its owner only
    assert [next(rule for rule in rules if rule in message) for message in shared] == [rules[0], *rules[2:]]
    begin = "Fleet web-prod: its pin, build 1.0.7/3 of image pinned/web, points to "
    assert all(message.startswith(begin) for message in shared)
    assert all("goldsmith pin web-prod" in message for message in shared)
    assert messages("jobs-prod") == []
    assert {"name", "maker", "architecture", "revoked"} <= stacks["fleet-jobs-prod"]["check"].keys()


def test_the_grant_is_on_the_key_of_the_pin(stacks: Stacks) -> None:
    for name in ("web-prod", "jobs-prod"):
        assert stacks[f"fleet-{name}"]["resource"]["aws_kms_grant"]["key_grant"]["key_id"] == KEY
    assert "aws_kms_grant" not in stacks["fleet-web-here"]["resource"]


def test_pins_and_how_fleets_are_updated_change_no_stack_of_an_image(stacks: Stacks, tmp_path: Path) -> None:
    for text, pins in [
        (ESTATE.replace("UPDATES", "updates: plan"), ""),
        (PULL_REQUEST, PINS.replace(SHARED, COPY).replace("1.0.7/3", "1.0.8/1")),
    ]:
        (tmp_path / "estate.yaml").write_text(text)
        (tmp_path / "pins.yaml").write_text(pins)
        other = synthesize(tmp_path, tmp_path / "cdktf.out")
        assert other.keys() == stacks.keys()
        for name in ("image-web", "image-jobs"):
            assert json.dumps(other[name]) == json.dumps(stacks[name]), "byte by byte"


def program(folder: Path, *, unbuilt: str = "") -> subprocess.CompletedProcess[str]:
    """`main.py`, as cdktf runs it."""
    environment = {"GOLDSMITH_CONFIG": str(folder), "CDKTF_OUTDIR": str(folder.parent / "out"), "PATH": "/usr/bin:/bin"}
    if unbuilt:
        environment["GOLDSMITH_ALLOW_UNBUILT"] = unbuilt
    command = [sys.executable, "main.py"]
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)


def test_a_fleet_without_a_pin_stops_the_synthesis_and_nothing_is_written(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / "estate.yaml").write_text(PULL_REQUEST)
    (config / "pins.yaml").write_text(PINS.replace("image: jobs", "image: web").replace("  web-prod:", "  web-old:"))
    ended = program(config)
    remedy = ", or set GOLDSMITH_ALLOW_UNBUILT=1 while its image has no build yet"
    assert ended.stderr.splitlines()[-2:] == [
        f"fleets.web-prod: has no pin; run goldsmith pin web-prod{remedy}",
        f"fleets.jobs-prod: has a pin for image web, and not for jobs; run goldsmith pin jobs-prod{remedy}",
    ]
    assert (ended.returncode, (tmp_path / "out").exists()) == (2, False)


def test_a_stack_that_waits_has_no_resources_and_says_so(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / "estate.yaml").write_text(PULL_REQUEST)
    ended = program(config, unbuilt="1")
    assert ended.returncode == 0, ended.stderr
    stack = json.loads((tmp_path / "out" / "stacks" / "fleet-web-prod" / "cdk.tf.json").read_text())
    # what every stack has, which remembers whose state it is
    assert [*stack["resource"]] == ["terraform_data"]
    assert "output" not in stack
    (groups,) = stack["data"].pop("aws_autoscaling_groups").values()
    assert (stack["data"], groups["names"]) == ({}, ["pinned_web-prod"])
    assert groups["lifecycle"]["postcondition"] == [
        {
            "condition": '${!contains(self.names, "pinned_web-prod")}',
            "error_message": "Fleet web-prod has no pin, and its group pinned_web-prod exists: a plan without the pin "
            "would destroy it. Bring pins.yaml back, or run goldsmith pin web-prod",
        }
    ]
    assert stack["check"]["waits_for_pin"]["assert"][0]["error_message"] == (
        "Fleet web-prod waits for its first build of image pinned/web: build the image, and run goldsmith pin web-prod"
    )
