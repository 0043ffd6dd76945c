"""The basis of the tests of `goldsmith pin`: a fleet with `updates: pull-request`, and others of its image."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from local_aws.clients import ACCOUNT
from local_aws.server import LocalAws
from tests.support.fleet_world import FIELDS, REGION, FleetWorld
from tests.support.handoff_world import ImageWorld
from tests.support.ops_world import Answer, only, run_ops

PINNED = f"{FIELDS}\n    updates: pull-request\n"


@dataclass
class PinWorld(FleetWorld):
    """A world whose fleet is pinned."""

    def estate(self, fields: str = PINNED, *, image: str = "", fleets: str = "") -> None:
        """The configuration: with further fields of the fleet and of the image, and further fleets."""
        fields_of_image = "os: amazon-linux-2023, build: [update-os], regions: [us-east-1, eu-west-1]"
        channels = "" if "channels:" in image else ", channels: [prod]"
        self.config.write_text(
            f"settings:\n  namespace: acme\n"
            f"images:\n  {self.web.name}: {{{fields_of_image}{channels}{image}}}\n"
            f"fleets:\n  {self.fleet}:\n    image: {self.web.name}{fields}{fleets}"
        )

    def declare_elsewhere(self, account: str, image: str = "root_volume: {encrypted: true}") -> None:
        """The configuration, in which the fleet is in another account, with its role `operator`."""
        accounts = f"{{images: {{id: '{ACCOUNT}'}}, prod: {{id: '{account}', role: operator}}}}"
        fields = "account: images, os: amazon-linux-2023, build: [update-os], regions: [us-east-1, eu-west-1]"
        self.config.write_text(
            f"settings:\n  namespace: acme\n  accounts: {accounts}\n"
            f"images:\n  {self.web.name}: {{{fields}, channels: [prod], {image}}}\n"
            f"fleets:\n  {self.fleet}:\n    account: prod\n    image: {self.web.name}"
            + PINNED.replace(ACCOUNT, account)
        )

    def share(self, ami: str, account: str) -> None:
        """What Image Builder does with a build."""
        ec2 = self.aws.client("ec2", region=REGION)
        ec2.modify_image_attribute(ImageId=ami, LaunchPermission={"Add": [{"UserId": account}]})

    def another(self, name: str, fields: str = PINNED) -> str:
        """One of the further fleets."""
        return f"  {self.name_of(name)}:\n    image: {self.web.name}{fields}"

    def name_of(self, fleet: str) -> str:
        """The name of a further fleet, which no other test has."""
        return f"{self.web.name}-{fleet}"

    @property
    def file(self) -> Path:
        return self.config.parent / "pins.yaml"

    def pins(self) -> dict[str, dict[str, Any]]:
        """What the file says; empty if there is none."""
        found = YAML(typ="safe").load(self.file) if self.file.exists() else {"pins": {}}
        pins: dict[str, dict[str, Any]] = found["pins"]
        return pins

    def pin(self, *arguments: str) -> tuple[Answer, dict[str, Any]]:
        """What a run has said, and its JSON of the fleet."""
        answer = self.ops("pin", *(arguments or [self.fleet]), "--json")
        if answer.status == 2 or not answer.out:
            return answer, {}
        found: dict[str, dict[str, Any]] = {each["fleet"]: each for each in json.loads(answer.out)["fleets"]}
        return answer, found[self.fleet]

    def refused(self, *arguments: str) -> list[str]:
        """Why the fleet is not pinned, while its pin stays."""
        before = self.file.read_bytes() if self.file.exists() else None
        answer, found = self.pin(*arguments)
        assert (answer.status, found["state"], found["pin"]) == (1, "refused", None), answer
        assert (self.file.read_bytes() if self.file.exists() else None) == before
        reasons: list[str] = found["refused"]
        return reasons

    def good_build(self) -> str:
        """A build in `prod`; its AMI in the fleet's region."""
        ami = self.build()
        self.point(ami)
        return ami

    def tag(self, ami: str, key: str, value: str) -> None:
        self.aws.client("ec2", region=REGION).create_tags(Resources=[ami], Tags=[{"Key": key, "Value": value}])


def pin_world(
    aws: LocalAws, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> PinWorld:
    """A world whose estate is in a folder, and whose commands ask AWS once and write wide lines without colours."""
    config = folder / "estate.yaml"
    only(aws.environment() | {"AWS_MAX_ATTEMPTS": "1", "COLUMNS": "300"}, monkeypatch)

    def ops(*arguments: str) -> Answer:
        return run_ops([*arguments, "--config", str(config)], capsys)

    world = PinWorld(aws, ImageWorld(aws), config, ops)
    world.estate()
    return world
