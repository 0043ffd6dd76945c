"""`goldsmith promote`: what it moves, and everything that it refuses."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from lambda_src.handoff.builds import REVOKED_TAG
from lambda_src.handoff.holds import Hold
from tests.support.handoff_world import ABROAD, HOME, REGIONS
from tests.support.ops_world import Answer, OpsWorld

SOAKING = "{stable: {soak: 1 day}, prod: {from: stable}}"


def promote(world: OpsWorld, build: str, channel: str = "prod", *options: str) -> Answer:
    """Without a question; `build` is `1.0.7/2`, or empty for the image."""
    reference = f"{world.name}@{build}" if build else world.name
    return world.ops("promote", reference, channel, "--yes", *options)


def values(world: OpsWorld, channel: str = "prod") -> dict[str, str]:
    """What a channel holds, by region; nothing where it is empty."""
    found = {region: world.web.channels(region).get(channel) for region in REGIONS}
    return {region: present.value for region, present in found.items() if present}


def hold(world: OpsWorld, channel: str, hold: Hold) -> None:
    name = f"{world.web.path}/_hold{f'-{channel}' if channel else ''}"
    world.web.other_ssm[HOME].put_parameter(Name=name, Value=hold.to_json(), Type="String", Overwrite=True)


def test_an_image_means_the_build_from_which_the_channel_takes_its_builds(two: OpsWorld) -> None:
    answer = promote(two, "", "prod", "--why", "ticket 7")
    assert (answer.err, answer.status) == ("", 0)
    assert values(two) == two.web.amis(two.arn("1.0.7/2"))
    assert f"{two.name}@prod: promoted, ticket 7" in answer.out
    assert f"{two.name}@prod points to " in answer.out
    assert answer.out.rstrip().endswith("1.0.7/2 in us-east-1, eu-west-1")

    (move,) = [move for move in two.web.other_history.moves() if move.channel == "prod"]
    assert (move.how, move.why, move.skipped, set(move.changes)) == ("promoted", "ticket 7", (), set(REGIONS))
    record = two.web.channels(ABROAD)["prod"].record
    assert (record["build"], record["how"], record["why"]) == (two.arn("1.0.7/2"), "promoted", "ticket 7")
    assert (record["by"], record["move"]) == (move.by, str(move.number))


def test_a_second_run_changes_nothing(two: OpsWorld) -> None:
    promote(two, "1.0.7/2")
    before = list(two.web.other_history.moves())
    answer = promote(two, "1.0.7/2")
    assert (answer.err, answer.status) == ("", 0)
    assert f"{two.name}@prod already points to " in answer.out
    assert list(two.web.other_history.moves()) == before
    assert two.web.channels(HOME)["prod"].version == 1


def test_a_channel_means_its_build_and_a_build_is_found_by_its_beginning(two: OpsWorld) -> None:
    two.declare(two.name, channels="[staging, prod]")
    assert promote(two, "7/1", "staging").status == 0
    assert promote(two, "staging").status == 0
    assert values(two) == values(two, "staging") == two.web.amis(two.arn("1.0.7/1"))


def test_only_some_regions(two: OpsWorld) -> None:
    answer = promote(two, "", "prod", "--regions", "eu-west-1")
    assert (answer.err, [*values(two)]) == ("", [ABROAD])
    assert promote(two, "").status == 0
    assert values(two) == two.web.amis(two.arn("1.0.7/2"))


def test_a_container_image_is_promoted_by_its_digest(container_world: OpsWorld) -> None:
    world = container_world
    build = world.web.build()
    world.web.run()
    assert promote(world, "").err == ""
    assert values(world) == world.web.values(build)


def test_json_has_what_was_done(two: OpsWorld) -> None:
    answer = promote(two, "", "prod", "--json", "--why", "ticket 7")
    done = json.loads(answer.out)
    assert (done["image"], done["channel"], done["build"]) == (two.name, "prod", "1.0.7/2")
    assert (done["how"], done["why"], done["skipped"], done["refused"]) == ("promoted", "ticket 7", [], [])
    assert done["regions"][1] == {
        "region": ABROAD,
        "previous": None,
        "previous_build": None,
        "value": two.web.amis(two.arn("1.0.7/2"))[ABROAD],
        "state": "moved",
        "reason": None,
    }
    assert done["move"] == max(two.web.other_history.numbers())
    refused = json.loads(promote(two, "1.0.7/1", "prod", "--json").out)
    assert len(refused["refused"]) == 1
    assert "older build" in refused["refused"][0]


# --- Refused


def test_an_older_build_is_not_promoted_and_the_rollback_to_run_is_shown(two: OpsWorld) -> None:
    promote(two, "1.0.7/2", "prod", "--regions", "eu-west-1")
    answer = promote(two, "1.0.7/1")
    assert answer.err == (
        f"{two.name}@prod: must not move to an older build, got 1.0.7/1 where eu-west-1 has 1.0.7/2; "
        f"to go back: goldsmith rollback {two.name}@prod --to 1.0.7/1\n"
    )
    assert (answer.status, [*values(two)]) == (1, [ABROAD])


def test_everything_that_is_wrong_is_said_at_once(two: OpsWorld) -> None:
    arn = two.arn("1.0.7/3")
    assert two.web.build() == arn
    two.web.withdraw(ABROAD, two.web.amis(arn)[ABROAD])
    two.web.other_imagebuilder.tag_resource(resourceArn=arn, tags={REVOKED_TAG: "2026-01-01T00:00:00Z CVE-2026-1"})
    hold(two, "", Hold(held=True, by="anna", why="audit"))
    hold(two, "prod", Hold(held=True, why="ours", until="2099-01-01T00:00:00Z"))
    ami = two.web.amis(arn)[ABROAD]
    answer = promote(two, "1.0.7/3")
    label = f"{two.name}@1.0.7/3"
    assert answer.err.splitlines() == [
        f"{label}: must not be revoked, and is revoked: CVE-2026-1; promote another build, or undo it: goldsmith "
        f"revoke {label} --undo",
        f"eu-west-1: must be able to use {label}, and is not: {ami} does not exist; build again, or promote it "
        "elsewhere only: --regions us-east-1",
        f"{two.name}: must not be held, and is held by anna: audit; goldsmith hold {two.name} --undo",
        f"{two.name}@prod: must not be held, and is held until 01 Jan 2099 00:00: ours; goldsmith hold "
        f"{two.name}@prod --undo",
        f"{label}: must have been in latest, from which {two.name}@prod takes its builds, and never was; in an "
        "emergency --skip-soak --why REASON",
    ]
    assert (answer.out, answer.status, values(two)) == ("", 1, {})


def test_a_hold_that_has_ended_and_a_revocation_that_comes_later_stop_nothing(two: OpsWorld) -> None:
    hold(two, "", Hold(held=False, why="audit"))
    hold(two, "prod", Hold(held=True, why="ours", until="2026-01-01T00:00:00Z"))
    arn = two.arn("1.0.7/2")
    two.web.other_imagebuilder.tag_resource(resourceArn=arn, tags={REVOKED_TAG: "2099-01-01T00:00:00Z end of life"})
    answer = promote(two, "")
    assert (answer.err, answer.status) == ("", 0)
    assert f"{two.name}@1.0.7/2 will be revoked at 01 Jan 2099 00:00: end of life" in answer.out


def test_a_build_that_failed_or_does_not_exist(two: OpsWorld) -> None:
    two.web.build(fail=True)
    answer = promote(two, "1.0.7/3", "prod", "--skip-soak", "--why", "now")
    assert answer.err.splitlines()[0] == (f"{two.name}@1.0.7/3: must be AVAILABLE, got FAILED; promote another build")
    assert answer.err.splitlines()[1].startswith(f"us-east-1: must be able to use {two.name}@1.0.7/3, and is not: ")
    for build in ("1.0.7/9", "8"):
        assert promote(two, build).err == f"{two.name} has no build {build}\n"


def test_a_channel_that_points_to_no_build_of_the_image(two: OpsWorld) -> None:
    two.declare(two.name, channels="{staging: {}, prod: {from: staging}}")
    assert promote(two, "").err == (
        f"{two.name}@staging: must point to a build in us-east-1, and is empty; goldsmith promote {two.name} staging\n"
    )
    name = f"{two.web.path}/staging"
    two.web.other_ssm[HOME].put_parameter(Name=name, Value="ami-0f0f0f0f", Type="String", Overwrite=True)
    assert promote(two, "").err == (
        f"{two.name}@staging: must point to a build of {two.name} in us-east-1, got ami-0f0f0f0f; name a build, such "
        f"as {two.name}@6718/3\n"
    )
    ami = two.web.amis(two.arn("1.0.7/1"))[HOME]
    two.web.other_ssm[HOME].put_parameter(Name=name, Value=ami, Type="String", Overwrite=True)
    assert promote(two, "").status == 0, "it is a build although somebody wrote it by hand"
    assert values(two) == two.web.amis(two.arn("1.0.7/1"))


def test_an_image_that_was_never_built(world: OpsWorld) -> None:
    assert promote(world, "").err == (
        f"{world.name}@latest: must point to a build in us-east-1, and is empty; goldsmith build {world.name}\n"
    )


# --- Soak and gate


def test_a_build_that_has_not_soaked_needs_a_reason(two: OpsWorld) -> None:
    two.declare(two.name, channels=SOAKING)
    answer = promote(two, "", "stable")
    label, (first, *_) = f"{two.name}@1.0.7/2", two.web.channels(HOME)["latest"].versions[1:]
    until = first.modified.astimezone(UTC) + timedelta(days=1)
    year = f"{until.year} " if until.year != datetime.now(UTC).year else ""
    assert answer.err == (
        f"{label}: must be in latest for 1 day, got seconds; wait until {until:%d %b} {year}{until:%H:%M}, or in an "
        "emergency --skip-soak --why REASON\n"
    )
    answer = promote(two, "", "stable", "--skip-soak", "--why", "CVE-2026-1")
    assert (answer.err, values(two, "stable")) == ("", two.web.amis(two.arn("1.0.7/2")))
    assert f"SKIPPED soak: {label}: must be in latest for 1 day, got seconds\n" in answer.out
    *_, move = two.web.other_history.moves()
    assert (move.skipped, move.why) == (("soak",), "CVE-2026-1")
    assert two.web.channels(ABROAD)["stable"].record["skipped"] == "soak"


def test_a_build_that_was_never_in_the_source_names_the_way_there(two: OpsWorld) -> None:
    two.declare(two.name, channels=SOAKING)
    label = f"{two.name}@1.0.7/2"
    assert promote(two, "1.0.7/2").err == (
        f"{label}: must have been in stable, from which {two.name}@prod takes its builds, and never was; "
        f"goldsmith promote {label} stable first, or in an emergency --skip-soak --why REASON\n"
    )
    assert promote(two, "1.0.7/2", "prod", "--skip-soak", "--why", "now").status == 0


def test_what_need_not_be_skipped_is_not_called_skipped(two: OpsWorld) -> None:
    answer = promote(two, "", "prod", "--skip-soak", "--despite-gate", "--why", "now")
    *_, move = two.web.other_history.moves()
    assert ("SKIPPED" in answer.out, move.skipped) == (False, ())


def test_a_build_above_the_gate(two: OpsWorld) -> None:
    gate = ", image_scanning: {image_scanning_enabled: true}, gate: {max_severity: high}"
    two.declare(two.name, more=gate)
    assert promote(two, "").status == 0, "what latest has, has passed"
    two.web.build()
    label = f"{two.name}@1.0.7/3"
    refusal, never = promote(two, "1.0.7/3").err.splitlines()
    assert refusal == (
        f"{label}: must pass the gate, got scan is missing; build the image again, or in an emergency --despite-gate "
        "--why REASON"
    )
    assert never.startswith(f"{label}: must have been in latest")
    answer = promote(two, "1.0.7/3", "prod", "--despite-gate", "--why", "now")
    assert (answer.err, answer.status) == ("", 0)
    *_, move = two.web.other_history.moves()
    assert move.skipped == ("gate",)
    assert f"SKIPPED gate: {label}: must pass the gate, got scan is missing\n" in answer.out


# --- AMIs that were built elsewhere


def register(world: OpsWorld, region: str, architecture: str = "x86_64") -> str:
    """An AMI of another pipeline, in the image's account."""
    name = f"old-pipeline-{world.name}-{architecture}"
    ami: str = world.web.registry[region].register_image(
        Name=name, Architecture=architecture, RootDeviceName="/dev/xvda"
    )["ImageId"]
    return ami


def take_over(world: OpsWorld, *amis: str, options: tuple[str, ...] = ()) -> Answer:
    named = [word for ami in amis for word in ("--ami", ami)]
    return promote(world, "", "prod", *named, "--why", "built by the old pipeline", *options)


def test_an_empty_channel_takes_over_amis_that_the_image_accepts(world: OpsWorld) -> None:
    amis = {region: register(world, region) for region in REGIONS}
    world.declare(world.name, more=f", accept: [{', '.join(amis.values())}]")
    answer = take_over(world, *amis.values())
    assert (answer.err, answer.status, values(world)) == ("", 0, amis)
    (move,) = world.web.other_history.moves()
    assert (move.how, move.changes[HOME].build) == ("taken over", "")
    assert world.web.channels(HOME)["prod"].record["why"] == "built by the old pipeline"

    assert take_over(world, *amis.values()).err == "", "a second run changes nothing"
    world.web.build()
    world.web.run()
    assert list(world.web.other_history.moves())[-1].channel == "latest", "the function does not call it by hand"
    assert world.ops("status", world.name, "--json").status == 0, "no problem"
    assert promote(world, "").err == "", "a build comes after it"
    answer = take_over(world, *amis.values())
    assert f"us-east-1: {world.name}@prod must be empty, got {values(world)[HOME]}" in answer.err
    assert answer.status == 1


def test_what_no_fleet_would_launch_is_not_taken_over(world: OpsWorld) -> None:
    home, abroad, arm = register(world, HOME), register(world, ABROAD), register(world, ABROAD, "arm64")
    assert take_over(world, home).err.splitlines() == [
        f"us-east-1: {home} must be in accept of image {world.name}; add accept: [{home}] to image {world.name}, and "
        "apply the stacks of its fleets",
        "eu-west-1: must have one of the AMIs, got none; name one for each region, or the regions with --regions",
    ]
    world.declare(world.name, more=f", accept: [{home}, {abroad}, {arm}]")
    assert take_over(world, home, arm).err == f"eu-west-1: {arm} is built for arm64, and the image is for x86_64\n"
    answer = take_over(world, home, abroad, arm)
    assert f"must have one of the AMIs, got {abroad} and {arm}; " in answer.err
    assert (answer.status, values(world)) == (1, {})
    assert take_over(world, home, options=("--regions", HOME)).status == 0
    assert values(world) == {HOME: home}
