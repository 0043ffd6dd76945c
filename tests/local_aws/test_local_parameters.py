"""The limits of Parameter Store on the local AWS, which refuses the same as AWS, with AWS's messages."""

from __future__ import annotations

import itertools
from typing import Any

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
