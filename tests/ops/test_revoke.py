"""`goldsmith revoke`: what it shows, what it writes, and what becomes of it."""

from __future__ import annotations

import json
import time

import pytest

from lambda_src.handoff.configuration import FILE, PIPELINE_ARN, Configuration
from lambda_src.handoff.holds import Hold
from local_aws.server import LocalAws
from stacks.function import SOURCES, archive
from tests.support.fleet_world import FleetWorld
from tests.support.handoff_world import ABROAD, HOME, REGIONS, ImageWorld
from tests.support.ops_world import Answer, OpsWorld, Shell
from tests.support.wire import BROKEN, DENIED, RESET, THROTTLED, TRUNCATED, Asked, wire_to

REVOKED = "goldsmith:revoked"
WHY = ("--why", "openssl's hole, CVE-2026-1; see (wiki)")
IN_THE_TAG = "openssls hole CVE-2026-1 see wiki"


def revoke(world: OpsWorld, build: str = "1.0.7/2", *options: str) -> Answer:
    return world.ops("revoke", f"{world.name}@{build}", "--yes", *options)


def tag(web: ImageWorld, build: str) -> str | None:
    return web.tags(build).get(REVOKED)


def point(world: OpsWorld, channel: str, build: str, *regions: str) -> None:
    for region in regions or REGIONS:
        ami = world.web.amis(world.arn(build))[region]
        world.web.other_ssm[region].put_parameter(
            Name=f"{world.web.path}/{channel}", Value=ami, Type="String", Overwrite=True
        )


def deploy_function(web: ImageWorld) -> None:
    """Lambda's function of the image, as Terraform makes it."""
    configuration = Configuration(namespace="acme", image=web.name, regions=REGIONS, architecture="x86_64")
    web.aws.client("lambda", region=HOME).create_function(
        FunctionName=f"acme_{web.name}_handoff",
        Runtime="python3.13",
        Role="arn:aws:iam::000000000000:role/acme_web_handoff",
        Handler="handoff.handler.handle",
        Code={"ZipFile": archive(SOURCES / "handoff", files={FILE: configuration.to_json()})},
        Environment={"Variables": {PIPELINE_ARN: web.image.pipeline_arn}},
        Timeout=300,
    )


def test_tag_is_written_and_the_function_does_the_rest(two: OpsWorld) -> None:
    deploy_function(two.web)
    answer = revoke(two, "1.0.7/2", *WHY)
    assert (answer.err, answer.status) == ("", 0)
    since, _, why = (tag(two.web, two.arn("1.0.7/2")) or "").partition(" ")
    assert (len(since), since[-1], why) == (len("2026-11-24T03:12:00Z"), "Z", IN_THE_TAG)
    lines = answer.out.splitlines()
    assert lines[0].endswith(f", {two.name}@1.0.7/2: to be revoked: {IN_THE_TAG}")
    assert lines[2].split(maxsplit=2)[:2] == [f"{two.name}@latest", "1.0.7/2"]
    assert lines[2].rstrip().endswith("us-east-1, eu-west-1  moves to another good build by itself")
    assert f"{two.name}@1.0.7/2 is revoked since " in lines[3]
    assert lines[4] == (f"the hand-off function of {two.name} was started, and does the rest")
    deadline = time.monotonic() + 60
    while two.web.latest() != two.web.amis(two.arn("1.0.7/1")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert two.web.latest() == two.web.amis(two.arn("1.0.7/1"))


def test_channels_that_people_move_are_named_with_the_rollback_to_run(two: OpsWorld) -> None:
    two.declare(two.name, channels="{stable: {soak: 1 day}, prod: {}, held: {soak: 1 day}}")
    for channel in ("stable", "held"):
        point(two, channel, "1.0.7/2", ABROAD)
    point(two, "prod", "1.0.7/2", HOME)
    two.web.other_ssm[HOME].put_parameter(
        Name=f"{two.web.path}/_hold-held", Value=Hold(held=True, why="audit").to_json(), Type="String"
    )
    answer = revoke(two, "7/2", *WHY, "--json")
    done = json.loads(answer.out)
    assert (answer.status, done["errors"]) == (0, [])
    rows = [(each["channel"], each["regions"], each["moves_by_itself"], each["held"]) for each in done["channels"]]
    assert rows == [
        ("latest", [*REGIONS], True, False),
        ("stable", [ABROAD], True, False),
        ("prod", [HOME], False, False),
        ("held", [ABROAD], True, True),
    ]
    for words in (
        "eu-west-1             moves to another good build by itself, of its history",
        f"us-east-1             stays: goldsmith rollback {two.name}@prod",
        "eu-west-1             stays as long as it is held",
        f"{two.name}@prod still points to 1.0.7/2 in us-east-1: goldsmith rollback {two.name}@prod",
    ):
        assert words in answer.err
    assert done["handoff"] == [
        {"image": two.name, "started": False, "reason": f"it does not exist; apply image-{two.name}"}
    ]
    (build,) = done["builds"]
    assert (build["build"], build["before"], build["state"]) == ("1.0.7/2", None, "written")
    assert build["after"] == tag(two.web, two.arn("1.0.7/2"))


def test_channels_that_people_move_are_rolled_back_if_wanted(two: OpsWorld) -> None:
    two.declare(two.name, channels="[prod, staging, only]")
    for build in ("1.0.7/1", "1.0.7/2"):
        for channel in ("prod", "staging"):
            assert two.ops("promote", f"{two.name}@{build}", channel, "--yes").status == 0
    assert two.ops("promote", f"{two.name}@1.0.7/2", "only", "--yes").status == 0
    assert two.ops("hold", f"{two.name}@staging", "--why", "audit", "--yes").status == 0

    answer = revoke(two, "7/2", *WHY, "--rollback")
    assert "us-east-1, eu-west-1  is rolled back by this command" in answer.out
    assert f"{two.name}@prod points to 1.0.7/1 in us-east-1, eu-west-1" in answer.out
    staging, only = answer.err.splitlines()
    assert staging.startswith(
        f"{two.name}@staging was not rolled back: {two.name}@staging: must not be held, and is held"
    )
    assert only.startswith(f"{two.name}@only was not rolled back: {two.name}@only: must have been at a build before")
    assert answer.status == 1
    move = list(two.web.other_history.moves())[-1]
    assert (move.channel, move.how, move.why) == (
        "prod",
        "rolled back",
        f"{two.name}@1.0.7/2 is revoked: {WHY[1]}",
    )
    two.ops("hold", f"{two.name}@staging", "--undo", "--yes")
    done = json.loads(revoke(two, "7/2", *WHY, "--rollback", "--json").out)
    assert [(each["channel"], each["build"]) for each in done["rolled_back"]] == [
        ("staging", "1.0.7/1"),
        ("only", None),
    ]


def test_second_run_changes_nothing_and_another_reason_keeps_the_time(two: OpsWorld) -> None:
    assert revoke(two, "7/1", *WHY).status == 0
    first = tag(two.web, two.arn("1.0.7/1"))
    answer = two.ops("revoke", f"{two.name}@7/1", *WHY)
    assert (answer.err, answer.status, tag(two.web, two.arn("1.0.7/1"))) == ("", 0, first)
    assert "1.0.7/1: is revoked already since " in answer.out
    assert "no channel points to it" in answer.out
    assert revoke(two, "7/1", "--why", "another").status == 0
    assert tag(two.web, two.arn("1.0.7/1")) == f"{(first or '').partition(' ')[0]} another"


def test_revocation_can_be_for_later_and_be_taken_back(two: OpsWorld) -> None:
    answer = revoke(two, "7/2", "--why", "end of support", "--at", "2126-12-01T09:00+09:00")
    assert tag(two.web, two.arn("1.0.7/2")) == "2126-12-01T00:00:00Z end of support"
    assert "to be revoked from 01 Dec 2126 00:00 UTC: end of support" in answer.out
    assert revoke(two, "7/2", "--why", "now").status == 0
    assert (tag(two.web, two.arn("1.0.7/2")) or "").startswith("2026") is True
    again = revoke(two, "7/2", "--why", "later", "--at", "2 days")
    assert again.err == (
        f"{two.name}@1.0.7/2: must not be revoked yet with --at in the future, and is revoked: now; goldsmith revoke "
        f"{two.name}@1.0.7/2 --undo first\n"
    )
    two.web.run()
    assert two.web.latest() == two.web.amis(two.arn("1.0.7/1"))

    answer = revoke(two, "7/2", "--undo")
    assert (answer.err, answer.status, tag(two.web, two.arn("1.0.7/2"))) == ("", 0, None)
    assert f"{two.name}@latest moves to it again, unless the gate or a hold stops it" in answer.out
    assert f"{two.name}@1.0.7/2 is not revoked any more" in answer.out
    two.web.run()
    assert two.web.latest() == two.web.amis(two.arn("1.0.7/2"))
    assert revoke(two, "7/2", "--undo").status == 0, "a second run changes nothing"


def test_channels_that_left_the_build_are_named_when_it_is_undone(two: OpsWorld) -> None:
    for build in ("1.0.7/1", "1.0.7/2"):
        point(two, "prod", build)
    assert revoke(two, "7/1", *WHY).status == 0
    answer = revoke(two, "7/1", "--undo")
    assert f"{two.name}@latest stays where it is: there are newer good builds" in answer.out
    assert (
        f"{two.name}@prod does not come back to it by itself: goldsmith promote {two.name}@1.0.7/1 prod" in answer.out
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["web@7/2"], "argument --why: must give the reason, got none; the tag, guards and e-mails have it"),
        (["web@7/2", "--why", " "], "argument --why: must say something, got nothing"),
        (["web", *WHY], "'web' must name a build; write web@6718/3"),
        (["web@prod", *WHY], "'web@prod' must name a build; write web@6718/3"),
        (["ami-0a1b2c3d", *WHY], "got 'ami-0a1b2c3d'; write web, web@stable or web@6718/3"),
        (["wbe@7/2", *WHY], "unknown image 'wbe'; did you mean 'web'?"),
        (["web@7/2", *WHY, "--at", "tomorrow"], "argument --at: must be a time, got 'tomorrow'; write a duration from"),
        (["web@7/2", *WHY, "--at", "2026-12-01T09:00"], "argument --at: must have an offset, got '2026-12-01T09:00'; "),
        (["web@7/2", *WHY, "--at", "900000000 years"], "argument --at: must be a time, got '900000000 years'; "),
        (["web@7/2", *WHY, "--undo"], "argument --why: must not come with --undo, which deletes the tag that has it"),
        (
            ["web@7/2", "--undo", "--rollback"],
            "argument --rollback: must not come with --undo; goldsmith promote moves",
        ),
        (["web@7/2", *WHY, "--json"], "argument --json: needs --yes, because a program cannot answer a question"),
    ],
)
def test_refuses(shell: Shell, options: list[str], words: str) -> None:
    answer = shell.ops("revoke", *options)
    assert (words in answer.err, answer.out, answer.status) == (True, "", 2), answer.err


def test_build_that_does_not_exist(two: OpsWorld) -> None:
    answer = revoke(two, "8", *WHY)
    assert (answer.err, answer.out, answer.status) == (f"{two.name} has no build 8\n", "", 1)


def test_container_image_is_revoked_and_its_children_are_not_known(container_world: OpsWorld) -> None:
    world = container_world
    build = world.web.build()
    world.web.run()
    answer = revoke(world, "7", *WHY, "--json")
    done = json.loads(answer.out)
    assert (done["channels"][0]["channel"], done["channels"][0]["regions"]) == ("latest", [*REGIONS])
    assert done["errors"] == [
        f"{world.name}: which container images were built on it cannot be read: they have no ancestors in AWS"
    ]
    assert (answer.status, tag(world.web, build) is not None) == (0, True)
    assert revoke(world, "7", *WHY, "--children").status == 1


# --- Fleets and instances


def test_fleets_and_their_instances_are_counted(local_aws: LocalAws, shell: Shell) -> None:
    web = ImageWorld(local_aws)
    world = FleetWorld(local_aws, web, shell.config, shell.ops)
    world.declare()
    world.second_build()
    for build, follows, instances in (("1.0.7/1", False, 4), ("1.0.7/2", True, 0)):
        answer = shell.ops("revoke", f"{web.name}@{build}", "--yes", "--json", *WHY)
        done = json.loads(answer.out)
        fleet = {"fleet": world.fleet, "image": web.name, "channel": "prod", "follows": follows, "pinned": False}
        assert (done["fleets"], done["errors"]) == ([{**fleet, "automatic": False, "instances": instances}], [])
        yes, count = "yes" if follows else "no ", instances or "none"
        assert f"{world.fleet}  {web.name}@prod  {yes}           {count}" in answer.err


def test_instances_of_no_fleet_are_counted(two: OpsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The local AWS launches none from the AMI of a build."""

    def instances(asked: Asked, _: object) -> tuple[int, bytes]:
        groups = {HOME: ("", f"acme_{two.name}-dev"), ABROAD: ()}[asked.region]
        items = "".join(
            f"<item><instanceId>i-{number}</instanceId><tagSet><item><key>aws:autoscaling:groupName</key>"
            f"<value>{group}</value></item></tagSet></item>"
            for number, group in enumerate(groups)
        )
        return 200, (
            f"<DescribeInstancesResponse><reservationSet><item><instancesSet>{items}</instancesSet></item>"
            "</reservationSet></DescribeInstancesResponse>"
        ).encode()

    with wire_to(two.web.aws.endpoint) as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        wire.faults["ec2 DescribeInstances"] = instances
        done = json.loads(revoke(two, "7/1", *WHY, "--json").out)
    assert done["other_instances"] == [{"image": two.name, "region": HOME, "instances": 2}]


# --- Builds of other images


@pytest.fixture
def family(two: OpsWorld) -> tuple[OpsWorld, ImageWorld]:
    """A world whose newest build has a child: a build of another image, which was made on it. An older build of that
    image was made on the older one."""
    child = ImageWorld(two.web.aws, parent=f"ssm:{two.web.path}/prod")
    for build in ("1.0.7/1", "1.0.7/2"):
        point(two, "prod", build)
        child.build()
        child.run()
    two.declare(two.name, child.name)
    return two, child


def test_builds_that_were_made_on_it_are_named_and_revoked_if_wanted(family: tuple[OpsWorld, ImageWorld]) -> None:
    base, child = family
    made = child.image.pipeline_arn.replace("image-pipeline", "image") + "/1.0.7/"
    label = f"{child.name}@1.0.7/2"
    answer = revoke(base, "7/2", *WHY)
    assert (
        f"1 build of other images made on it, and stay good: {label}; to revoke them, too, add --children" in answer.out
    )
    assert (answer.status, tag(child, f"{made}2")) == (0, None)

    answer = revoke(base, "7/2", *WHY, "--children", "--json")
    done = json.loads(answer.out)
    since = (tag(base.web, base.arn("1.0.7/2")) or "").partition(" ")[0]
    assert tag(child, f"{made}2") == f"{since} made on {base.name}@1.0.7/2: {IN_THE_TAG}"
    assert (answer.status, tag(child, f"{made}1")) == (0, None)
    assert [(each["image"], each["state"]) for each in done["builds"]] == [
        (base.name, "unchanged"),
        (child.name, "written"),
    ]
    assert [(each["image"], each["channel"]) for each in done["channels"]] == [
        (base.name, "latest"),
        (base.name, "prod"),
        (child.name, "latest"),
    ]
    assert f"{label} is revoked since " in answer.err

    answer = revoke(base, "7/2", "--undo")
    words = (
        f"1 build of other images stay revoked that were revoked with it: {label}; to undo that, too, add --children"
    )
    assert words in answer.out
    assert tag(child, f"{made}2") is not None
    assert revoke(base, "7/2", "--undo", "--children").status == 0
    assert tag(child, f"{made}2") is None


def test_child_that_is_revoked_already_keeps_its_reason(family: tuple[OpsWorld, ImageWorld]) -> None:
    base, child = family
    arn = child.image.pipeline_arn.replace("image-pipeline", "image") + "/1.0.7/2"
    child.other_imagebuilder.tag_resource(resourceArn=arn, tags={REVOKED: "2026-01-02T03:04:05Z its own"})
    assert revoke(base, "7/2", *WHY, "--children").status == 0
    assert revoke(base, "7/2", "--undo", "--children").status == 0
    assert tag(child, arn) == "2026-01-02T03:04:05Z its own"


def test_what_cannot_be_read_of_children_is_said(
    family: tuple[OpsWorld, ImageWorld], monkeypatch: pytest.MonkeyPatch
) -> None:
    base, child = family
    with wire_to(base.web.aws.endpoint) as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        wire.faults["ec2 GetImageAncestry"] = DENIED
        answer = revoke(base, "7/2", *WHY, "--children")
    words = (
        f"{child.name}: the ancestors of its builds cannot be read: AWS does not allow GetImageAncestry in us-east-1"
    )
    assert words in answer.out
    assert (answer.status, tag(base.web, base.arn("1.0.7/2")) is not None) == (1, True)


# --- What cannot be read or started; `test_faults_of_moves` has more


def test_function_that_may_not_be_started_runs_by_itself(two: OpsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    with wire_to(two.web.aws.endpoint) as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        wire.faults["lambda POST /2015-03-31/functions"] = DENIED
        answer = revoke(two, "7/1", *WHY)
    assert answer.status == 0
    assert answer.out.splitlines()[-1] == (
        f"the hand-off function of {two.name} was not started, and does the rest within the hour: AWS does not allow "
        "Invoke in us-east-1: no; ask for this permission"
    )


def test_what_cannot_be_read_is_said_and_does_not_stop_it(two: OpsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    with wire_to(two.web.aws.endpoint) as wire:
        monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
        bucket = "acme-goldsmith-history-000000000000-us-east-1"
        wire.faults |= {
            "ssm GetParametersByPath": BROKEN,
            "ec2 DescribeInstances": TRUNCATED,
            f"s3 GET /{bucket}": RESET,
            f"s3 GET /{bucket}/cache": THROTTLED,
        }
        answer = revoke(two, "7/2", *WHY, "--json")
        done = json.loads(answer.out)
    assert (answer.status, tag(two.web, two.arn("1.0.7/2")) is not None) == (0, True)
    starts = ["history: ", "us-east-1: channels cannot be read: ", "eu-west-1: channels cannot be read: "]
    starts += ["us-east-1: instances cannot be read: ", "eu-west-1: instances cannot be read: "]
    assert all(any(error.startswith(start) for error in done["errors"]) for start in starts), done["errors"]
    assert len(done["errors"]) <= len(starts) + 1


def test_builds_that_cannot_be_read_stop_it(two: OpsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    for fault in (THROTTLED, TRUNCATED):
        with wire_to(two.web.aws.endpoint) as wire:
            monkeypatch.setenv("AWS_ENDPOINT_URL", wire.endpoint)
            wire.faults["imagebuilder POST /ListImagePipelineImages"] = fault
            answer = revoke(two, "7/1", *WHY)
        assert (answer.out, answer.status, len(answer.err.splitlines())) == ("", 1, 1)
