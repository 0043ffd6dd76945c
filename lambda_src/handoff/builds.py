"""What Image Builder made: a pipeline's builds, and what they left in which region.

The hand-off decides from Image Builder's answers only. Its list has no promised order, so the builds are sorted here.
A new image can be missing from the list for two minutes (ListImages in the API reference), so that alone does not
mean that a build is gone.
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


REVOKED_TAG = "goldsmith:revoked"
"""The tag of a build that nothing may use: since when (RFC 3339 in UTC), a space, and the reason."""
LONGEST_WHY = 200
"""Characters of the reason in the tag."""
_NOT_IN_A_TAG = re.compile(r"[^\w\s+\-=.:/@]")


@dataclass(frozen=True)
class Revocation:
    """What the tag of a revoked build says."""

    since: datetime
    """May be in the future."""
    why: str

    @property
    def is_since_ever(self) -> bool:
        """Whether the tag has no time that can be read."""
        return self.since == datetime.min.replace(tzinfo=UTC)

    @property
    def tag(self) -> str:
        """The tag's value. Of the reason it has what every AWS service takes in a tag (letters, digits, spaces and
        +-=._:/@), at most 200 characters."""
        why = " ".join(_NOT_IN_A_TAG.sub(" ", self.why.replace("'", "")).split())
        if len(why) > LONGEST_WHY:
            why = f"{why[: LONGEST_WHY - 3].rstrip()}..."
        return f"{self.since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} {why}".rstrip()

    @staticmethod
    def from_tag(value: str) -> Revocation:
        """From the tag's value. One without a time that can be read holds since ever: somebody wanted to stop it."""
        written, _, why = value.partition(" ")
        since = time_in(written)
        return Revocation(since, why) if since else Revocation(datetime.min.replace(tzinfo=UTC), value)


@dataclass(frozen=True)
class Build:
    """One image build version.

    `outputs` maps a region to the build's output there, in the account that owns the build: the ID of an AMI, or the
    URI of a container image with the tag that Image Builder gave it. `unclear` means that Image Builder's answer was
    incomplete: the status, the creation time or a part of an output is missing. That output is left out then.
    """

    arn: str
    status: str
    created: datetime | None  # None when AWS's text could not be read; the build is never chosen then
    outputs: Mapping[str, str]
    tags: Mapping[str, str]
    unclear: bool = False

    @property
    def account(self) -> str:
        """The account that owns the build."""
        return self.arn.split(":")[4]

    @property
    def revocation(self) -> Revocation | None:
        """Since when nothing may use the build, and why; None for one that is not revoked."""
        value = self.tags.get(REVOKED_TAG)
        return None if value is None else Revocation.from_tag(value)

    def is_revoked(self, at: datetime) -> bool:
        """Whether it is revoked at a time."""
        return self.revocation is not None and self.revocation.since <= at

    def is_unclear_in(self, region: str) -> bool:
        """Whether Image Builder's answer lacks something that decides whether the build can be used in a region."""
        return self.unclear and not (self.status and self.created and region in self.outputs)

    @property
    def order(self) -> tuple[datetime, int, str]:
        """The sort key, greatest for the newest: creation time, build version, and the ARN so that two runs agree."""
        return self.created or datetime.min.replace(tzinfo=UTC), int(self.arn.rsplit("/", 1)[-1]), self.arn


def version_of(build_arn: str) -> str:
    """`1.0.912/3` of `…:image/acme-web/1.0.912/3`; empty for any other text."""
    return build_arn.partition(":image/")[2].partition("/")[2]


def list_builds(
    imagebuilder: ImagebuilderClient, *, pipeline_arn: str, failures: Failures | None = None
) -> list[Build]:
    """All builds of the pipeline in any status, newest first. Empty for a pipeline that does not exist.

    An entry without the ARN of a build is left out and added to `failures`. Raises GarbledAnswer, and what boto3
    raises, when a page cannot be read: with a part of the list, builds would seem to be gone.
    """
    builds = []
    for page in pages(imagebuilder, "list_image_pipeline_images", imagePipelineArn=pipeline_arn):
        for summary in entries(page, "imageSummaryList"):
            if build := _build(summary):
                builds.append(build)
            elif failures:
                failures.add_problem(
                    "Image Builder", "its list has an entry without the ARN of a build, which is left out"
                )
    return sorted(builds, key=lambda build: build.order, reverse=True)


def is_build_of(pipeline_arn: str, *, arn: str) -> bool:
    """Whether this is the ARN of a build of the pipeline's image. The function's role may read no others."""
    home, _, image = pipeline_arn.partition(":image-pipeline/")
    return re.fullmatch(f"{re.escape(home)}:image/{re.escape(image)}/{_VERSION}", arn) is not None


def get_build(imagebuilder: ImagebuilderClient, *, arn: str, pipeline_arn: str) -> Build | None:
    """The build with this ARN. None when it does not exist, or is not a build of this pipeline.

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
    """The parent image of a build, as its recipe names it: an ARN, an AMI ID, `ssm:…` or the URI of a container image.

    Raises what `get_build` raises.
    """
    image = _image(imagebuilder, arn)
    recipes = (part(image, "imageRecipe"), part(image, "containerRecipe"))
    return next(filter(None, (text(recipe, "parentImage") for recipe in recipes)), None)


def newest_good(builds: Iterable[Build], *, now: datetime | None = None) -> Build | None:
    """The newest good build. Its outputs are not looked at."""
    return next(iter(good_builds(builds, now=now)), None)


def good_builds(builds: Iterable[Build], *, now: datetime | None = None) -> list[Build]:
    """The builds that may be chosen, newest first: AVAILABLE, with a creation time, and not revoked (default: now)."""
    time = now or datetime.now(UTC)
    good = [build for build in builds if build.status == "AVAILABLE" and build.created and not build.is_revoked(time)]
    return sorted(good, key=lambda build: build.order, reverse=True)


def time_in(written: str | None) -> datetime | None:
    """A time in the API's form, ISO 8601; None for any other text.

    Compared as texts, 01Z would come after 01.5Z, because the fraction of a second can be absent.
    """
    try:
        time = datetime.fromisoformat(written or "")
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _image(imagebuilder: ImagebuilderClient, arn: str) -> Mapping[str, Any]:
    return member(ask(imagebuilder.get_image, imageBuildVersionArn=arn), "image", dict)


def _build(image: Mapping[str, Any]) -> Build | None:
    """From an Image or an ImageSummary of the API, whose members have the same names; None without a build's ARN."""
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
    """The outputs by region, and whether every entry could be read.

    A container image can have several tags. The one that Image Builder gave it is taken, because the others may be
    moved to another image. It is `1.0.7-1` for build 1 of version 1.0.7: so in the source of CloudFormation's
    resource (aws-cloudformation-resource-providers-imagebuilder, image/…/Translator.java).
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
