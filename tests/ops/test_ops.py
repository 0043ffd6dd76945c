"""What a person reads who runs `goldsmith`, on a terminal and in a pipe, against the local AWS."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from estate.load import load
from estate.recipes import recipe_of
from local_aws.server import LocalAws
from tests.support.handoff_world import ContainerWeb, Web
from tests.support.ops_world import Shell, World, impatient_shell, refusing

STATES = ["PENDING", "CREATING", "BUILDING", "TESTING", "DISTRIBUTING", "INTEGRATING", "AVAILABLE"]


@pytest.fixture
def shell(
    local_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    shell = impatient_shell(local_aws, tmp_path / "estate.yaml", monkeypatch, capsys, FORCE_COLOR="1")
    shell.declare("web", "api")
    return shell


@pytest.fixture
def world(local_aws: LocalAws, shell: Shell) -> Iterator[World]:
    world = World(web=Web(local_aws), config=shell.config, environment=shell.environment, ops=shell.ops)
    world.declare(world.name)
    yield world
    local_aws.set_state_seconds(0)


@pytest.fixture
def container_world(local_aws: LocalAws, shell: Shell) -> World:
    web = ContainerWeb(local_aws)
    world = World(web=web, config=shell.config, environment=shell.environment, ops=shell.ops)
    fields = "kind: container, parent: 'amazonlinux:2023', build: [update-os], channels: [prod]"
    images = f"images: {{{web.name}: {{{fields}, regions: [us-east-1, eu-west-1]}}}}"
    world.config.write_text(f"settings: {{namespace: acme}}\n{images}\n")
    return world


# --- build


def test_build_starts_one_and_says_how_to_follow_it(world: World) -> None:
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


def test_build_says_when_it_builds_something_else_than_what_is_declared(world: World) -> None:
    estate = load(world.config)
    declared = recipe_of(estate.image(world.name)).version
    words = (
        f"{world.name} is deployed as 1.0.7 and declared as {declared}: this builds 1.0.7; to build {declared}, run "
        f"make deploy STACK=image-{world.name} first"
    )
    assert world.ops("build", world.name, "--no-wait").out.splitlines()[0] == words

    world.web.change_recipe(declared)
    answer = world.ops("build", world.name, "--no-wait")
    assert answer.out.splitlines()[-4] == f"{world.name} {declared}/1 started in us-east-1"
    assert "is deployed as" not in answer.out


def test_build_in_a_pipe_is_a_line_for_each_state_then_amis_and_latest(world: World, local_aws: LocalAws) -> None:
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


def test_build_on_a_terminal_is_a_table_that_stays_and_gives_the_cursor_back(world: World, local_aws: LocalAws) -> None:
    local_aws.set_state_seconds(0.1)
    written = world.on_a_terminal("build", world.name, "--handoff-timeout", "0")

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


def test_build_shows_why_a_build_failed_and_where_its_log_is(world: World, local_aws: LocalAws) -> None:
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


def test_build_says_where_to_look_when_latest_did_not_move(world: World) -> None:
    world.web.build()
    world.web.run()
    answer = world.ops("build", world.name, "--handoff-timeout", "1")

    name = world.name
    assert f"{name} 1.0.7/2 hand-off, which may take 0:01\n" in answer.out
    assert re.search(r"^us-east-1 ami-\w+ latest still points to 1\.0\.7/1$", answer.out, re.MULTILINE)
    assert answer.err == (
        f"latest did not move to {name} 1.0.7/2 in us-east-1, eu-west-1 within 0:01: look at the function's log "
        f"/aws/lambda/acme_{name}_handoff and at the dead letters in the queue acme_{name}_handoff_dead_letters, "
        "both in us-east-1\n"
    )
    assert answer.status == 1


def test_follow_names_a_region_that_the_pipeline_does_not_reach(world: World) -> None:
    world.declare(world.name, regions="us-east-1, eu-west-1, ap-northeast-1")
    world.web.build()
    world.web.run()
    answer = world.ops("build", world.name, "--attach")

    assert "ap-northeast-1 no AMI latest does not exist yet" in re.sub(" +", " ", answer.out)
    assert answer.err == (
        f"{world.name} 1.0.7/1 has no AMI in ap-northeast-1: run make deploy STACK=image-{world.name}, so that the "
        "pipeline distributes there, and build again\n"
    )
    assert answer.status == 1


def test_build_starts_another_beside_one_that_is_on_its_way(world: World, local_aws: LocalAws) -> None:
    local_aws.set_state_seconds(60)
    first, second = world.ops("build", world.name, "--no-wait"), world.ops("build", world.name, "--no-wait")

    assert "parallel" not in first.out
    assert second.out.splitlines()[1:3] == [
        f"{world.name} 1.0.7/1 is PENDING and continues in parallel",
        f"{world.name} 1.0.7/2 started in us-east-1",
    ]


def test_json_of_a_build_is_one_object_and_its_progress_goes_to_stderr(world: World) -> None:
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


def test_follow_takes_the_newest_build_or_the_one_that_is_named(world: World) -> None:
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


def test_follow_says_when_there_is_nothing_to_follow(world: World) -> None:
    none = world.ops("build", world.name, "--attach")
    build = f"goldsmith build {world.name} --config {world.config}"
    assert (none.err, none.status) == (f"{world.name} has no build yet: {build}\n", 1)
    missing = world.ops("build", world.name, "--attach", "9.9.9/9")
    assert (missing.err, missing.status) == (f"{world.name} has no build 9.9.9/9\n", 1)


def test_ctrl_c_leaves_the_build_running_and_says_how_to_follow_it_again(world: World, local_aws: LocalAws) -> None:
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


# --- status


def test_status_shows_each_channel_with_ami_age_and_build_and_which_are_behind(world: World) -> None:
    old = world.web.amis(world.web.build())
    world.web.run()
    world.point("prod", region="us-east-1", build="1.0.7/1", created=datetime.now(UTC) - timedelta(days=3, hours=1))
    world.web.change_recipe("1.0.912")
    new = world.web.amis(world.web.build())
    world.web.run()
    answer = world.ops("status", world.name)

    lines = answer.out.splitlines()
    assert [re.split("  +", line.strip()) for line in lines[:-1]] == [
        ["IMAGE", "REGION", "CHANNEL", "VALUE", "AGE", "BUILD"],
        [world.name, "us-east-1", "latest", new["us-east-1"], "seconds", "1.0.912/1"],
        [world.name, "us-east-1", "prod", old["us-east-1"], "3 days", "1.0.7/1"],
        [world.name, "eu-west-1", "latest", new["eu-west-1"], "seconds", "1.0.912/1"],
        [world.name, "eu-west-1", "prod", "not set", "-", "-"],
    ]
    assert lines[-1] == f"{world.name}: prod in us-east-1 is behind 1.0.912/1"
    assert (answer.err, answer.status) == ("", 0)


def test_status_says_what_is_not_deployed_not_built_or_not_good(world: World, local_aws: LocalAws) -> None:
    failed, unbuilt, running = world.name, Web(local_aws).name, Web(local_aws)
    local_aws.fail_next_build(at="BUILDING", reason="nginx did not answer")
    world.web.build()
    local_aws.set_state_seconds(60)
    running.other_imagebuilder.start_image_pipeline_execution(imagePipelineArn=running.image.pipeline_arn)
    world.declare("api", unbuilt, failed, running.name)
    answer = world.ops("status")

    config = f"--config {world.config}"
    assert [line for line in answer.out.splitlines() if ":" in line] == [
        "api: image-api is not deployed: run make deploy STACK=image-api",
        f"{unbuilt}: no build yet: goldsmith build {unbuilt} {config}",
        f"{failed}: 1.0.7/1 FAILED, started seconds ago: nginx did not answer",
        f"{running.name}: 1.0.7/1 is PENDING, started seconds ago; "
        f"follow it: goldsmith build {running.name} --attach 1.0.7/1 {config}",
    ]
    assert answer.status == 0, "a report of what is wrong is a good report"


def test_status_on_a_terminal_names_image_and_region_once(world: World) -> None:
    world.web.build()
    world.web.run()
    written = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", world.on_a_terminal("status"))
    first = [re.split("  +", line)[0:3] for line in written[written.index("IMAGE") :].splitlines()[1:5]]
    assert [row[0] for row in first] == [world.name, "", "", ""]
    assert [row[1] for row in first] == ["us-east-1", "prod", "eu-west-1", "prod"]


def test_json_of_status_has_iso_dates_the_newer_build_and_why_the_newest_failed(
    world: World, local_aws: LocalAws
) -> None:
    ami = world.web.amis(world.web.build())["us-east-1"]
    local_aws.fail_next_build(at="BUILDING", reason="nginx did not answer")
    world.web.build()
    world.declare(world.name, regions="us-east-1")
    image = json.loads(world.ops("status", "--json").out)["images"][0]

    created = [
        datetime.fromisoformat(world.web.details(world.arn(build))["dateCreated"]).isoformat()
        for build in ("1.0.7/1", "1.0.7/2")
    ]
    newest = {"build": "1.0.7/2", "arn": world.arn("1.0.7/2"), "status": "FAILED", "created": created[1]}
    good = {"build": "1.0.7/1", "arn": world.arn("1.0.7/1"), "status": "AVAILABLE", "created": created[0]}
    fine = {"by_hand": False, "problem": None}
    none = dict.fromkeys(("value", "build", "arn", "created", "moved")) | fine | {"newer_build": "1.0.7/1"}
    assert image == {
        "image": world.name,
        "region": "us-east-1",
        "deployed": True,
        "newest": {**newest, "reason": "nginx did not answer", "logs": None},
        "newest_good": {**good, "reason": None, "logs": None},
        "channels": [
            {"region": "us-east-1", "channel": "latest", **none},
            {"region": "us-east-1", "channel": "prod", **none},
        ],
        "errors": [],
    }

    world.web.run()
    latest = json.loads(world.ops("status", "--json").out)["images"][0]["channels"][0]
    moved = datetime.fromisoformat(latest.pop("moved"))
    assert moved.tzinfo and datetime.now(UTC) - moved < timedelta(minutes=1)
    pointed = {"value": ami, "build": "1.0.7/1", "arn": world.arn("1.0.7/1"), "created": created[0]}
    assert latest == {"region": "us-east-1", "channel": "latest", **pointed, **fine, "newer_build": None}


# --- messages of errors


def test_what_is_not_deployed_is_shown_with_the_command_that_deploys_it(shell: Shell) -> None:
    for options in ((), ("--attach",)):
        answer = shell.ops("build", "api", *options)
        assert answer.err == (
            "image-api is not deployed: run make deploy STACK=image-api (looked in account 000000000000, us-east-1)\n"
        )
        assert (answer.out, answer.status) == ("", 1)


@pytest.mark.parametrize("command", ["build", "status"])
def test_an_unknown_image_is_named_with_the_nearest_one(shell: Shell, command: str) -> None:
    answer = shell.ops(command, "wbe")
    assert (answer.err, answer.status) == ("unknown image 'wbe'; did you mean 'web'?\n", 2)


def test_a_broken_configuration_is_reported_as_in_synthesis(shell: Shell) -> None:
    shell.config.write_text("images: [\n")
    answer = shell.ops("status")
    assert re.match(rf"{shell.config}:\d+: ", answer.err)
    assert (answer.out, answer.status) == ("", 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("build",), "the following arguments are required: IMAGE"),
        (
            ("build", "web", "--attach", "newest"),
            "argument --attach: must look like 1.0.912/3, 912/3 or 912, got 'newest'",
        ),
        (("build", "web", "--handoff-timeout", "long"), "argument --handoff-timeout: must be seconds, got 'long'"),
    ],
)
def test_a_wrong_command_line_is_refused_with_a_message(shell: Shell, arguments: tuple[str, ...], words: str) -> None:
    answer = shell.ops(*arguments)
    assert words in answer.err
    assert answer.status == 2


@pytest.mark.parametrize("command", ["build", "status"])
def test_missing_credentials_are_one_line(shell: Shell, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    answer = shell.ops("build", "web")
    words = "there are no AWS credentials: log in (aws sso login, aws configure) or set AWS_PROFILE\n"
    assert (answer.out, answer.err, answer.status) == ("", words, 1)


def test_a_profile_of_the_settings_is_used_and_named_when_it_is_not_there(shell: Shell) -> None:
    shell.declare("web", settings="  provider: {profile: acme-dev}")
    answer = shell.ops("status")
    assert answer.err == (
        "The config profile (acme-dev) could not be found: check AWS_PROFILE and settings.provider.profile, "
        "or create it with aws configure\n"
    )
    assert answer.status == 1


def test_credentials_of_an_account_that_the_settings_do_not_allow_are_refused(shell: Shell) -> None:
    shell.declare("web", settings='  provider: {allowed_account_ids: ["111122223333"]}')
    answer = shell.ops("status")
    words = "these credentials belong to account 000000000000, and the settings allow only 111122223333\n"
    assert (answer.err, answer.status) == (words, 1)


@pytest.mark.parametrize(
    ("service", "code", "words"),
    [
        ("STS", "ExpiredToken", "the AWS session has expired: log in again, for example with aws sso login"),
        (
            "STS",
            "InvalidClientTokenId",
            "AWS does not accept these credentials for GetCallerIdentity in us-east-1 (InvalidClientTokenId): log in "
            "again, and check AWS_PROFILE and that the region is enabled for the account",
        ),
        (
            "IMAGEBUILDER",
            "AccessDeniedException",
            "AWS does not allow GetImagePipeline in us-east-1: who are you; ask for this permission",
        ),
        (
            "IMAGEBUILDER",
            "ThrottlingException",
            "AWS failed at GetImagePipeline in us-east-1 (ThrottlingException: who are you): try again in a moment",
        ),
    ],
)
def test_what_aws_refuses_is_one_line(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, service: str, code: str, words: str
) -> None:
    with refusing(code, "who are you.") as endpoint:
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", endpoint)
        answer = shell.ops("build", "web")
    assert (answer.out, answer.err, answer.status) == ("", f"{words}\n", 1)


def test_an_aws_that_does_not_answer_is_one_line(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", nobody)
    answer = shell.ops("status")
    assert answer.err == (
        f'AWS cannot be reached in us-east-1: Could not connect to the endpoint URL: "{nobody}/"; '
        "check the network, the proxy and AWS_ENDPOINT_URL\n"
    )
    assert answer.status == 1


def test_aws_failing_while_a_build_is_followed_leaves_the_way_to_follow_it_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.web.build()
    with refusing("AccessDeniedException", "no.") as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", endpoint)
        answer = world.ops("build", world.name, "--attach")
    again = f"goldsmith build {world.name} --attach 1.0.7/1 --config {world.config}"
    assert answer.err == (
        "AWS does not allow GetParametersByPath in us-east-1: no; ask for this permission\n"
        f"{world.name} 1.0.7/1 may still be running; follow it again with: {again}\n"
    )
    assert answer.status == 1


def test_status_shows_what_can_be_read_beside_what_cannot(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.web.build(fail=True)
    with refusing("AccessDeniedException", "no.") as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", endpoint)
        answer = world.ops("status")
    assert answer.out.startswith(f"{world.name}: 1.0.7/1 FAILED, started seconds ago: ")
    assert answer.err.splitlines() == [
        f"{world.name}: AWS does not allow GetParametersByPath in {region}: no; ask for this permission"
        for region in ("us-east-1", "eu-west-1")
    ]
    assert answer.status == 1


def test_help_shows_examples_and_loads_neither_boto3_nor_rich() -> None:
    program = (
        "import sys\nfrom ops.command_line import main\n"
        "try:\n    main(['build', '--help'])\nfinally:\n    print({'boto3', 'rich'} & set(sys.modules))"
    )
    root = Path(__file__).parents[2]
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root).stdout
    assert "  goldsmith build web --no-wait              start it only" in shown
    assert "  2    the configuration or the command line has errors" in shown
    assert shown.endswith("set()\n")


# --- Containers


def test_commands_work_for_containers_too(container_world: World) -> None:
    world, label = container_world, f"{container_world.name} 1.0.7/1"
    with world.running("build", world.name) as process:
        assert process.stdout is not None
        while "started in" not in process.stdout.readline():
            pass
        world.hand_off_when_built("1.0.7/1")
        out, err = process.communicate(timeout=30)
    values = world.web.latest()
    assert (err, process.returncode, set(values)) == ("", 0, {"us-east-1", "eu-west-1"})
    assert out.splitlines()[-2:] == [
        f"us-east-1 {values['us-east-1']} latest points to it",
        f"eu-west-1 {values['eu-west-1']} latest points to it",
    ]

    world.web.build()
    answer = world.ops("build", world.name, "--attach", "1.0.7/1", "--json")
    assert json.loads(answer.out)["regions"] == [
        {"region": region, "value": value, "latest": value, "latest_build": "1.0.7/1", "handed_off": True}
        for region, value in values.items()
    ]
    world.point("prod", region="eu-west-1", build="1.0.7/1", created=datetime(2026, 7, 1, tzinfo=UTC))
    (image,) = json.loads(world.ops("status", "--json").out)["images"]
    rows = {(row["region"], row["channel"]): row for row in image["channels"]}
    assert rows["eu-west-1", "latest"]["value"] == values["eu-west-1"]
    assert {key: (row["build"], row["newer_build"]) for key, row in rows.items()} == {
        ("us-east-1", "latest"): ("1.0.7/1", "1.0.7/2"),
        ("us-east-1", "prod"): (None, "1.0.7/2"),
        ("eu-west-1", "latest"): ("1.0.7/1", "1.0.7/2"),
        ("eu-west-1", "prod"): ("1.0.7/1", "1.0.7/2"),
    }
    world.web.run()
    (image,) = json.loads(world.ops("status", "--json").out)["images"]
    assert [row["newer_build"] for row in image["channels"] if row["channel"] == "latest"] == [None, None]
    assert label not in world.ops("status").out, "the newest build is good"


def test_container_shows_without_registry_and_most_of_its_digest_on_a_terminal(container_world: World) -> None:
    world = container_world
    value = world.web.values(world.web.build())["us-east-1"]
    world.web.run()
    name, _, digest = value.partition("/")[2].partition("@sha256:")
    assert f" {name}@sha256:{digest[:12]} " in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", world.on_a_terminal("status"))
    assert f" {value} " in world.ops("status").out


def test_region_without_a_container_image_is_reported(container_world: World) -> None:
    world = container_world
    world.config.write_text(world.config.read_text().replace("eu-west-1", "ap-northeast-1"))
    world.web.build()
    world.web.run()
    answer = world.ops("build", world.name, "--attach")
    assert answer.status == 1
    assert answer.err.startswith(f"{world.name} 1.0.7/1 has no container image in ap-northeast-1: run make deploy ")
