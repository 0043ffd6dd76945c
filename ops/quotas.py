"""Quotas of AWS that can stop a first deployment: vCPUs of a region for the fleets, and pipelines of Image Builder."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from estate.estate import EstateFleet, EstateImage
from estate.models.images import Image
from ops.aws import Aws, asking
from ops.errors import OpsError
from ops.finding import MISSING, UNKNOWN, Finding

_STANDARD_VCPUS = "L-1216C47A"
"""Of EC2: "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", in vCPUs."""
_STANDARD = re.compile(r"(a|c|d|h|i|im|is|m|r|t|z)[0-9]")
"""How the names of instance types begin that count against it."""
_PIPELINES = "Image pipelines"
"""Of Image Builder; the name of the quota."""
_MOST_TYPES = 100
"""Instance types of one call."""


def check_quotas(
    images: Sequence[EstateImage[Image]], fleets: Sequence[EstateFleet], *, aws: Aws, place: str
) -> Iterator[Finding]:
    """A line for each quota and region in which the images have their home or the fleets run."""
    for region in dict.fromkeys([*(image.image.home for image in images), *(fleet.fleet.region for fleet in fleets)]):
        instances = Counter[str]()
        for fleet in fleets:
            if fleet.fleet.region == region:
                instances[fleet.fleet.instance_type] += fleet.fleet.capacity.max
        if instances:
            yield _vcpus(instances, aws=aws, region=region, place=place)
        if pipelines := sum(image.image.home == region for image in images):
            yield _pipelines(pipelines, aws=aws, region=region, place=place)


def _vcpus(instances: Counter[str], *, aws: Aws, region: str, place: str) -> Finding:
    """Whether the quota is enough for all fleets at their maximum."""
    subject = f"quota of vCPUs in {region}{place}"
    try:
        with asking(region):
            quotas = aws.service_quotas(region)
            most = quotas.get_service_quota(ServiceCode="ec2", QuotaCode=_STANDARD_VCPUS)["Quota"]["Value"]
            vcpus = _vcpus_of([kind for kind in instances if _STANDARD.match(kind)], aws=aws, region=region)
    except OpsError as error:
        return Finding(subject=subject, state=UNKNOWN, text=str(error))
    needed = sum(count * vcpus.get(kind, 0) for kind, count in instances.items())
    return _compared(
        subject, needed=needed, most=most, of="the fleets at their maximum", quota="EC2, " + _STANDARD_VCPUS
    )


def _vcpus_of(kinds: Sequence[str], *, aws: Aws, region: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(kinds), _MOST_TYPES):
        answer = aws.ec2(region).describe_instance_types(InstanceTypes=kinds[start : start + _MOST_TYPES])  # type: ignore[arg-type]
        found.update({each["InstanceType"]: each["VCpuInfo"]["DefaultVCpus"] for each in answer["InstanceTypes"]})
    return found


def _pipelines(needed: int, *, aws: Aws, region: str, place: str) -> Finding:
    subject = f"quota of pipelines in {region}{place}"
    try:
        with asking(region):
            pages = aws.service_quotas(region).get_paginator("list_service_quotas").paginate(ServiceCode="imagebuilder")
            quotas = {quota["QuotaName"]: quota["Value"] for page in pages for quota in page["Quotas"]}
    except OpsError as error:
        return Finding(subject=subject, state=UNKNOWN, text=str(error))
    if _PIPELINES not in quotas:
        return Finding(subject=subject, state=UNKNOWN, text=f"Service Quotas does not list {_PIPELINES}")
    return _compared(
        subject, needed=needed, most=quotas[_PIPELINES], of="the images", quota=f"EC2 Image Builder, {_PIPELINES}"
    )


def _compared(subject: str, *, needed: int, most: float, of: str, quota: str) -> Finding:
    text = f"{of} need {needed} of {most:.0f}"
    if needed <= most:
        return Finding(subject=subject, text=text)
    return Finding(subject=subject, state=MISSING, text=text, remedy=f"ask for more in Service Quotas ({quota})")
