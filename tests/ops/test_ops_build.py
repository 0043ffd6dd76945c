"""`build`, which starts a build and follows it."""

from __future__ import annotations

import json
import re
import signal

from estate.load import load
from estate.recipes import recipe_of
from local_aws.server import LocalAws
from tests.support.ops_world import OpsWorld

STATES = ["PENDING", "CREATING", "BUILDING", "TESTING", "DISTRIBUTING", "INTEGRATING", "AVAILABLE"]


# --- build


def test_build_starts_one_and_says_how_to_follow_it(world: OpsWorld) -> None:
    answer = world.ops("build", world.name, "--no-wait")

    declared = recipe_of(load(world.config).image(world.name)).version
    assert answer.out.splitlines()[1:] == [
        f"{world.name} 1.0.7/1 started in us-east-1",
        f"not tagged with goldsmith:commit: the configuration declares {declared}, and this builds 1.0.7",
        world.arn("1.0.7/1"),
        f"follow it with: goldsmith build {world.name} --attach 1.0.7/1 --config {world.config}",
    ]
    assert (answer.err, answer.status) == ("", 0)
    assert world.web.details(world.arn("1.0.7/1"))["sourcePipelineArn"] == world.web.image.pipeline_arn


def test_build_says_when_it_builds_something_else_than_what_is_declared(world: OpsWorld) -> None:
    estate = load(world.config)
    declared = recipe_of(estate.image(world.name)).version
    words = (
        f"{world.name} is deployed as 1.0.7 and declared as {declared}: this builds 1.0.7; to build {declared}, run "
        f"goldsmith plan image-{world.name} and apply it first"
    )
    assert world.ops("build", world.name, "--no-wait").out.splitlines()[0] == words

    world.web.change_recipe(declared)
    answer = world.ops("build", world.name, "--no-wait")
    assert answer.out.splitlines()[-4] == f"{world.name} {declared}/1 started in us-east-1"
    assert "is deployed as" not in answer.out


def test_build_in_a_pipe_is_a_line_for_each_state_then_amis_and_latest(world: OpsWorld, local_aws: LocalAws) -> None:
    local_aws.set_state_seconds(0.4)
    with world.running("build", world.name) as process:
        assert process.stdout is not None
        assert "is deployed as 1.0.7" in process.stdout.readline()
        started = process.stdout.readline()
        world.hand_off_when_built("1.0.7/1")
        out, err = process.communicate(timeout=30)

    label, amis = f"{world.name} 1.0.7/1", world.web.latest()
    assert started == f"{label} started in us-east-1\n"
    lines = [line for line in out.splitlines() if "hand-off" not in line and "not tagged" not in line]
    shown = re.findall(rf"^{label} ([A-Z]+)(?: after 0:0\d)?$", "\n".join(lines), re.MULTILINE)
    assert shown == [state for state in STATES if state in shown], "in order, each once"
    assert len(shown) > 3, "as often as a look shows a new one"
    assert lines[len(shown) :] == [
        f"us-east-1 {amis['us-east-1']} latest points to it",
        f"eu-west-1 {amis['eu-west-1']} latest points to it",
    ]
    assert (err, process.returncode) == ("", 0)


def test_build_on_a_terminal_is_a_table_that_stays_after_the_end(world: OpsWorld, local_aws: LocalAws) -> None:
    local_aws.set_state_seconds(0.1)
    written = world.on_a_terminal("build", world.name, "--handoff-timeout", "0 seconds")

    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l"), "the cursor is there again"
    lines = [line.rstrip() for line in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written).splitlines()]
    end = next(number for number, line in enumerate(lines) if re.fullmatch(r"  ✓ AVAILABLE +0:0\d in all", line))
    assert lines[end - 1].startswith("  ✓ "), "the states before it stay"
    amis = world.web.amis(world.arn("1.0.7/1"))
    assert lines[-3:] == [
        f"  us-east-1  {amis['us-east-1']}  latest does not exist yet",
        f"  eu-west-1  {amis['eu-west-1']}  latest does not exist yet",
        "",
    ]


def test_build_shows_why_a_build_failed_and_where_its_log_is(world: OpsWorld, local_aws: LocalAws) -> None:
    world.web.other_imagebuilder.update_infrastructure_configuration(
        infrastructureConfigurationArn=world.web.pipeline["infrastructureConfigurationArn"],
        instanceProfileName="acme_builder",
        logging={"s3Logs": {"s3BucketName": "acme-logs", "s3KeyPrefix": "builds"}},
    )
    local_aws.fail_next_build(at="TESTING", reason="nginx did not answer")
    local_aws.set_state_seconds(0.2)
    answer = world.ops("build", world.name)

    label = f"{world.name} 1.0.7/1"
    assert re.search(rf"^{label} FAILED after 0:0\d$", answer.out, re.MULTILINE)
    err = re.sub("while [A-Z]+:", "while …:", answer.err)
    assert err == f"{label} FAILED while …: nginx did not answer\nits log is in s3://acme-logs/builds\n"
    assert answer.status == 1


def test_build_says_where_to_look_when_latest_did_not_move(world: OpsWorld) -> None:
    world.web.build()
    world.web.run()
    answer = world.ops("build", world.name, "--handoff-timeout", "1 second")

    name = world.name
    assert f"{name} 1.0.7/2 hand-off, which may take 0:01\n" in answer.out
    assert re.search(r"^us-east-1 ami-\w+ latest still points to 1\.0\.7/1$", answer.out, re.MULTILINE)
    assert answer.err == (
        f"latest did not move to {name} 1.0.7/2 in us-east-1, eu-west-1 within 0:01: look at the function's log "
        f"/aws/lambda/acme_{name}_handoff and at the dead letters in the queue acme_{name}_handoff_dead_letters, "
        "both in us-east-1\n"
    )
    assert answer.status == 1


def test_follow_names_a_region_that_the_pipeline_does_not_reach(world: OpsWorld) -> None:
    world.declare(world.name, regions="us-east-1, eu-west-1, ap-northeast-1")
    world.web.build()
    world.web.run()
    answer = world.ops("build", world.name, "--attach")

    assert "ap-northeast-1 no AMI latest does not exist yet" in re.sub(" +", " ", answer.out)
    assert answer.err == (
        f"{world.name} 1.0.7/1 has no AMI in ap-northeast-1: run goldsmith plan image-{world.name} "
        "and apply it, so that the pipeline distributes there, and build again\n"
    )
    assert answer.status == 1


def test_build_starts_another_beside_one_that_is_on_its_way(world: OpsWorld, local_aws: LocalAws) -> None:
    local_aws.set_state_seconds(60)
    first, second = world.ops("build", world.name, "--no-wait"), world.ops("build", world.name, "--no-wait")

    assert "parallel" not in first.out
    assert second.out.splitlines()[1:3] == [
        f"{world.name} 1.0.7/1 is PENDING and continues in parallel",
        f"{world.name} 1.0.7/2 started in us-east-1",
    ]


def test_json_of_a_build_is_one_object_and_its_progress_goes_to_stderr(world: OpsWorld) -> None:
    started = json.loads(world.ops("build", world.name, "--no-wait", "--json").out)
    same = {"image": world.name, "region": "us-east-1", "build": "1.0.7/1", "arn": world.arn("1.0.7/1")}
    none = {"commit": None, "failed_in": None, "reason": None, "logs": None}
    assert started.pop("no_commit").endswith(", and this builds 1.0.7")
    assert started == {**same, "status": None, **none, "regions": []}

    world.hand_off_when_built("1.0.7/1")
    followed = world.ops("build", world.name, "--attach", "--json")
    regions = [
        {"region": region, "value": ami, "latest": ami, "latest_build": "1.0.7/1", "handed_off": True}
        for region, ami in world.web.amis(world.arn("1.0.7/1")).items()
    ]
    assert json.loads(followed.out) == {**same, "status": "AVAILABLE", **none, "no_commit": None, "regions": regions}
    assert (followed.err, followed.status) == (f"{world.name} 1.0.7/1 AVAILABLE\n", 0)


# --- follow


def test_follow_takes_the_newest_build_or_the_one_that_is_named(world: OpsWorld) -> None:
    older, newer = (world.web.amis(world.web.build()) for _ in range(2))
    world.web.run()

    newest = world.ops("build", world.name, "--attach")
    assert newest.out.splitlines() == [
        f"{world.name} 1.0.7/2 AVAILABLE",
        f"us-east-1 {newer['us-east-1']} latest points to it",
        f"eu-west-1 {newer['eu-west-1']} latest points to it",
    ]
    named = world.ops("build", world.name, "--attach", "1.0.7/1")
    assert named.out.splitlines() == [
        f"{world.name} 1.0.7/1 AVAILABLE",
        f"us-east-1 {older['us-east-1']} latest points to a newer build, 1.0.7/2",
        f"eu-west-1 {older['eu-west-1']} latest points to a newer build, 1.0.7/2",
    ]
    assert (named.err, named.status) == ("", 0), "that `latest` went past this build is no failure"


def test_follow_says_when_there_is_nothing_to_follow(world: OpsWorld) -> None:
    none = world.ops("build", world.name, "--attach")
    build = f"goldsmith build {world.name} --config {world.config}"
    assert (none.err, none.status) == (f"{world.name} has no build yet: {build}\n", 1)
    missing = world.ops("build", world.name, "--attach", "9.9.9/9")
    assert (missing.err, missing.status) == (f"{world.name} has no build 9.9.9/9\n", 1)


def test_ctrl_c_leaves_the_build_running_and_says_how_to_follow_it_again(world: OpsWorld, local_aws: LocalAws) -> None:
    local_aws.set_state_seconds(60)
    with world.running("build", world.name) as process:
        assert process.stdout is not None
        while "PENDING" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)

    again = f"goldsmith build {world.name} --attach 1.0.7/1 --config {world.config}"
    assert err == f"\n{world.name} 1.0.7/1 continues; follow it again with: {again}\n"
    assert process.returncode == 130
    assert world.web.details(world.arn("1.0.7/1"))["state"]["status"] == "PENDING"
