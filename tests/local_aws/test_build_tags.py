"""Tags of builds in the local Image Builder, with the limits of AWS."""

from typing import Any

import pytest

from tests.support.image_builder import build, refusal


@pytest.fixture
def arn(image_builder: Any, pipeline: dict[str, str]) -> str:
    return str(build(image_builder, pipeline)["arn"])


def test_build_is_tagged_and_untagged(image_builder: Any, arn: str) -> None:
    revoked = "2026-11-24T03:12:00Z openssl = broken: see a/b@c + d_e"
    image_builder.tag_resource(resourceArn=arn, tags={"goldsmith:revoked": revoked, "team": "Plattform für Größe"})
    image_builder.tag_resource(resourceArn=arn, tags={"team": ""})
    assert image_builder.list_tags_for_resource(resourceArn=arn)["tags"] == {"goldsmith:revoked": revoked, "team": ""}
    assert image_builder.get_image(imageBuildVersionArn=arn)["image"]["tags"] == {
        "goldsmith:revoked": revoked,
        "team": "",
    }
    image_builder.untag_resource(resourceArn=arn, tagKeys=["goldsmith:revoked", "never"])
    assert image_builder.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": ""}


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("team", "x" * 257, "tags.team must be at most 256."),
        ("team", "openssl, and others", "Allowed characters are"),
        ("team", "openssl (3.0.1)", "Allowed characters are"),
        ("team", "line\nline", "Allowed characters are"),
        ("k" * 129, "", "must be at most 128."),
        ("aws:team", "", "must match pattern"),
        ("team!", "", "must match pattern"),
    ],
)
def test_tag_that_aws_does_not_take_is_refused(image_builder: Any, arn: str, key: str, value: str, words: str) -> None:
    refused = refusal(image_builder.tag_resource, resourceArn=arn, tags={"other": "a", key: value})
    assert refused.startswith("InvalidParameterException: ")
    assert words in refused
    assert image_builder.list_tags_for_resource(resourceArn=arn)["tags"] == {}
    image_builder.tag_resource(resourceArn=arn, tags={"k" * 128: "x" * 256})


def test_build_has_fifty_tags_at_most(image_builder: Any, arn: str) -> None:
    image_builder.tag_resource(resourceArn=arn, tags={f"key {number}": "" for number in range(50)})
    image_builder.tag_resource(resourceArn=arn, tags={"key 7": "changed"})
    refused = refusal(image_builder.tag_resource, resourceArn=arn, tags={"one more": ""})
    assert refused.endswith("A resource can have at most 50 tags.")
    assert refusal(image_builder.tag_resource, resourceArn=f"{arn}9", tags={"a": ""}).startswith(
        "ResourceNotFoundException: "
    )
