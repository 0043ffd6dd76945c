"""What `goldsmith pin` refuses, each with its reason, and what a person can do about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local_aws.server import LocalAws
from tests.support.fleet_world import FIELDS, REGION
from tests.support.handoff_world import HOME
from tests.support.pin_world import PINNED, PinWorld, pin_world

BUILD_TAG = "Ec2ImageBuilderArn"
WHY = ("--skip-after", "--why", "CVE-2026-1 is exploited 🔥")


@pytest.fixture
def world(
    local_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> PinWorld:
    return pin_world(local_aws, tmp_path, monkeypatch, capsys)


# --- The AMI


def test_a_revoked_build(world: PinWorld) -> None:
    ami = world.good_build()
    world.pin()
    world.tag(ami, "goldsmith:revoked", "2026-01-02T03:04:05Z the keys leaked")
    assert world.refused() == [f"{ami} is revoked since 02 Jan 03:04 UTC: the keys leaked"]
    world.tag(ami, "goldsmith:revoked", "2999-01-02T03:04:05Z later")
    assert world.pin()[1]["state"] == "unchanged"


def test_a_build_that_is_gone_or_disabled(world: PinWorld) -> None:
    ami = world.good_build()
    ec2 = world.aws.client("ec2", region=REGION)
    ec2.disable_image(ImageId=ami)
    assert world.refused() == [f"{ami} is disabled in account 000000000000 and {REGION}"]
    ec2.enable_image(ImageId=ami)
    ec2.deregister_image(ImageId=ami)
    where = f"account 000000000000 and {REGION}"
    assert world.refused() == [
        f"{ami} does not exist in {where}: it was deregistered, or is not shared with this account"
    ]


@pytest.mark.parametrize("value", ["ami-*", "*", "latest", "ami-tpyo"])
def test_a_channel_whose_value_is_no_ami(world: PinWorld, value: str) -> None:
    world.good_build()
    world.point(value)
    (reason,) = world.refused()
    assert reason.startswith(f"{value} does not exist in account 000000000000 and {REGION}: ")


def register(world: PinWorld, *, name: str, build: str = "", architecture: str = "x86_64") -> str:
    tags = [{"ResourceType": "image", "Tags": [{"Key": BUILD_TAG, "Value": build}]}] if build else []
    made = world.aws.client("ec2", region=REGION).register_image(
        Name=name, Architecture=architecture, RootDeviceName="/dev/xvda", TagSpecifications=tags
    )
    ami = str(made["ImageId"])
    world.point(ami)
    return ami


def test_an_ami_that_is_no_build_of_the_image_or_for_another_architecture(world: PinWorld) -> None:
    prefix, arn = f"acme.{world.web.name}.", f"arn:aws:imagebuilder:{HOME}:000000000000:image"
    other = register(world, name=f"acme.other-{world.web.name}", build=f"{arn}/acme-other/1.0.1/1")
    rule = "is not a build of this image"
    assert world.refused() == [f"{other} (acme.other-{world.web.name}) {rule}: its name does not start with '{prefix}'"]
    untagged = register(world, name=f"{prefix}1")
    no_build = f"{untagged} has no build of Image Builder and no time, which a pin needs: build the image"
    assert world.refused() == [f"{untagged} ({prefix}1) {rule}: its tag {BUILD_TAG} is missing", no_build]
    arm = register(world, name=f"{prefix}2", build=f"{arn}/acme-{world.web.name}/1.0.1/1", architecture="arm64")
    assert world.refused() == [f"{arm} is built for arm64, and the image for x86_64"]


def test_an_ami_that_was_taken_over_is_no_build(world: PinWorld) -> None:
    taken = register(world, name=f"old-{world.web.name}", build="by hand/0")
    world.estate(image=f", accept: [{taken}]")
    assert world.refused() == [f"{taken} has no build of Image Builder and no time, which a pin needs: build the image"]


def test_guards_that_only_warn_are_notes(world: PinWorld) -> None:
    world.estate(f"{PINNED}    guards: warn\n")
    ami = world.good_build()
    world.tag(ami, "goldsmith:revoked", "2026-01-02T03:04:05Z leaked")
    _, found = world.pin()
    assert (found["state"], found["pin"]["ami"]) == ("pinned", ami)
    assert found["notes"] == [f"guards: warn, although {ami} is revoked since 02 Jan 03:04 UTC: leaked"]
    world.aws.client("ec2", region=REGION).deregister_image(ImageId=ami)
    assert "does not exist in account" in world.refused()[0]


# --- The channel


def test_a_channel_without_a_build(world: PinWorld) -> None:
    empty = f"{world.web.name}@prod points to no build in {REGION} yet: "
    assert world.refused() == [f"{empty}goldsmith promote {world.web.name} prod"]
    world.estate(image=", channels: {prod: {from: latest, soak: 1 day}}")
    assert world.refused() == [f"{empty}it moves by itself, 1 day after its source"]


def test_a_held_image_and_a_held_channel(world: PinWorld) -> None:
    world.good_build()
    name = world.web.name
    world.ops("hold", name, "--yes", "--why", "year end")
    world.ops("hold", f"{name}@prod", "--yes", "--why", "a look", "--until", "2999-01-05T09:00+00:00")
    assert world.refused() == [
        f"{name} is held by root: year end; goldsmith hold {name} --undo",
        f"{name}@prod is held by root: a look until 05 Jan 09:00 UTC",
    ]
    world.ops("hold", name, "--yes", "--undo")
    world.ops("hold", f"{name}@prod", "--yes", "--undo")
    assert world.pin()[1]["state"] == "pinned"


def test_a_build_that_was_never_in_the_channel(world: PinWorld) -> None:
    world.good_build()
    world.build()
    name = world.web.name
    assert world.refused(world.fleet, "--build", f"{name}@7/2") == [
        f"{name}@prod has never pointed to 1.0.7/2, so nothing has approved it: goldsmith promote {name}@1.0.7/2 prod"
    ]


def test_a_build_that_does_not_exist_or_could_be_several(world: PinWorld) -> None:
    world.good_build()
    world.web.change_recipe("1.0.71")
    world.good_build()
    name = world.web.name
    assert world.refused(world.fleet, "--build", f"{name}@9/1") == [f"{name} has no build 9/1"]
    answer = world.ops("pin", world.fleet, "--build", f"{name}@7")
    assert (answer.status, answer.err.splitlines()[-1].partition("; ")[0]) == (2, f"{name}@7 means several builds")


def test_a_build_that_retention_may_delete(world: PinWorld) -> None:
    fields = PINNED.replace("channel: prod", "channel: latest")
    retention = ", retention: {keep_newest: 2, delete_after: 30 days}"
    world.estate(fields, image=retention)
    ami = world.build()
    world.web.run()
    kept = "retention of image NAME may delete it, because latest keeps only the last two builds: "
    kept = kept.replace("NAME", world.web.name)
    assert world.refused() == [f"{kept}let the fleet follow prod, which keeps what it points to and pointed to"]
    world.estate(fields, image=f"{retention}, channels: {{}}")
    assert world.refused() == [f"{kept}add a channel, which keeps what it points to and pointed to"]
    world.estate(fields, image=retention)
    world.point(ami)
    assert world.pin()[1]["state"] == "pinned"


# --- What ran it


def test_a_build_that_was_rolled_back_here(world: PinWorld) -> None:
    """Also when nobody has followed that, so that only AWS knows."""
    _, new = world.second_build()
    world.refresh(status="RollbackSuccessful", percentage=50, reason="alarm web-5xx.")
    assert world.refused() == [
        f"1.0.7/2 was rolled back here (alarm web-5xx): pin another build, or goldsmith rollout {world.fleet} --retry"
    ]
    assert new != world.good_build()
    assert world.pin()[1]["pin"]["build"] == "1.0.7/3"


@pytest.mark.parametrize("holds", [True, False])
def test_a_build_that_another_fleet_holds(world: PinWorld, holds: bool) -> None:
    other = world.name_of("test")
    ami = world.good_build()
    attempt = {"refresh": "1", "template": "lt-1", "version": "2", "ami": ami, "end": "failed", "reason": "no health."}
    world.aws.client("ssm", region=REGION).put_parameter(
        Name=f"/goldsmith/acme/fleets/{other}",
        Value=json.dumps({"attempts": [attempt | ({"holds": True} if holds else {})]}),
        Type="String",
    )
    if holds:
        assert world.refused() == [
            f"1.0.7/1 failed in fleet {other}, which holds it for the others (no health): pin another build, or "
            f"goldsmith rollout {other} --retry"
        ]
    else:
        assert world.pin()[1]["state"] == "pinned"


def test_a_build_that_the_fleets_of_after_have_not_run(world: PinWorld) -> None:
    other = world.name_of("test")
    after = f"{PINNED}    rollout: {{by: goldsmith}}\n    after: {{fleets: [{other}], soak: 1 day}}\n"
    world.estate(after, fleets=world.another("test", f"{FIELDS}\n"))
    world.good_build()
    lack = f"fleet {other} has to run 1.0.7/1 for 1 day first: it is not deployed"
    assert world.refused() == [lack]
    _, found = world.pin(world.fleet, *WHY)
    assert (found["state"], found["pin"]["proved"]) == ("pinned", ["SKIPPED after: CVE-2026-1 is exploited 🔥"])
    # the file is read as it was written
    assert world.pins()[world.fleet]["proved"] == found["pin"]["proved"]
    assert world.ops("check").status == 0
    before = world.file.read_bytes()
    assert world.pin(world.fleet, *WHY)[1]["state"] == "unchanged"
    assert world.pin(world.fleet, "--skip-after", "--why", "another")[1]["state"] == "unchanged"
    assert world.file.read_bytes() == before


def test_everything_that_is_wrong_is_in_one_answer(world: PinWorld) -> None:
    ami = world.good_build()
    world.tag(ami, "goldsmith:revoked", "2026-01-02T03:04:05Z leaked")
    world.ops("hold", world.web.name, "--yes", "--why", "year end")
    assert [reason.partition(":")[0] for reason in world.refused()] == [
        f"{ami} is revoked since 02 Jan 03",
        f"{world.web.name} is held by root",
    ]
