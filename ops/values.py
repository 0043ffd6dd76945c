"""The build of a channel's value: the value decides, not the record in the parameter's description.

The record can describe another value, because a write without a description keeps the description before. So the build
of a value is looked up in Image Builder's list, then in the tags of the AMI or container image, and in the record only
when neither of them knows the value and nothing contradicts the record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from estate.models.container_image import ContainerImage
from lambda_src.handoff.builds import Build, time_in, version_of
from lambda_src.handoff.channels import Channel
from lambda_src.rollout.guards import BUILD_TAG, build_of
from ops.aws import Aws, asking
from ops.pipeline import Pipeline, created_in

if TYPE_CHECKING:  # boto3's stubs are for development only
    from mypy_boto3_ec2.type_defs import ImageTypeDef

_MOST_AT_ONCE = 200
"""Values of one filter of EC2."""


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What is known about a value: the build that made it, and what is wrong with it, if anything."""

    arn: str | None = None
    created: datetime | None = None
    problem: str | None = None
    by_hand: bool = False
    """Whether the record describes another value."""

    @property
    def build(self) -> str | None:
        """The build in short, `1.0.912/3`."""
        return version_of(self.arn or "") or None


@dataclass(frozen=True, kw_only=True)
class Output:
    """What AWS knows about a value."""

    exists: bool
    arn: str | None
    created: datetime | None
    problem: str | None


Outputs = Mapping[str, Output]
"""By value; empty when AWS could not be asked."""


def read_outputs(pipeline: Pipeline, values: Iterable[str], *, aws: Aws, region: str) -> dict[str, Output]:
    """What AWS knows about values of an image's channels in a region. Raises `OpsError`."""
    asked = set(values)
    if pipeline.repository:
        with asking(region):
            return {value: _container(value, pipeline, aws=aws, region=region) for value in asked}
    images = read_amis(asked, aws=aws, region=region)
    return {value: _ami(value, images.get(value), pipeline, region) for value in asked}


def read_amis(values: Iterable[str], *, aws: Aws, region: str) -> dict[str, ImageTypeDef]:
    """AMIs by their IDs, of any owner, also deprecated and disabled ones. Raises `OpsError`.

    Values that are no AMI IDs are left out, because a filter would use `*` in them as a wildcard.
    """
    wanted = sorted({value for value in values if is_ami(value)})
    found = {}
    with asking(region):
        pages = aws.ec2(region).get_paginator("describe_images")
        for start in range(0, len(wanted), _MOST_AT_ONCE):
            filters: Any = [{"Name": "image-id", "Values": wanted[start : start + _MOST_AT_ONCE]}]
            for page in pages.paginate(Filters=filters, IncludeDeprecated=True, IncludeDisabled=True):
                found.update({image["ImageId"]: image for image in page["Images"]})
    return found


def is_ami(value: str) -> bool:
    """Whether it looks like the ID of an AMI."""
    return re.fullmatch(r"ami-[0-9a-f]{8,17}", value) is not None


def meaning_of(
    channel: Channel, *, pipeline: Pipeline, builds: Sequence[Build], outputs: Outputs, region: str
) -> Meaning:
    """What is known about a channel's value, from the image's builds and from AWS."""
    value, record = channel.value, channel.record
    output = outputs.get(value)
    recorded = record.get("build", "")
    made = next((build for build in builds if build.outputs.get(region) == value), None)
    arn = (made.arn if made else None) or (output.arn if output else None)
    if made is None and output and output.arn:  # a container image: the list has its tag, and the value its digest
        made = next((build for build in builds if build.arn == output.arn), None)
    by_hand = recorded != arn if arn else not recorded
    if arn is None and recorded:
        of_another_value = any(build.arn == recorded and region in build.outputs for build in builds)
        by_hand = of_another_value or not pipeline.is_of(recorded)
        arn = None if by_hand else recorded
    known = (None if by_hand else created_in(record)), made and made.created, output and output.created
    return Meaning(
        arn=arn,
        created=next((time for time in known if time), None),
        problem=output.problem if output else None,
        by_hand=by_hand,
    )


def _ami(value: str, image: ImageTypeDef | None, pipeline: Pipeline, region: str) -> Output:
    if not is_ami(value):
        return Output(exists=False, arn=None, created=None, problem=f"{value!r} is not the ID of an AMI")
    if image is None:
        place = f"account {pipeline.account} and {region}"
        problem = f"{value} is not in {place}: it was deregistered, or belongs to another account or region"
        return Output(exists=False, arn=None, created=None, problem=problem)
    arn = build_of(image) or None
    own = arn is not None and pipeline.is_of(arn)
    return Output(
        exists=True,
        arn=arn if own else None,
        created=_time(image.get("CreationDate", "")),
        problem=_fault(value, image, pipeline, arn=arn),
    )


def _fault(value: str, image: ImageTypeDef, pipeline: Pipeline, *, arn: str | None) -> str | None:
    """Why a fleet must not launch an AMI, in the same cases as the guards in the fleets' stacks.

    Not `lambda_src.rollout.guards`, which knows only the rules of one fleet: this names the image that the build is of.
    """
    name = image.get("Name", "")
    owner = image.get("OwnerId", pipeline.account)
    architecture = image.get("Architecture", "")
    state = image.get("State", "available")
    if owner != pipeline.account:
        return f"{value} ({name}) belongs to account {owner}, and is not a build of this image"
    is_accepted = not isinstance(pipeline.image, ContainerImage) and value in pipeline.image.accept
    if arn and not pipeline.is_of(arn) and not is_accepted:
        return f"{value} ({name}) is build {version_of(arn)} of {_image_in(arn)}, not of this image"
    if not name.startswith(pipeline.declared.names.ami_prefix) and not is_accepted:
        return f"{value} ({name}) is not a build of this image"
    if not arn and not is_accepted:
        return f"{value} ({name}) is not a build of this image: it has no tag {BUILD_TAG}, which every build has"
    wanted = pipeline.image.architecture
    if architecture.removesuffix("_mac") != wanted:  # a Mac's are x86_64_mac and arm64_mac
        return f"{value} is built for {architecture}, and the image is for {wanted}"
    return None if state == "available" else f"{value} is {state}"


def _image_in(build_arn: str) -> str:
    return build_arn.partition(":image/")[2].partition("/")[0]


def _container(value: str, pipeline: Pipeline, *, aws: Aws, region: str) -> Output:
    """A container image by its digest. Its build is in the tag that Image Builder gave it: `1.0.7-1` is build
    1.0.7/1."""
    name, _, digest = value.partition("@")
    registry, _, repository = name.partition("/")
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest) or ".dkr.ecr." not in registry:
        problem = f"{value!r} is not the URI of a container image by digest"
        return Output(exists=False, arn=None, created=None, problem=problem)
    own = f"{pipeline.account}.dkr.ecr.{region}."
    if repository != pipeline.repository or not registry.startswith(own):
        problem = f"{value} is not in repository {pipeline.repository} of account {pipeline.account} and {region}"
        return Output(exists=False, arn=None, created=None, problem=problem)
    try:
        answer = aws.ecr(region).describe_images(repositoryName=repository, imageIds=[{"imageDigest": digest}])
        details = answer["imageDetails"]
    except ClientError as error:
        if error.response["Error"].get("Code") not in ("ImageNotFoundException", "RepositoryNotFoundException"):
            raise
        details = []
    if not details:
        problem = f"{value} does not exist: it was deleted from the repository"
        return Output(exists=False, arn=None, created=None, problem=problem)
    tags = [tag for detail in details for tag in detail.get("imageTags", ())]
    version = next((tag for tag in tags if re.fullmatch(r"\d+\.\d+\.\d+-\d+", tag)), None)
    created = details[0].get("imagePushedAt")
    if version is None:
        problem = f"{value} is not a build of this image: it has no tag such as 1.0.7-1, which every build has"
        return Output(exists=True, arn=None, created=created, problem=problem)
    return Output(exists=True, arn=pipeline.build_arn("/".join(version.rsplit("-", 1))), created=created, problem=None)


def _time(text: str) -> datetime | None:
    return time_in(text)
