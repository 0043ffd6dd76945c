"""What Image Builder has made: a pipeline's builds, and what they put into which region.

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

from .answers import GarbledAnswer, ask, entries, member, pages, part, text, texts
from .failures import Failures, code_of

if TYPE_CHECKING:  # the Lambda runtime has no type stubs
    from mypy_boto3_imagebuilder import ImagebuilderClient

_VERSION = "[0-9]+[.][0-9]+[.][0-9]+/[0-9]+"
_BUILD_ARN = re.compile(f"arn:aws[^:]*:imagebuilder:[^:]+:[^:]+:image/[a-z0-9_-]+/{_VERSION}")


@dataclass(frozen=True)
class Build:
    """One image build version.

    `outputs` maps a region to what the build put there for the account that owns it: the ID of an AMI, or the URI of a
    container image with the tag that Image Builder gave it. `unclear` says that Image Builder's answer lacked
    something: the status, the creation time, or a part of an output, which is left out then.
    """

    arn: str
    status: str
    created: datetime | None  # None when AWS's text could not be read: such a build is never chosen
    outputs: Mapping[str, str]
    tags: Mapping[str, str]
    unclear: bool = False

    @property
    def account(self) -> str:
        """The account that owns the build."""
        return self.arn.split(":")[4]

    @property
    def order(self) -> tuple[datetime, int, str]:
        """Creation time, build version, and the ARN so that two runs agree; the newest is the greatest."""
        return self.created or datetime.min.replace(tzinfo=UTC), int(self.arn.rsplit("/", 1)[-1]), self.arn


def list_builds(
    imagebuilder: ImagebuilderClient, *, pipeline_arn: str, failures: Failures | None = None
) -> list[Build]:
    """Every build of the pipeline in every state, newest first; none for a pipeline that does not exist.

    An entry without the ARN of a build is left out, and noted in `failures`. Raises GarbledAnswer, and what boto3
    raises, when a page cannot be read: a list with a hole in it would look as if builds were gone.
    """
    builds = []
    for page in pages(imagebuilder, "list_image_pipeline_images", imagePipelineArn=pipeline_arn):
        for summary in entries(page, "imageSummaryList"):
            if build := _build(summary):
                builds.append(build)
            elif failures:
                failures.problem("Image Builder", "its list has an entry without the ARN of a build, which is left out")
    return sorted(builds, key=lambda build: build.order, reverse=True)


def is_build_of(pipeline_arn: str, *, arn: str) -> bool:
    """Whether this is an ARN of a build of the pipeline's own image: the only ones that its hand-off may ask for."""
    home, _, image = pipeline_arn.partition(":image-pipeline/")
    return re.fullmatch(f"{re.escape(home)}:image/{re.escape(image)}/{_VERSION}", arn) is not None


def get_build(imagebuilder: ImagebuilderClient, *, arn: str, pipeline_arn: str) -> Build | None:
    """The build with this ARN; None when it is gone, another pipeline's, or `arn` is no ARN of a build of its image.

    Raises GarbledAnswer, and what boto3 raises.
    """
    if not is_build_of(pipeline_arn, arn=arn):
        return None
    try:
        image = _image(imagebuilder, arn)
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            return None
        raise
    build = _build(image)
    if build is None:
        raise GarbledAnswer(f"GetImage answered without the ARN of {arn}")
    return build if text(image, "sourcePipelineArn") == pipeline_arn else None


def parent_of(imagebuilder: ImagebuilderClient, *, arn: str) -> str | None:
    """The parent image of a build's recipe, in the recipe's words: an ARN, an AMI ID, `ssm:…` or a registry's URI.

    Raises as `get_build` does.
    """
    image = _image(imagebuilder, arn)
    recipes = (part(image, "imageRecipe"), part(image, "containerRecipe"))
    return next(filter(None, (text(recipe, "parentImage") for recipe in recipes)), None)


def newest_good(builds: Iterable[Build]) -> Build | None:
    """The newest AVAILABLE build, whatever became of its outputs."""
    return next(iter(good_builds(builds)), None)


def good_builds(builds: Iterable[Build]) -> list[Build]:
    """Those that may be chosen, newest first."""
    good = [build for build in builds if build.status == "AVAILABLE" and build.created]
    return sorted(good, key=lambda build: build.order, reverse=True)


def time_in(written: str | None) -> datetime | None:
    """The API's ISO 8601, with or without a fraction: compared as text, 01Z would come after 01.5Z. None for others."""
    try:
        time = datetime.fromisoformat(written or "")
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _image(imagebuilder: ImagebuilderClient, arn: str) -> Mapping[str, Any]:
    return member(ask(imagebuilder.get_image, imageBuildVersionArn=arn), "image", dict)


def _build(image: Mapping[str, Any]) -> Build | None:
    """From an Image or an ImageSummary of the API, which name these members alike; None without a build's ARN."""
    arn, status = text(image, "arn") or "", text(part(image, "state"), "status") or ""
    if not _BUILD_ARN.fullmatch(arn):
        return None
    created, resources = time_in(text(image, "dateCreated")), part(image, "outputResources")
    outputs, complete = _outputs(resources, arn=arn)
    if status == "AVAILABLE":
        complete = complete and bool(resources)
    return Build(
        arn=arn,
        status=status,
        created=created,
        outputs=outputs,
        tags=part(image, "tags"),
        unclear=not (status and created and complete),
    )


def _outputs(resources: Mapping[str, Any], *, arn: str) -> tuple[dict[str, str], bool]:
    """By region, and whether every entry could be read. Of several tags of a container image the one that Image
    Builder gives, because the others may move on.

    That is `1.0.7-1` for build 1 of version 1.0.7: so says what answers for images in CloudFormation, in its source
    (aws-cloudformation-resource-providers-imagebuilder, image/…/Translator.java).
    """
    account, tag = arn.split(":")[4], "-".join(arn.split("/")[-2:])
    found: list[tuple[str | None, str | None]] = []
    for ami in _listed(resources, "amis"):
        if text(ami, "accountId") in (None, account):
            found.append((text(ami, "region"), text(ami, "image")))
    for container in _listed(resources, "containers"):
        uris = texts(container, "imageUris")
        uri = next((uri for uri in uris if uri.endswith(f":{tag}")), uris[0] if uris else None)
        found.append((text(container, "region"), uri))
    outputs = {region: output for region, output in found if region and output}
    return outputs, all(region and output for region, output in found)


def _listed(resources: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    return entries(resources, kind) if resources.get(kind) is not None else []
