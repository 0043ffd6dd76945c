"""`goldsmith doctor --parent`: the newest parent image of an operating system in a region, and the line to write in an
image. `ops.commands.doctor` lists the members of its JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from estate.arns import partition
from estate.catalogue.operating_systems import Architecture, ManagedImage, OperatingSystem, PublicParameter, Published
from ops.aws import Aws, asking, open_session
from ops.errors import OpsError
from ops.screen import open_console

if TYPE_CHECKING:  # boto3's stubs are for development only
    from mypy_boto3_ec2.type_defs import FilterTypeDef, ImageTypeDef


@dataclass(frozen=True, kw_only=True)
class ParentImage:
    """The newest parent image of a system. `parent` names exactly this version."""

    os: str
    region: str
    architecture: str
    kind: str
    reference: str | None
    name: str | None
    created: str | None
    ami: str | None
    parent: str


def run_parent(system: OperatingSystem, *, region: str, architecture: Architecture, as_json: bool) -> int:
    """Find and print it; the exit status. Raises `OpsError` when there is none, or AWS refuses."""
    console = open_console(to_stderr=as_json)
    with console.status(f"Looking for {system.title}"):
        found = newest_parent(system, region=region, architecture=architecture)
    if as_json:
        open_console().print(json.dumps(asdict(found), indent=2), soft_wrap=True)
        return 0
    date = f", of {found.created[:10]}" if found.created else ""
    console.print(f"{system.title} for {architecture} in {region}: {found.name or found.parent}{date}", soft_wrap=True)
    if found.reference:
        use = f"without parent, os: {system.name} takes the newest at each build; to keep this one, write in the image"
    else:
        use = f"AWS cannot look up the newest one at each build, so write in the image, next to os: {system.name}"
    console.print(use, soft_wrap=True)
    console.print(f"parent: {found.parent}", soft_wrap=True)
    return 0


def newest_parent(system: OperatingSystem, *, region: str, architecture: Architecture) -> ParentImage:
    """Ask AWS with the credentials of the environment. Raises `OpsError` when there is none, or AWS refuses."""
    aws = Aws(open_session(), home=region)
    reference = system.parent(region=region, architecture=architecture)
    title: str | None
    match system.parents[architecture]:
        case ManagedImage(name):
            kind = "managed image"
            title, created, ami, parent = _managed(name, reference or "", aws=aws, region=region)
        case PublicParameter(path):
            kind = "public parameter"
            ami = _in_parameter(path, aws=aws, region=region)
            images = _images(aws, region, filters=[{"Name": "image-id", "Values": [ami]}])
            title, created, parent = (images[0].get("Name") if images else None), _created(images), ami
        case Published() as source:
            kind = "published AMI"
            newest = _published(system, source, aws=aws, region=region, architecture=architecture)
            title, created, ami = newest["Name"], _created([newest]), newest["ImageId"]
            parent = ami
    return ParentImage(
        os=system.name,
        region=region,
        architecture=architecture,
        kind=kind,
        reference=reference,
        name=title,
        created=created,
        ami=ami,
        parent=parent,
    )


def _managed(name: str, reference: str, *, aws: Aws, region: str) -> tuple[str, str | None, str | None, str]:
    """Name, creation date, AMI and ARN of the newest version of a managed image."""
    with asking(region):
        try:
            image = aws.imagebuilder(region).get_image(imageBuildVersionArn=reference)["image"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            raise OpsError(f"{region} has no managed image {name}: set parent to an AMI ID of your own") from None
        amis = image.get("outputResources", {}).get("amis", [])
        ami = next((each.get("image") for each in amis if each.get("region") == region), None)
        return f"{name} {image.get('version', '')}".strip(), image.get("dateCreated"), ami, image["arn"]


def _in_parameter(path: str, *, aws: Aws, region: str) -> str:
    with asking(region):
        try:
            return aws.ssm(region).get_parameter(Name=path)["Parameter"]["Value"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ParameterNotFound":
                raise
    raise OpsError(f"{region} has no public parameter {path}: set parent to an AMI ID of your own")


def _published(
    system: OperatingSystem, source: Published, *, aws: Aws, region: str, architecture: Architecture
) -> ImageTypeDef:
    """The newest AMI of the publisher. The version decides first: a later fix of a lower version is not newer."""
    owner = source.owners.get(partition(region))
    if owner is None:
        raise OpsError(f"no known account publishes {system.title} in {region}: set parent to an AMI ID of your own")
    images = _images(
        aws,
        region,
        owners=[owner],
        filters=[
            {"Name": "name", "Values": list(source.names)},
            {"Name": "architecture", "Values": [architecture]},
            {"Name": "state", "Values": ["available"]},
        ],
    )
    if not images:
        raise OpsError(
            f"account {owner} has no AMI of {system.title} for {architecture} in {region} whose name is like "
            f"{' or '.join(source.names)}: set parent to an AMI ID of your own"
        )
    with asking(region):
        return max(images, key=lambda image: (_version(image["Name"]), image.get("CreationDate", ""), image["ImageId"]))


def _images(
    aws: Aws, region: str, *, filters: Sequence[FilterTypeDef], owners: Sequence[str] = ()
) -> list[ImageTypeDef]:
    """AMIs, also deprecated ones: every public AMI is deprecated after two years."""
    with asking(region):
        pages = (
            aws.ec2(region)
            .get_paginator("describe_images")
            .paginate(Owners=list(owners), Filters=list(filters), IncludeDeprecated=True)
        )
        return [image for page in pages for image in page["Images"]]


def _created(images: Sequence[ImageTypeDef]) -> str | None:
    return images[0].get("CreationDate") if images else None


def _version(name: str) -> tuple[int, ...]:
    """The version in an AMI's name, `RHEL-9.6.0_HVM-…` or `…-Base-2023.10.11`; empty if it names none."""
    match = re.search(r"\d+(\.\d+)+", name)
    return tuple(int(part) for part in match[0].split(".")) if match else ()
