"""Resources of the local Image Builder: what is accepted, refused, kept and deleted."""

import itertools
from typing import Any

import pytest

from local_aws.server import LocalAws
from tests.support.image_builder import (
    DOCUMENT,
    MANAGED_PARENT,
    REGION,
    TEST_DOCUMENT,
    instance_profile,
    refusal,
)

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
