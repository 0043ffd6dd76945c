"""Requests to the local Image Builder: checked against AWS's service model, answered in pages, repeated once."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.support.image_builder import (
    DOCUMENT,
    REGION,
    build,
    refusal,
)


def test_regions_do_not_share_resources(local_aws: LocalAws, pipeline: dict[str, str]) -> None:
    elsewhere = local_aws.client("imagebuilder", region="eu-west-1")
    arns = {each["arn"] for each in elsewhere.list_image_pipelines()["imagePipelineList"]}
    assert pipeline["imagePipelineArn"] not in arns
    message = refusal(elsewhere.get_image_pipeline, imagePipelineArn=pipeline["imagePipelineArn"])
    assert message.startswith("ResourceNotFoundException: ")


# Requests


def test_operation_that_is_not_implemented_is_named(image_builder: Any) -> None:
    message = refusal(image_builder.list_waiting_workflow_steps)
    assert message == (
        "NotImplementedException: The local AWS does not implement the Image Builder operation "
        "ListWaitingWorkflowSteps."
    )


@pytest.mark.parametrize(
    ("params", "refused"),
    [
        (
            {"name": "ab"},
            "InvalidParameterValueException: The value supplied for parameter 'name' is not valid. "
            "name must match pattern ^[-_A-Za-z-0-9][-_A-Za-z0-9 ]{1,126}[-_A-Za-z-0-9]$",
        ),
        (
            {"platform": "linux"},
            "InvalidParameterValueException: The value supplied for parameter 'platform' is not valid. "
            "platform must be one of Windows, Linux, macOS.",
        ),
        (
            {"data": "x" * 16_001},
            "InvalidParameterValueException: The value supplied for parameter 'data' is not valid. "
            "data must be at most 16000.",
        ),
        (
            {"semanticVersion": f"1.0.{2**30}"},
            f"InvalidVersionNumberException: Each node of version '1.0.{2**30}' must be at most {2**30 - 1}.",
        ),
        (
            {"semanticVersion": None},
            'InvalidRequestException: Missing required parameter in input: "semanticVersion"',
        ),
        ({"colour": "red"}, 'InvalidRequestException: Unknown parameter in input: "colour"'),
        ({"tags": ["a"]}, "InvalidRequestException: Invalid type for parameter tags"),
    ],
)
def test_request_is_checked_against_the_service_model(
    local_aws: LocalAws, name: str, params: dict[str, Any], refused: str
) -> None:
    valid = {"name": name, "semanticVersion": "1.0.0", "platform": "Linux", "data": DOCUMENT, "clientToken": name}
    status, error, message = raw_request(local_aws, "PUT", "/CreateComponent", {**valid, **params})
    assert status == 400
    assert f"{error}: {message}".startswith(refused)


def test_broken_requests_are_refused(local_aws: LocalAws) -> None:
    assert raw_request(local_aws, "PUT", "/CreateComponent", b"{")[1] == "InvalidRequestException"
    assert raw_request(local_aws, "PUT", "/CreateComponent", b"[]")[2] == "the body is not a JSON object"
    assert raw_request(local_aws, "PUT", "/Create", b"{}")[2] == "there is no operation PUT /Create"


def raw_request(aws: LocalAws, method: str, path: str, body: Any) -> tuple[int, str, str]:
    """Send what boto3 would not; gives status, exception name and message."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(aws.endpoint + path, data=data, method=method)
    scope = f"test/20260101/{REGION}/imagebuilder/aws4_request"
    request.add_header("Authorization", f"AWS4-HMAC-SHA256 Credential={scope}, Signature=none")
    try:
        urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["x-amzn-errortype"], json.load(error)["message"]
    raise AssertionError("the request was accepted")


def test_lists_come_in_pages(local_aws: LocalAws, image_builder: Any, pipeline: dict[str, str]) -> None:
    arns = {build(image_builder, pipeline)["arn"] for _ in range(5)}
    request = {"imagePipelineArn": pipeline["imagePipelineArn"], "maxResults": 2}
    pages = list(image_builder.get_paginator("list_image_pipeline_images").paginate(**request))
    assert [len(page["imageSummaryList"]) for page in pages] == [2, 2, 1]
    assert {image["arn"] for page in pages for image in page["imageSummaryList"]} == arns
    message = refusal(image_builder.list_image_pipeline_images, nextToken="nonsense", **request)
    assert message.startswith("InvalidPaginationTokenException: ")
