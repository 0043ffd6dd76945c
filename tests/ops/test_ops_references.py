"""What `goldsmith status REF` shows for a channel, a build and an AMI, and which build `--attach` means."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local_aws.server import LocalAws
from tests.support.handoff_world import ContainerImageWorld, ImageWorld
from tests.support.ops_world import OpsWorld, Shell, impatient_shell


@pytest.fixture
def shell(
    local_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    shell = impatient_shell(local_aws, tmp_path / "estate.yaml", monkeypatch, capsys)
    shell.declare("web", "api")
    return shell


@pytest.fixture
def world(local_aws: LocalAws, shell: Shell) -> OpsWorld:
    world = OpsWorld(web=ImageWorld(local_aws), config=shell.config, environment=shell.environment, ops=shell.ops)
    world.declare(world.name)
    return world


def test_status_of_a_channel_shows_no_other(world: OpsWorld) -> None:
    world.web.build()
    world.web.run()
    (image,) = json.loads(world.ops("status", f"{world.name}@prod", "--json").out)["images"]
    assert [(row["region"], row["channel"]) for row in image["channels"]] == [
        ("us-east-1", "prod"),
        ("eu-west-1", "prod"),
    ]
    (image,) = json.loads(world.ops("status", f"{world.name}@prod", world.name, "--json").out)["images"]
    assert len(image["channels"]) == 4, "the image is named too, and with it all of its channels"


def test_status_of_a_build_shows_its_amis_and_the_channels_that_point_to_them(world: OpsWorld) -> None:
    world.web.change_recipe("1.0.671820532")
    first = world.web.amis(world.web.build())
    world.web.build()
    world.web.run()
    answer = world.ops("status", f"{world.name}@6718/1")
    assert answer.out.splitlines() == [
        f"{world.name} 1.0.671820532/1 AVAILABLE, started seconds ago",
        f"us-east-1 {first['us-east-1']} no channel points to it",
        f"eu-west-1 {first['eu-west-1']} no channel points to it",
    ]
    assert (answer.err, answer.status) == ("", 0)
    newest = world.ops("status", f"{world.name}@6718").out.splitlines()
    assert newest[0].startswith(f"{world.name} 1.0.671820532/2 AVAILABLE")
    assert [line.split()[2:] for line in newest[1:]] == [["latest"], ["latest"]]


def test_status_of_an_ami_shows_the_build_that_made_it(world: OpsWorld) -> None:
    ami = world.web.amis(world.web.build())["eu-west-1"]
    shown = json.loads(world.ops("status", ami, "--json").out)
    assert (shown["images"], shown["fleets"]) == ([], [])
    (build,) = shown["builds"]
    assert (build["image"], build["build"], build["fleets"]) == (world.name, "1.0.7/1", [])
    assert build["outputs"][1] == {"region": "eu-west-1", "value": ami, "channels": []}
    missing = world.ops("status", "ami-0123456789abcdef0")
    words = "ami-0123456789abcdef0 was made by no build of this configuration that can be read\n"
    assert (missing.out, missing.err, missing.status) == ("", words, 1)


def test_status_of_a_failed_build_shows_why(world: OpsWorld, local_aws: LocalAws) -> None:
    local_aws.fail_next_build(at="BUILDING", reason="nginx did not answer")
    world.web.build()
    world.web.build()
    assert world.ops("status", f"{world.name}@7/1").out == (
        f"{world.name} 1.0.7/1 FAILED, started seconds ago: nginx did not answer\n"
    )


def test_status_of_a_build_of_a_container_image_shows_its_digest(local_aws: LocalAws, shell: Shell) -> None:
    web = ContainerImageWorld(local_aws)
    fields = "kind: container, parent: 'amazonlinux:2023', build: [update-os], regions: [us-east-1, eu-west-1]"
    shell.config.write_text(f"settings: {{namespace: acme}}\nimages: {{{web.name}: {{{fields}}}}}\n")
    web.build()
    web.run()
    latest = web.latest()
    assert shell.ops("status", f"{web.name}@7").out.splitlines()[1:] == [
        f"{region} {latest[region]} latest" for region in ("us-east-1", "eu-west-1")
    ]


def test_a_build_can_be_named_by_the_beginning_of_its_version_when_that_is_clear(world: OpsWorld) -> None:
    world.web.build()
    for version in ("1.0.7182", "1.0.8"):
        world.web.change_recipe(version)
        world.web.build()
    several = f"{world.name}@7 means several builds; write one of 1.0.7182/1, 1.0.7/1\n"
    for command in (("status", f"{world.name}@7"), ("build", world.name, "--attach", "7")):
        answer = world.ops(*command)
        assert (answer.out, answer.err, answer.status) == ("", several, 2)
    for text in ("71", "7182/1", "1.0.7182/1"):
        attached = world.ops("build", world.name, "--attach", text, "--handoff-timeout", "0 seconds")
        assert attached.out.splitlines()[0] == f"{world.name} 1.0.7182/1 AVAILABLE"
    none = world.ops("build", world.name, "--attach", "7/9")
    assert (none.err, none.status) == (f"{world.name} has no build 7/9\n", 1)


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("wbe@prod", "unknown image 'wbe'; did you mean 'web'?"),
        ("web@pord", "unknown channel of web 'pord'; did you mean 'prod'?"),
        ("api@7", "api has no build 7"),
        (
            "Web",
            "'Web' must name an image, channel, build, fleet or AMI; write web, web@stable, web@6718/3 or ami-0a1b2c3d",
        ),
    ],
)
def test_a_reference_to_something_unknown_is_refused(shell: Shell, reference: str, words: str) -> None:
    answer = shell.ops("status", reference)
    assert (answer.out, answer.err, answer.status) == ("", f"{words}\n", 1 if "no build" in words else 2)
