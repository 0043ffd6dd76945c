"""What Image Builder knows about a build: its recipe, tests, packages and vulnerabilities, each read separately."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from lambda_src.handoff.answers import GarbledAnswer, ask, entries, member, pages, part, text, texts
from lambda_src.handoff.builds import Build, time_in
from lambda_src.handoff.configuration import Gate
from lambda_src.handoff.failures import Failures, code_of
from lambda_src.handoff.gate import judge
from ops.aws import DENIED, Aws, asking
from ops.commit import COMMIT_TAG
from ops.errors import OpsError
from ops.report.facts import BuildFacts, Component

T = TypeVar("T")


class _Unknown(Exception):
    """AWS has answered, and does not have it; the message is why."""


def read_build(arn: str, *, aws: Aws, gate: Gate | None, own: str, now: datetime) -> BuildFacts:
    """The facts of a build by its ARN. `own` is what the names of the image's own components begin with."""
    lacks: list[str] = []
    region = arn.split(":")[3]

    def read(what: str, call: Callable[[], T]) -> T | None:
        """None where it cannot be read; then `lacks` says so."""
        try:
            with asking(region):
                try:
                    return call()
                except _Unknown as error:
                    lacks.append(f"{what}: {error}")
        except OpsError as error:
            lacks.append(f"{what}: {error}")
        return None

    builder = aws.imagebuilder(region)
    image = read("the build", lambda: member(ask(builder.get_image, imageBuildVersionArn=arn), "image", dict))
    if image is None:
        return BuildFacts(arn=arn, lacks=tuple(lacks))
    build = _build(arn, image)
    recipe = part(image, "imageRecipe") or part(image, "containerRecipe")
    components = read("the recipe", lambda: tuple(_components(builder, recipe, own, lacks)))
    packages = read("packages", lambda: _packages(builder, arn))
    findings = read("vulnerabilities", lambda: _findings(builder, arn, image))
    refused = read("the gate", lambda: _judge(builder, build, gate, now)) if gate else ""
    revocation = build.revocation if build.is_revoked(now) else None
    return BuildFacts(
        arn=arn,
        status=build.status,
        created=build.created,
        revoked=(revocation.why or "no reason was given") if revocation else "",
        commit=build.tags.get(COMMIT_TAG, ""),
        has_gate=gate is not None and refused is not None,
        gate=refused or "",
        parent=text(recipe, "parentImage") or "",
        components=components,
        packages=packages,
        findings=findings,
        lacks=tuple(lacks),
    )


def _build(arn: str, image: Mapping[str, Any]) -> Build:
    return Build(
        arn=arn,
        status=text(part(image, "state"), "status") or "",
        created=time_in(text(image, "dateCreated")),
        outputs={},
        tags={str(key): str(value) for key, value in part(image, "tags").items()},
    )


def _judge(builder: Any, build: Build, gate: Gate, now: datetime) -> str:
    """Why it does not pass; empty if it does."""
    return judge(builder, build, gate, now=now, failures=Failures()).reason


def _components(builder: Any, recipe: Mapping[str, Any], own: str, lacks: list[str]) -> Iterator[Component]:
    """Terraform deletes the old version of a component when it has made the new one, so of an older build there are
    often only the names; and the role with which other estates read builds may read those of the newest recipe only
    (`stacks.image.ami.reader_role`)."""
    refused, allowed = [], 0
    for entry in entries(recipe, "components"):
        arn = member(entry, "componentArn", str)
        name, _, version = arn.partition(":component/")[2].partition("/")
        # in ARNs, Image Builder has hyphens for underscores
        name = name.removeprefix(own.replace("_", "-"))
        try:
            found = member(ask(builder.get_component, componentBuildVersionArn=arn), "component", dict)
            allowed += 1
        except ClientError as error:
            code = code_of(error)
            if code not in (*DENIED, "ResourceNotFoundException"):
                raise
            found = {}
            if code in DENIED:
                refused.append(name)
            else:
                allowed += 1  # which is how AWS answers for what is gone
        given = entries(entry, "parameters") if "parameters" in entry else []
        yield Component(
            name=name,
            version=version.partition("/")[0],
            script=text(found, "data"),
            parameters={text(each, "name") or "": ", ".join(texts(each, "value")) for each in given},
            is_test=text(found, "type") == "TEST" if found else None,
        )
    if refused:
        lacks.append(_about_refused(refused, others=allowed > 0))


def _about_refused(components: Sequence[str], *, others: bool) -> str:
    """Why documents cannot be read, where AWS allows `others` of the recipe, or none."""
    if not others:
        return "the documents of its components: AWS does not allow GetComponent"
    return (
        f"the documents of {', '.join(components)}: AWS allows GetComponent for the other components only; from "
        "another account, a component that was removed from the image's recipe cannot be read"
    )


def _packages(builder: Any, arn: str) -> dict[str, str]:
    """By name; several versions of one, such as of kernels, in one text."""
    found: dict[str, list[str]] = {}
    for page in pages(builder, "list_image_packages", imageBuildVersionArn=arn):
        for entry in entries(page, "imagePackageList"):
            if name := text(entry, "packageName"):
                found.setdefault(name, []).append(text(entry, "packageVersion") or "")
    if not found:
        raise _Unknown("Image Builder has none; they need enhanced_image_metadata_enabled and a build since")
    return {name: ", ".join(sorted(versions)) for name, versions in found.items()}


def _findings(builder: Any, arn: str, image: Mapping[str, Any]) -> dict[str, str]:
    """Severities by vulnerability, which is the same in all of its packages."""
    status = text(part(image, "scanState"), "status")
    if status != "COMPLETED":
        raise _Unknown(f"the scan is {status}" if status else "the build was not scanned (image_scanning)")
    found: dict[str, str] = {}
    wanted: Any = [{"name": "imageBuildVersionArn", "values": [arn]}]
    for page in pages(builder, "list_image_scan_findings", filters=wanted):
        for finding in entries(page, "findings"):
            name = text(part(finding, "packageVulnerabilityDetails"), "vulnerabilityId")
            if name is None:
                raise GarbledAnswer("a finding has no vulnerability")
            found.setdefault(name, (text(finding, "severity") or "").upper())
    return found
