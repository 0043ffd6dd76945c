"""Scans of builds by Inspector, and the operations that show what was found.

Image Builder's own test workflow waits for the scan of the test instance, and saves a copy of its findings, before the
test components run; if that fails, the build goes on. Here that takes the time of TESTING, and COLLECTING none. A build
whose scan has not completed at its end has ABANDONED (ImageScanState in the service model), for example because none of
its workflows collects findings, or because it is for macOS, for which none are collected.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local_aws.dates import api_date
from local_aws.errors import AwsError
from local_aws.image_builder.pages import page_of
from local_aws.image_builder.refusals import invalid
from local_aws.image_builder.store import Fields, RegionStore
from local_aws.image_builder.vulnerabilities import Finding, vulnerable

_STEPS = ("PENDING", "SCANNING", "COLLECTING", "COMPLETED")
_ENDS = ("COMPLETED", "ABANDONED", "FAILED", "TIMED_OUT")

_AGGREGATIONS = {
    "accountId": ("accountAggregation", "accountId"),
    "imageBuildVersionArn": ("imageAggregation", "imageBuildVersionArn"),
    "imagePipelineArn": ("imagePipelineAggregation", "imagePipelineArn"),
    "vulnerabilityId": ("vulnerabilityIdAggregation", "vulnerabilityId"),
}
"""By type: the member of an aggregation, and the member in it that has the key."""


@dataclass(frozen=True, kw_only=True)
class Scan:
    """How a scan goes. Raises ValueError for a status that AWS does not have."""

    status: str = "COMPLETED"
    """How it ends, or the status in which it stays."""
    reason: str = ""
    """Of that status."""
    findings: Sequence[Finding] | None = None
    """What is found. Default: the vulnerabilities of the image's packages."""

    def __post_init__(self) -> None:
        if self.status not in (*_STEPS, *_ENDS):
            raise ValueError(f"a scan's status is one of {', '.join(dict.fromkeys((*_STEPS, *_ENDS)))}")

    @property
    def stays(self) -> bool:
        """Whether it stays in a status that is no end."""
        return self.status not in _ENDS


def check_scanning(params: Fields, store: RegionStore) -> None:
    """Refuse scans by a pipeline without tests, and where Inspector does not scan.

    The last refusal is the one that tests of the AWS provider met (hashicorp/terraform-provider-aws#35674).
    """
    if not params.get("imageScanningConfiguration", {}).get("imageScanningEnabled"):
        return
    if not params.get("imageTestsConfiguration", {}).get("imageTestsEnabled", True):
        raise invalid("imageScanningConfiguration", "Image tests must be enabled.")
    kind = "ecr" if "containerRecipeArn" in params else "ec2"
    if not store.neighbours.is_scanned(kind, region=store.name):
        raise AwsError(
            code="ResourceDependencyException",
            message=f"Resource dependency error: Amazon Inspector is not enabled for '{kind}' resources in account "
            f"'{store.account}'.",
        )


def first_state(pipeline: Fields) -> dict[str, Any]:
    """The scan state of a new build, as a member of its image; nothing if the pipeline does not scan."""
    scans = pipeline.get("imageScanningConfiguration", {}).get("imageScanningEnabled")
    return {"scanState": {"status": "PENDING"}} if scans else {}


def collects_findings(image: Fields, store: RegionStore) -> bool:
    """Whether the build is scanned, and a workflow of it collects the findings."""
    if "scanState" not in image or image["platform"] == "macOS":
        return False
    workflows = [entry["workflowArn"] for entry in image.get("workflows", ())]
    own = [store.find(arn) or {} for arn in workflows]
    return (
        not workflows  # Image Builder's own ones run
        or image["type"] == "DOCKER"
        or any(":aws:workflow/test/test-image/" in arn for arn in workflows)
        or any("CollectImageScanFindings" in workflow.get("data", "") for workflow in own)
    )


def start(image: dict[str, Any], scan: Scan) -> None:
    """Let the scan of a build begin."""
    if scan.status != "PENDING":
        image["scanState"] = {"status": "SCANNING"}


def end(image: dict[str, Any], scan: Scan) -> None:
    """End the scan of a build, or leave it where it is to stay, and note what it has found."""
    date = api_date()
    findings = vulnerable(image["packages"]) if scan.findings is None else scan.findings
    image["scanFindings"] = [finding.described(image, at=date) for finding in findings]
    change_status(image, scan.status, reason=scan.reason)


def abandon(image: dict[str, Any]) -> None:
    """A build has ended: its scan is not waited for any longer."""
    if image.get("scanState", {}).get("status") in _STEPS[:-1]:
        image["scanState"] = {"status": "ABANDONED"}


def change_status(image: dict[str, Any], status: str, *, reason: str) -> None:
    """Change the status of a scan. Raises ValueError if the build is not scanned."""
    if "scanState" not in image:
        raise ValueError(f"{image['arn']} is not scanned")
    image["scanState"] = {"status": status, **({"reason": reason} if reason else {})}


def scan_operations() -> dict[str, Callable[[RegionStore, Fields], dict[str, Any]]]:
    """The operations by name."""
    return {
        "ListImagePackages": _list_packages,
        "ListImageScanFindings": _list_findings,
        "ListImageScanFindingAggregations": _list_aggregations,
    }


def _list_packages(store: RegionStore, params: Fields) -> dict[str, Any]:
    """The packages of an AMI's build; only enhanced metadata has them ("CollectImageMetadata" in the user guide)."""
    image = store.get(params["imageBuildVersionArn"])
    has_them = image["type"] == "AMI" and image["enhancedImageMetadataEnabled"]
    packages = image.get("packages", {}) if has_them else {}
    found = [{"packageName": name, "packageVersion": version} for name, version in packages.items()]
    return page_of(found, params, member="imagePackageList")


def _list_findings(store: RegionStore, params: Fields) -> dict[str, Any]:
    found = _findings(store)
    for item in params.get("filters", ()):
        name = _filter_name(item, ("imageBuildVersionArn", "imagePipelineArn", "vulnerabilityId", "severity"))
        found = [finding for finding in found if _key(finding, name) in item.get("values", ())]
    return page_of(found, params, member="findings")


def _list_aggregations(store: RegionStore, params: Fields) -> dict[str, Any]:
    """Counts for each key that has findings: AWS does not document how it shows a key without any."""
    item = params.get("filter")
    name = _filter_name(item, tuple(_AGGREGATIONS)[1:]) if item else "accountId"
    groups: dict[str, list[dict[str, Any]]] = {}
    for finding in _findings(store):
        key = _key(finding, name)
        if not item or "values" not in item or key in item["values"]:
            groups.setdefault(key, []).append(finding)
    member, key_member = _AGGREGATIONS[name]
    responses = [{member: {key_member: key, "severityCounts": _counts(group)}} for key, group in groups.items()]
    return {"aggregationType": name, **page_of(responses, params, member="responses")}


def _findings(store: RegionStore) -> list[dict[str, Any]]:
    """The findings of an account's completed scans, in an order that is the same each time, but arbitrary."""
    completed = [image for image in store.of_path("image") if image.get("scanState", {}).get("status") == "COMPLETED"]
    found = [finding for image in completed for finding in image.get("scanFindings", ())]
    return sorted(found, key=lambda finding: hashlib.sha256(repr(finding).encode()).digest())


def _counts(findings: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    severities = [finding["severity"].lower() for finding in findings]
    return {"all": len(severities), **{each: severities.count(each) for each in ("critical", "high", "medium")}}


def _key(finding: Mapping[str, Any], name: str) -> str:
    if name == "vulnerabilityId":
        return str(finding["packageVulnerabilityDetails"]["vulnerabilityId"])
    return str(finding["awsAccountId" if name == "accountId" else name])


def _filter_name(item: Fields, known: Sequence[str]) -> str:
    name = str(item.get("name"))
    if name not in known:
        raise AwsError(
            code="InvalidRequestException",
            message=f"The filter name '{name}' is not valid. Valid names are {', '.join(known)}.",
        )
    return name
