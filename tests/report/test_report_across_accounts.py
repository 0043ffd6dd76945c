"""`goldsmith report` where the fleet and its image are in different accounts, and where it cannot enter one of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from local_aws.clients import ACCOUNT
from local_aws.server import LocalAws
from tests.support.estates import synthesize
from tests.support.fleet_world import FIELDS, REGION
from tests.support.handoff_world import HOME, ImageWorld
from tests.support.ops_world import impatient_shell
from tests.support.permissions import Estate, by
from tests.support.report_world import BOOTS, INSTALL, ReportWorld

PROD = "290000000001"
CANNOT = "cannot be reached: the role cannot be assumed: "
"""The images' account is that of the credentials."""
OWN = """
settings:
  namespace: acme
  accounts: {{images: {{id: "{account}", role: images}}, prod: {{id: "{prod}", role: operator}}}}
images:
  {image}:
    account: images
    os: amazon-linux-2023
    build: [update-os]
    regions: [us-east-1, eu-west-1]
    channels: [prod]
    root_volume: {{encrypted: false}}
fleets:
  {fleet}:
    account: prod
    image: {image}{fields}
    rollout: {{by: goldsmith, warmup: 1 minute, alarms: [web-5xx]}}
"""
EXTERNAL = """
settings:
  namespace: team
  accounts: {{platform: {{id: "{account}"}}, prod: {{id: "{prod}", role: operator}}}}
images:
  golden:
    external: {{namespace: acme, account: platform, name: {image}}}
    regions: [us-east-1, eu-west-1]
    channels: [prod]
    root_volume: {{encrypted: false}}
fleets:
  {fleet}:
    account: prod
    image: golden{fields}
    rollout: {{by: goldsmith, warmup: 1 minute}}
"""
THEIRS = """
settings: {{namespace: acme, accounts: {{main: {{id: "{account}"}}}}}}
images:
  {image}:
    os: amazon-linux-2023
    build: ["arn:aws:imagebuilder:us-east-1:aws:component/update-linux/x.x.x", app.yaml]
    test: [boots.yaml]
    regions: [us-east-1, eu-west-1]
    channels: [prod]
    root_volume: {{encrypted: false}}
    image_scanning: {{image_scanning_enabled: true}}
    launch_permission: {{accounts: ["{prod}"]}}
    external_fleets: true
"""


class Elsewhere(ReportWorld):
    """The fleet is in an account of its own, with which builds are shared."""

    namespace = "acme"

    @property
    def group(self) -> str:
        return f"{self.namespace}_{self.fleet}"

    def write(self, estate: str) -> None:
        names = {"image": self.web.name, "fleet": self.fleet, "account": ACCOUNT, "prod": PROD}
        self.config.write_text(estate.format(**names, fields=FIELDS.replace(ACCOUNT, PROD)))

    def build(self) -> str:
        ami = super().build()
        permission = {"Add": [{"UserId": PROD}]}
        self.aws.client("ec2", region=REGION).modify_image_attribute(ImageId=ami, LaunchPermission=permission)
        return ami

    def plan(self, old: str, new: str) -> str:
        return super().plan(old, new).replace(ACCOUNT, PROD)

    @property
    def reader(self) -> str:
        return f"acme_{self.web.name}_reader_{HOME}"


@pytest.fixture
def world(
    local_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Elsewhere:
    shell = impatient_shell(local_aws, tmp_path / "config" / "estate.yaml", monkeypatch, capsys)
    shell.config.parent.mkdir()
    local_aws.make_role("operator", account=PROD, trusts=[ACCOUNT])
    local_aws.make_role("images", account=ACCOUNT, trusts=[ACCOUNT])
    return Elsewhere(local_aws, ImageWorld(local_aws), shell.config, shell.ops, account=PROD)


@pytest.fixture
def theirs(world: Elsewhere) -> Elsewhere:
    """An image of another estate, whose builds are scanned; its stack is not applied."""
    world.namespace = "team"
    world.aws.make_role(world.reader, account=ACCOUNT, trusts=[PROD])
    world.aws.client("inspector2", region=HOME).enable(resourceTypes=["EC2"])
    world.web.pipeline = {
        **world.web.pipeline,
        "imageScanningConfiguration": {"imageScanningEnabled": True},  # type: ignore[dict-item]
    }
    world.write(EXTERNAL)
    return world


def reader_policy(world: Elsewhere, folder: Path) -> Mapping[str, Any]:
    """The policy of the reader role, as the other estate's stack has it."""
    (folder / "app.yaml").write_text(INSTALL.replace("PACKAGES", "jq"))
    (folder / "boots.yaml").write_text(BOOTS)
    (folder / "theirs.yaml").write_text(THEIRS.format(image=world.web.name, prod=PROD, account=ACCOUNT))
    stack = synthesize(folder / "theirs.yaml", folder / "out")[f"image-{world.web.name}"]
    text = stack["resource"]["aws_iam_role_policy"]["reader_policy"]["policy"]
    found: Mapping[str, Any] = json.loads(re.sub(r"\$\{data\.aws_caller_identity[^}]*\}", ACCOUNT, text))
    return found


def lacks(members: Mapping[str, Any], what: str) -> list[str]:
    return [each for each in members["unchecked"] if what in each]


def test_what_changed_inside_is_read_by_the_reader_role_and_its_policy_allows_every_call(
    theirs: Elsewhere, tmp_path: Path
) -> None:
    old, new = theirs.move()
    theirs.aws.record_calls("goldsmith")
    try:
        members = theirs.members(old, new)
        calls = by(theirs.aws.calls(), ACCOUNT, role=theirs.reader)
    finally:
        theirs.aws.record_calls(None)
    (inside,) = members["inside"]
    (script,) = (each for each in inside["contents"]["scripts"] if each["name"] == "app")
    assert "+            - dnf install -y openssl-3.0.7 nginx-1.28.0 jq-1.7.1" in script["diff"]
    assert "passed the tests boots" in members["proofs"][0]["lines"]
    assert members["unchecked"] == []
    assert (members["fleets"][0]["account"], members["fleets"][0]["runs"]["exact"]) == (
        PROD,
        f"1.0.111222333/1, {old}",
    )
    assert members["fleets"][0]["image"] == "golden", "as this estate calls it"
    (way,) = members["ways_back"]
    assert way["commands"] == [
        f"goldsmith rollout {theirs.fleet} --abort      # while it runs",
        f"# later: the estate acme moves {theirs.web.name}@stable back; then plan and apply again",
        f"goldsmith rollout {theirs.fleet}",
    ]
    operations = {call.operation for call in calls}
    assert operations >= {"GetComponent", "GetImage", "ListImagePackages", "ListImageScanFindings"}
    estate = Estate(namespace="acme", account=ACCOUNT)
    assert estate.refused_by(calls, policy=reader_policy(theirs, tmp_path)) == []


def test_a_reader_role_that_cannot_be_assumed_is_said_and_the_rest_is_read(theirs: Elsewhere) -> None:
    old, new = theirs.move()
    theirs.aws.make_role(theirs.reader, account=ACCOUNT, trusts=["290000000009"])
    members = theirs.members(old, new)
    (fleet,) = members["fleets"]
    assert (fleet["runs"]["exact"], fleet["instances"], fleet["minutes"]) == (old, 4, "about 8 minutes")
    assert members["inside"] == [], "the builds of shared AMIs are known in the image's account only"
    (lack,) = lacks(members, CANNOT)
    assert lack.startswith(f"{theirs.fleet}: holds, and what proved the build: account platform ({ACCOUNT}) {CANNOT}")
    assert theirs.reader in lack


def test_without_the_role_of_the_images_account_it_says_what_the_fleets_account_knows(world: Elsewhere) -> None:
    world.write(OWN)
    old, new = world.move()
    world.aws.make_role("images", account=ACCOUNT, trusts=["290000000009"])
    members = world.members(old, new)
    (fleet,) = members["fleets"]
    assert (fleet["runs"]["exact"], fleet["instances"], fleet["minutes"]) == (old, 4, "about 8 minutes")
    (alarm,) = (need["text"] for need in members["needs"] if need["kind"] == "alarm")
    assert alarm.startswith(f"{world.fleet}: alarm web-5xx does not exist"), "its own account has the alarms"
    (lack,) = lacks(members, CANNOT)
    assert lack.startswith(f"{world.fleet}: holds, and what proved the build: account images ({ACCOUNT}) {CANNOT}")
    assert not [text for text in members["checked"] if "hold" in text]


def test_without_the_role_of_the_fleets_account_it_says_that_nothing_of_it_is_known(world: Elsewhere) -> None:
    world.write(OWN)
    old, new = world.move()
    world.aws.make_role("operator", account=PROD, trusts=["290000000009"])
    answer = world.report(old, new)
    assert answer.status == 0
    assert f"what runs now, holds, and what proved the build: account prod ({PROD}) {CANNOT}" in answer.out
