"""What builds put into a region: what can be used there, and what a channel's parameter holds of it.

A build's output is named by Image Builder: an AMI by its ID, a container image by its URI with a tag. An AMI's ID is
what the channel holds. A tag can move, so of a container image the channel holds the URI by digest, which never
means another image.
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

LOOK_BACK = 100  # builds; DescribeImages of EC2 takes 200 values in a filter


@dataclass(frozen=True)
class Usable:
    """A build whose output in a region can be used, and what a channel holds of it."""

    build: Build
    value: str


class Outputs(Protocol):
    """The outputs of one region, of one kind."""

    @property
    def data_type(self) -> str:
        """Of the parameters that hold them, in Parameter Store's words."""

    def newest_usable(self, builds: Sequence[Build], *, failures: Failures) -> Usable | None:
        """The first of good builds, newest first, whose output can be used in the region.

        A newer one that cannot is a problem. A region that no build has reached yet is none. Raises NotYet when the
        one that would be chosen is not finished, GarbledAnswer, and what boto3 raises, as the other methods do.
        """

    def value_of(self, build: Build) -> str | None:
        """What a channel that points to the build holds; None when it has no output here, or that is gone."""

    def named(self, values: Iterable[str]) -> set[str]:
        """The outputs, as Image Builder names them, that a channel's values mean."""


@dataclass(frozen=True)
class Amis:
    """AMIs of `architecture` (x86_64 or arm64) that belong to the account of the build."""

    ec2: EC2Client
    region: str
    architecture: str
    data_type: ClassVar[str] = "aws:ec2:image"

    def newest_usable(self, builds: Sequence[Build], *, failures: Failures) -> Usable | None:
        """As `Outputs` says."""
        amis = [build.outputs[self.region] for build in builds[:LOOK_BACK] if self.region in build.outputs]
        if not amis:
            return None
        # By a filter, because one AMI in ImageIds that is gone is an error that hides the others.
        answer = ask(self.ec2.describe_images, Filters=[{"Name": "image-id", "Values": amis}])
        images = {member(image, "ImageId", str): image for image in entries(answer, "Images")}
        for build in builds[:LOOK_BACK]:
            if ami := build.outputs.get(self.region):
                fault = self._fault(ami, images.get(ami), owner=build.account)
            else:
                fault = "it has no AMI in this region"
            if ami and not fault:
                return Usable(build, ami)
            failures.problem(self.region, f"{build.arn} cannot be used: {fault}")
        return None

    def value_of(self, build: Build) -> str | None:
        """As `Outputs` says; whether the AMI is still there is not asked."""
        return build.outputs.get(self.region)

    def named(self, values: Iterable[str]) -> set[str]:
        """As `Outputs` says."""
        return set(values)

    def _fault(self, ami: str, image: Mapping[str, Any] | None, *, owner: str) -> str:
        """Why the AMI, as DescribeImages tells it, cannot be launched; empty when it can."""
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
        """As `Outputs` says."""
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
            failures.problem(self.region, f"{build.arn} cannot be used: {fault}")
        return None

    def value_of(self, build: Build) -> str | None:
        """As `Outputs` says."""
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

    def named(self, values: Iterable[str]) -> set[str]:
        """As `Outputs` says; an image that is gone has no name any more."""
        wanted = {(uri, digest) for uri, at, digest in (value.partition("@") for value in values) if at}
        if not wanted:
            return set()
        # all of the repository, because one digest in imageIds that is gone is an error that hides the others
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
        """Whether the URI is of this repository in the registry of the build's account and the region."""
        registry, _, path = uri.partition("/")
        return path.rpartition(":")[0] == self.repository and registry.startswith(
            f"{build.account}.dkr.ecr.{self.region}."
        )
