"""What Image Builder has made: a pipeline's builds, and which of their AMIs can be used in a region.

Image Builder is the hand-off's only source of truth. Its list promises no order, and a new image can take
two minutes to appear in it (so AWS says of ListImages), so builds are ordered here, and one that a channel
names is asked for by its ARN before it is believed to be gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from .failures import Failures, NotYet

if TYPE_CHECKING:  # the Lambda runtime has no type stubs
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_imagebuilder import ImagebuilderClient

IMAGE_TAG = "goldsmith:image"
IN_USE_TAG = "goldsmith:in-use"
LOOK_BACK = 100  # builds; DescribeImages takes 200 values in a filter


@dataclass(frozen=True)
class Build:
    """One image build version. `amis` maps a region to the AMI there of the account that owns the build."""

    arn: str
    status: str
    created: datetime | None  # None when AWS's text could not be read: such a build is never chosen
    amis: Mapping[str, str]
    tags: Mapping[str, str]

    @property
    def order(self) -> tuple[datetime, int, str]:
        """Creation time, build version, and the ARN so that two runs agree; the newest is the greatest."""
        return self.created or datetime.min.replace(tzinfo=UTC), int(self.arn.rsplit("/", 1)[-1]), self.arn


def list_builds(imagebuilder: ImagebuilderClient, *, pipeline_arn: str) -> list[Build]:
    """Every build of the pipeline in every state, newest first; none for a pipeline that does not exist."""
    pages = imagebuilder.get_paginator("list_image_pipeline_images").paginate(imagePipelineArn=pipeline_arn)
    builds = [_build(summary) for page in pages for summary in page["imageSummaryList"]]
    return sorted(builds, key=lambda build: build.order, reverse=True)


def get_build(imagebuilder: ImagebuilderClient, *, arn: str, pipeline_arn: str) -> Build | None:
    """The build with this ARN; None when it is gone, another pipeline's, or `arn` is no ARN of a build."""
    home = pipeline_arn.partition(":image-pipeline/")[0]
    if not re.fullmatch(re.escape(home) + r":image/[a-z0-9_-]+/\d+\.\d+\.\d+/\d+", arn):
        return None
    try:
        image = imagebuilder.get_image(imageBuildVersionArn=arn)["image"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise
    return _build(image) if image.get("sourcePipelineArn") == pipeline_arn else None


def parent_of(imagebuilder: ImagebuilderClient, *, arn: str) -> str | None:
    """The parent image of a build's recipe, in the recipe's words: an ARN, an AMI ID or `ssm:…`."""
    image = imagebuilder.get_image(imageBuildVersionArn=arn)["image"]
    return image.get("imageRecipe", {}).get("parentImage")


def newest_good(builds: Iterable[Build]) -> Build | None:
    """The newest AVAILABLE build, whatever became of its AMIs."""
    return next(iter(_good(builds)), None)


def newest_usable(
    ec2: EC2Client, *, region: str, builds: Iterable[Build], architecture: str, failures: Failures
) -> Build | None:
    """The newest AVAILABLE build whose AMI can be launched in the region of `ec2`.

    A newer one that cannot is a problem: its AMI was never made there or is gone, is not available, has
    another architecture than `architecture` (x86_64 or arm64), or another owner than the build. A region that
    no build has reached yet is none. Raises NotYet when the AMI that would be chosen is pending.
    """
    good = _good(builds)[:LOOK_BACK]
    amis = [build.amis[region] for build in good if region in build.amis]
    if not amis:
        return None
    # By a filter, because one AMI in ImageIds that is gone is an error that hides the others.
    answer = ec2.describe_images(Filters=[{"Name": "image-id", "Values": amis}])
    images = {image["ImageId"]: image for image in answer["Images"]}
    for build in good:
        if ami := build.amis.get(region):
            fault = _fault(ami, images.get(ami), owner=_account(build.arn), architecture=architecture)
        else:
            fault = "it has no AMI in this region"
        if not fault:
            return build
        failures.problem(region, f"{build.arn} cannot be used: {fault}")
    return None


def tag_builds(
    imagebuilder: ImagebuilderClient,
    *,
    builds: Iterable[Build],
    image: str,
    used_amis: Iterable[str],
    failures: Failures,
) -> None:
    """Tag each build that made an AMI `goldsmith:image`, and `goldsmith:in-use` when one is in `used_amis`.

    Writes only the tags that the list does not show and takes none away, so lifecycle policies can select by
    the one and spare by the other. Ends at the first failure that a retry mends; others leave the next builds
    alone.
    """
    used = set(used_amis)
    for build in builds:
        wanted = {IMAGE_TAG: image} | ({IN_USE_TAG: "true"} if used.intersection(build.amis.values()) else {})
        missing = {key: value for key, value in wanted.items() if build.tags.get(key) != value}
        if build.amis and missing:
            unfinished = len(failures.unfinished)
            with failures.collected(f"tags of {build.arn}"):
                imagebuilder.tag_resource(resourceArn=build.arn, tags=missing)
            if len(failures.unfinished) > unfinished:
                return


def _good(builds: Iterable[Build]) -> list[Build]:
    """Those that may be chosen, newest first."""
    good = [build for build in builds if build.status == "AVAILABLE" and build.created]
    return sorted(good, key=lambda build: build.order, reverse=True)


def _build(image: Mapping[str, Any]) -> Build:
    """From an Image or an ImageSummary of the API, which name these members alike."""
    arn = image["arn"]
    outputs = image.get("outputResources", {}).get("amis", [])
    return Build(
        arn=arn,
        status=image.get("state", {}).get("status", ""),
        created=_time(image.get("dateCreated", "")),
        amis={ami["region"]: ami["image"] for ami in outputs if ami.get("accountId") in (None, _account(arn))},
        tags=image.get("tags", {}),
    )


def _account(arn: str) -> str:
    return arn.split(":")[4]


def _time(text: str) -> datetime | None:
    """The API's ISO 8601, with or without a fraction: compared as text, 01Z would come after 01.5Z."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _fault(ami: str, image: Mapping[str, Any] | None, *, owner: str, architecture: str) -> str:
    """Why the AMI, as DescribeImages tells it, cannot be launched; empty when it can."""
    if image is None:
        return f"{ami} does not exist"
    if image["OwnerId"] != owner:
        return f"{ami} belongs to account {image['OwnerId']}"
    if image["Architecture"].removesuffix("_mac") != architecture:  # a Mac's are x86_64_mac and arm64_mac
        return f"{ami} is {image['Architecture']}, not {architecture}"
    if image["State"] == "pending":
        raise NotYet(f"{ami} is still pending")
    return "" if image["State"] == "available" else f"{ami} is {image['State']}"
