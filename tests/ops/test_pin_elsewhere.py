"""`goldsmith pin` where the image is of another account, or of another estate."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_aws.clients import ACCOUNT
from local_aws.server import LocalAws
from tests.support.fleet_world import REGION
from tests.support.handoff_world import ImageWorld
from tests.support.ops_world import impatient_shell
from tests.support.pin_world import PINNED, PinWorld

PROD = "260000000001"
PLAIN = "root_volume: {encrypted: false}"


@pytest.fixture
def world(
    local_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> PinWorld:
    """An image in the account of the people, and its fleet in another one."""
    shell = impatient_shell(local_aws, tmp_path / "estate.yaml", monkeypatch, capsys)
    local_aws.make_role("operator", account=PROD, trusts=[ACCOUNT])
    return PinWorld(local_aws, ImageWorld(local_aws), shell.config, shell.ops, account=PROD)


def test_a_shared_ami_has_the_id_and_the_owner_of_the_images_account(world: PinWorld) -> None:
    world.declare_elsewhere(PROD, PLAIN)
    ami = world.good_build()
    missing = (
        f"{ami} does not exist in account {PROD} and {REGION}: it was deregistered, or is not shared with this account"
    )
    assert world.refused() == [missing]
    world.share(ami, PROD)
    _, found = world.pin()
    assert (found["state"], found["pin"]["ami"], found["pin"]["owner"]) == ("pinned", ami, ACCOUNT)
    assert world.ops("check").status == 0
    world.tag(ami, "goldsmith:revoked", "2026-01-02T03:04:05Z leaked")
    assert world.refused() == [f"{ami} is revoked since 02 Jan 03:04 UTC: leaked"], "which only its owner sees"


def test_a_copy_has_an_id_of_its_own(world: PinWorld) -> None:
    world.declare_elsewhere(PROD, f"target_accounts: ['{PROD}'], root_volume: {{encrypted: false}}")
    ami = world.good_build()
    (reason,) = world.refused()
    assert reason.startswith(f"{ami} does not exist in account {PROD} and {REGION}: ")
    (made,) = world.aws.client("ec2", region=REGION).describe_images(ImageIds=[ami])["Images"]
    copy = world.aws.client("ec2", region=REGION, account=PROD).register_image(
        Name=made["Name"], Architecture="x86_64", RootDeviceName="/dev/xvda"
    )["ImageId"]
    _, found = world.pin()
    assert (found["pin"]["ami"], found["pin"]["owner"], found["pin"]["build"]) == (copy, PROD, "1.0.7/1")
    assert world.status()[1]["wanted"] == {"ami": copy, "build": "1.0.7/1"}


def test_the_key_of_the_images_account_is_in_the_pin(world: PinWorld) -> None:
    world.declare_elsewhere(PROD)
    world.share(world.good_build(), PROD)
    (reason,) = world.refused()
    assert f"alias/acme/{world.web.name}/amis" in reason, reason
    kms = world.aws.client("kms", region=REGION)
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName=f"alias/acme/{world.web.name}/amis", TargetKeyId=key)
    assert world.pin()[1]["pin"]["key"] == key
    kms.disable_key(KeyId=key)
    assert world.refused() == [
        f"the key of the AMIs, {key}, cannot be used: it is Disabled; enable it or cancel its deletion"
    ]
    kms.enable_key(KeyId=key)
    assert world.pin()[1]["state"] == "unchanged"


def test_an_account_that_cannot_be_reached_refuses_its_fleets(world: PinWorld) -> None:
    world.declare_elsewhere(PROD, PLAIN)
    world.share(world.good_build(), PROD)
    world.aws.make_role("operator", account=PROD, trusts=["260000000009"])
    (reason,) = world.refused()
    assert reason.startswith(f"account prod ({PROD}) cannot be reached: the role cannot be assumed: ")


# --- Images of other estates


def test_a_build_of_another_estate_can_be_pinned_and_named(world: PinWorld) -> None:
    """Its builds cannot be listed from here, so those are known that the channel has had."""
    world.config.write_text(
        f"settings: {{namespace: team}}\n"
        f"images:\n  golden: {{external: {{namespace: acme, name: {world.web.name}}}, "
        f"regions: [us-east-1, eu-west-1], channels: [prod]}}\n"
        f"fleets:\n  {world.fleet}:\n    image: golden{PINNED}"
    )
    assert world.refused() == [f"golden@prod points to no build in {REGION} yet: the estate acme has to move it"]
    first = world.good_build()
    world.good_build()
    assert world.pin()[1]["pin"]["build"] == "1.0.7/2"
    assert world.pin(world.fleet, "--build", "golden@7/1")[1]["pin"]["ami"] == first
    world.build()
    assert world.refused(world.fleet, "--build", "golden@7/3") == ["golden has no build 7/3"]
