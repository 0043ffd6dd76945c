"""What the local AWS keeps of the calls that it receives: who called which operation, with which parameters."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local_aws.server import LocalAws
from tests.support.image_builder import REGION

ACCOUNT = "310000000001"


@pytest.fixture
def recorder(local_aws: LocalAws) -> Iterator[LocalAws]:
    local_aws.record_calls("recorded-program")
    yield local_aws
    local_aws.record_calls(None)


def client(aws: LocalAws, service: str, *, agent: str = "recorded-program", **credentials: str) -> Any:
    keys = credentials or {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": "test"}
    config = Config(user_agent_extra=agent, s3={"addressing_style": "path"})
    return boto3.client(service, region_name=REGION, endpoint_url=aws.endpoint, config=config, **keys)  # type: ignore[call-overload]


def test_operations_of_each_protocol_are_named_as_aws_names_them(recorder: LocalAws) -> None:
    ec2, ssm, s3 = (client(recorder, service) for service in ("ec2", "ssm", "s3"))
    bucket = "calls-that-are-kept"
    ec2.describe_images(Owners=["self"])
    ssm.get_parameters_by_path(Path="/calls")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key="a/b c", Body=b"1")
    s3.head_object(Bucket=bucket, Key="a/b c")
    s3.list_objects_v2(Bucket=bucket)
    with pytest.raises(ClientError):
        s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    client(recorder, "lambda").list_functions()
    arn = f"arn:aws:imagebuilder:{REGION}:{ACCOUNT}:image-pipeline/none"
    with pytest.raises(ClientError):
        client(recorder, "imagebuilder").get_image_pipeline(imagePipelineArn=arn)
    client(recorder, "cloudwatch").describe_alarms(AlarmNamePrefix="none")

    calls = recorder.calls()
    assert [(call.service, call.operation) for call in calls] == [
        ("ec2", "DescribeImages"),
        ("ssm", "GetParametersByPath"),
        ("s3", "CreateBucket"),
        ("s3", "PutObject"),
        ("s3", "HeadObject"),
        ("s3", "ListObjectsV2"),
        ("s3", "GetBucketLifecycleConfiguration"),
        ("lambda", "ListFunctions"),
        ("imagebuilder", "GetImagePipeline"),
        ("monitoring", "DescribeAlarms"),
    ]
    by_operation = {call.operation: call.parameters for call in calls}
    assert by_operation["DescribeImages"]["Owner"] == ["self"]
    assert by_operation["GetParametersByPath"] == {"Path": "/calls"}
    assert by_operation["HeadObject"].items() >= {"Bucket": bucket, "Key": "a/b c"}.items()
    assert by_operation["GetImagePipeline"]["imagePipelineArn"] == arn
    assert {call.region for call in calls} == {REGION}


def test_each_different_call_is_kept_once_with_its_caller(recorder: LocalAws) -> None:
    role = recorder.make_role("calls", account=ACCOUNT, trusts=[ACCOUNT])
    session = client(recorder, "sts").assume_role(RoleArn=role, RoleSessionName="me")["Credentials"]
    keys = {"aws_access_key_id": session["AccessKeyId"], "aws_secret_access_key": session["SecretAccessKey"]}
    ssm = client(recorder, "ssm", **keys, aws_session_token=session["SessionToken"])
    for path in ("/one", "/two", "/one"):
        ssm.get_parameters_by_path(Path=path)
    client(recorder, "ssm", agent="another-program").get_parameters_by_path(Path="/three")

    assert [(call.operation, call.caller, call.parameters.get("Path")) for call in recorder.calls()] == [
        ("AssumeRole", f"arn:aws:iam::{ACCOUNT}:root", None),
        ("GetParametersByPath", f"arn:aws:sts::{ACCOUNT}:assumed-role/calls/me", "/one"),
        ("GetParametersByPath", f"arn:aws:sts::{ACCOUNT}:assumed-role/calls/me", "/two"),
    ]


def test_nothing_is_kept_unless_somebody_asks(local_aws: LocalAws) -> None:
    local_aws.record_calls(None)
    client(local_aws, "ssm").get_parameters_by_path(Path="/four")
    assert local_aws.calls() == []
