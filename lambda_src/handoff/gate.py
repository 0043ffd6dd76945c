"""The gate: whether a build's vulnerabilities let it become `latest`, by Amazon Inspector's findings in Image Builder.

The findings are a copy of those of the instance that tested the build, so none come later, and a verdict stays. A scan
that has not ended is waited for; one that ended without findings that can be trusted lets nothing pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from .answers import ask, entries, member, pages, part, text
from .builds import Build
from .configuration import Gate
from .failures import Failures

if TYPE_CHECKING:  # the Lambda runtime has no type stubs
    from mypy_boto3_imagebuilder import ImagebuilderClient

LONGEST_WAIT = timedelta(hours=6)
"""After so much time since the build began, a scan that has not ended is a problem."""

_SEVERITIES = ("critical", "high", "medium", "low")
"""From the worst; Image Builder counts the first three."""
_RUNNING = ("PENDING", "SCANNING", "COLLECTING")
_COMPLETED = "COMPLETED"
_MOST_NAMED = 3
"""Vulnerabilities that a reason names."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the gate says about a build."""

    passes: bool
    reason: str = ""
    """Why it does not pass; empty when it does."""
    waits: bool = False
    """Whether that may change by itself: the scan has not ended."""
    is_overdue: bool = False
    """Whether it waits for a very long time."""
    is_final: bool = False
    """Whether the same gate says the same for ever: it is because of findings, and exceptions only end."""


PASSES = Verdict(passes=True)


def judge(imagebuilder: ImagebuilderClient, build: Build, gate: Gate, *, now: datetime, failures: Failures) -> Verdict:
    """Judge a build. What needs a person is added to `failures`. Raises GarbledAnswer, and what boto3 raises."""
    image = member(ask(imagebuilder.get_image, imageBuildVersionArn=build.arn), "image", dict)
    scan = part(image, "scanState")
    status = text(scan, "status")
    why = f": {reason}" if (reason := text(scan, "reason")) else ""
    if status in _RUNNING:
        overdue = build.created is not None and now - build.created > LONGEST_WAIT
        if build.created and overdue:
            failures.add_problem(
                "gate", f"the scan of {build.arn} has not ended for {_hours(now - build.created)}{why}"
            )
        return Verdict(passes=False, waits=True, is_overdue=overdue, reason=f"scan {status}{why}")
    if status != _COMPLETED:
        ended = f"ended {status}{why}" if status else "is missing"
        failures.add_problem("gate", f"the scan of {build.arn} {ended}: build the image again")
        return Verdict(passes=False, reason=f"scan {ended}")
    refused = refused_severities(gate)
    counts = _counts(imagebuilder, build, refused)
    if not any(counts.values()):
        return PASSES
    exempt = {name for name, until in gate.exempt.items() if now.date().isoformat() <= until}
    if not exempt:
        return Verdict(passes=False, reason=_listed(counts), is_final=True)
    left = list(_not_exempt(imagebuilder, build, refused, exempt))
    if not left:
        return PASSES
    named = ", ".join(sorted(set(left))[:_MOST_NAMED])
    more = ", …" if len(set(left)) > _MOST_NAMED else ""
    return Verdict(passes=False, reason=f"{len(left)} without exception: {named}{more}", is_final=True)


def refused_severities(gate: Gate) -> tuple[str, ...]:
    """The severities that do not pass, from the worst."""
    return _SEVERITIES[: _SEVERITIES.index(gate.max_severity)]


def _counts(imagebuilder: ImagebuilderClient, build: Build, severities: Iterable[str]) -> dict[str, int]:
    """How many findings of each severity a build has. Without an aggregation it has none."""
    counts = dict.fromkeys(severities, 0)
    wanted: Any = {"name": "imageBuildVersionArn", "values": [build.arn]}
    for page in pages(imagebuilder, "list_image_scan_finding_aggregations", filter=wanted):
        for entry in entries(page, "responses"):
            found = part(entry, "imageAggregation")
            if text(found, "imageBuildVersionArn") == build.arn:
                severity = part(found, "severityCounts")
                counts = {name: count + _number(severity, name) for name, count in counts.items()}
    return counts


def _number(counts: Mapping[str, Any], name: str) -> int:
    value = counts.get(name)
    return value if isinstance(value, int) else 0


def _not_exempt(
    imagebuilder: ImagebuilderClient, build: Build, severities: Iterable[str], exempt: set[str]
) -> Iterator[str]:
    """The vulnerabilities of these severities that are not exempt, one for each finding."""
    refused = {severity.upper() for severity in severities}
    wanted: Any = [{"name": "imageBuildVersionArn", "values": [build.arn]}]
    for page in pages(imagebuilder, "list_image_scan_findings", filters=wanted):
        for finding in entries(page, "findings"):
            name = text(part(finding, "packageVulnerabilityDetails"), "vulnerabilityId") or "unknown"
            if (text(finding, "severity") or "").upper() in refused and name not in exempt:
                yield name


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {severity}" for severity, count in counts.items() if count)


def _hours(time: timedelta) -> str:
    return f"{int(time.total_seconds() // 3600)} hours"
