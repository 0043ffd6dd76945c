"""An AWS in memory: as much of Parameter Store, S3, Image Builder, EC2 and ECR as the hand-off calls.

It is for tests that need thousands of runs. `test_memory_aws.py` compares it with the local AWS, call by call. A
client's method first calls `cloud.before`, then has its effect, then calls `cloud.after`: an exception from the first
is a request that never arrived, one from the second an answer that was lost. Either may also do something else
meanwhile, such as a whole run of another writer.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, ClassVar

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

ACCOUNT = "000000000000"
_TICK = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Call:
    """A call of a client's method."""

    user: str
    """Whose client it is."""
    region: str
    operation: str
    params: Mapping[str, Any]


class Crash(BaseException):
    """The end of the process: nothing that handles errors of AWS handles this."""


def refusal(code: str, operation: str, *, status: int = 400, message: str = "no") -> ClientError:
    """AWS's refusal as boto3 raises it."""
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        operation,
    )


@dataclass
class Cloud:
    """Everything that the services have, and what happens at each call."""

    now: datetime = datetime(2026, 7, 1, tzinfo=UTC)
    """The time of AWS; each call takes a millisecond."""
    parameters: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    """The versions of each parameter, by region and name."""
    hidden: dict[tuple[str, str], int] = field(default_factory=dict)
    """How many of the newest versions of a parameter an operation does not show yet, by operation and name."""
    buckets: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Objects by key."""
    builds: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Images of Image Builder as GetImage shows them, by ARN."""
    images: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    """AMIs by region and ID, container images by region and tag."""
    calls: list[Call] = field(default_factory=list)
    before: Callable[[Call], None] = lambda call: None
    after: Callable[[Call], None] = lambda call: None

    def client(self, service: str, *, region: str, user: str = "function") -> Any:
        """A client of ssm, s3, imagebuilder, ec2 or ecr."""
        return _CLIENTS[service](self, region, user)


PAGES: Mapping[str, tuple[str, str, str]] = {
    "get_parameters_by_path": ("NextToken", "MaxResults", "NextToken"),
    "get_parameter_history": ("NextToken", "MaxResults", "NextToken"),
    "list_objects_v2": ("NextContinuationToken", "MaxKeys", "ContinuationToken"),
    "list_image_pipeline_images": ("nextToken", "maxResults", "nextToken"),
    "describe_images": ("nextToken", "maxResults", "nextToken"),
}
"""The members of operations with pages: the token in an answer, the size of a page, the token in a request."""


@dataclass(frozen=True)
class Client:
    cloud: Cloud
    region: str
    user: str
    pages: ClassVar[Mapping[str, tuple[str, str, str]]] = PAGES

    @property
    def meta(self) -> Any:
        return SimpleNamespace(region_name=self.region)

    @contextmanager
    def _call(self, operation: str, **params: Any) -> Iterator[None]:
        call = Call(self.user, self.region, operation, params)
        self.cloud.calls.append(call)
        self.cloud.before(call)
        self.cloud.now += _TICK
        yield
        self.cloud.after(call)

    def get_paginator(self, operation: str) -> Any:
        """As boto3's: pages until there is no token."""
        token, size, asked = self.pages[operation]

        def paginate(PaginationConfig: Mapping[str, int] | None = None, **params: Any) -> Iterator[Mapping[str, Any]]:
            sized = {size: PaginationConfig["PageSize"]} if PaginationConfig else {}
            page = getattr(self, operation)(**params, **sized)
            yield page
            while page.get(token):
                page = getattr(self, operation)(**params, **sized, **{asked: page[token]})
                yield page

        return SimpleNamespace(paginate=paginate)


def page_of(entries: list[Any], *, token: str | None, size: int) -> tuple[list[Any], str | None]:
    """One page of the entries, and the token of the next one."""
    start = int(token or 0)
    return entries[start : start + size], str(start + size) if start + size < len(entries) else None


class _Ssm(Client):
    def put_parameter(
        self,
        *,
        Name: str,
        Value: str,
        Type: str = "String",
        DataType: str | None = None,
        Description: str | None = None,
        Overwrite: bool = False,
        Tags: list[dict[str, str]] | None = None,
    ) -> dict[str, Any]:
        with self._call("PutParameter", Name=Name, Value=Value, Description=Description, Overwrite=Overwrite):
            versions = self.cloud.parameters.get((self.region, Name), [])
            if len(Description or "") > 1024:
                raise refusal("ValidationException", "PutParameter", message="Description is too long")
            if Overwrite and Tags:
                raise refusal("ValidationException", "PutParameter", message="tags and overwrite")
            if versions and not Overwrite:
                raise refusal("ParameterAlreadyExists", "PutParameter")
            if versions and versions[-1]["DataType"] != (DataType or versions[-1]["DataType"]):
                raise refusal("ValidationException", "PutParameter", message="data type")
            before: dict[str, Any] = versions[-1] if versions else {"Version": 0, "DataType": "text"}
            kept = before.get("Description") if Description is None else Description
            version = {
                "Name": Name,
                "Type": Type,
                "LastModifiedDate": self.cloud.now,
                "LastModifiedUser": self.user,
                "Value": Value,
                "Version": before["Version"] + 1,
                "DataType": DataType or before["DataType"],
                **({"Description": kept} if kept else {}),
            }
            self.cloud.parameters[self.region, Name] = [*versions, version][-100:]
        return {"Version": version["Version"], "Tier": "Standard"}

    def get_parameter(self, *, Name: str) -> dict[str, Any]:
        with self._call("GetParameter", Name=Name):
            answer = {"Parameter": self._present("GetParameter", Name)}
        return answer

    def get_parameters_by_path(
        self, *, Path: str, MaxResults: int = 10, NextToken: str | None = None
    ) -> dict[str, Any]:
        with self._call("GetParametersByPath", Path=Path):
            names = sorted(
                name
                for region, name in self.cloud.parameters
                if region == self.region and name.rpartition("/")[0] == Path
            )
            page, token = page_of(names, token=NextToken, size=MaxResults)
            answer = {"Parameters": [self._present("GetParametersByPath", name) for name in page]}
        return {**answer, "NextToken": token} if token else answer

    def get_parameter_history(self, *, Name: str, MaxResults: int = 50, NextToken: str | None = None) -> dict[str, Any]:
        with self._call("GetParameterHistory", Name=Name):
            page, token = page_of(self._versions("GetParameterHistory", Name), token=NextToken, size=MaxResults)
        return {"Parameters": page, "NextToken": token} if token else {"Parameters": page}

    def delete_parameter(self, *, Name: str) -> dict[str, Any]:
        with self._call("DeleteParameter", Name=Name):
            if not self.cloud.parameters.pop((self.region, Name), None):
                raise refusal("ParameterNotFound", "DeleteParameter")
        return {}

    def _versions(self, operation: str, name: str) -> list[dict[str, Any]]:
        versions = self.cloud.parameters.get((self.region, name), [])
        if hidden := self.cloud.hidden.get((operation, name)):
            versions = versions[:-hidden]
        if not versions:
            raise refusal("ParameterNotFound", operation)
        return versions

    def _present(self, operation: str, name: str) -> dict[str, Any]:
        version = self._versions(operation, name)[-1]
        shown = {key: value for key, value in version.items() if key not in ("LastModifiedUser", "Description")}
        return {**shown, "ARN": f"arn:aws:ssm:{self.region}:{ACCOUNT}:parameter{name}"}


class _S3(Client):
    def put_object(
        self,
        *,
        Bucket: str,
        Key: str,
        Body: bytes,
        ContentType: str = "",
        IfNoneMatch: str | None = None,
        ExpectedBucketOwner: str = ACCOUNT,
    ) -> dict[str, Any]:
        with self._call("PutObject", Bucket=Bucket, Key=Key, Body=Body, IfNoneMatch=IfNoneMatch):
            objects = self._objects(Bucket, ExpectedBucketOwner, "PutObject")
            if IfNoneMatch == "*" and Key in objects:
                raise refusal("PreconditionFailed", "PutObject", status=412)
            objects[Key] = Body
        return {"ETag": _etag(Body)}

    def get_object(self, *, Bucket: str, Key: str, ExpectedBucketOwner: str = ACCOUNT) -> dict[str, Any]:
        with self._call("GetObject", Bucket=Bucket, Key=Key):
            objects = self._objects(Bucket, ExpectedBucketOwner, "GetObject")
            if Key not in objects:
                raise refusal("NoSuchKey", "GetObject", status=404)
            body = objects[Key]
        return {"Body": StreamingBody(io.BytesIO(body), len(body)), "ETag": _etag(body)}

    def list_objects_v2(
        self,
        *,
        Bucket: str,
        Prefix: str = "",
        StartAfter: str = "",
        MaxKeys: int = 1000,
        ContinuationToken: str | None = None,
        ExpectedBucketOwner: str = ACCOUNT,
    ) -> dict[str, Any]:
        with self._call("ListObjectsV2", Bucket=Bucket, Prefix=Prefix, StartAfter=StartAfter):
            objects = self._objects(Bucket, ExpectedBucketOwner, "ListObjectsV2")
            keys = sorted(key for key in objects if key.startswith(Prefix) and key > StartAfter)
            page, token = page_of(keys, token=ContinuationToken, size=MaxKeys)
        answer: dict[str, Any] = {"Name": Bucket}
        if page:
            answer["Contents"] = [{"Key": key, "ETag": _etag(objects[key])} for key in page]
        return {**answer, "NextContinuationToken": token} if token else answer

    def _objects(self, bucket: str, owner: str, operation: str) -> dict[str, bytes]:
        if bucket not in self.cloud.buckets:
            raise refusal("NoSuchBucket", operation, status=404)
        if owner != ACCOUNT:
            raise refusal("AccessDenied", operation, status=403)
        return self.cloud.buckets[bucket]


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


class _ImageBuilder(Client):
    def list_image_pipeline_images(
        self, *, imagePipelineArn: str, maxResults: int = 25, nextToken: str | None = None
    ) -> dict[str, Any]:
        with self._call("ListImagePipelineImages", imagePipelineArn=imagePipelineArn):
            mine = [image for image in self.cloud.builds.values() if image["sourcePipelineArn"] == imagePipelineArn]
            page, token = page_of(mine, token=nextToken, size=maxResults)
            # a summary has no pipeline and no recipe
            answer = {"imageSummaryList": [{key: image[key] for key in _SUMMARY} for image in page]}
        return {**answer, "nextToken": token} if token else answer

    def get_image(self, *, imageBuildVersionArn: str) -> dict[str, Any]:
        with self._call("GetImage", imageBuildVersionArn=imageBuildVersionArn):
            image = self._image(imageBuildVersionArn, "GetImage")
        return {"image": image}

    def tag_resource(self, *, resourceArn: str, tags: Mapping[str, str]) -> dict[str, Any]:
        with self._call("TagResource", resourceArn=resourceArn, tags=tags):
            image = self._image(resourceArn, "TagResource")
            image["tags"] = {**image["tags"], **tags}
        return {}

    def untag_resource(self, *, resourceArn: str, tagKeys: list[str]) -> dict[str, Any]:
        with self._call("UntagResource", resourceArn=resourceArn, tagKeys=tagKeys):
            image = self._image(resourceArn, "UntagResource")
            image["tags"] = {key: value for key, value in image["tags"].items() if key not in tagKeys}
        return {}

    def _image(self, arn: str, operation: str) -> dict[str, Any]:
        if arn not in self.cloud.builds:
            raise refusal("ResourceNotFoundException", operation, status=404)
        return self.cloud.builds[arn]


_SUMMARY = ("arn", "state", "dateCreated", "outputResources", "tags")


class _Ec2(Client):
    def describe_images(
        self, *, Filters: list[Mapping[str, Any]], Owners: list[str] | None = None, IncludeDisabled: bool = False
    ) -> dict[str, Any]:
        with self._call("DescribeImages", Filters=Filters):
            here = [image for (region, _), image in self.cloud.images.items() if region == self.region]
            found = [image for image in here if all(_matches(image, each) for each in Filters)]
        return {"Images": found}

    def create_tags(self, *, Resources: list[str], Tags: list[dict[str, str]]) -> dict[str, Any]:
        with self._call("CreateTags", Resources=Resources, Tags=Tags):
            for image in self._images(Resources, "CreateTags"):
                new = {tag["Key"] for tag in Tags}
                image["Tags"] = [*(tag for tag in image["Tags"] if tag["Key"] not in new), *Tags]
        return {}

    def delete_tags(self, *, Resources: list[str], Tags: list[dict[str, str]]) -> dict[str, Any]:
        with self._call("DeleteTags", Resources=Resources, Tags=Tags):
            for image in self._images(Resources, "DeleteTags"):
                image["Tags"] = [tag for tag in image["Tags"] if tag["Key"] not in {each["Key"] for each in Tags}]
        return {}

    def _images(self, amis: list[str], operation: str) -> list[dict[str, Any]]:
        found = [self.cloud.images.get((self.region, ami)) for ami in amis]
        if None in found:
            raise refusal("InvalidAMIID.NotFound", operation)
        return [image for image in found if image]


def _matches(image: Mapping[str, Any], condition: Mapping[str, Any]) -> bool:
    values = set(condition["Values"])
    if condition["Name"] == "image-id":
        return image["ImageId"] in values
    assert condition["Name"] == "tag-key"
    return not values.isdisjoint(tag["Key"] for tag in image["Tags"])


class _Ecr(Client):
    def describe_images(
        self,
        *,
        repositoryName: str,
        imageIds: list[Mapping[str, str]] | None = None,
        filter: Mapping[str, str] | None = None,
        maxResults: int = 100,
        nextToken: str | None = None,
    ) -> dict[str, Any]:
        with self._call("DescribeImages", imageIds=imageIds):
            here = [image for (region, _), image in self.cloud.images.items() if region == self.region]
            if imageIds:
                tag = imageIds[0]["imageTag"]
                here = [image for image in here if tag in image["imageTags"]]
                if not here:
                    raise refusal("ImageNotFoundException", "DescribeImages")
            page, token = page_of(here, token=nextToken, size=maxResults)
        return {"imageDetails": page, "nextToken": token} if token else {"imageDetails": page}


_CLIENTS: Mapping[str, type[Client]] = {
    "ssm": _Ssm,
    "s3": _S3,
    "imagebuilder": _ImageBuilder,
    "ec2": _Ec2,
    "ecr": _Ecr,
}


def digest_of(text: str) -> str:
    """A digest as ECR writes it."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
