"""The local AWS: what its Image Builder refuses and makes, and that it leaves nothing behind."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from local_aws.server import LocalAws, LocalAwsError
from tests.support.image_builder import (
    DOCUMENT,
    MANAGED_PARENT,
    REGION,
    TEST_DOCUMENT,
    build,
    followed,
    instance_profile,
    make_pipeline,
    refusal,
)

ROOT = Path(__file__).parents[2]

numbers = itertools.count(1)


# Resources


def test_component_keeps_its_document_letter_for_letter(image_builder: Any, name: str) -> None:
    made = image_builder.create_component(
        name=name, semanticVersion="1.0.0", platform="Linux", data=DOCUMENT, tags={"team": "platform"}
    )
    arn = made["componentBuildVersionArn"]
    component = image_builder.get_component(componentBuildVersionArn=arn)["component"]
    assert component["data"] == DOCUMENT
    assert component["parameters"] == [
        {"name": "Port", "type": "string", "defaultValue": ["80"], "description": "where it listens"},
        {"name": "Path", "type": "string"},
    ]
    assert (component["type"], component["tags"]) == ("BUILD", {"team": "platform"})
    slug = name.lower().replace("_", "-").replace(" ", "-")
    assert arn == f"arn:aws:imagebuilder:{REGION}:000000000000:component/{slug}/1.0.0/1"


def test_component_with_only_a_test_phase_is_a_test(image_builder: Any, name: str) -> None:
    made = image_builder.create_component(name=name, semanticVersion="1.0.0", platform="Linux", data=TEST_DOCUMENT)
    arn = made["componentBuildVersionArn"]
    assert image_builder.get_component(componentBuildVersionArn=arn)["component"]["type"] == "TEST"


def test_same_component_version_is_refused_and_other_content_is_its_next_build(image_builder: Any, name: str) -> None:
    fields = {"name": name, "semanticVersion": "1.0.0", "platform": "Linux"}
    first = image_builder.create_component(data=DOCUMENT, **fields)["componentBuildVersionArn"]
    message = refusal(image_builder.create_component, data=DOCUMENT, **fields)
    assert message == (f"ResourceAlreadyExistsException: The following resource 'Component' already exists: '{first}'.")
    second = image_builder.create_component(data=TEST_DOCUMENT, **fields)["componentBuildVersionArn"]
    assert second == first.removesuffix("/1") + "/2"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("phases: [", "It is not YAML: "),
        ("- a", "It is not a mapping"),
        ("phases: []", "schemaVersion must be 1.0"),
        ("{schemaVersion: 1.0}", "It has no phases"),
        ("{schemaVersion: 1.0, phases: [{steps: []}]}", "Each phase must have a name"),
        ("{schemaVersion: 1.0, phases: [{name: build, steps: [{name: a}]}]}", "a step without an action"),
        (
            "{schemaVersion: 1.0, phases: [{name: build, steps: [{name: a b, action: Reboot}]}]}",
            "Invalid step name 'a b' in phase 'build'. Allowed characters are",
        ),
        (
            "{schemaVersion: 1.0, phases: [{name: build, steps: [{name: a, action: ExecutePowerShell}]}]}",
            "Error: Unsupported action ExecutePowerShell for os platform linux.",
        ),
        (
            "{schemaVersion: 1.0, phases: [{name: build, steps: [{name: a, action: S3Download, inputs: []}]}]}",
            "Parsing step 'a' in phase 'build' failed. Error: Action S3Download has no inputs; it requires an 'inputs'",
        ),
    ],
)
def test_component_document_that_is_none_is_refused(image_builder: Any, name: str, data: str, reason: str) -> None:
    message = refusal(image_builder.create_component, name=name, semanticVersion="1.0.0", platform="Linux", data=data)
    assert message.startswith("InvalidParameterValueException: The value supplied for parameter 'data' is not valid.")
    assert reason in message


def test_component_document_may_lie_in_a_bucket_and_be_four_times_as_long(
    local_aws: LocalAws, image_builder: Any, name: str
) -> None:
    s3 = local_aws.client("s3", region=REGION)
    bucket = f"documents-{next(numbers)}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    fields = {"name": name, "semanticVersion": "1.0.0", "platform": "Linux"}
    longest = DOCUMENT + "#" * (65_536 - len(DOCUMENT))
    s3.put_object(Bucket=bucket, Key="components/longest.yaml", Body=longest.encode())
    made = image_builder.create_component(uri=f"s3://{bucket}/components/longest.yaml", **fields)
    component = image_builder.get_component(componentBuildVersionArn=made["componentBuildVersionArn"])["component"]
    assert (component["data"], component["type"]) == (longest, "BUILD")
    assert "uri" not in component

    s3.put_object(Bucket=bucket, Key="longer.yaml", Body=longest.encode() + b"#")
    message = refusal(image_builder.create_component, uri=f"s3://{bucket}/longer.yaml", **fields)
    assert message.endswith("It has more than 65536 bytes.")
    message = refusal(image_builder.create_component, uri=f"s3://{bucket}/gone.yaml", **fields)
    assert message.endswith(f"There is no readable object 's3://{bucket}/gone.yaml'.")
    message = refusal(image_builder.create_component, uri=f"s3://{bucket}/gone.yaml", data=DOCUMENT, **fields)
    assert message == "InvalidParameterCombinationException: Specify exactly one of 'data' and 'uri'."


def test_recipe_version_that_exists_is_refused(image_builder: Any, pipeline: dict[str, str], name: str) -> None:
    message = refusal(
        image_builder.create_image_recipe,
        name=name,
        semanticVersion="1.2.3",
        parentImage=MANAGED_PARENT,
        description="other content",
    )
    assert message == (
        "ResourceAlreadyExistsException: The following resource 'ImageRecipe' already exists: "
        f"'{pipeline['imageRecipeArn']}'."
    )


@pytest.mark.parametrize(
    ("operation", "member"),
    [
        ("delete_component", "componentBuildVersionArn"),
        ("delete_image_recipe", "imageRecipeArn"),
        ("delete_infrastructure_configuration", "infrastructureConfigurationArn"),
        ("delete_distribution_configuration", "distributionConfigurationArn"),
    ],
)
def test_resource_in_use_is_not_deleted(
    image_builder: Any, pipeline: dict[str, str], operation: str, member: str
) -> None:
    message = refusal(getattr(image_builder, operation), **{member: pipeline[member]})
    assert message == (
        "ResourceDependencyException: Resource dependency error: The resource ARN "
        f"'{pipeline[member]}' has other resources depended on it."
    )


def test_everything_is_deleted_in_the_right_order(image_builder: Any, pipeline: dict[str, str]) -> None:
    image_builder.delete_image_pipeline(imagePipelineArn=pipeline["imagePipelineArn"])
    image_builder.delete_image_recipe(imageRecipeArn=pipeline["imageRecipeArn"])
    image_builder.delete_component(componentBuildVersionArn=pipeline["componentBuildVersionArn"])
    for kind in ("infrastructure", "distribution"):
        arn = {f"{kind}ConfigurationArn": pipeline[f"{kind}ConfigurationArn"]}
        getattr(image_builder, f"delete_{kind}_configuration")(**arn)
        gone = refusal(getattr(image_builder, f"get_{kind}_configuration"), **arn)
        assert gone.startswith("ResourceNotFoundException: ")


@pytest.mark.parametrize(
    ("parent", "platform"),
    [
        (MANAGED_PARENT, "Linux"),
        (MANAGED_PARENT.replace("x.x.x", "2026.x.x"), "Linux"),
        (MANAGED_PARENT.replace("x.x.x", "2026.1.14/1"), "Linux"),
        (MANAGED_PARENT.replace("amazon-linux-2023", "windows-server-2025-english-full-base"), "Windows"),
        (MANAGED_PARENT.replace("amazon-linux-2023-x86", "macos-sequoia-arm64"), "macOS"),
        ("ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64", "Linux"),
        ("ssm:/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id", "Linux"),
        ("ssm:/aws/service/suse/sles/12-sp5/x86_64/latest", "Linux"),
        ("ssm:/aws/service/ami-windows-latest/Windows_Server-2022-English-Core-Base", "Windows"),
        ("CentOS Stream 9 x86_64 *", "Linux"),
        ("Windows_Server-2012-RTM-English-64Bit-Core-*", "Windows"),
    ],
)
def test_parent_image_that_exists_is_accepted(
    local_aws: LocalAws, image_builder: Any, name: str, parent: str, platform: str
) -> None:
    if parent.endswith("*"):
        parent = found_ami(local_aws, parent)["ImageId"]
    made = image_builder.create_image_recipe(name=name, semanticVersion="1.0.0", parentImage=parent)
    recipe = image_builder.get_image_recipe(imageRecipeArn=made["imageRecipeArn"])["imageRecipe"]
    assert (recipe["parentImage"], recipe["platform"]) == (parent, platform)


def found_ami(aws: LocalAws, name: str) -> dict[str, Any]:
    """The one AMI with this name, of any account."""
    filters = [{"Name": "name", "Values": [name]}]
    (image,) = aws.client("ec2", region=REGION).describe_images(Filters=filters)["Images"]
    found: dict[str, Any] = image
    return found


@pytest.mark.parametrize(
    ("parent", "reason"),
    [
        (MANAGED_PARENT.replace("2023", "2032"), "The parent image '{}' does not exist in ap-northeast-1."),
        (MANAGED_PARENT.replace("x.x.x", "2019.1.1"), "The parent image '{}' does not exist in ap-northeast-1."),
        (MANAGED_PARENT.replace(REGION, "us-east-1"), "The parent image '{}' does not exist in ap-northeast-1."),
        (
            f"arn:aws:imagebuilder:{REGION}:000000000000:image/never-built/1.0.0/1",
            "The parent image '{}' does not exist in ap-northeast-1.",
        ),
        ("amazon-linux-2023", "The parent image '{}' does not exist in ap-northeast-1."),
        ("ami-00000000000000000", "The AMI '{}' does not exist in ap-northeast-1."),
    ],
)
def test_parent_image_that_does_not_exist_is_refused(image_builder: Any, name: str, parent: str, reason: str) -> None:
    message = refusal(image_builder.create_image_recipe, name=name, semanticVersion="1.0.0", parentImage=parent)
    assert message == (
        "InvalidParameterValueException: The value supplied for parameter 'parentImage' is not valid. "
        + reason.format(parent)
    )


def test_parent_image_of_another_region_is_refused(local_aws: LocalAws, image_builder: Any, name: str) -> None:
    ec2 = local_aws.client("ec2", region="eu-west-1")
    ami = ec2.register_image(Name=name.replace(" ", "-"), Architecture="arm64")["ImageId"]
    message = refusal(image_builder.create_image_recipe, name=name, semanticVersion="1.0.0", parentImage=ami)
    assert message.endswith(f"The AMI '{ami}' does not exist in {REGION}.")


def test_managed_image_is_described(local_aws: LocalAws, image_builder: Any) -> None:
    arn = MANAGED_PARENT.replace("amazon-linux-2023-x86", "ubuntu-server-24-lts-arm64")
    image = image_builder.get_image(imageBuildVersionArn=arn)["image"]
    assert image["arn"] == arn.replace("x.x.x", "2026.1.14/1")
    assert (image["version"], image["platform"], image["osVersion"]) == ("2026.1.14/1", "Linux", "Ubuntu 24.04")
    (output,) = image["outputResources"]["amis"]
    filters = [{"Name": "architecture", "Values": ["arm64"]}, {"Name": "name", "Values": ["ubuntu/*-24.04-*"]}]
    canonical = local_aws.client("ec2", region=REGION).describe_images(Owners=["099720109477"], Filters=filters)
    assert [ami["ImageId"] for ami in canonical["Images"]] == [output["image"]]
    refused = refusal(image_builder.get_image, imageBuildVersionArn=arn.replace("24", "23"))
    assert refused.startswith("ResourceNotFoundException: ")


def test_public_image_is_shown_also_when_an_ami_of_ones_own_is_deprecated(local_aws: LocalAws) -> None:
    ec2 = local_aws.client("ec2", region=REGION)
    public = found_ami(local_aws, "CentOS 8.4.2105 x86_64")["ImageId"]
    mine = ec2.register_image(Name="deprecated")["ImageId"]
    ec2.enable_image_deprecation(ImageId=mine, DeprecateAt="2026-01-02T03:04:05Z")

    shown = [ec2.describe_images(ImageIds=[ami])["Images"] for ami in (public, mine)]

    assert [[image.get("DeprecationTime") for image in images] for images in shown] == [
        [None],
        ["2026-01-02T03:04:00.000Z"],
    ]


def test_recipe_refuses_what_does_not_fit_its_components(image_builder: Any, name: str) -> None:
    component = image_builder.create_component(name=name, semanticVersion="1.0.0", platform="Linux", data=DOCUMENT)[
        "componentBuildVersionArn"
    ]

    def refused(*entries: dict[str, Any], parent: str = MANAGED_PARENT) -> str:
        return refusal(
            image_builder.create_image_recipe,
            name=name,
            semanticVersion="1.0.0",
            parentImage=parent,
            components=list(entries),
        )

    unknown = component.replace("/1.0.0/1", "/2.0.0")
    assert refused({"componentArn": unknown}) == (
        f"ResourceNotFoundException: The resource '{unknown}' does not exist."
    )
    assert f"The component '{component}' requires a value for parameter 'Path'." in refused({"componentArn": component})
    path = {"name": "Path", "value": ["/"]}
    extra = [path, {"name": "Prt", "value": ["81"]}]
    assert f"The component '{component}' has no parameter 'Prt'." in refused(
        {"componentArn": component, "parameters": extra}
    )
    entry = {"componentArn": component, "parameters": [path]}
    assert f"The component '{component}' is declared more than once." in refused(entry, entry)
    windows = MANAGED_PARENT.replace("amazon-linux-2023", "windows-server-2025-english-full-base")
    assert f"The component '{component}' is for Linux, the parent Windows." in refused(entry, parent=windows)
    many = [{"componentArn": f"arn:aws:imagebuilder:{REGION}:aws:component/c{n}/x.x.x"} for n in range(21)]
    assert refused(*many).startswith("ServiceQuotaExceededException: A recipe can contain at most 20")


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"subnetId": "subnet-1"}, "you must also specify one or more security groups"),
        ({"instanceProfileName": "nobody"}, "The provided instance profile does not exist."),
        (
            {"snsTopicArn": f"arn:aws:sns:{REGION}:000000000000:absent"},
            f"The topic 'arn:aws:sns:{REGION}:000000000000:absent' does not exist.",
        ),
        ({"resourceTags": {"CreatedBy": "me"}}, "The key 'CreatedBy' is reserved."),
    ],
)
def test_infrastructure_that_cannot_work_is_refused(
    local_aws: LocalAws, image_builder: Any, name: str, params: dict[str, Any], reason: str
) -> None:
    valid = {"name": name, "instanceProfileName": instance_profile(local_aws)}
    message = refusal(image_builder.create_infrastructure_configuration, **{**valid, **params})
    assert message.startswith("InvalidParameterValueException: ")
    assert reason in message


@pytest.mark.parametrize(
    ("distributions", "reason"),
    [
        ([{"region": REGION}], "One or more outputs should be provided for each region"),
        ([{"region": REGION, "amiDistributionConfiguration": {}}] * 2, f"'{REGION}' is declared more than once"),
        (
            [{"region": REGION, "amiDistributionConfiguration": {"name": "always-the-same"}}],
            "The AMI name must include {{ imagebuilder:buildDate }}.",
        ),
    ],
)
def test_distribution_that_cannot_work_is_refused(
    image_builder: Any, name: str, distributions: list[dict[str, Any]], reason: str
) -> None:
    message = refusal(image_builder.create_distribution_configuration, name=name, distributions=distributions)
    assert message.startswith("InvalidParameterValueException: The value supplied for parameter 'distributions[0]'")
    assert reason in message


def test_pipeline_refuses_a_recipe_that_does_not_exist(image_builder: Any, pipeline: dict[str, str], name: str) -> None:
    recipe = pipeline["imageRecipeArn"].replace("1.2.3", "1.2.4")
    message = refusal(
        image_builder.create_image_pipeline,
        name=f"{name} too",
        imageRecipeArn=recipe,
        infrastructureConfigurationArn=pipeline["infrastructureConfigurationArn"],
    )
    assert message == f"ResourceNotFoundException: The resource '{recipe}' does not exist."


def test_update_replaces_all_but_name_dates_and_tags(image_builder: Any, pipeline: dict[str, str]) -> None:
    arn = pipeline["imagePipelineArn"]
    needed = {key: pipeline[key] for key in ("imageRecipeArn", "infrastructureConfigurationArn")}
    image_builder.tag_resource(resourceArn=arn, tags={"team": "platform", "old": "yes"})
    image_builder.untag_resource(resourceArn=arn, tagKeys=["old"])
    schedule = {"scheduleExpression": "cron(0 3 ? * sun *)", "timezone": "Asia/Tokyo"}
    before = image_builder.get_image_pipeline(imagePipelineArn=arn)["imagePipeline"]
    image_builder.update_image_pipeline(imagePipelineArn=arn, schedule=schedule, **needed)
    after = image_builder.get_image_pipeline(imagePipelineArn=arn)["imagePipeline"]
    assert "distributionConfigurationArn" not in after
    assert after["schedule"]["timezone"] == "Asia/Tokyo"
    for member in ("arn", "name", "dateCreated", "tags"):
        assert after[member] == before[member]
    assert image_builder.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "platform"}


def test_same_client_token_gives_the_same_answer_once(image_builder: Any, name: str) -> None:
    fields = {"semanticVersion": "1.0.0", "platform": "Linux", "data": DOCUMENT, "clientToken": f"token {name}"}
    first = image_builder.create_component(name=name, **fields)
    again = image_builder.create_component(name=name, **fields)
    assert again["requestId"] == first["requestId"]
    message = refusal(image_builder.create_component, name=f"{name} too", **fields)
    assert message.startswith("IdempotentParameterMismatchException: ")


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


# Builds


def test_build_walks_the_states_and_leaves_an_ami_in_every_region(
    local_aws: LocalAws, image_builder: Any, pipeline: dict[str, str]
) -> None:
    local_aws.set_state_seconds(0.2)
    try:
        started = image_builder.start_image_pipeline_execution(imagePipelineArn=pipeline["imagePipelineArn"])
        images = list(followed(image_builder, started["imageBuildVersionArn"]))
    finally:
        local_aws.set_state_seconds(0)
    walk = ["PENDING", "CREATING", "BUILDING", "TESTING", "DISTRIBUTING", "INTEGRATING", "AVAILABLE"]
    seen = [status for status, _ in itertools.groupby(image["state"]["status"] for image in images)]
    assert seen == [status for status in walk if status in seen]
    assert seen[-1] == "AVAILABLE"
    assert images[0]["outputResources"] == {"amis": []}
    amis = images[-1]["outputResources"]["amis"]
    assert {ami["region"] for ami in amis} == {REGION, "us-east-1"}
    for output in amis:
        found = local_aws.client("ec2", region=output["region"]).describe_images(ImageIds=[output["image"]])
        (ami,) = found["Images"]
        tags = {tag["Key"]: tag["Value"] for tag in ami["Tags"]}
        assert ami["Name"].startswith("acme.web.20")
        assert ami["Architecture"] == "x86_64"
        assert ami["RootDeviceName"] == ami["BlockDeviceMappings"][0]["DeviceName"] == "/dev/xvda"
        assert ami["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"].startswith("snap-")
        assert ami["CreationDate"] >= images[-1]["dateCreated"]
        assert tags == {
            "CreatedBy": "EC2 Image Builder",
            "Ec2ImageBuilderArn": images[-1]["arn"],
            "team": "platform",
        }


def test_builds_of_a_recipe_are_counted_and_may_run_at_once(
    local_aws: LocalAws, image_builder: Any, pipeline: dict[str, str]
) -> None:
    local_aws.set_state_seconds(0.1)
    try:
        arns = [
            image_builder.start_image_pipeline_execution(imagePipelineArn=pipeline["imagePipelineArn"])[
                "imageBuildVersionArn"
            ]
            for _ in range(2)
        ]
        ends = [list(followed(image_builder, arn))[-1]["state"]["status"] for arn in arns]
    finally:
        local_aws.set_state_seconds(0)
    recipe = pipeline["imageRecipeArn"].replace("image-recipe", "image")
    assert arns == [f"{recipe}/1", f"{recipe}/2"]
    assert ends == ["AVAILABLE", "AVAILABLE"]
    image_builder.delete_image(imageBuildVersionArn=arns[1])
    assert build(image_builder, pipeline)["version"] == "1.2.3/3"


def test_build_without_tests_is_not_tested(local_aws: LocalAws, image_builder: Any, pipeline: dict[str, str]) -> None:
    image_builder.update_image_pipeline(
        imagePipelineArn=pipeline["imagePipelineArn"],
        imageRecipeArn=pipeline["imageRecipeArn"],
        infrastructureConfigurationArn=pipeline["infrastructureConfigurationArn"],
        imageTestsConfiguration={"imageTestsEnabled": False},
    )
    local_aws.fail_next_build(at="TESTING")
    image = build(image_builder, pipeline)
    assert image["state"]["status"] == "AVAILABLE"
    assert [ami["region"] for ami in image["outputResources"]["amis"]] == [REGION]


@pytest.mark.parametrize("state", ["BUILDING", "TESTING"])
def test_build_fails_where_the_test_asks_for_it_and_the_next_one_does_not(
    local_aws: LocalAws, image_builder: Any, pipeline: dict[str, str], state: Any
) -> None:
    local_aws.fail_next_build(at=state)
    failed = build(image_builder, pipeline)
    assert failed["state"]["status"] == "FAILED"
    assert f"failed with status = 'Failed' in state = '{state}'" in failed["state"]["reason"]
    assert failed["outputResources"] == {"amis": []}
    message = local_aws.messages()[-1]
    assert message["arn"] == failed["arn"]
    assert message["state"] == failed["state"]
    assert message["outputResources"] == {"amis": []}
    assert "buildExecutionId" not in message
    assert build(image_builder, pipeline)["state"] == {"status": "AVAILABLE"}


def test_build_starts_from_what_the_parameter_holds_then(
    local_aws: LocalAws, image_builder: Any, pipeline: dict[str, str], name: str
) -> None:
    parameter = f"/imagebuilder/{name.replace(' ', '-')}"
    follow_parent(image_builder, pipeline, f"ssm:{parameter}", name=name)
    missing = build(image_builder, pipeline)
    assert missing["state"] == {
        "status": "FAILED",
        "reason": f"The parameter '{parameter}' does not exist in {REGION}.",
    }
    assert local_aws.messages()[-1]["state"] == missing["state"]

    ec2, ssm = (local_aws.client(service, region=REGION) for service in ("ec2", "ssm"))
    for public, architecture in (("CentOS 8.4.2105 aarch64", "arm64"), ("CentOS 8.4.2105 x86_64", "x86_64")):
        source = found_ami(local_aws, public)["ImageId"]
        ssm.put_parameter(Name=parameter, Value=source, Type="String", Overwrite=True)
        image = build(image_builder, pipeline)
        assert (image["platform"], image["osVersion"], image["imageSource"]) == ("Linux", "CentOS Linux 8", "CUSTOM")
        here, abroad = image["outputResources"]["amis"]
        (made,) = ec2.describe_images(ImageIds=[here["image"]])["Images"]
        assert (made["Architecture"], made["RootDeviceName"]) == (architecture, "/dev/sda1")
        assert (made["SourceImageId"], made["SourceImageRegion"]) == (source, REGION)
        (copy,) = local_aws.client("ec2").describe_images(ImageIds=[abroad["image"]])["Images"]
        assert (copy["Architecture"], copy["SourceImageId"]) == (architecture, here["image"])

    ssm.put_parameter(Name=parameter, Value="ami-00000000000000000", Type="String", Overwrite=True)
    gone = build(image_builder, pipeline)["state"]
    assert gone["reason"] == f"The AMI 'ami-00000000000000000' does not exist in {REGION}."
    windows = found_ami(local_aws, "Windows_Server-2022-English-Core-Base-*")["ImageId"]
    ssm.put_parameter(Name=parameter, Value=windows, Type="String", Overwrite=True)
    other = build(image_builder, pipeline)["state"]
    assert other["reason"] == f"The recipe is for Linux, its parent 'ssm:{parameter}' is Windows."


def follow_parent(image_builder: Any, pipeline: dict[str, str], parent: str, *, name: str) -> None:
    """Give a pipeline a recipe from another parent."""
    component = {"componentArn": pipeline["componentBuildVersionArn"]}
    made = image_builder.create_image_recipe(
        name=name, semanticVersion="2.0.0", parentImage=parent, components=[component]
    )
    arns = {key: arn for key, arn in pipeline.items() if key not in ("topic", "componentBuildVersionArn")}
    image_builder.update_image_pipeline(**arns | {"imageRecipeArn": made["imageRecipeArn"]})


def test_own_image_is_a_parent(local_aws: LocalAws, image_builder: Any, pipeline: dict[str, str], name: str) -> None:
    base = build(image_builder, pipeline)
    follow_parent(image_builder, pipeline, base["arn"].replace("/1.2.3/1", "/x.x.x"), name=name)
    child = build(image_builder, pipeline)["outputResources"]["amis"][0]
    (made,) = local_aws.client("ec2", region=REGION).describe_images(ImageIds=[child["image"]])["Images"]
    assert made["SourceImageId"] == base["outputResources"]["amis"][0]["image"]


@pytest.mark.parametrize(
    ("parent", "infrastructure", "reason"),
    [
        (
            "macos-sonoma-arm64",
            {"instanceTypes": ["mac2-m2.metal"], "placement": {"tenancy": "dedicated"}},
            "An error occurred (Unsupported) when calling the RunInstances operation: The requested configuration is "
            "currently not supported. Please check the documentation for supported configurations.",
        ),
        (
            "macos-sonoma-arm64",
            {"instanceTypes": ["mac1.metal"], "placement": {"tenancy": "host"}},
            "The architecture 'x86_64_mac' of the specified instance type does not match the architecture 'arm64_mac' "
            "of the specified AMI.",
        ),
        (
            "amazon-linux-2-x86",
            {"instanceTypes": ["t3.micro", "t4g.micro"]},
            "The architecture 'arm64' of the specified instance type does not match the architecture 'x86_64' of the "
            "specified AMI.",
        ),
        (
            "amazon-linux-2-arm64",
            {"instanceTypes": ["g4dn.xlarge"]},
            "The architecture 'x86_64' of the specified instance type does not match the architecture 'arm64' of the "
            "specified AMI.",
        ),
        ("macos-sonoma-x86", {"instanceTypes": ["mac1.metal"], "placement": {"tenancy": "host"}}, None),
        ("amazon-linux-2-arm64", {"instanceTypes": ["a1.large", "im4gn.large", "g5g.xlarge"]}, None),
    ],
)
def test_build_fails_where_its_instance_would_not_start(
    local_aws: LocalAws, image_builder: Any, name: str, parent: str, infrastructure: dict[str, Any], reason: str | None
) -> None:
    recipe = image_builder.create_image_recipe(
        name=name, semanticVersion="1.0.0", parentImage=MANAGED_PARENT.replace("amazon-linux-2023-x86", parent)
    )
    configuration = image_builder.create_infrastructure_configuration(
        name=name, instanceProfileName=instance_profile(local_aws), **infrastructure
    )
    arns = {key: made[key] for made in (recipe, configuration) for key in made if key.endswith("Arn")}
    state = build(image_builder, image_builder.create_image_pipeline(name=name, **arns))["state"]
    assert state["status"] == ("FAILED" if reason else "AVAILABLE")
    if reason:
        assert reason in state["reason"]
        assert state["reason"].endswith(" in workflow step LaunchBuildInstance")


def test_cancelled_build_stays_cancelled_and_says_nothing(
    local_aws: LocalAws, image_builder: Any, pipeline: dict[str, str]
) -> None:
    local_aws.set_state_seconds(30)
    try:
        started = image_builder.start_image_pipeline_execution(imagePipelineArn=pipeline["imagePipelineArn"])
        arn = started["imageBuildVersionArn"]
        assert refusal(image_builder.delete_image, imageBuildVersionArn=arn).startswith("ResourceDependencyException: ")
        image_builder.cancel_image_creation(imageBuildVersionArn=arn)
    finally:
        local_aws.set_state_seconds(0)
    image = image_builder.get_image(imageBuildVersionArn=arn)["image"]
    assert image["state"] == {"status": "CANCELLED"}
    assert refusal(image_builder.cancel_image_creation, imageBuildVersionArn=arn).startswith(
        "InvalidRequestException: "
    )
    assert arn not in [message["arn"] for message in local_aws.messages()]


def test_topic_gets_a_message_in_the_form_that_aws_documents(
    local_aws: LocalAws, image_builder: Any, pipeline: dict[str, str], name: str
) -> None:
    sqs = local_aws.client("sqs", region=REGION)
    queue = sqs.create_queue(QueueName=name.replace(" ", "-"))["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    local_aws.client("sns", region=REGION).subscribe(TopicArn=pipeline["topic"], Protocol="sqs", Endpoint=queue_arn)
    image = build(image_builder, pipeline)
    (received,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"]
    message = json.loads(json.loads(received["Body"])["Message"])
    assert message["versionlessArn"] == image["arn"].removesuffix("/1.2.3/1")
    assert message["semver"] == (1 << 90) + (2 << 60) + (3 << 30) + 1
    assert (message["version"], message["buildVersion"]) == ("1.2.3", 1)
    assert message["state"] == {"status": "AVAILABLE"}
    assert message["sourcePipelineArn"] == pipeline["imagePipelineArn"]
    assert message["imageTestsConfigurationDocument"] == {"imageTestsEnabled": True, "timeoutMinutes": 720}
    assert message["outputResources"] == {
        "amis": [
            {key: ami[key] for key in ("region", "image", "name", "accountId")}
            for ami in image["outputResources"]["amis"]
        ]
    }
    # "Jul 28, 2022 1:13:45 AM": no leading zero in the hour.
    assert time.strptime(message["dateCreated"], "%b %d, %Y %I:%M:%S %p")
    assert " 0" not in message["dateCreated"]
    for part in ("imageRecipe", "infrastructureConfiguration", "distributionConfiguration"):
        assert message[part]["tags"]["resourceArn"] == message[part]["arn"]
        assert message[part]["accountId"] == "000000000000"


# The process


def test_port_that_is_in_use_is_one_line(local_aws: LocalAws) -> None:
    port = int(local_aws.endpoint.rpartition(":")[2])
    with pytest.raises(LocalAwsError) as refused, LocalAws(port=port):
        pass
    assert str(refused.value) == (
        f"the local AWS did not start: local AWS: port {port} of 127.0.0.1 is not available: Address already in use"
    )


def test_environment_leads_here_whatever_the_shell_says(local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", "https://ssm.example.com")
    environment = local_aws.environment(region=REGION)
    assert {name for name in environment if name.startswith("AWS_")} == {
        "AWS_ENDPOINT_URL",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_EC2_METADATA_DISABLED",
    }
    assert environment["AWS_ENDPOINT_URL"] == local_aws.endpoint
    assert environment["AWS_REGION"] == REGION


linux_only = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="looks at Linux's /proc")


@linux_only
def test_listens_on_one_loopback_port_and_keeps_nothing_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HOME", "TMPDIR"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with LocalAws() as aws:
        aws.client("s3").create_bucket(Bucket="a-bucket")
        aws.client("s3").put_object(Bucket="a-bucket", Key="a", Body=b"a" * 100_000)
        aws.client("ssm").put_parameter(Name="/a", Value="a", Type="String")
        build(aws.client("imagebuilder", region=REGION), make_pipeline(aws, "on disk"))
        port = int(aws.endpoint.rpartition(":")[2])
        assert listening(aws.pid) == [f"0100007F:{port:04X}"]  # 127.0.0.1, in the kernel's notation
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert list(tmp_path.iterdir()) == []


def listening(pid: int) -> list[str]:
    """The local addresses on which the process listens, or has a datagram socket."""
    sockets = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            sockets.add(os.readlink(descriptor))
        except FileNotFoundError:
            continue
    found = []
    for table, states in (("tcp", ("0A",)), ("tcp6", ("0A",)), ("udp", ("07",)), ("udp6", ("07",))):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] in states and f"socket:[{fields[9]}]" in sockets:
                found.append(fields[1])
    return found


def test_call_that_is_repeated_because_its_answer_was_lost_is_done_once(local_aws: LocalAws) -> None:
    iam = local_aws.client("iam")
    role = {"RoleName": "repeated", "AssumeRolePolicyDocument": "{}"}

    def attempt(request: Any, **_: Any) -> None:
        request.headers["amz-sdk-invocation-id"] = "1f2e3d4c"

    iam.meta.events.register("before-send.iam.CreateRole", attempt)
    try:
        first, second = iam.create_role(**role), iam.create_role(**role)
    finally:
        iam.meta.events.unregister("before-send.iam.CreateRole", attempt)

    assert first["Role"] == second["Role"]
    assert refusal(iam.create_role, **role).startswith("EntityAlreadyExists"), "another call"


def test_reset_forgets_everything() -> None:
    with LocalAws(state_seconds=30) as aws:
        pipeline = make_pipeline(aws, "to be forgotten")
        image_builder = aws.client("imagebuilder", region=REGION)
        image_builder.start_image_pipeline_execution(imagePipelineArn=pipeline["imagePipelineArn"])
        aws.reset()
        assert image_builder.list_images()["imageVersionList"] == []
        assert image_builder.list_components()["componentVersionList"] == []
        assert aws.client("sns", region=REGION).list_topics()["Topics"] == []


@linux_only
def test_functions_end_with_the_server() -> None:
    with LocalAws() as aws:
        assert invoke_function(aws) == {"endpoint": aws.endpoint}
        group = aws.pid
        assert len(processes_of(group)) > 1
    assert processes_of(group) == []


@linux_only
def test_server_ends_when_stdin_closes() -> None:
    command = [sys.executable, "-m", "local_aws", "--port", "0", "--until-stdin-closes"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True, start_new_session=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline().startswith("local AWS ready at http://127.0.0.1:")
        process.stdin.close()
        assert process.stdout.read() == ""
        assert process.wait(timeout=30) == 0
    assert processes_of(process.pid) == []


STARTS_AND_WAITS = """
import time
from tests.local_aws.test_local_aws import LocalAws, invoke_function
with LocalAws() as aws:
    invoke_function(aws)
    print(aws.pid, flush=True)
    time.sleep(600)
"""


@linux_only
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_stays_behind_when_the_parent_is_killed(number: signal.Signals, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTS_AND_WAITS],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        text=True,
    ) as parent:
        assert parent.stdout is not None
        group = int(parent.stdout.readline())
        assert len(processes_of(group)) > 1
        parent.send_signal(number)
        parent.wait(timeout=30)
    wait_until(lambda: processes_of(group) == [])
    assert list(tmp_path.iterdir()) == []


def processes_of(group: int) -> list[int]:
    """The running processes of a process group."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, _, rest = stat.read_text().partition(" ")
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, _, process_group, *_ = rest.rpartition(")")[2].split()
        if int(process_group) == group and state != "Z":
            found.append(int(pid))
    return found


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold within 30 seconds"
        time.sleep(0.05)


def invoke_function(aws: LocalAws) -> Any:
    """Make and run a Lambda function that returns the address where it would reach AWS."""
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr(
            "tells/handler.py",
            "import os\ndef handle(event, context):\n    return {'endpoint': os.environ['AWS_ENDPOINT_URL']}\n",
        )
    # Not through `aws.client`: a function is not to be invoked twice because it is slow.
    config = Config(retries={"total_max_attempts": 1})
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
    client = session.client("lambda", endpoint_url=aws.endpoint, config=config)
    client.create_function(
        FunctionName="tells",
        Runtime="python3.13",
        Handler="tells.handler.handle",
        Role="arn:aws:iam::000000000000:role/tells",
        Code={"ZipFile": archive.getvalue()},
    )
    client.get_waiter("function_active_v2").wait(FunctionName="tells")
    answer = json.load(client.invoke(FunctionName="tells")["Payload"])
    client.close()
    return answer
