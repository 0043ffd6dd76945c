"""What `goldsmith status` shows for a channel: the real value, whatever the record with it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.support.handoff_world import ContainerImageWorld, ImageWorld
from tests.support.ops_world import OpsWorld, Shell, impatient_shell

REGION = "us-east-1"


@pytest.fixture
def shell(
    local_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    return impatient_shell(local_aws, tmp_path / "estate.yaml", monkeypatch, capsys)


@pytest.fixture
def world(local_aws: LocalAws, shell: Shell) -> Iterator[OpsWorld]:
    world = OpsWorld(web=ImageWorld(local_aws), config=shell.config, environment=shell.environment, ops=shell.ops)
    world.declare(world.name, regions=REGION)
    yield world


def write(world: OpsWorld, value: str, description: str | None = None) -> None:
    """Move the channel by hand; without a description Parameter Store keeps the one before."""
    described = {} if description is None else {"Description": description}
    world.web.other_ssm[REGION].put_parameter(
        Name=f"{world.web.path}/prod", Value=value, Type="String", Overwrite=True, **described
    )


def prod(world: OpsWorld) -> tuple[int, dict[str, Any]]:
    """Exit status, and the channel in JSON."""
    answer = world.ops("status", "--json")
    (image,) = json.loads(answer.out)["images"]
    return answer.status, next(row for row in image["channels"] if (row["channel"], row["region"]) == ("prod", REGION))


def register(world: OpsWorld, name: str, architecture: str = "x86_64", **tags: str) -> str:
    """An AMI that Image Builder did not make."""
    ec2 = world.web.registry[REGION]
    ami: str = ec2.register_image(Name=name, Architecture=architecture, RootDeviceName="/dev/xvda")["ImageId"]
    ec2.create_tags(Resources=[ami], Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
    return ami


def test_a_channel_set_by_hand_shows_the_build_of_its_ami_and_not_of_the_record(world: OpsWorld) -> None:
    first, second = (world.web.amis(world.web.build())[REGION] for _ in range(2))
    world.web.run()
    write(world, first, json.dumps({"build": world.arn("1.0.7/2"), "created": "2020-01-01T00:00:00+00:00"}))
    status, channel = prod(world)
    assert (status, channel["build"], channel["arn"], channel["by_hand"]) == (0, "1.0.7/1", world.arn("1.0.7/1"), True)
    assert not channel["created"].startswith("2020"), "which the record says of another build"
    assert channel["newer_build"] == "1.0.7/2"
    assert "1.0.7/1 (by hand)" in world.ops("status").out

    write(world, second, json.dumps({"build": world.arn("1.0.7/2")}))
    assert "by hand" not in world.ops("status").out, "the record describes the value"
    write(world, first, "rolled back, ticket 7")
    assert (prod(world)[1]["build"], prod(world)[1]["by_hand"]) == ("1.0.7/1", True)


def test_a_build_that_image_builder_has_forgotten_is_known_by_its_ami(world: OpsWorld) -> None:
    ami = world.web.amis(world.web.build())[REGION]
    world.web.other_imagebuilder.delete_image(imageBuildVersionArn=world.arn("1.0.7/1"))
    write(world, ami, "")
    status, channel = prod(world)
    assert (status, channel["build"], channel["by_hand"], channel["problem"]) == (0, "1.0.7/1", True, None)


def test_a_channel_that_nobody_moved_is_not_set(world: OpsWorld) -> None:
    assert "no build yet" in world.ops("status").out
    world.web.build()
    answer = world.ops("status").out
    assert "no build yet" not in answer
    assert answer.count("not set") == 2


def test_what_is_not_a_build_of_the_image_is_reported_with_status_1(world: OpsWorld) -> None:
    own = world.web.amis(world.web.build())[REGION]
    record = json.dumps({"build": world.arn("1.0.7/1"), "created": "2026-01-01T00:00:00+00:00"})
    arn = world.arn("1.0.7/1").replace(f"acme-{world.name}", "acme-shop")
    hand_made = register(world, f"acme.{world.name}.by-hand-{world.name}")
    of_shop = register(world, f"acme.shop.{world.name}", Ec2ImageBuilderArn=arn)
    foreign = register(world, f"golden-{world.name}")
    of_arm = register(world, f"acme.{world.name}.arm", "arm64", Ec2ImageBuilderArn=world.arn("1.0.7/9"))
    of_canonical, gone = "ami-0123456789abcdef0", "ami-00000000deadbeef0"
    said = {
        "ami-*": "'ami-*' is not the ID of an AMI",
        own.upper(): f"{own.upper()!r} is not the ID of an AMI",
        gone: f"{gone} is not in account 000000000000 and {REGION}: it was deregistered, or belongs to another account "
        "or region",
        of_canonical: f"{of_canonical} (ubuntu/images/hvm-ssd/ubuntu-22.04-amd64-server) belongs to account "
        "099720109477, and is not a build of this image",
        foreign: f"{foreign} (golden-{world.name}) is not a build of this image",
        hand_made: f"{hand_made} (acme.{world.name}.by-hand-{world.name}) is not a build of this image: it has no tag "
        "Ec2ImageBuilderArn, which every build has",
        of_shop: f"{of_shop} (acme.shop.{world.name}) is build 1.0.7/1 of acme-shop, not of this image",
        of_arm: f"{of_arm} is built for arm64, and the image is for x86_64",
    }
    for value, problem in said.items():
        write(world, value, record)
        status, channel = prod(world)
        assert (status, channel["problem"]) == (1, problem)
        assert channel["build"] == ("1.0.7/9" if value == of_arm else None), "the record is of another value"
        answer = world.ops("status")
        assert f"{world.name}: prod in {REGION}: {problem}; point it to a build of the image\n" in answer.out
        assert "prod in us-east-1 is behind" not in answer.out, "one reason"


def test_a_disabled_ami_is_disabled_and_not_gone(world: OpsWorld) -> None:
    ami = world.web.amis(world.web.build())[REGION]
    write(world, ami, json.dumps({"build": world.arn("1.0.7/1")}))
    world.web.registry[REGION].disable_image(ImageId=ami)
    status, channel = prod(world)
    assert (status, channel["problem"], channel["build"]) == (1, f"{ami} is disabled", "1.0.7/1")


@pytest.mark.parametrize("state", ["DEPRECATED", "DISABLED"])
def test_why_is_offered_only_for_builds_that_made_nothing(world: OpsWorld, local_aws: LocalAws, state: str) -> None:
    role = local_aws.client("iam").create_role(RoleName=f"w-{world.name}", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    world.web.other_imagebuilder.start_resource_state_update(
        resourceArn=world.web.build(), state={"status": state}, executionRole=role, clientToken=world.name
    )
    lines = [line for line in world.ops("status").out.splitlines() if line.startswith(f"{world.name}: 1.0.7/1")]
    assert lines == [f"{world.name}: 1.0.7/1 {state}, started seconds ago"]
    followed = world.ops("build", world.name, "--attach", "1.0.7/1")
    assert followed.err == f"{world.name} 1.0.7/1 {state}: it was built, and withdrawn later\n"
    assert followed.status == 1


def test_follow_believes_no_record_of_another_value(world: OpsWorld) -> None:
    first = world.web.amis(world.web.build())[REGION]
    world.web.build()
    world.web.run()
    ssm, name = world.web.other_ssm[REGION], f"{world.web.path}/latest"
    ssm.put_parameter(Name=name, Value=first, Type="String", Overwrite=True)
    answer = world.ops("build", world.name, "--attach", "1.0.7/2", "--handoff-timeout", "0 seconds")
    assert f"latest still points to {first}" in answer.out, "though the record says 1.0.7/2"
    assert answer.status == 1


def test_a_container_channel_is_known_by_its_digest(local_aws: LocalAws, shell: Shell) -> None:
    web = ContainerImageWorld(local_aws)
    world = OpsWorld(web=web, config=shell.config, environment=shell.environment, ops=shell.ops)
    fields = "kind: container, parent: 'amazonlinux:2023', build: [update-os], channels: [prod], regions: [us-east-1]"
    world.config.write_text(f"settings: {{namespace: acme}}\nimages: {{{web.name}: {{{fields}}}}}\n")
    value = web.values(web.build())[REGION]
    write(world, value, json.dumps({"build": world.arn("1.0.7/9")}))
    status, channel = prod(world)
    assert (status, channel["build"], channel["by_hand"], channel["problem"]) == (0, "1.0.7/1", True, None)

    by_tag = value.partition("@")[0] + ":newest"
    elsewhere = value.replace("/acme/", "/other/")
    gone = value[:-4] + "0000"
    for wrong, problem in {
        by_tag: f"{by_tag!r} is not the URI of a container image by digest",
        elsewhere: f"{elsewhere} is not in repository acme/{web.name} of account 000000000000 and {REGION}",
        gone: f"{gone} does not exist: it was deleted from the repository",
    }.items():
        write(world, wrong)
        status, channel = prod(world)
        assert (status, channel["problem"]) == (1, problem)
