"""Holds the AWS in memory true: the same calls get the same answers from the local AWS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local_aws.server import LocalAws
from tests.support.handoff_world import HOME, ContainerImageWorld, ImageWorld
from tests.support.memory_aws import ACCOUNT, Cloud
from tests.support.memory_world import MemoryWorld

Calls = list[tuple[str, dict[str, Any]]]
PUT = {"Type": "String", "Value": "1"}
ON_PARAMETERS: Calls = [
    *(("put_parameter", {**PUT, "Name": name}) for name in ("a", "b", "below/c")),
    *(("put_parameter", {**PUT, "Name": "a", "Value": value, "Overwrite": True}) for value in ("1", "2")),
    ("put_parameter", {**PUT, "Name": "b", "Overwrite": True, "Description": "one"}),
    ("put_parameter", {**PUT, "Name": "b", "Overwrite": True, "Description": "x" * 1025}),
    ("put_parameter", {**PUT, "Name": "b", "Tags": [{"Key": "team", "Value": "a"}]}),
    ("put_parameter", {**PUT, "Name": "b", "Overwrite": True, "Tags": [{"Key": "team", "Value": "a"}]}),
    ("put_parameter", {**PUT, "Name": "a", "Overwrite": True, "DataType": "aws:ec2:image"}),
    *(("get_parameter", {"Name": name}) for name in ("a", "b")),
    *(("get_parameter_history", {"Name": name}) for name in ("a", "b")),
    ("delete_parameter", {"Name": "b"}),
    *[("get_parameters_by_path", {"Path": ""})] * 3,
]
MOVE, CACHE = "moves/web/1.json", "cache/web.json"
ON_OBJECTS: Calls = [
    *(("put_object", {"Key": key, "Body": b"{}", "IfNoneMatch": "*"}) for key in (MOVE, "moves/web/2.json")),
    *(("put_object", {"Key": CACHE, "Body": body}) for body in (b"{}", b"\xff")),
    ("put_object", {"Key": CACHE, "Body": b"", "ExpectedBucketOwner": ACCOUNT}),
    ("put_object", {"Key": CACHE, "Body": b"", "ExpectedBucketOwner": "111111111111"}),
    *(("get_object", {"Key": key}) for key in (MOVE, CACHE)),
    *(("list_objects_v2", {"Prefix": "moves/web/", "StartAfter": after}) for after in ("", MOVE)),
]
QUICK = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
NUMBERS = iter(range(1_000_000))
SHOWN = {
    *("Name", "Type", "Value", "Version", "DataType", "Description", "Parameters", "Parameter"),
    *("Key", "Contents", "Body", "ETag"),
}
"""The members of answers that are compared; the rest is times and who asked."""


def answer(call: Callable[..., Any], params: Mapping[str, Any]) -> Any:
    """The answer without what differs in any case, or the refusal: code and status."""
    try:
        return shown(call(**params))
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]


def shown(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: shown(each) for key, each in value.items() if key in SHOWN and each != ""}
    if isinstance(value, list):
        return [shown(each) for each in value]
    return value.read() if hasattr(value, "read") else value


@given(calls=st.lists(st.sampled_from(ON_PARAMETERS), min_size=10, max_size=20))
@QUICK
def test_parameter_store(local_aws: LocalAws, calls: Calls) -> None:
    folder = f"/memory/{next(NUMBERS)}"
    real, memory = local_aws.client("ssm", region=HOME), Cloud().client("ssm", region=HOME)
    for operation, params in calls:
        named = {**params, **({"Name": f"{folder}/{params['Name']}"} if "Name" in params else {"Path": folder})}
        assert answer(getattr(memory, operation), named) == answer(getattr(real, operation), named), operation


@given(
    calls=st.lists(st.sampled_from(ON_OBJECTS), min_size=5, max_size=15), exists=st.sampled_from([True, True, False])
)
@QUICK
def test_s3(local_aws: LocalAws, calls: Calls, exists: bool) -> None:
    bucket, cloud = f"memory-{next(NUMBERS)}", Cloud()
    real, memory = local_aws.client("s3", region=HOME), cloud.client("s3", region=HOME)
    if exists:
        real.create_bucket(Bucket=bucket)
        cloud.buckets[bucket] = {}
    for operation, params in calls:
        named = {"Bucket": bucket, **params}
        assert answer(getattr(memory, operation), named) == answer(getattr(real, operation), named), operation


@pytest.mark.parametrize("kind", [ImageWorld, ContainerImageWorld])
def test_builds_and_outputs(local_aws: LocalAws, kind: type[ImageWorld]) -> None:
    real = kind(local_aws)
    memory = MemoryWorld(container=kind is ContainerImageWorld)
    arns = real.build(), memory.build()
    clients = real.other_imagebuilder, memory.cloud.client("imagebuilder", region=HOME)
    images = []
    for arn, client in zip(arns, clients, strict=True):
        pipeline = client.get_image(imageBuildVersionArn=arn)["image"]["sourcePipelineArn"]
        client.tag_resource(resourceArn=arn, tags={"a": "1", "b": "2"})
        client.untag_resource(resourceArn=arn, tagKeys=["a", "c"])
        (summary,) = client.list_image_pipeline_images(imagePipelineArn=pipeline)["imageSummaryList"]
        image = client.get_image(imageBuildVersionArn=arn)["image"]
        images.append((summary, image))
        for operation in (client.get_image, client.tag_resource):
            gone = {"imageBuildVersionArn": f"{arn}9"} if operation == client.get_image else {"resourceArn": f"{arn}9"}
            tags = {"tags": {"a": "1"}} if operation == client.tag_resource else {}
            assert answer(operation, {**gone, **tags}) == ("ResourceNotFoundException", 404)
        assert client.list_image_pipeline_images(imagePipelineArn=f"{pipeline}9")["imageSummaryList"] == []
    for mine, theirs in zip(images[1], images[0], strict=True):
        assert mine["tags"] == theirs["tags"] == {"b": "2"}
        assert mine["state"] == theirs["state"]
        assert mine.keys() <= theirs.keys() | {"imageRecipe"}
        (name,) = mine["outputResources"]
        assert mine["outputResources"][name][0].keys() <= theirs["outputResources"][name][0].keys()
    _check_outputs(real, memory, arns)


def _check_outputs(real: ImageWorld, memory: MemoryWorld, arns: tuple[str, str]) -> None:
    gone = "ami-0f0f0f0f"
    values = real.values(arns[0])[HOME], memory.values(arns[1])[HOME]
    registries = real.registry[HOME], memory.cloud.client(real.keeper, region=HOME)
    found = []
    for value, registry in zip(values, registries, strict=True):
        if real.keeper == "ec2":
            registry.create_tags(Resources=[value], Tags=[{"Key": "goldsmith:revoked", "Value": "x"}])
            by_id = registry.describe_images(Filters=[{"Name": "image-id", "Values": [value, gone]}])["Images"]
            by_tag = registry.describe_images(
                Owners=["self"], Filters=[{"Name": "tag-key", "Values": ["goldsmith:revoked"]}], IncludeDisabled=True
            )["Images"]
            assert value in [image["ImageId"] for image in by_tag]
            registry.delete_tags(Resources=[value], Tags=[{"Key": "goldsmith:revoked"}])
            refused = answer(registry.create_tags, {"Resources": [gone], "Tags": [{"Key": "a", "Value": "b"}]})
            found.append(
                [{key: image[key] for key in ("OwnerId", "Architecture", "State")} for image in by_id] + [refused]
            )
        else:
            tag = arns[len(found)].rpartition("/")[0].rpartition("/")[2] + "-1"
            repository = value.partition("/")[2].partition("@")[0]
            by_tag = registry.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"]
            assert by_tag[0]["imageDigest"] == value.partition("@")[2]
            found.append([len(by_tag), tag in by_tag[0]["imageTags"]])
    assert found[0] == found[1]
