"""S3 of the local AWS: conditional writes, expected owners and pages, as in AWS."""

import http.client
import itertools
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local_aws.server import LocalAws
from tests.support.image_builder import refusal

KEY = "history/web/00000007.json"
OTHER = "777777777777"
numbers = itertools.count(1)


@pytest.fixture
def s3(local_aws: LocalAws) -> Any:
    return local_aws.client("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"conditional-{next(numbers)}"
    s3.create_bucket(Bucket=name)
    return name


class SlowWrite:
    """A PutObject request that the server has begun to answer, and whose body comes later."""

    def __init__(self, aws: LocalAws, bucket: str, **conditions: str) -> None:
        address = f"{aws.endpoint}/{bucket}/{KEY}"
        headers = {name.replace("_", "-"): value for name, value in conditions.items()}
        headers |= {"Content-Length": "4", "Expect": "100-continue"}
        request = AWSRequest("PUT", address, data=b"slow", headers=headers)
        SigV4Auth(Credentials("test", "test"), "s3", "us-east-1").add_auth(request)
        self._connection = http.client.HTTPConnection(urlsplit(address).netloc)
        self._connection.putrequest("PUT", urlsplit(address).path)
        for name, value in request.headers.items():
            self._connection.putheader(name, value)
        self._connection.endheaders()
        assert self._connection.sock.recv(1024).startswith(b"HTTP/1.1 100")

    def finish(self) -> tuple[int, str]:
        """The status and the body of the answer."""
        self._connection.send(b"slow")
        answer = self._connection.getresponse()
        result = answer.status, answer.read().decode()
        self._connection.close()
        return result


# Conditional writes


def test_key_that_exists_is_not_written_again(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key=KEY, Body=b"first", IfNoneMatch="*")
    assert refusal(s3.put_object, Bucket=bucket, Key=KEY, Body=b"second", IfNoneMatch="*").startswith(
        "PreconditionFailed: "
    )
    assert s3.get_object(Bucket=bucket, Key=KEY)["Body"].read() == b"first"
    s3.delete_object(Bucket=bucket, Key=KEY)
    s3.put_object(Bucket=bucket, Key=KEY, Body=b"third", IfNoneMatch="*")


def test_key_under_a_delete_marker_does_not_exist(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=bucket, Key=KEY, Body=b"first")
    s3.delete_object(Bucket=bucket, Key=KEY)
    s3.put_object(Bucket=bucket, Key=KEY, Body=b"second", IfNoneMatch="*")


def test_only_what_matches_is_replaced(s3: Any, bucket: str) -> None:
    assert refusal(s3.put_object, Bucket=bucket, Key=KEY, Body=b"", IfMatch='"0"').startswith("NoSuchKey: ")
    first = s3.put_object(Bucket=bucket, Key=KEY, Body=b"first")["ETag"]
    s3.put_object(Bucket=bucket, Key=KEY, Body=b"second", IfMatch=first)
    assert refusal(s3.put_object, Bucket=bucket, Key=KEY, Body=b"third", IfMatch=first).startswith(
        "PreconditionFailed: "
    )


def test_absence_of_one_content_is_not_a_condition(s3: Any, bucket: str) -> None:
    assert refusal(s3.put_object, Bucket=bucket, Key=KEY, Body=b"", IfNoneMatch='"0"') == (
        "NotImplemented: A header you provided implies functionality that is not implemented"
    )


def test_of_parallel_writers_exactly_one_succeeds(local_aws: LocalAws, s3: Any, bucket: str) -> None:
    def write(number: int) -> str:
        try:
            s3.put_object(Bucket=bucket, Key=f"{KEY}.{number % 20}", Body=str(number).encode(), IfNoneMatch="*")
        except s3.exceptions.ClientError as refused:
            return str(refused.response["Error"]["Code"])
        return f"written {number % 20}"

    with ThreadPoolExecutor(8) as writers:
        ends = Counter(writers.map(write, range(160)))
    refused = ends.pop("PreconditionFailed", 0) + ends.pop("ConditionalRequestConflict", 0)
    assert ends == {f"written {number}": 1 for number in range(20)}
    assert refused == 140


Change = Callable[[Any, str], object]


def write(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key=KEY, Body=b"fast")


def delete(s3: Any, bucket: str) -> None:
    s3.delete_object(Bucket=bucket, Key=KEY)


def nothing(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key=f"{KEY}.other", Body=b"fast")


@pytest.mark.parametrize(
    ("conditions", "before", "meanwhile", "status", "code"),
    [
        ({"If_None_Match": "*"}, nothing, nothing, 200, ""),
        ({"If_None_Match": "*"}, nothing, write, 409, "ConditionalRequestConflict"),
        ({"If_None_Match": "*"}, write, delete, 409, "ConditionalRequestConflict"),
        ({"If_None_Match": "*"}, write, nothing, 412, "PreconditionFailed"),
        ({"If_Match": '"0"'}, write, write, 409, "ConditionalRequestConflict"),
        ({"If_Match": '"0"'}, write, delete, 404, "NoSuchKey"),
        ({}, write, write, 200, ""),
    ],
)
def test_write_that_meets_another_is_refused_in_its_own_way(
    local_aws: LocalAws,
    s3: Any,
    bucket: str,
    conditions: dict[str, str],
    before: Change,
    meanwhile: Change,
    status: int,
    code: str,
) -> None:
    before(s3, bucket)
    slow = SlowWrite(local_aws, bucket, **conditions)
    meanwhile(s3, bucket)
    answered, body = slow.finish()
    assert (answered, code in body) == (status, True)


def test_conflict_comes_when_asked_for_and_once(local_aws: LocalAws, s3: Any, bucket: str) -> None:
    local_aws.conflict_next_write(bucket)
    s3.put_object(Bucket=bucket, Key=KEY, Body=b"unconditional")
    s3.delete_object(Bucket=bucket, Key=KEY)
    assert refusal(s3.put_object, Bucket=bucket, Key=KEY, Body=b"", IfNoneMatch="*").startswith(
        "ConditionalRequestConflict: "
    )
    s3.put_object(Bucket=bucket, Key=KEY, Body=b"", IfNoneMatch="*")


# Owners


def test_bucket_of_another_owner_than_expected_is_refused(local_aws: LocalAws, s3: Any, bucket: str) -> None:
    own = {"Bucket": bucket, "ExpectedBucketOwner": "000000000000"}
    s3.put_object(**own, Key=KEY, Body=b"moved")
    assert s3.list_objects_v2(**own)["KeyCount"] == 1
    wrong = {"Bucket": bucket, "ExpectedBucketOwner": OTHER}
    for call, more in (
        (s3.put_object, {"Key": KEY, "Body": b"other"}),
        (s3.get_object, {"Key": KEY}),
        (s3.list_objects_v2, {}),
        (s3.delete_object, {"Key": KEY}),
    ):
        assert refusal(call, **wrong, **more) == "AccessDenied: Access Denied"
    assert refusal(s3.head_object, **wrong, Key=KEY) == "403: Forbidden"
    assert s3.get_object(**own, Key=KEY)["Body"].read() == b"moved"

    others = local_aws.client("s3", account=OTHER)
    assert refusal(others.get_object, **own, Key=KEY).startswith("AccessDenied: ")
    assert refusal(others.create_bucket, Bucket=bucket).startswith("BucketAlreadyExists: ")


def test_owner_is_an_account_and_the_bucket_exists(s3: Any, bucket: str) -> None:
    asked = {"Key": KEY, "ExpectedBucketOwner": OTHER}
    assert refusal(s3.get_object, Bucket="never-made", **asked).startswith("NoSuchBucket: ")
    assert refusal(s3.put_object, Bucket="never-made", Body=b"a move", **asked).startswith("NoSuchBucket: ")
    assert refusal(s3.get_object, Bucket=bucket, Key=KEY, ExpectedBucketOwner="acme").startswith(
        "InvalidBucketOwnerAWSAccountID: "
    )


# Pages


def test_keys_are_listed_in_order_from_any_place(s3: Any, bucket: str) -> None:
    for number in (11, 3, 7, 1, 9):
        s3.put_object(Bucket=bucket, Key=f"web/{number:08}.json", Body=b"")
    s3.put_object(Bucket=bucket, Key="webs/00000004.json", Body=b"")
    asked = {"Bucket": bucket, "Prefix": "web/", "StartAfter": "web/00000003.json"}
    page = s3.list_objects_v2(**asked, MaxKeys=2)
    assert [found["Key"] for found in page["Contents"]] == ["web/00000007.json", "web/00000009.json"]
    assert page["IsTruncated"]
    rest = s3.list_objects_v2(**asked, ContinuationToken=page["NextContinuationToken"])
    assert [found["Key"] for found in rest["Contents"]] == ["web/00000011.json"]
    assert "Contents" not in s3.list_objects_v2(**{**asked, "StartAfter": "web/00000011.json"})


def test_page_has_a_thousand_keys_at_most(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key=KEY, Body=b"")
    page = s3.list_objects_v2(Bucket=bucket, MaxKeys=5000, Prefix="history/")
    assert (page["KeyCount"], page["MaxKeys"], page["Prefix"]) == (1, 1000, "history/")
