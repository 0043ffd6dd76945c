"""Which builds of other images were made on a build: EC2 knows the AMIs from which an AMI was made.

So it does not matter what the configuration says today, through how many images it goes, and in which account they are.
Container images have no such ancestors.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass

from botocore.exceptions import ClientError

from estate.estate import Estate, EstateImage
from estate.models.ami_image import AmiImage
from estate.models.images import Image
from lambda_src.handoff.builds import Build, list_builds
from lambda_src.handoff.failures import code_of
from ops.accounts import Accounts
from ops.aws import Aws, asking
from ops.errors import OpsError
from ops.pipeline import Pipeline

_AT_ONCE = 16
_GONE = ("InvalidAMIID.NotFound", "InvalidAMIID.Unavailable")


@dataclass(frozen=True, kw_only=True)
class Others:
    """The builds of another image of the estate."""

    image: EstateImage[Image]
    builds: tuple[Build, ...] = ()
    """Newest first."""
    error: str | None = None
    """Why they could not be read."""


@dataclass(frozen=True, kw_only=True)
class Children:
    """The builds of other images that were made on a build."""

    builds: dict[str, tuple[Build, ...]]
    """By image, without images that have none."""
    errors: tuple[str, ...]
    """What could not be read."""


def read_others(estate: Estate, but: str, *, accounts: Accounts, pool: Executor) -> list[Others]:
    """The builds of every other image of the estate that is an AMI."""

    def read(name: str) -> Others:
        image = estate.image(name)
        try:
            aws = accounts.of_image(image)
            home, pipeline = image.image.home, Pipeline(declared=image, account=aws.account)
            with asking(home):
                return Others(image=image, builds=tuple(list_builds(aws.imagebuilder(home), pipeline_arn=pipeline.arn)))
        except OpsError as error:
            return Others(image=image, error=f"{name}: its builds cannot be read: {error}")

    return list(pool.map(read, [name for name in estate.amis if name != but]))


def find_children(
    base: EstateImage[Image], build: Build, *, others: list[Others], accounts: Accounts, pool: Executor
) -> Children:
    """The builds that were made on a build. What cannot be read is in `errors`."""
    if not isinstance(base.image, AmiImage):
        unknown = "which container images were built on it cannot be read: they have no ancestors in AWS"
        return Children(builds={}, errors=(f"{base.image.name}: {unknown}",))
    errors = [each.error for each in others if each.error]
    found: dict[str, tuple[Build, ...]] = {}
    for each in others:
        name = each.image.image.name
        try:
            children = tuple(_children(each, build, accounts, pool))
        except OpsError as error:
            errors.append(f"{name}: the ancestors of its builds cannot be read: {error}")
        else:
            found |= {name: children} if children else {}
    return Children(builds=found, errors=tuple(errors))


def _children(others: Others, base: Build, accounts: Accounts, pool: Executor) -> Iterator[Build]:
    """The builds of an image that were made on the base. Asked is about those that can have been: younger ones with an
    AMI. Raises `OpsError`, without many more calls after the first that fails."""
    home, amis = others.image.image.home, set(base.outputs.values())
    asked = [build for build in others.builds if home in build.outputs and not _is_older(build, base)]
    aws = accounts.of_image(others.image)
    for start in range(0, len(asked), _AT_ONCE):
        some = asked[start : start + _AT_ONCE]
        ancestors = pool.map(lambda build: _ancestors(aws, build.outputs[home], region=home), some)
        yield from (build for build, found in zip(some, ancestors, strict=True) if amis & found)


def _is_older(build: Build, base: Build) -> bool:
    return bool(build.created and base.created and build.created < base.created)


def _ancestors(aws: Aws, ami: str, *, region: str) -> set[str]:
    """The AMIs from which an AMI was made; none for one that is gone. Raises `OpsError`."""
    with asking(region):
        try:
            answer = aws.ec2(region).get_image_ancestry(ImageId=ami)
        except ClientError as error:
            if code_of(error) in _GONE:
                return set()
            raise
        return {entry["ImageId"] for entry in answer["ImageAncestryEntries"]}
