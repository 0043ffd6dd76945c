"""The hand-off's function as it is deployed: its archive with the configuration in it, and Lambda, which calls it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from lambda_src.handoff.configuration import FILE, PIPELINE_ARN, Configuration
from local_aws.server import LocalAws
from stacks.function import SOURCES, archive
from tests.support.handoff_world import HOME, REGIONS, ContainerImageWorld, ImageWorld

TAGS = {
    "team": "platform",
    "owner": "ゴールドスミス",
    "quoted": '"\\${not.terraform}\n',
    **{f"t{n}": "x" * 256 for n in range(20)},
}
"""More than Lambda's environment would take."""


def _deployed(web: ImageWorld, **judged: str) -> dict[str, Any]:
    """Deploy the function of an image, and call it as SNS does about a new build; its line in the log."""
    configuration = Configuration(namespace="acme", image=web.name, regions=REGIONS, tags=TAGS, **judged)  # type: ignore[arg-type]
    client = web.aws.client("lambda", region=HOME)
    client.create_function(
        FunctionName=f"acme_{web.name}_handoff",
        Runtime="python3.13",
        Role="arn:aws:iam::000000000000:role/acme_web_handoff",
        Handler="handoff.handler.handle",
        Code={"ZipFile": archive(SOURCES / "handoff", files={FILE: configuration.to_json()})},
        Environment={"Variables": {PIPELINE_ARN: web.image.pipeline_arn}},
        Timeout=300,
    )
    event = json.dumps(web.message(web.build()))
    answer = client.invoke(FunctionName=f"acme_{web.name}_handoff", Payload=event, LogType="Tail")
    assert "FunctionError" not in answer, answer["Payload"].read()
    log = base64.b64decode(answer["LogResult"]).decode()
    (line,) = [json.loads(each) for each in log.splitlines() if each.startswith("{")]
    assert isinstance(line, dict)
    return line


def test_lambda_calls_it_with_an_event_of_sns(local_aws: LocalAws) -> None:
    web = ImageWorld(local_aws)

    line = _deployed(web, architecture="x86_64")

    (message,) = line["messages"]
    assert (message["status"], line["newest"]) == ("AVAILABLE", message["image"])
    assert web.latest() == web.amis(message["image"])
    assert [move["region"] for move in line["moves"]] == list(REGIONS)
    for region in REGIONS:
        made = web.other_ssm[region].list_tags_for_resource(ResourceType="Parameter", ResourceId=f"{web.path}/latest")
        assert {tag["Key"]: tag["Value"] for tag in made["TagList"]} == TAGS


def test_function_knows_by_its_configuration_that_it_hands_over_containers(local_aws: LocalAws) -> None:
    web = ContainerImageWorld(local_aws)
    line = _deployed(web, repository=web.repository)
    assert web.latest() == web.values(line["newest"])


def test_configuration_is_what_was_written() -> None:
    written = Configuration(
        namespace="acme", image="web", regions=REGIONS, tags=TAGS, keep_newest=3, architecture="arm64"
    )
    assert Configuration.from_json(written.to_json()) == written
    assert written.to_json().isascii()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"namespace": "acme", "image": "web", "regions": [], "more": 1}'])
def test_file_of_another_kind_is_refused(text: str) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Configuration.from_json(text)
