"""What `goldsmith` says when AWS's configuration on this machine is wrong, or an answer is: one line, status 1."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local_aws.server import LocalAws
from tests.support.handoff_world import ImageWorld
from tests.support.ops_world import Shell, answering, impatient_shell

IDENTITY = "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>{}</Account></GetCallerIdentityResult>{}"
CHECK = (
    "; check the AWS configuration of this machine: ~/.aws/config and environment variables such as "
    "AWS_ENDPOINT_URL, AWS_MAX_ATTEMPTS or AWS_CA_BUNDLE"
)


@pytest.fixture
def shell(
    local_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    shell = impatient_shell(local_aws, tmp_path / "estate.yaml", monkeypatch, capsys)
    shell.declare("web", regions="us-east-1")
    return shell


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("AWS_ENDPOINT_URL", "rubbish", f"AWS cannot be called in us-east-1: Invalid endpoint: rubbish{CHECK}"),
        ("AWS_ENDPOINT_URL", "http://[::1", f"AWS cannot be called in us-east-1: Invalid IPv6 URL{CHECK}"),
        (
            "AWS_MAX_ATTEMPTS",
            "many",
            f"AWS cannot be called in us-east-1: invalid literal for int() with base 10: 'many'{CHECK}",
        ),
        (
            "AWS_RETRY_MODE",
            "hard",
            'AWS cannot be called in us-east-1: Invalid value provided to "mode": "hard" must be one of: '
            f"('legacy', 'standard', 'adaptive'){CHECK}",
        ),
        (
            "AWS_PROFILE",
            "nobody",
            "The config profile (nobody) could not be found: check AWS_PROFILE and the profile in the settings, or "
            "create it with aws configure",
        ),
        (
            "AWS_STS_REGIONAL_ENDPOINTS",
            "somewhere",
            "AWS cannot be called in us-east-1: STS regional endpoints option ",
        ),
        ("HTTP_PROXY", "http://[bad", "AWS cannot be reached in us-east-1: "),
    ],
)
def test_a_bad_variable_is_one_line(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    if name == "HTTP_PROXY":
        monkeypatch.delenv("NO_PROXY")
        monkeypatch.delenv("no_proxy")
    for command in (("status",), ("build", "web"), ("build", "web", "--attach"), ("status", "--json")):
        answer = shell.ops(*command)
        assert (answer.out, answer.status) == ("", 1)
        assert answer.err.startswith(words)
        assert answer.err.count("\n") == 1


@pytest.mark.parametrize("content", [b"[default\nregion", b"\xff\xfe\x00", b"= ="])
def test_a_broken_configuration_of_aws_is_one_line(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    (broken := tmp_path / "config").write_bytes(content)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        with monkeypatch.context() as patched:
            patched.setenv(name, str(broken))
            answer = shell.ops("status")
        words = f"AWS cannot be called in us-east-1: Unable to parse config file: {broken}{CHECK}\n"
        assert (answer.out, answer.err, answer.status) == ("", words, 1)


@pytest.mark.parametrize(
    "text",
    ["", "<", "<html>proxy</html>", IDENTITY.format("1", ""), "{}", "\x00"],
    ids=["empty", "cut off", "html", "no end", "json", "nul"],
)
def test_an_identity_that_is_garbled_is_one_line(shell: Shell, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    with answering({"": text}) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", endpoint)
        answer = shell.ops("status")
    assert answer.err.startswith("AWS's answer in us-east-1 cannot be read: ")
    assert (answer.out, answer.err.count("\n"), answer.status) == ("", 1, 1)


@pytest.mark.parametrize("text", ["{}", "[]", "null", "3", '{"Parameters": [{}]}', '{"Parameters": 3}', "{", "<html>"])
def test_garbled_parameters_leave_the_rest_of_the_status(
    local_aws: LocalAws, shell: Shell, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    web = ImageWorld(local_aws)
    web.build()
    shell.declare(web.name, regions="us-east-1")
    with answering({"": text}) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", endpoint)
        answer = shell.ops("status", "--json")
    (image,) = json.loads(answer.out)["images"]
    assert (image["newest"]["build"], image["channels"], answer.status) == ("1.0.7/1", [], 1)
    (error,) = image["errors"]
    assert error.startswith("AWS's answer in us-east-1 cannot be read: ")


@pytest.mark.parametrize("text", ["{}", "[]", '{"imagePipeline": {}}', '{"imagePipeline": null}', "{"])
def test_a_garbled_pipeline_is_one_line(shell: Shell, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    with answering({"": text}) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_IMAGEBUILDER", endpoint)
        for options in ((), ("--attach",)):
            answer = shell.ops("build", "web", *options)
            assert answer.err.startswith("AWS's answer in us-east-1 cannot be read: ")
            assert (answer.out, answer.err.count("\n"), answer.status) == ("", 1, 1)
