"""The outputs of builds in a region: which of them can be used, and what a channel's parameter holds for them.

Image Builder names an AMI by its ID, and that is the channel's value. It names a container image by its URI with a
tag. A tag can move to another image, so the channel's value is the URI with the digest, which always means the same
image.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from botocore.exceptions import ClientError

from .answers import ask, entries, member, pages
from .builds import Build
from .failures import Failures, NotYet, code_of

if TYPE_CHECKING:  # the Lambda runtime has no type stubs
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ecr import ECRClient

LOOK_BACK = 100
"""How many builds are looked at to find one that can be used; DescribeImages of EC2 takes 200 values in a filter."""


@dataclass(frozen=True)
class Usable:
    """A build whose output can be used in a region, and the value of a channel that points to it."""

    build: Build
    value: str


class Outputs(Protocol):
    """The outputs in one region: AMIs, or container images."""

    @property
    def data_type(self) -> str:
        """The data type of the channels' parameters."""

    def newest_usable(self, builds: Sequence[Build], *, failures: Failures) -> Usable | None:
        """The first of these builds, newest first, whose output can be used in the region.

        Each newer build that cannot be used is added to `failures`. None, without a failure, when no build went to
        the region. Raises NotYet when the output of the build is not finished, GarbledAnswer, and what boto3 raises;
        the other methods raise the latter two.
        """

    def value_of(self, build: Build) -> str | None:
        """The value of a channel that points to the build; None when the build has no output here."""

    def is_available(self, value: str) -> bool:
        """Whether a value that no build made can be used. Raises NotYet when it is not finished."""

    def named(self, values: Iterable[str]) -> set[str]:
        """The outputs that values of channels point to, as Image Builder names them."""


@dataclass(frozen=True)
class Amis:
    """AMIs of `architecture` (x86_64 or arm64) that belong to the account of the build."""

    ec2: EC2Client
    region: str
    architecture: str
    data_type: ClassVar[str] = "aws:ec2:image"

    def newest_usable(self, builds: Sequence[Build], *, failures: Failures) -> Usable | None:
        """See `Outputs`."""
        amis = [build.outputs[self.region] for build in builds[:LOOK_BACK] if self.region in build.outputs]
        if not amis:
            return None
        # a filter, because ImageIds with one AMI that does not exist returns an error instead of the others
        answer = ask(self.ec2.describe_images, Filters=[{"Name": "image-id", "Values": amis}])
        images = {member(image, "ImageId", str): image for image in entries(answer, "Images")}
        for build in builds[:LOOK_BACK]:
            if ami := build.outputs.get(self.region):
                fault = self._fault(ami, images.get(ami), owner=build.account)
            else:
                fault = "it has no AMI in this region"
            if ami and not fault:
                return Usable(build, ami)
            failures.add_problem(self.region, f"{build.arn} cannot be used: {fault}")
        return None

    def value_of(self, build: Build) -> str | None:
        """See `Outputs`. Whether the AMI still exists is not checked."""
        return build.outputs.get(self.region)

    def is_available(self, value: str) -> bool:
        """See `Outputs`. Whoever took it over has checked whose it is."""
        answer = ask(self.ec2.describe_images, Filters=[{"Name": "image-id", "Values": [value]}])
        images = {member(image, "ImageId", str): image for image in entries(answer, "Images")}
        if value not in images:
            return False
        return not self._fault(value, images[value], owner=member(images[value], "OwnerId", str))

    def named(self, values: Iterable[str]) -> set[str]:
        """See `Outputs`."""
        return set(values)

    def _fault(self, ami: str, image: Mapping[str, Any] | None, *, owner: str) -> str:
        """Why an AMI, which `image` describes, cannot be launched; empty when it can."""
        if image is None:
            return f"{ami} does not exist"
        if (account := member(image, "OwnerId", str)) != owner:
            return f"{ami} belongs to account {account}"
        architecture = member(image, "Architecture", str)
        if architecture.removesuffix("_mac") != self.architecture:  # a Mac's are x86_64_mac and arm64_mac
            return f"{ami} is {architecture}, not {self.architecture}"
        if (state := member(image, "State", str)) == "pending":
            raise NotYet(f"{ami} is still pending")
        return "" if state == "available" else f"{ami} is {state}"


@dataclass(frozen=True)
class Containers:
    """Container images in `repository`, in the registry of the build's own account."""

    ecr: ECRClient
    region: str
    repository: str
    data_type: ClassVar[str] = "text"

    def newest_usable(self, builds: Sequence[Build], *, failures: Failures) -> Usable | None:
        """See `Outputs`."""
        if not any(self.region in build.outputs for build in builds):
            return None
        for build in builds[:LOOK_BACK]:
            uri = build.outputs.get(self.region)
            if uri is None:
                fault = "it has no container image in this region"
            elif not self._is_here(uri, build):
                fault = f"{uri} is not in repository {self.repository} of this account and region"
            elif value := self.value_of(build):
                return Usable(build, value)
            else:
                fault = f"{uri} does not exist"
            failures.add_problem(self.region, f"{build.arn} cannot be used: {fault}")
        return None

    def value_of(self, build: Build) -> str | None:
        """See `Outputs`."""
        uri = build.outputs.get(self.region)
        if not uri or not self._is_here(uri, build):
            return None
        name, _, tag = uri.rpartition(":")
        try:
            answer = ask(self.ecr.describe_images, repositoryName=self.repository, imageIds=[{"imageTag": tag}])
        except ClientError as error:
            if code_of(error) == "ImageNotFoundException":
                return None
            raise
        digests = (member(detail, "imageDigest", str) for detail in entries(answer, "imageDetails"))
        return next((f"{name}@{digest}" for digest in digests), None)

    def is_available(self, value: str) -> bool:
        """See `Outputs`. Only AMIs are taken over."""
        return False

    def named(self, values: Iterable[str]) -> set[str]:
        """See `Outputs`. An image that does not exist any more has no name."""
        wanted = {(uri, digest) for uri, at, digest in (value.partition("@") for value in values) if at}
        if not wanted:
            return set()
        # the whole repository, because imageIds with one digest that does not exist returns an error
        tags = {
            member(detail, "imageDigest", str): member(detail, "imageTags", list)
            for page in pages(
                self.ecr,
                "describe_images",
                repositoryName=self.repository,
                filter={"tagStatus": "TAGGED"},
                PaginationConfig={"PageSize": 1000},
            )
            for detail in entries(page, "imageDetails")
        }
        return {f"{uri}:{tag}" for uri, digest in wanted for tag in tags.get(digest, ())}

    def _is_here(self, uri: str, build: Build) -> bool:
        """Whether the URI is in this repository, in the registry of the build's account in the region."""
        registry, _, path = uri.partition("/")
        return path.rpartition(":")[0] == self.repository and registry.startswith(
            f"{build.account}.dkr.ecr.{self.region}."
        )
