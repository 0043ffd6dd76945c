"""Parent images: which AMI a recipe's `parentImage` refers to, and what an image inherits from it.

A parent is an Amazon-managed image, an image of this account, an SSM parameter (`ssm:/…`, by name or ARN) or an AMI.
Each of them leads to an AMI, which has an architecture, a platform and a root device.

According to AWS's documentation, the AMI, or the one that a parameter holds, must exist in the recipe's region
(CreateImageRecipe), and a build fails before any workflow starts if its parent does not exist anymore ("Find the cause
of a failed image build with failure context"). It does not document when a parameter is read. Here it is read when the
build starts, so a recipe can name the parameter of a base that has not been built yet, and a recipe is refused only if
its AMI does not exist. The messages of both refusals are our own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.image_builder.arns import matches, newest
from local_aws.image_builder.refusals import invalid
from local_aws.image_builder.store import RegionStore
from local_aws.ministack.public_images import PublicImage, by_ami, managed_images, managed_version


@dataclass(frozen=True, kw_only=True)
class ParentImage:
    """The AMI that a parent leads to."""

    ami: str
    platform: str
    """Linux, Windows or macOS."""
    os_version: str | None
    """None for an AMI that is not a copy of a public one."""
    architecture: str
    """As EC2 names it: x86_64, arm64, x86_64_mac, arm64_mac."""
    root_device_name: str
    is_supported: bool
    """Whether its publisher still releases newer ones; also true for an AMI that is not a copy of a public one."""


class ParentUnknown(Exception):
    """The parent does not exist; the message is the reason."""


class ParameterMissing(ParentUnknown):
    """The parameter does not exist, or not yet."""


def resolve_parent(parent: str, region: RegionStore) -> ParentImage:
    """The AMI that a parent leads to now. Raises `ParentUnknown`."""
    if parent.startswith("ami-"):
        return _of_ami(parent, region)
    if parent.startswith("ssm:"):
        value = region.neighbours.parameter_value(region=region.name, name=parent.removeprefix("ssm:"))
        if value is None:
            raise ParameterMissing(f"The parameter '{parent.removeprefix('ssm:')}' does not exist in {region.name}.")
        return _of_ami(value, region)
    if managed := find_managed(parent, region=region.name):
        return _of_ami(managed[1].ami(region.name), region)
    images = [each for each in list(region.resources.values()) if ":image/" in each["arn"] and each["type"] == "AMI"]
    arn = newest(parent, [image["arn"] for image in images if image["state"]["status"] == "AVAILABLE"])
    if arn is None:
        raise ParentUnknown(f"The parent image '{parent}' does not exist in {region.name}.")
    outputs = region.resources[arn]["outputResources"]["amis"]
    amis = [ami["image"] for ami in outputs if ami["region"] == region.name]
    if not amis:
        raise ParentUnknown(f"The image '{arn}' has no AMI in {region.name}.")
    return _of_ami(amis[0], region)


def check_parent(parent: str, region: RegionStore) -> ParentImage | None:
    """The AMI of a new recipe's parent; None for a parameter that does not exist yet.

    Raises InvalidParameterValueException for any other parent that does not exist.
    """
    try:
        return resolve_parent(parent, region)
    except ParameterMissing:
        return None
    except ParentUnknown as unknown:
        raise invalid("parentImage", str(unknown)) from None


def find_managed(arn: str, *, region: str) -> tuple[str, PublicImage] | None:
    """The newest version that the ARN of an Amazon-managed image, which may have wildcards, matches, and its AMI."""
    match = re.match(rf"(arn:aws[a-z-]*:imagebuilder:{region}:aws:image)/([^/]+)/", arn)
    image = managed_images().get(match[2]) if match else None
    if match is None or image is None:
        return None
    newest_arn = f"{match[1]}/{match[2]}/{managed_version()}/1"
    return (newest_arn, image) if matches(arn, newest_arn) else None


def managed_image(arn: str, image: PublicImage, *, region: str) -> dict[str, Any]:
    """An Amazon-managed image in the API's form (GetImage)."""
    name, version, build = arn.split("/")[1:]
    ami = {"region": region, "image": image.ami(region), "name": image.name, "accountId": image.owner}
    return {
        "arn": arn,
        "type": "AMI",
        "name": name,
        "version": f"{version}/{build}",
        "platform": image.platform,
        "osVersion": image.os_version,
        "state": {"status": "AVAILABLE"},
        "dateCreated": image.created,
        "outputResources": {"amis": [ami]},
    }


def _of_ami(ami: str, region: RegionStore) -> ParentImage:
    described = region.neighbours.ami(region=region.name, ami=ami)
    if described is None:
        raise ParentUnknown(f"The AMI '{ami}' does not exist in {region.name}.")
    public = _public_origin(described, region)
    return ParentImage(
        ami=ami,
        platform=_platform(described),
        # AWS finds it on the build instance; here it is that of the public AMI from which all copies come
        os_version=public.os_version if public else None,
        architecture=described["Architecture"],
        root_device_name=described["RootDeviceName"],
        is_supported=public is None or public.supported,
    )


def _platform(described: Mapping[str, Any]) -> str:
    """EC2 shows a platform only for Windows; Macs have architectures of their own."""
    if described.get("Platform") == "windows":
        return "Windows"
    return "macOS" if described["Architecture"].endswith("_mac") else "Linux"


def _public_origin(described: Mapping[str, Any], region: RegionStore) -> PublicImage | None:
    ami, where, neighbours = described["ImageId"], region.name, region.neighbours
    while (public := by_ami(ami, region=where)) is None:
        source = neighbours.ami(region=where, ami=ami) or {}
        if "SourceImageId" not in source:
            return None
        ami, where = source["SourceImageId"], source["SourceImageRegion"]
        neighbours = neighbours.of(source["OwnerId"])
    return public
