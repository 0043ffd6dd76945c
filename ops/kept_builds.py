"""The builds of an image that are kept: why each is, how much it stores, and what that costs by AWS's list prices.

The prices are those of `pages/prices.yaml`, of the region that the file names. The size of an AMI is that of its
volumes, which is the most that its snapshots store; that of a container image is what ECR says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from lambda_src.handoff.builds import Build, version_of
from lambda_src.handoff.tags import IN_USE_TAG, NEWEST_TAG
from ops.aws import Aws, asking
from ops.pipeline import Pipeline
from ops.values import read_amis

PRICES = Path(__file__).parents[1] / "pages" / "prices.yaml"
_BYTES_IN_GB = 1024**3
_MOST_AT_ONCE = 100
"""Images of one request to ECR (DescribeImages)."""


@dataclass(frozen=True, kw_only=True)
class KeptBuild:
    """A build that has outputs."""

    build: str
    arn: str
    created: datetime | None
    why: str
    """in use, one of the newest, revoked, or empty when only retention has not deleted it yet."""
    gb: float
    """In all regions of the image together."""
    monthly_cost: float


@dataclass(frozen=True, kw_only=True)
class Prices:
    """List prices."""

    region: str
    currency: str
    snapshot: float
    """Of a GB and month of an AMI's snapshots."""
    container: float
    """Of a GB and month in ECR."""


@cache
def read_prices() -> Prices:
    """The prices of the file."""
    written = YAML(typ="safe").load(PRICES.read_text(encoding="utf-8"))
    return Prices(
        region=written["region"],
        currency=written["currency"],
        snapshot=written["snapshot_per_gb_and_month"],
        container=written["container_per_gb_and_month"],
    )


def kept_builds(pipeline: Pipeline, builds: Sequence[Build], *, aws: Aws, now: datetime) -> list[KeptBuild]:
    """The builds that have an output in a region of the image, newest first. Raises `OpsError`."""
    sizes = {region: _sizes(pipeline, builds, aws=aws, region=region) for region in pipeline.image.regions}
    prices = read_prices()
    price = prices.container if pipeline.repository else prices.snapshot
    kept = []
    for build in builds:
        found = [size for region, output in build.outputs.items() if (size := sizes.get(region, {}).get(output))]
        if found:
            gb = sum(found)
            kept.append(
                KeptBuild(
                    build=version_of(build.arn),
                    arn=build.arn,
                    created=build.created,
                    why=_why(build, now),
                    gb=round(gb, 2),
                    monthly_cost=round(gb * price, 2),
                )
            )
    return kept


def _why(build: Build, now: datetime) -> str:
    reasons = {"in use": IN_USE_TAG in build.tags, "one of the newest": NEWEST_TAG in build.tags}
    if build.is_revoked(now):
        return "revoked"
    return " and ".join(reason for reason, holds in reasons.items() if holds)


def _sizes(pipeline: Pipeline, builds: Iterable[Build], *, aws: Aws, region: str) -> Mapping[str, float]:
    """The size in GB of each output that exists in a region."""
    outputs = [build.outputs[region] for build in builds if region in build.outputs]
    if pipeline.repository:
        return dict(_container_sizes(pipeline.repository, outputs, aws=aws, region=region))
    images = read_amis(outputs, aws=aws, region=region)
    with asking(region):
        return {ami: _volumes(image) for ami, image in images.items()}


def _volumes(image: Mapping[str, Any]) -> float:
    disks = (mapping.get("Ebs", {}) for mapping in image.get("BlockDeviceMappings", ()))
    return float(sum(disk.get("VolumeSize", 0) for disk in disks))


def _container_sizes(repository: str, uris: Sequence[str], *, aws: Aws, region: str) -> Iterator[tuple[str, float]]:
    """By the URI with the tag that Image Builder gave the image."""
    if not uris:
        return
    tags = {uri.rpartition(":")[2]: uri for uri in uris}
    with asking(region):
        pages = aws.ecr(region).get_paginator("describe_images")
        for page in pages.paginate(repositoryName=repository, PaginationConfig={"PageSize": _MOST_AT_ONCE}):
            for detail in page["imageDetails"]:
                for tag in detail.get("imageTags", ()):
                    if tag in tags:
                        yield tags[tag], detail.get("imageSizeInBytes", 0) / _BYTES_IN_GB
