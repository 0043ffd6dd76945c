"""Images of other estates: fleets that run them are shown, and what only the other estate can do is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local_aws.server import LocalAws
from tests.support.handoff_world import ImageWorld
from tests.support.ops_world import Shell, impatient_shell

REGION = "eu-west-1"
PLATFORM, OWN = "000000000000", "240000000001"
ESTATE = """
settings: {{namespace: team}}
images:
  golden: {{external: {{namespace: acme, name: {name}}}, regions: [us-east-1, eu-west-1], channels: [prod]}}
fleets:
  shop:
    image: golden
    channel: latest
    region: eu-west-1
    instance_type: t3.micro
    subnets: [subnet-0a1b2c3d]
    capacity: {{min: 1, max: 1}}
"""


@pytest.fixture
def shell(
    local_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    return impatient_shell(local_aws, tmp_path / "estate.yaml", monkeypatch, capsys)


@pytest.fixture
def web(local_aws: LocalAws, shell: Shell) -> ImageWorld:
    web = ImageWorld(local_aws)
    shell.config.write_text(ESTATE.format(name=web.name))
    return web


def test_status_shows_fleets_of_an_image_of_another_estate_in_the_same_account(shell: Shell, web: ImageWorld) -> None:
    web.build()
    web.run()
    for arguments in ([], ["golden"], ["golden@latest"], ["shop"]):
        shown = json.loads(shell.ops("status", *arguments, "--json").out)
        (fleet,) = shown["fleets"]
        assert (shown["images"], fleet["image"], fleet["channel"]) == ([], "golden", "latest")
        assert fleet["wanted"] == {"ami": web.latest()[REGION], "build": "1.0.7/1"}
        assert fleet["gaps"] == ["fleet-shop is not deployed: run goldsmith plan fleet-shop and apply it"]
    assert json.loads(shell.ops("status", "golden@prod", "--json").out)["fleets"] == []


def test_status_reads_the_channel_in_another_account_with_the_reader_role(
    shell: Shell, web: ImageWorld, local_aws: LocalAws
) -> None:
    web.build()
    web.run()
    ami = web.latest()[REGION]
    local_aws.make_role("deployer", account=OWN, trusts=[PLATFORM])
    local_aws.make_role(f"acme_{web.name}_reader_us-east-1", account=PLATFORM, trusts=[OWN])
    accounts = f'{{platform: {{id: "{PLATFORM}"}}, own: {{id: "{OWN}", role: deployer}}}}'
    text = shell.config.read_text().replace("{namespace: team}", f"{{namespace: team, accounts: {accounts}}}")
    text = text.replace("namespace: acme,", "namespace: acme, account: platform,").replace(
        "image: golden", "image: golden\n    account: own"
    )
    shell.config.write_text(text)
    (fleet,) = json.loads(shell.ops("status", "--json").out)["fleets"]
    assert fleet["gaps"][1] == (
        f"channel latest of image golden: {ami} is not shared with account {OWN} and {REGION}: the estate acme has to "
        f"apply image-{web.name}, build the image, and move the channel"
    )
    web.abroad("ec2").modify_image_attribute(ImageId=ami, LaunchPermission={"Add": [{"UserId": OWN}]})
    answer = shell.ops("status", "--json")
    (fleet,) = json.loads(answer.out)["fleets"]
    assert (fleet["wanted"], answer.status) == ({"ami": ami, "build": "1.0.7/1"}, 0)


def test_what_only_the_other_estate_can_do_is_refused(shell: Shell, web: ImageWorld) -> None:
    words = (
        f"golden is image {web.name} of the estate acme, which builds it and moves its channels: use the configuration "
        "of that estate"
    )
    for arguments in (["build", "golden"], ["status", "golden@7"], ["promote", "golden@latest", "prod", "--yes"]):
        answer = shell.ops(*arguments)
        assert (answer.out, answer.err.splitlines()[-1], answer.status) == ("", words, 2)
    assert "golden" not in shell.ops("build", "web").err
    accounts = '{namespace: team, accounts: {platform: {id: "210000000009"}}}'
    shell.config.write_text(ESTATE.format(name=web.name).replace("{namespace: team}", accounts))
    assert "of the estate acme, in account platform, which builds it" in shell.ops("build", "golden").err


def test_channels_that_are_not_written_are_unknown(shell: Shell, web: ImageWorld) -> None:
    answer = shell.ops("status", "golden@stable")
    assert answer.err.splitlines()[-1] == "unknown channel of golden 'stable'; choose one of latest, prod"


def test_check_explains_where_its_fields_are_written(shell: Shell, web: ImageWorld) -> None:
    answer = shell.ops("check", "--explain", "golden")
    lines = {line.split()[0]: line.split(None, 1)[1] for line in answer.out.splitlines()}
    assert lines["external"] == f"{{namespace: acme, name: {web.name}}}  ({shell.config}:4 images.golden.external)"
    assert lines["architecture"] == "x86_64  (default)"
