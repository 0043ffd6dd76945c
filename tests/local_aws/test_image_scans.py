"""Scans of builds on the local AWS: their states, what they find, and how findings are listed."""

import itertools
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from local_aws.server import LocalAws, LocalAwsError
from tests.support.image_builder import (
    MANAGED_PARENT,
    REGION,
    build,
    followed,
    instance_profile,
    make_pipeline,
    refusal,
)

SCANNING = {"imageScanningEnabled": True}
MANAGED = f"arn:aws:imagebuilder:{REGION}:aws:workflow"
FINDINGS = (
    {"severity": "CRITICAL", "vulnerability": "CVE-2026-1", "package": "openssl", "version": "3.0.1", "fixed": "3.0.2"},
    {"severity": "CRITICAL", "vulnerability": "CVE-2026-2"},
    {"severity": "HIGH", "vulnerability": "CVE-2026-3"},
    {"severity": "LOW", "vulnerability": "CVE-2026-4"},
)
numbers = itertools.count(1)


class ScannedImage:
    """A pipeline whose builds Inspector scans, in an account that no other test uses."""

    def __init__(self, aws: LocalAws, *, account: str = "", parent: str = MANAGED_PARENT) -> None:
        self.aws, self.account = aws, account or f"8{next(numbers):011}"
        aws.client("inspector2", region=REGION, account=self.account).enable(resourceTypes=["EC2"])
        self.image_builder = aws.client("imagebuilder", region=REGION, account=self.account)
        self.name = f"scanned {next(numbers)}"
        arns = make_pipeline(aws, self.name, account=self.account, parent=parent)
        self.pipeline: str = arns["imagePipelineArn"]
        self._arns = {name: arn for name, arn in arns.items() if name.startswith(("imagePipe", "infrastructure"))}
        self._recipe, self._parent = arns["imageRecipeArn"], parent
        self.update()

    def update(self, **changes: Any) -> None:
        """Change the pipeline."""
        arns = {**self._arns, "imageRecipeArn": self._recipe}
        self.image_builder.update_image_pipeline(**{**arns, "imageScanningConfiguration": SCANNING, **changes})

    def install(self, *commands: str) -> None:
        """Build from a component with these commands."""
        name, steps = f"{self.name} {next(numbers)}", "".join(f"\n          - {command}" for command in commands)
        data = f"""\
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: Install
        action: ExecuteBash
        inputs:
          commands:{steps}
"""
        component = self.image_builder.create_component(
            name=name, semanticVersion="1.0.0", platform="Linux", data=data
        )["componentBuildVersionArn"]
        self._recipe = self.image_builder.create_image_recipe(
            name=name, semanticVersion="1.0.0", parentImage=self._parent, components=[{"componentArn": component}]
        )["imageRecipeArn"]
        self.update()

    def scan(self, *findings: Mapping[str, str]) -> str:
        """Build with these findings; the ARN of the build."""
        self.aws.scan_next_build(self.pipeline, findings=findings)
        return self.build()

    def build(self) -> str:
        """Build; the ARN of the build."""
        return str(build(self.image_builder, {"imagePipelineArn": self.pipeline})["arn"])

    def state(self, arn: str) -> dict[str, str] | None:
        """The state of a build's scan."""
        state: dict[str, str] | None = self.image_builder.get_image(imageBuildVersionArn=arn)["image"].get("scanState")
        return state

    def found(self, name: str = "", *values: str) -> list[str]:
        """The vulnerabilities that a filter finds."""
        filters = {"filters": [{"name": name, "values": list(values)}]} if name else {}
        pages = self.image_builder.get_paginator("list_image_scan_findings").paginate(**filters)
        found = [finding for page in pages for finding in page["findings"]]
        return sorted(finding["packageVulnerabilityDetails"]["vulnerabilityId"] for finding in found)

    def counts(self, name: str = "", *values: str) -> dict[str, dict[str, int]]:
        """The counts of the aggregations that a filter finds, by key."""
        asked: dict[str, Any] = {"filter": {"name": name, "values": list(values)}} if name else {}
        counts = {}
        for response in self.image_builder.list_image_scan_finding_aggregations(**asked)["responses"]:
            ((_, aggregation),) = response.items()
            (key,) = (value for member, value in aggregation.items() if member != "severityCounts")
            counts[key] = aggregation["severityCounts"]
        return counts


@pytest.fixture
def scanned(local_aws: LocalAws) -> ScannedImage:
    return ScannedImage(local_aws)


# Where Inspector scans


def test_pipeline_cannot_scan_where_inspector_does_not(local_aws: LocalAws) -> None:
    account = f"8{next(numbers):011}"
    pipeline = make_pipeline(local_aws, "not scanned", account=account)
    image_builder = local_aws.client("imagebuilder", region=REGION, account=account)
    arns = {name: arn for name, arn in pipeline.items() if name not in ("topic", "componentBuildVersionArn")}
    expected = (
        "ResourceDependencyException: Resource dependency error: Amazon Inspector is not enabled for 'ec2' resources "
        f"in account '{account}'."
    )
    scans = {**arns, "imageScanningConfiguration": SCANNING}
    assert refusal(image_builder.update_image_pipeline, **scans) == expected
    inspector = local_aws.client("inspector2", region=REGION, account=account)
    inspector.enable(resourceTypes=["ECR"])
    assert refusal(image_builder.update_image_pipeline, **scans) == expected
    inspector.enable(resourceTypes=["EC2"])
    image_builder.update_image_pipeline(**scans)


def test_build_that_is_not_scanned_has_no_scan(scanned: ScannedImage) -> None:
    configurations: list[dict[str, bool]] = [{"imageScanningEnabled": False}, {}]
    for configuration in configurations:
        scanned.update(imageScanningConfiguration=configuration)
        assert scanned.state(scanned.scan(*FINDINGS)) is None
    assert scanned.found() == []
    with pytest.raises(LocalAwsError, match="/_local_aws/scan"):
        scanned.aws.change_scan(scanned.build())


# States


def test_scan_goes_on_while_the_build_is_tested(local_aws: LocalAws, scanned: ScannedImage) -> None:
    local_aws.set_state_seconds(0.2)
    try:
        started = scanned.image_builder.start_image_pipeline_execution(imagePipelineArn=scanned.pipeline)
        images = list(followed(scanned.image_builder, started["imageBuildVersionArn"]))
    finally:
        local_aws.set_state_seconds(0)
    seen = {(image["state"]["status"], image["scanState"]["status"]) for image in images}
    assert seen <= {
        *((state, "PENDING") for state in ("PENDING", "CREATING", "BUILDING")),
        ("TESTING", "SCANNING"),
        *((state, "COMPLETED") for state in ("TESTING", "DISTRIBUTING", "INTEGRATING", "AVAILABLE")),
    }
    assert images[-1]["scanState"] == {"status": "COMPLETED"}


@pytest.mark.parametrize(("at", "status"), [("BUILDING", "ABANDONED"), ("TESTING", "COMPLETED")])
def test_scan_of_a_failed_build_has_ended_too(scanned: ScannedImage, at: Any, status: str) -> None:
    scanned.aws.fail_next_build(at=at)
    assert scanned.state(scanned.build()) == {"status": status}


def test_scan_of_a_cancelled_build_is_abandoned(local_aws: LocalAws, scanned: ScannedImage) -> None:
    local_aws.set_state_seconds(30)
    try:
        started = scanned.image_builder.start_image_pipeline_execution(imagePipelineArn=scanned.pipeline)
        arn = started["imageBuildVersionArn"]
        assert scanned.state(arn) == {"status": "PENDING"}
        scanned.image_builder.cancel_image_creation(imageBuildVersionArn=arn)
    finally:
        local_aws.set_state_seconds(0)
    assert scanned.state(arn) == {"status": "ABANDONED"}


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT"])
def test_scan_that_fails_has_found_nothing_and_the_build_goes_on(scanned: ScannedImage, status: str) -> None:
    scanned.aws.scan_next_build(scanned.pipeline, findings=FINDINGS, status=status, reason="no agent")
    image = build(scanned.image_builder, {"imagePipelineArn": scanned.pipeline})
    assert (image["state"], image["scanState"]) == (
        {"status": "AVAILABLE"},
        {"status": status, "reason": "no agent"},
    )
    assert (scanned.found(), scanned.counts()) == ([], {})
    assert scanned.state(scanned.build()) == {"status": "COMPLETED"}, "only the next build is different"


@pytest.mark.parametrize("status", ["PENDING", "SCANNING", "COLLECTING"])
def test_scan_stays_where_the_test_wants_it_until_it_goes_on(scanned: ScannedImage, status: str) -> None:
    scanned.aws.scan_next_build(scanned.pipeline, findings=FINDINGS, status=status)
    arn = scanned.build()
    assert scanned.state(arn) == {"status": status}
    assert scanned.found() == []
    scanned.aws.change_scan(arn)
    assert scanned.state(arn) == {"status": "COMPLETED"}
    assert len(scanned.found()) == 4


@pytest.mark.parametrize(
    ("workflows", "status"),
    [
        (("test/test-image",), "COMPLETED"),
        (("build/build-image",), "ABANDONED"),
        (("build/build-image", "own with CollectImageScanFindings"), "COMPLETED"),
        (("build/build-image", "own with WaitForAction"), "ABANDONED"),
    ],
)
def test_only_some_workflows_collect_findings(scanned: ScannedImage, workflows: tuple[str, ...], status: str) -> None:
    role = scanned.aws.make_role("flows", account=scanned.account, trusts=["imagebuilder.amazonaws.com"])
    arns = []
    for workflow in workflows:
        if workflow.startswith("own"):
            step = f"{{name: Step, action: {workflow.split()[-1]}}}"
            made = scanned.image_builder.create_workflow(
                name=scanned.name,
                semanticVersion="1.0.0",
                type="TEST",
                data=f"{{schemaVersion: 1.0, steps: [{step}]}}",
            )
            arns.append(made["workflowBuildVersionArn"])
        else:
            arns.append(f"{MANAGED}/{workflow}/x.x.x")
    scanned.update(workflows=[{"workflowArn": arn} for arn in arns], executionRole=role)
    assert scanned.state(scanned.build()) == {"status": status}


# Findings


def test_finding_has_what_aws_shows_of_one(scanned: ScannedImage) -> None:
    arn = scanned.scan(FINDINGS[0])
    (finding,) = scanned.image_builder.list_image_scan_findings()["findings"]
    assert (finding["awsAccountId"], finding["imageBuildVersionArn"], finding["imagePipelineArn"]) == (
        scanned.account,
        arn,
        scanned.pipeline,
    )
    assert (finding["type"], finding["severity"]) == ("PACKAGE_VULNERABILITY", "CRITICAL")
    assert (finding["title"], finding["inspectorScore"]) == ("CVE-2026-1 - openssl", 9.8)
    assert finding["fixAvailable"] == "YES"
    created = scanned.image_builder.get_image(imageBuildVersionArn=arn)["image"]["dateCreated"]
    assert finding["firstObservedAt"] >= datetime.fromisoformat(created)
    (package,) = finding["packageVulnerabilityDetails"]["vulnerablePackages"]
    assert (package["name"], package["version"], package["fixedInVersion"]) == ("openssl", "3.0.1", "3.0.2")


def test_one_filter_finds_findings(scanned: ScannedImage) -> None:
    other = ScannedImage(scanned.aws, account=scanned.account)
    first, second, third = scanned.scan(*FINDINGS[:2]), scanned.scan(*FINDINGS[1:3]), other.scan(FINDINGS[3])
    assert scanned.found() == ["CVE-2026-1", "CVE-2026-2", "CVE-2026-2", "CVE-2026-3", "CVE-2026-4"]
    assert scanned.found("imageBuildVersionArn", first) == ["CVE-2026-1", "CVE-2026-2"]
    assert scanned.found("imagePipelineArn", other.pipeline) == ["CVE-2026-4"]
    assert scanned.found("vulnerabilityId", "CVE-2026-2") == ["CVE-2026-2", "CVE-2026-2"]
    assert scanned.found("severity", "HIGH") == ["CVE-2026-3"]
    assert scanned.found("severity", "high") == [], "values are case-sensitive"
    assert scanned.found("imageBuildVersionArn", second.replace("/2", "/9")) == []
    list_findings = scanned.image_builder.list_image_scan_findings
    assert refusal(list_findings, filters=[{"name": "package", "values": ["openssl"]}]).startswith(
        "InvalidRequestException: "
    )
    severity = {"name": "severity", "values": ["HIGH"]}
    assert "filters must be at most 1" in refusal(list_findings, filters=[severity, severity])
    assert "values must be at most 1" in refusal(
        list_findings, filters=[{"name": "severity", "values": ["HIGH", "LOW"]}]
    )

    scanned.image_builder.delete_image(imageBuildVersionArn=first)
    assert scanned.found("imagePipelineArn", scanned.pipeline) == ["CVE-2026-2", "CVE-2026-3"]
    assert third.split(":")[4] == scanned.account
    assert ScannedImage(scanned.aws).found() == [], "another account has findings of its own"


def test_page_has_25_findings(scanned: ScannedImage) -> None:
    scanned.scan(*({"severity": "LOW", "vulnerability": f"CVE-2026-{number:02}"} for number in range(60)))
    list_findings = scanned.image_builder.list_image_scan_findings
    first = list_findings()
    assert len(first["findings"]) == 25
    assert len(list_findings(nextToken=first["nextToken"])["findings"]) == 25
    assert len(list_findings(maxResults=7)["findings"]) == 7
    assert scanned.found() == [f"CVE-2026-{number:02}" for number in range(60)]
    assert "maxResults must be at most 25" in refusal(list_findings, maxResults=26)
    assert refusal(list_findings, nextToken="next").startswith("InvalidPaginationTokenException: ")


def test_aggregations_count_the_severe_ones(scanned: ScannedImage) -> None:
    assert scanned.counts() == {}
    first, second = scanned.scan(*FINDINGS), scanned.scan({"severity": "MEDIUM", "vulnerability": "CVE-2026-3"})
    one, other = {"all": 4, "critical": 2, "high": 1, "medium": 0}, {"all": 1, "critical": 0, "high": 0, "medium": 1}
    every = {"all": 5, "critical": 2, "high": 1, "medium": 1}
    assert scanned.counts() == {scanned.account: every}
    assert scanned.counts("imagePipelineArn", scanned.pipeline) == {scanned.pipeline: every}
    assert scanned.counts("imageBuildVersionArn", first) == {first: one}
    assert scanned.counts("imageBuildVersionArn", second, first) == {first: one, second: other}
    assert scanned.counts("vulnerabilityId", "CVE-2026-3") == {
        "CVE-2026-3": {"all": 2, "critical": 0, "high": 1, "medium": 1}
    }
    aggregate = scanned.image_builder.list_image_scan_finding_aggregations
    assert aggregate()["aggregationType"] == "accountId"
    by_image = aggregate(filter={"name": "imageBuildVersionArn"})
    assert (by_image["aggregationType"], len(by_image["responses"])) == ("imageBuildVersionArn", 2)
    assert refusal(aggregate, filter={"name": "severity", "values": ["HIGH"]}).startswith("InvalidRequestException: ")


def test_old_version_of_a_package_is_found_until_it_is_updated(scanned: ScannedImage) -> None:
    scanned.install("dnf install -y curl-8.3.0 nginx", "echo apt-get purge sudo=1.0")
    vulnerable = scanned.build()
    scanned.install("dnf install -y curl-8.4.0 nginx")
    assert scanned.found("imageBuildVersionArn", vulnerable) == ["CVE-2023-38545"]
    assert scanned.found("imageBuildVersionArn", scanned.build()) == []


def test_image_has_the_vulnerabilities_of_its_base(scanned: ScannedImage) -> None:
    scanned.install("yum install -y openssl-3.0.1-5.amzn2023 sudo-1.8.23")
    base = scanned.build()
    parent = base.rpartition("/")[0].rpartition("/")[0] + "/x.x.x"
    child = ScannedImage(scanned.aws, account=scanned.account, parent=parent)
    child.install("apt-get --assume-yes install sudo=1.9.5p2-3")
    assert child.found("imageBuildVersionArn", base) == ["CVE-2021-3156", "CVE-2022-0778"]
    assert child.found("imageBuildVersionArn", child.build()) == ["CVE-2022-0778"]


def test_system_that_gets_no_updates_is_vulnerable(local_aws: LocalAws) -> None:
    ec2 = local_aws.client("ec2", region=REGION)
    (image,) = ec2.describe_images(Filters=[{"Name": "name", "Values": ["CentOS 8.4.2105 x86_64"]}])["Images"]
    old = ScannedImage(local_aws, parent=image["ImageId"])
    assert old.found("imageBuildVersionArn", old.build()) == ["CVE-2023-48795"]


def test_findings_and_states_that_aws_does_not_have_are_refused(scanned: ScannedImage) -> None:
    with pytest.raises(LocalAwsError, match="/_local_aws/next-scan"):
        scanned.aws.scan_next_build(scanned.pipeline, findings=[{"severity": "SEVERE"}])
    with pytest.raises(LocalAwsError, match="/_local_aws/next-scan"):
        scanned.aws.scan_next_build(scanned.pipeline, status="RUNNING")


def test_container_image_is_scanned_where_inspector_scans_repositories(local_aws: LocalAws) -> None:
    account, name = f"8{next(numbers):011}", f"containers-{next(numbers)}"
    clients = {
        each: local_aws.client(each, region=REGION, account=account) for each in ("ecr", "imagebuilder", "inspector2")
    }
    clients["ecr"].create_repository(repositoryName=name)
    image_builder = clients["imagebuilder"]
    recipe = image_builder.create_container_recipe(
        name=name,
        semanticVersion="1.0.0",
        containerType="DOCKER",
        parentImage="amazonlinux:2023",
        dockerfileTemplateData="FROM {{{ imagebuilder:parentImage }}}\nRUN dnf install -y tar-1.34 && true\n",
        targetRepository={"service": "ECR", "repositoryName": name},
    )
    infrastructure = image_builder.create_infrastructure_configuration(
        name=name, instanceProfileName=instance_profile(local_aws, account)
    )
    pipeline = {
        "name": name,
        "containerRecipeArn": recipe["containerRecipeArn"],
        "infrastructureConfigurationArn": infrastructure["infrastructureConfigurationArn"],
        "imageScanningConfiguration": SCANNING,
    }
    clients["inspector2"].enable(resourceTypes=["EC2"])
    assert "not enabled for 'ecr' resources" in refusal(image_builder.create_image_pipeline, **pipeline)
    clients["inspector2"].enable(resourceTypes=["ECR"])
    image = build(image_builder, image_builder.create_image_pipeline(**pipeline))
    assert (image["state"], image["scanState"]) == ({"status": "AVAILABLE"}, {"status": "COMPLETED"})
    (finding,) = image_builder.list_image_scan_findings()["findings"]
    assert finding["title"] == "CVE-2022-48303 - tar"
    packages = image_builder.list_image_packages(imageBuildVersionArn=image["arn"])["imagePackageList"]
    assert packages == [], "packages of containers are not listed"
