"""Channels of an image in another account, which the commands enter by the role of `settings.accounts`."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_aws.clients import ACCOUNT
from local_aws.server import LocalAws
from tests.support.handoff_world import ABROAD, HOME, REGIONS, ImageWorld
from tests.support.ops_world import OpsWorld, only, run_ops
from tests.support.wire import wire_to

PEOPLE, OTHER = "700000000011", "700000000012"
CALLER = f"arn:aws:sts::{ACCOUNT}:assumed-role/releaser/goldsmith"


@pytest.fixture
def away(
    local_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> OpsWorld:
    """People of one account, and an image with two builds in another one, which trusts them."""
    environment = local_aws.environment(account=PEOPLE) | {"AWS_MAX_ATTEMPTS": "1"}
    only(environment, monkeypatch)
    config = tmp_path / "estate.yaml"
    world = OpsWorld(
        config=config,
        environment=environment,
        ops=lambda *arguments: run_ops([*arguments, "--config", str(config)], capsys),
        web=ImageWorld(local_aws),
    )
    declare(world)
    trust(world, PEOPLE)
    for _ in range(2):
        world.web.build()
        world.web.run()
    return world


def declare(world: OpsWorld, *, account: str = ACCOUNT) -> None:
    images = f"  accounts: {{images: {{id: '{account}', role: releaser}}}}"
    world.declare(world.name, settings=images, more=", account: images")


def trust(world: OpsWorld, caller: str) -> None:
    world.web.aws.make_role("releaser", account=ACCOUNT, trusts=[caller])


def prod(world: OpsWorld) -> dict[str, str]:
    """The number of the build that `prod` points to, by region, as the records say."""
    channels = {region: world.web.channels(region).get("prod") for region in REGIONS}
    return {region: found.present.build.rpartition("/")[2] for region, found in channels.items() if found}


def test_a_promotion_and_a_rollback_are_made_by_the_role(away: OpsWorld) -> None:
    for build in ("7/1", "7/2"):
        answer = away.ops("promote", f"{away.name}@{build}", "prod", "--yes")
        assert (answer.err, answer.status) == ("", 0)
    assert prod(away) == dict.fromkeys(REGIONS, "2")
    answer = away.ops("rollback", f"{away.name}@prod", "--yes")
    assert (answer.err, answer.status, prod(away)) == ("", 0, dict.fromkeys(REGIONS, "1"))
    moves = [move for move in away.web.other_history.moves() if move.channel == "prod"]
    assert [(move.how, move.by) for move in moves] == [
        ("promoted", CALLER),
        ("promoted", CALLER),
        ("rolled back", CALLER),
    ]
    assert {away.web.channels(region)["prod"].record["by"] for region in REGIONS} == {CALLER}


def test_a_rollback_enters_by_another_region_while_the_home_region_is_down(
    away: OpsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    for build in ("7/1", "7/2"):
        assert away.ops("promote", f"{away.name}@{build}", "prod", "--yes").status == 0
    with wire_to(away.environment["AWS_ENDPOINT_URL"]) as wire:
        wire.down.add(HOME)
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        answer = away.ops("rollback", f"{away.name}@prod", "--yes")
    assert (answer.err, answer.status, prod(away)) == ("", 0, {HOME: "2", ABROAD: "1"})
    assert away.web.channels(ABROAD)["prod"].record["by"] == CALLER


def test_without_the_role_nothing_is_moved(away: OpsWorld) -> None:
    trust(away, OTHER)
    for command in (["promote", away.name, "prod"], ["rollback", f"{away.name}@prod"]):
        answer = away.ops(*command, "--yes")
        assert "the role cannot be assumed: " in answer.err
        assert (answer.out, answer.status, prod(away)) == ("", 1, {})


def test_nothing_is_moved_in_an_account_that_is_not_the_named_one(
    away: OpsWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = f"  accounts: {{images: {{id: '{OTHER}'}}}}"
    away.declare(away.name, settings=settings, more=", account: images")
    answer = away.ops("promote", away.name, "prod", "--yes")
    assert (OTHER in answer.err, PEOPLE in answer.err) == (True, True), answer.err
    assert (answer.out, answer.status, prod(away)) == ("", 1, {})
