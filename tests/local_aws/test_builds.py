"""Builds of the local Image Builder, from their first state to AMIs and messages."""

import itertools
import json
import time
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.support.image_builder import (
    MANAGED_PARENT,
    REGION,
    build,
    followed,
    instance_profile,
    refusal,
)


def found_ami(aws: LocalAws, name: str) -> dict[str, Any]:
    """The one AMI with this name, of any account."""
    filters = [{"Name": "name", "Values": [name]}]
    (image,) = aws.client("ec2", region=REGION).describe_images(Filters=filters)["Images"]
    found: dict[str, Any] = image
    return found


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
