"""The limits of Parameter Store on the local AWS, which refuses the same as AWS, with AWS's messages."""

from __future__ import annotations

import itertools
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local_aws.server import LocalAws

_numbers = itertools.count(1)


@pytest.fixture
def ssm(local_aws: LocalAws) -> Any:
    return local_aws.client("ssm", region="us-east-1")


@pytest.fixture
def name() -> str:
    return f"/limits/{next(_numbers)}"


@pytest.mark.parametrize(
    ("member", "text", "words"),
    [
        ("Description", "x" * 1025, "at 'description' failed to satisfy constraint: Member must have length less than"),
        (
            "Value",
            "x" * 4097,
            "Standard tier parameters support a maximum parameter value of 4096 characters. To create",
        ),
    ],
)
def test_what_is_too_long_is_refused(ssm: Any, name: str, member: str, text: str, words: str) -> None:
    request = {"Name": name, "Value": "ami-0123", "Type": "String", member: text}
    with pytest.raises(ClientError, match=words) as refusal:
        ssm.put_parameter(**request)
    assert refusal.value.response["Error"]["Code"] == "ValidationException"
    ssm.put_parameter(**{**request, member: text[:-1]})


def test_characters_are_counted_and_not_bytes(ssm: Any, name: str) -> None:
    text = "ゴ" * 1024
    ssm.put_parameter(Name=name, Value=text * 4, Type="String", Description=text)
    ssm.put_parameter(Name=name, Value=text * 8, Type="String", Tier="Advanced", Overwrite=True)
    ssm.put_parameter(Name=name, Value=text * 7, Overwrite=True)
    with pytest.raises(ClientError, match="Advanced tier parameters support a maximum parameter value of 8192 charact"):
        ssm.put_parameter(Name=name, Value=text * 9, Tier="Advanced", Overwrite=True)


def test_data_type_stays(ssm: Any, name: str) -> None:
    ssm.put_parameter(Name=name, Value="ami-0123", Type="String", DataType="aws:ec2:image")
    with pytest.raises(ClientError, match="aws:ec2:image, which cannot be changed"):
        ssm.put_parameter(Name=name, Value="ami-0123", DataType="text", Overwrite=True)
    ssm.put_parameter(Name=name, Value="ami-0124", Overwrite=True)
    assert ssm.get_parameter(Name=name)["Parameter"]["DataType"] == "aws:ec2:image"


def test_a_hundred_versions_are_kept_and_a_label_on_the_oldest_stops_the_next(ssm: Any, name: str) -> None:
    for number in range(101):
        ssm.put_parameter(Name=name, Value=f"ami-{number}", Type="String", Overwrite=True)
    pages = ssm.get_paginator("get_parameter_history").paginate(Name=name)
    kept = [version["Version"] for page in pages for version in page["Parameters"]]
    assert kept == list(range(2, 102))

    ssm.label_parameter_version(Name=name, ParameterVersion=2, Labels=["approved"])
    with pytest.raises(ClientError, match="Version 2, the oldest version, can't be deleted because it has a label"):
        ssm.put_parameter(Name=name, Value="ami-101", Overwrite=True)
    ssm.label_parameter_version(Name=name, ParameterVersion=101, Labels=["approved"])
    ssm.put_parameter(Name=name, Value="ami-101", Overwrite=True)


def test_history_says_who_wrote_each_version(local_aws: LocalAws, ssm: Any, name: str) -> None:
    role = local_aws.make_role("promoter", account="000000000000", trusts=["000000000000"])
    key = local_aws.client("sts").assume_role(RoleArn=role, RoleSessionName="kim@example.com")["Credentials"]
    session = boto3.client(
        "ssm",
        region_name="us-east-1",
        endpoint_url=local_aws.endpoint,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        aws_session_token=key["SessionToken"],
    )
    ssm.put_parameter(Name=name, Value="ami-0", Type="String")
    session.put_parameter(Name=name, Value="ami-1", Overwrite=True)
    by_role = "arn:aws:sts::000000000000:assumed-role/promoter/kim@example.com"
    history = ssm.get_parameter_history(Name=name)["Parameters"]
    assert [version["LastModifiedUser"] for version in history] == ["arn:aws:iam::000000000000:root", by_role]
    asked = [{"Key": "Name", "Values": [name]}]
    (described,) = ssm.describe_parameters(ParameterFilters=asked)["Parameters"]
    assert described["LastModifiedUser"] == by_role

    abroad = local_aws.client("ssm", region="eu-west-1")
    abroad.put_parameter(Name=name, Value="ami-0", Type="String")
    abroad.put_parameter(Name=name, Value="ami-1", Overwrite=True)
    other = [version["LastModifiedUser"] for version in abroad.get_parameter_history(Name=name)["Parameters"]]
    assert other == ["arn:aws:iam::000000000000:root"] * 2


def test_each_version_has_its_description_and_one_without_keeps_the_last(ssm: Any, name: str) -> None:
    # the AWS provider relies on it: it sends a description only when that changes (internal/service/ssm/parameter.go)
    ssm.put_parameter(Name=name, Value="ami-0", Type="String", Description="first")
    ssm.put_parameter(Name=name, Value="ami-1", Overwrite=True)
    ssm.put_parameter(Name=name, Value="ami-2", Overwrite=True, Description="third")
    history = ssm.get_parameter_history(Name=name)["Parameters"]
    assert [version["Description"] for version in history] == ["first", "first", "third"]
