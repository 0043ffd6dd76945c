"""`goldsmith rollback`: where it goes, what it skips, and what it does while the home region does not answer."""

from __future__ import annotations

import json

import pytest

from lambda_src.handoff.builds import REVOKED_TAG
from lambda_src.handoff.holds import Hold
from tests.support.handoff_world import ABROAD, HOME, REGIONS
from tests.support.movers import mover_of
from tests.support.movers import promote as promote_to
from tests.support.ops_world import Answer, OpsWorld
from tests.support.wire import wire_to


def promote(world: OpsWorld, build: str, *options: str) -> Answer:
    return world.ops("promote", f"{world.name}@{build}", "prod", "--yes", *options)


def rollback(world: OpsWorld, *options: str) -> Answer:
    return world.ops("rollback", f"{world.name}@prod", "--yes", *options)


def builds(world: OpsWorld) -> dict[str, str]:
    """The builds of `prod` by region, as the records say."""
    found = {region: world.web.channels(region).get("prod") for region in REGIONS}
    return {region: channel.present.build.partition(":image/")[2][-7:] for region, channel in found.items() if channel}


def everywhere(build: str) -> dict[str, str]:
    return dict.fromkeys(REGIONS, build)


def revoke(world: OpsWorld, build: str) -> None:
    tags = {REVOKED_TAG: "2026-01-01T00:00:00Z CVE-2026-1"}
    world.web.other_imagebuilder.tag_resource(resourceArn=world.arn(build), tags=tags)


@pytest.fixture
def three(world: OpsWorld) -> OpsWorld:
    """A world whose `prod` had three builds, one after the other."""
    mover = mover_of(world)
    for number in (1, 2, 3):
        world.web.build()
        assert promote_to(mover, number) == ""
    world.web.run()
    return world


def test_goes_back_one_build_at_a_time_and_not_to_what_was_rolled_back(three: OpsWorld) -> None:
    answer = rollback(three, "--why", "web does not start")
    assert (answer.err, answer.status, builds(three)) == ("", 0, everywhere("1.0.7/2"))
    assert f"{three.name}@prod: rolled back, web does not start\n" in answer.out
    *_, move = three.web.other_history.moves()
    assert (move.how, move.why, set(move.changes)) == ("rolled back", "web does not start", set(REGIONS))
    assert rollback(three).status == 0
    assert builds(three) == everywhere("1.0.7/1")
    assert promote(three, "1.0.7/3").status == 0
    assert rollback(three).status == 0
    assert builds(three) == everywhere("1.0.7/1"), "not to 1.0.7/2, which was rolled back"
    answer = rollback(three)
    assert answer.err == (
        f"{three.name}@prod: must have been at a build before that can still be used, got no other one; goldsmith "
        f"promote {three.name}@BUILD prod\n"
    )
    assert answer.status == 1


def test_skips_what_is_revoked_or_missing_and_says_so(three: OpsWorld) -> None:
    three.web.build()
    three.web.run()
    promote(three, "1.0.7/4")
    revoke(three, "1.0.7/3")
    ami = three.web.amis(three.arn("1.0.7/2"))[ABROAD]
    three.web.withdraw(ABROAD, ami)
    answer = rollback(three)
    assert (answer.err, builds(three)) == ("", everywhere("1.0.7/1"))
    assert f"skips {three.name}@1.0.7/3: it is revoked: CVE-2026-1\n" in answer.out
    assert f"skips {three.name}@1.0.7/2: {ami} does not exist (eu-west-1)\n" in answer.out


def test_goes_to_the_build_that_is_named_if_the_channel_had_it(three: OpsWorld) -> None:
    done = json.loads(rollback(three, "--to", "7/1", "--json").out)
    assert (done["build"], done["how"], builds(three)) == ("1.0.7/1", "rolled back", everywhere("1.0.7/1"))
    assert rollback(three, "--to", "1.0.7/1").status == 0, "it is there"
    assert rollback(three, "--to", "1.0.7/2").err == (
        f"{three.name}@1.0.7/2: must be a build to go back to, and is not: it is newer than 1.0.7/1, which us-east-1 "
        "has; goldsmith promote moves a channel to a newer build\n"
    )
    three.web.build()
    assert rollback(three, "--to", "1.0.7/4").err == (
        f"{three.name}@1.0.7/4: must have been in {three.name}@prod before, and never was; goldsmith history "
        f"{three.name}@prod shows where it was\n"
    )
    revoke(three, "1.0.7/1")
    assert "1.0.7/1: must be a build to go back to, and is not: it is revoked: CVE-2026-1" in (
        rollback(three, "--to", "1.0.7/1").err
    )


def test_leaves_a_build_that_is_revoked(three: OpsWorld) -> None:
    revoke(three, "1.0.7/3")
    assert rollback(three).err == ""
    assert builds(three) == everywhere("1.0.7/2")


def test_goes_by_the_history_bucket_where_parameter_store_has_forgotten(three: OpsWorld) -> None:
    ssm, name = three.web.other_ssm[HOME], f"{three.web.path}/prod"
    ami = three.web.amis(three.arn("1.0.7/3"))[HOME]
    for _ in range(100):
        ssm.put_parameter(Name=name, Value=ami, Type="String", Overwrite=True)
    assert three.web.channels(HOME)["prod"].versions[0].version > 3
    assert rollback(three).err == ""
    assert builds(three) == everywhere("1.0.7/2")


def test_goes_back_to_amis_that_the_channel_took_over(world: OpsWorld) -> None:
    amis = {
        region: world.web.registry[region].register_image(
            Name=f"old-{world.name}", Architecture="x86_64", RootDeviceName="/dev/xvda"
        )["ImageId"]
        for region in REGIONS
    }
    world.declare(world.name, more=f", accept: [{', '.join(amis.values())}]")
    named = [word for ami in amis.values() for word in ("--ami", ami)]
    assert world.ops("promote", world.name, "prod", "--yes", "--why", "old", *named).status == 0
    world.web.build()
    world.web.run()
    assert promote(world, "1.0.7/1").status == 0
    assert rollback(world).err == ""
    assert {region: world.web.channels(region)["prod"].value for region in REGIONS} == amis


def test_a_container_image(container_world: OpsWorld) -> None:
    world = container_world
    for number in (1, 2):
        world.web.build()
        world.web.run()
        assert promote(world, f"1.0.7/{number}").status == 0
    assert rollback(world).err == ""
    wanted = world.web.values(world.arn("1.0.7/1"))
    assert {region: world.web.channels(region)["prod"].value for region in REGIONS} == wanted


def test_a_hold_and_an_empty_channel(world: OpsWorld) -> None:
    assert rollback(world).err == (
        f"{world.name}@prod: must point to something, and is empty; goldsmith promote {world.name} prod\n"
    )
    for number in (1, 2):
        world.web.build()
        world.web.run()
        promote(world, f"1.0.7/{number}")
    hold = Hold(held=True, by="anna", why="audit").to_json()
    world.web.other_ssm[HOME].put_parameter(Name=f"{world.web.path}/_hold-prod", Value=hold, Type="String")
    assert rollback(world).err == (
        f"{world.name}@prod: must not be held, and is held by anna: audit; goldsmith hold {world.name}@prod --undo\n"
    )
    assert builds(world) == everywhere("1.0.7/2")


# --- While the home region does not answer


def test_without_the_home_region_the_others_go_back(three: OpsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    three.web.run()
    with wire_to(three.environment["AWS_ENDPOINT_URL"]) as wire:
        wire.down.add(HOME)
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        asked = three.ops("rollback", f"{three.name}@prod")
        assert asked.err == f"{three.name}@prod: nothing was moved; without the home region this needs --yes\n"
        assert builds(three) == everywhere("1.0.7/3")
        answer = rollback(three, "--why", "web does not start")
        assert promote(three, "1.0.7/3").status == 1, "a promotion waits"
    monkeypatch.setenv("AWS_ENDPOINT_URL", three.environment["AWS_ENDPOINT_URL"])
    assert (answer.err, answer.status) == ("", 0)
    assert f"whether {three.name}@prod is held, and which builds are revoked, could not be read\n" in answer.out
    assert f"goldsmith rollback {three.name}@prod --to 1.0.7/2\n" in answer.out
    assert builds(three) == {HOME: "1.0.7/3", ABROAD: "1.0.7/2"}
    record = three.web.channels(ABROAD)["prod"].record
    assert (record["how"], record["why"], "move" in record) == ("rolled back", "web does not start", False)

    three.web.run()
    *_, noted = three.web.other_history.moves()
    assert (noted.how, noted.why, noted.noted, [*noted.changes]) == (
        *("rolled back", "web does not start", True),
        [ABROAD],
    )
    assert rollback(three, "--to", "1.0.7/2").err == ""
    assert builds(three) == everywhere("1.0.7/2")


def test_without_the_home_region_revoked_amis_are_skipped(three: OpsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    ami = three.web.amis(three.arn("1.0.7/2"))[ABROAD]
    tags = [{"Key": REVOKED_TAG, "Value": "2026-01-01T00:00:00Z CVE-2026-1"}]
    three.web.registry[ABROAD].create_tags(Resources=[ami], Tags=tags)
    with wire_to(three.environment["AWS_ENDPOINT_URL"]) as wire:
        wire.down.add(HOME)
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        answer = rollback(three)
        assert f"skips {three.name}@1.0.7/2: it is revoked: CVE-2026-1 (eu-west-1)\n" in answer.out
    assert builds(three) == {HOME: "1.0.7/3", ABROAD: "1.0.7/1"}


def test_another_region_that_does_not_answer_is_named(three: OpsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    with wire_to(three.environment["AWS_ENDPOINT_URL"]) as wire:
        wire.down.add(ABROAD)
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        answer = rollback(three)
        assert answer.err.startswith("eu-west-1: must be readable, and is not: AWS cannot be reached in eu-west-1: ")
        assert answer.err.endswith("; try again, or elsewhere only: --regions us-east-1\n")
        assert rollback(three, "--regions", HOME).err == ""
    assert builds(three) == {HOME: "1.0.7/2", ABROAD: "1.0.7/3"}
