"""More than AWS takes is refused with its line, before anything is synthesized."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.broken_estates import problems_in, smallest, written

IMAGE = {"os": "amazon-linux-2023", "build": ["update-os"], "regions": ["eu-west-1"]}
TOPIC = "arn:aws:sns:eu-west-1:123456789012:"
RUN = "run-script"


def estate(settings: dict[str, Any] | None = None, **image: Any) -> dict[str, Any]:
    fields = {key: value for key, value in {**IMAGE, **image}.items() if value is not None}
    return {"settings": {"namespace": "acme", **(settings or {})}, "images": {"web": fields}}


def script(value: str) -> dict[str, Any]:
    return {"use": RUN, "with": {"script": value}}


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "regions": (
        estate(regions=[f"eu-north{letter}{other}-1" for letter in "abcdef" for other in "abcdefg"]),
        "images.web.regions: must have at most 40, got a list of 42",
    ),
    "channels": (
        estate(channels=[f"channel-{number}" for number in range(101)]),
        "images.web.channels: must have at most 100, got a list of 101",
    ),
    "alarm actions": (
        estate({"alarm_actions": [f"{TOPIC}{number}" for number in range(6)]}),
        "settings.alarm_actions: must have at most 5, got a list of 6",
    ),
    "alarm actions beside e-mails": (
        estate(
            {"alarm_actions": [f"{TOPIC}{number}" for number in range(5)]},
            notifications={"emails": ["team@example.com"]},
        ),
        "images.web.notifications.emails: an alarm has at most 5 actions, and each of settings.alarm_actions is one, "
        "got 5; delete an alarm action, or emails",
    ),
    "objects that a build fetches": (
        estate(
            build=[
                {"use": "deploy-app", "with": {"archive": f"s3://bucket/{'a' * 1500}", "sha256": "0" * 64}},
                {"use": "install-packages", "with": {"packages": f"s3://bucket/{'b' * 1500}"}},
                {"use": "run-script", "with": {"script": f"s3://bucket/{'c' * 1500}"}},
            ]
        ),
        "images.web.build.2.with.script: the build's role has no room for more objects: at most 4000 characters, got ",
    ),
    "a container recipe": (
        estate(
            os=None,
            kind="container",
            parent="nginx:1",
            dockerfile="FROM {{{ imagebuilder:parentImage }}}\n{{{ imagebuilder:environments }}}\n"
            "{{{ imagebuilder:components }}}\n#" + "あ" * 8_500,
        ),
        "images.web.dockerfile: a container recipe has at most 25600 bytes, got 2",
    ),
    "values of a container recipe": (
        estate(os=None, kind="container", parent="nginx:1", build=[script("x" * 25_500)]),
        "images.web: a container recipe has at most 25600 bytes, got 2",
    ),
    "an ARN": (
        estate({"kms_key_id": f"arn:aws:kms:eu-west-1:123456789012:key/{'0' * 1000}"}),
        "settings.kms_key_id: has at most 1024 bytes, got 1039; shorten it",
    ),
    "a cron expression": (
        estate(schedule={"cron": f"0 0 {','.join(['1'] * 600)} * ? *"}),
        "images.web.schedule.cron: has at most 1018 bytes, got 1209; write ranges and steps instead of lists",
    ),
    "a parent": (
        estate(parent=f"ssm:/aws/service/{'p' * 900}"),
        "images.web.parent: has at most 900 characters, got 917; shorten it",
    ),
    "a path": (
        estate({"iam": {"path": f"/{'p' * 511}/"}}),
        "settings.iam.path: has at most 512 bytes, got 513; shorten it",
    ),
    "a region": (estate(regions=["eu-northwestnorth-1"]), "images.web.regions.0: must be a region, got "),
}


@pytest.mark.parametrize(("broken", "words"), CASES.values(), ids=CASES)
def test_is_refused(broken: dict[str, Any], words: str, tmp_path: Path) -> None:
    said = problems_in(written(tmp_path, broken))
    assert len(said.splitlines()) == 1, said
    assert f" {words}" in said


FLEET = {
    "security groups": (
        f"security_group_ids: [{', '.join(f'sg-{number:x}' for number in range(17))}]",
        "fleets.web-dev.security_group_ids: must have at most 16, got a list of 17",
    ),
    "tags": (
        f"tags: {{{', '.join(f'tag{number}: x' for number in range(48))}}}",
        "fleets.web-dev.tags: fleet and settings have at most 47 tags together, got 48; delete some",
    ),
}


@pytest.mark.parametrize(("lines", "words"), FLEET.values(), ids=FLEET)
def test_is_refused_of_a_fleet(lines: str, words: str, tmp_path: Path) -> None:
    assert problems_in(written(tmp_path, smallest("fleet", lines))).endswith(f" {words}")


def test_what_workflows_call_has_to_fit_into_one_policy(tmp_path: Path) -> None:
    steps = "".join(
        f"  - {{name: Ask{number}, action: WaitForAction, inputs: {{snsTopicArn: '{TOPIC}{'t' * 250}{number}'}}}}\n"
        for number in range(15)
    )
    (tmp_path / "flow.yml").write_text(f"schemaVersion: 1.0\nsteps:\n{steps}")
    assert problems_in(written(tmp_path, estate(workflows={"test": ["flow.yml"]}))).endswith(
        " images.web.workflows.test.0: the execution role has room for 4000 characters of ARNs that workflows call, "
        "got 4295; write workflows.execution_role: arn:aws:iam::…:role/…"
    )
