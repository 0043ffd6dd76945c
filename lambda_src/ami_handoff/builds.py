"""What Image Builder has made: a pipeline's builds, and what they put into which region.

Image Builder is the hand-off's only source of truth. Its list promises no order, and a new image can take
two minutes to appear in it (so AWS says of ListImages), so builds are ordered here, and one that a channel
names is asked for by its ARN before it is believed to be gone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from .failures import Failures

if TYPE_CHECKING:  # the Lambda runtime has no type stubs
    from mypy_boto3_imagebuilder import ImagebuilderClient

IMAGE_TAG = "goldsmith:image"
IN_USE_TAG = "goldsmith:in-use"
NEWEST_TAG = "goldsmith:newest"
RETENTION_TAG = "goldsmith:retention"

_DONE = ("AVAILABLE", "DEPRECATED", "DISABLED", "FAILED", "CANCELLED")
"""The states in which nothing more happens to a build by itself."""


@dataclass(frozen=True)
class Build:
    """One image build version.

    `outputs` maps a region to what the build put there for the account that owns it: the ID of an AMI, or the URI of a
    container image with the tag that Image Builder gave it.
    """

    arn: str
    status: str
    created: datetime | None  # None when AWS's text could not be read: such a build is never chosen
    outputs: Mapping[str, str]
    tags: Mapping[str, str]

    @property
    def account(self) -> str:
        """The account that owns the build."""
        return self.arn.split(":")[4]

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
    """The parent image of a build's recipe, in the recipe's words: an ARN, an AMI ID, `ssm:…` or a registry's URI."""
    image = imagebuilder.get_image(imageBuildVersionArn=arn)["image"]
    return image.get("imageRecipe", {}).get("parentImage") or image.get("containerRecipe", {}).get("parentImage")


def newest_good(builds: Iterable[Build]) -> Build | None:
    """The newest AVAILABLE build, whatever became of its outputs."""
    return next(iter(good_builds(builds)), None)


def good_builds(builds: Iterable[Build]) -> list[Build]:
    """Those that may be chosen, newest first."""
    good = [build for build in builds if build.status == "AVAILABLE" and build.created]
    return sorted(good, key=lambda build: build.order, reverse=True)


def tag_builds(
    imagebuilder: ImagebuilderClient,
    *,
    builds: Sequence[Build],
    image: str,
    used: Collection[str],
    keep_newest: int,
    regions: Collection[str],
    failures: Failures,
) -> None:
    """Tag each build that has an output, so that lifecycle policies can select by one tag and spare by others.

    `goldsmith:image` every one; `goldsmith:in-use` one with an output in `used`; `goldsmith:newest` the
    `keep_newest` newest that can be used; `goldsmith:retention`, by which the policy selects, every one that is
    done, if any are kept. Its value says how many, and it is written together with the build's other tags: so
    a policy that is new, or keeps another number, touches nothing that was not looked at in its light.

    Writes only what the list does not show. All but `goldsmith:image` are taken away from a build to which they no
    longer apply, but only after everything was tagged, and `in-use` only where `regions`, of which all channels
    were read, are all that the build went to: what is not known counts as in use. Ends at the first failure that
    a retry mends; others leave the next builds alone.
    """
    wanted = _wanted_tags(builds, image=image, used=used, keep_newest=keep_newest)
    refused = False
    for build in builds:
        missing = {key: value for key, value in wanted[build.arn].items() if build.tags.get(key) != value}
        if missing:
            place, unfinished = f"tags of {build.arn}", len(failures.unfinished)
            with failures.collected(place):
                imagebuilder.tag_resource(resourceArn=build.arn, tags=missing)
            if len(failures.unfinished) > unfinished:
                return
            refused = refused or place in failures.stopped
    if refused:
        return
    for build in builds:
        unknown = not build.outputs.keys() <= set(regions)
        kept = wanted[build.arn]
        stale = [key for key in (IN_USE_TAG, NEWEST_TAG, RETENTION_TAG) if key in build.tags and key not in kept]
        stale = [key for key in stale if not (key == IN_USE_TAG and unknown)]
        if stale:
            with failures.collected(f"tags of {build.arn}"):
                imagebuilder.untag_resource(resourceArn=build.arn, tagKeys=stale)


def _wanted_tags(
    builds: Iterable[Build], *, image: str, used: Collection[str], keep_newest: int
) -> dict[str, dict[str, str]]:
    """The tags of each build by its ARN; none for one that has no output."""
    made = sorted((build for build in builds if build.outputs), key=lambda build: build.order, reverse=True)
    newest = [build.arn for build in made if build.status in ("AVAILABLE", "DEPRECATED")][:keep_newest]
    wanted: dict[str, dict[str, str]] = {build.arn: {} for build in builds}
    for build in made:
        wanted[build.arn][IMAGE_TAG] = image
        if not set(used).isdisjoint(build.outputs.values()):
            wanted[build.arn][IN_USE_TAG] = "true"
        if build.arn in newest:
            wanted[build.arn][NEWEST_TAG] = "true"
        if keep_newest and build.status in _DONE:  # one that is not may be among the newest soon
            wanted[build.arn][RETENTION_TAG] = f"{image}/{keep_newest}"
    return wanted


def _build(image: Mapping[str, Any]) -> Build:
    """From an Image or an ImageSummary of the API, which name these members alike."""
    arn = image["arn"]
    return Build(
        arn=arn,
        status=image.get("state", {}).get("status", ""),
        created=_time(image.get("dateCreated", "")),
        outputs=_outputs(image.get("outputResources", {}), arn=arn),
        tags=image.get("tags", {}),
    )


def _outputs(resources: Mapping[str, Any], *, arn: str) -> dict[str, str]:
    """By region. Of several tags of a container image the one that Image Builder gives, because the others may move on.

    That is `1.0.7-1` for build 1 of version 1.0.7: so says what answers for images in CloudFormation, in its source
    (aws-cloudformation-resource-providers-imagebuilder, image/…/Translator.java).
    """
    account, tag = arn.split(":")[4], "-".join(arn.split("/")[-2:])
    amis = [ami for ami in resources.get("amis", ()) if ami.get("accountId") in (None, account)]
    outputs = {ami["region"]: ami["image"] for ami in amis}
    for container in resources.get("containers", ()):
        if uris := container.get("imageUris"):
            outputs[container["region"]] = next((uri for uri in uris if uri.endswith(f":{tag}")), uris[0])
    return outputs


def _time(text: str) -> datetime | None:
    """The API's ISO 8601, with or without a fraction: compared as text, 01Z would come after 01.5Z."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
