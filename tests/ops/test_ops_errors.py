"""What the commands print when something is wrong."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.ops_world import OpsWorld, Shell, refusing, run_ops

# --- messages of errors


def test_what_is_not_deployed_is_shown_with_the_command_that_deploys_it(shell: Shell) -> None:
    for options in ((), ("--attach",)):
        answer = shell.ops("build", "api", *options)
        assert answer.err == (
            "image-api is not deployed: run goldsmith plan image-api and apply it (looked in account "
            "000000000000, us-east-1)\n"
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
        (("statu",), "goldsmith has no command 'statu'; did you mean 'status'?\n"),
        (("--yes",), "goldsmith has no command '--yes'; choose one of apply, build, check, "),
        (("check", "web", "a b"), "goldsmith check does not take web 'a b'; see goldsmith check --help\n"),
        (("build",), "the following arguments are required: IMAGE"),
        (
            ("build", "web", "--attach", "newest"),
            "argument --attach: must look like 1.0.912/3, 912/3 or 912, got 'newest'",
        ),
        (
            ("build", "web", "--handoff-timeout", "300"),
            "argument --handoff-timeout: must be a duration such as '5 minutes', got '300'",
        ),
    ],
)
def test_a_wrong_command_line_is_refused_with_a_message(shell: Shell, arguments: tuple[str, ...], words: str) -> None:
    answer = shell.ops(*arguments)
    assert words in answer.err
    assert answer.status == 2


def test_without_a_command_there_is_a_list_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    answer = run_ops([], capsys)
    assert "  build     build an image, and follow the build\n" in answer.err
    assert answer.err.endswith("goldsmith needs a command, one of those above\n")
    assert (answer.out, answer.status) == ("", 2)


@pytest.mark.parametrize("command", ["build", "status"])
def test_missing_credentials_are_one_line(shell: Shell, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    answer = shell.ops("build", "web")
    words = "there are no AWS credentials: log in (aws sso login, aws configure) or set AWS_PROFILE\n"
    assert (answer.out, answer.err, answer.status) == ("", words, 1)


def test_a_profile_of_the_settings_is_used_and_named_when_it_is_not_there(shell: Shell) -> None:
    shell.declare("web", settings="  accounts: {dev: {id: '000000000000', profile: acme-dev}}")
    answer = shell.ops("status")
    assert answer.err == (
        "account dev (000000000000) cannot be reached: The config profile (acme-dev) could not be found: check "
        "AWS_PROFILE and the profile in the settings, or create it with aws configure\n"
    )
    assert answer.status == 1


def test_credentials_of_another_account_than_that_of_the_settings_are_refused(shell: Shell) -> None:
    shell.declare("web", settings="  accounts: {dev: {id: '111122223333'}}")
    answer = shell.ops("status")
    words = (
        "account dev (111122223333) cannot be reached: these credentials belong to account 000000000000, and "
        "settings.accounts.dev.id is 111122223333: write its role or profile in settings.accounts.dev, or set "
        "AWS_PROFILE to a profile of account 111122223333\n"
    )
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
    world: OpsWorld, monkeypatch: pytest.MonkeyPatch
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


def test_status_shows_what_can_be_read_beside_what_cannot(world: OpsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
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
