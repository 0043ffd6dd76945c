"""Launch templates, where ministack differs from EC2.

- ministack keeps only part of a version's data (no placement, no licenses, no KMS keys of volumes), and so each plan
  would add the rest. Here the data of each version is kept in full.
- It ignores a source version that does not exist or is written `$Latest` or `$Default`, and leaves versions that do not
  exist out of its answers. EC2 refuses them.
- It shows the tags with which a template was created, even after they have been changed or deleted.
"""

import asyncio
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from botocore.loaders import Loader
from botocore.model import ListShape, ServiceModel, Shape, StructureShape

from local_aws.asgi import Answer
from local_aws.errors import AwsError
from local_aws.ministack.query_api import Query, add, add_all, changed, parsed

_Data = Mapping[str, Any]
"""The `launchTemplateData` of an answer."""


@dataclass(frozen=True)
class Version:
    """One version of a template."""

    template_id: str
    template_name: str
    number: str

    @property
    def key(self) -> tuple[str, str]:
        """The template's ID and the number, which identify the version."""
        return self.template_id, self.number


class LaunchTemplates:
    """Keeps the data of all versions, and answers for launch templates."""

    def __init__(self) -> None:
        self._data: dict[tuple[str, str], _Data] = {}  # by ID and number

    async def create(self, query: Query) -> Answer:
        """Answer CreateLaunchTemplate."""
        data = await asyncio.to_thread(_requested_data, query.tree)
        answer = await query.answer()
        if answer.status == 200:
            self._data[parsed(answer).findtext("{*}launchTemplate/{*}launchTemplateId", ""), "1"] = data
        return answer

    async def create_version(self, query: Query) -> Answer:
        """Answer CreateLaunchTemplateVersion. Raises `AwsError` for a source version that does not exist."""
        data = await asyncio.to_thread(_requested_data, query.tree)
        if source := query.parameters.get("SourceVersion"):
            version = await find_version(query, query.parameters, source)
            if version:
                data = {**self._data.get(version.key, {}), **data}
                query = query.asking({**query.parameters, "SourceVersion": version.number})

        def complete(root: Element) -> None:
            for element in root.iterfind("{*}launchTemplateVersion"):
                self._data[_version(element).key] = data
                self._complete(element)

        return changed(await query.answer(), complete)

    async def describe_versions(self, query: Query) -> Answer:
        """Answer DescribeLaunchTemplateVersions. Raises `AwsError` for a version that does not exist."""
        for wanted in query.tree.get("LaunchTemplateVersion", ()):
            await find_version(query, query.parameters, wanted)

        def complete(root: Element) -> None:
            for element in root.iterfind("{*}launchTemplateVersionSet/{*}item"):
                self._complete(element)

        return changed(await query.answer(), complete)

    def _complete(self, element: Element) -> None:
        """Put the whole data into the element of a version."""
        data = self._data.get(_version(element).key)
        shown = element.find("{*}launchTemplateData")
        if data is not None and shown is not None:
            shown.clear()
            add_all(shown, data)


async def describe(query: Query) -> Answer:
    """Answer DescribeLaunchTemplates, with the tags that the templates have now."""
    answer = await query.answer()
    if answer.status != 200:
        return answer
    tags: dict[str, list[Mapping[str, str]]] = {}
    for item in parsed(await query.asking({"Action": "DescribeTags"}).answer()).iterfind("{*}tagSet/{*}item"):
        tag = {name: item.findtext(f"{{*}}{name}", "") for name in ("key", "value")}
        tags.setdefault(item.findtext("{*}resourceId", ""), []).append(tag)

    def complete(root: Element) -> None:
        for template in root.iterfind("{*}launchTemplates/{*}item"):
            for shown in template.findall("{*}tagSet"):
                template.remove(shown)
            add(template, "tagSet", tags.get(template.findtext("{*}launchTemplateId", ""), []))

    return changed(answer, complete)


async def find_version(query: Query, template: Mapping[str, str], wanted: str) -> Version | None:
    """The version with a number, or that is `$Latest` or `$Default`; None if the template does not exist.

    The template is looked up for the client of `query`, by LaunchTemplateId or LaunchTemplateName. Raises `AwsError`
    for a version that does not exist, with EC2's message (eksctl-io/eksctl#7786).
    """
    named = {name: template[name] for name in ("LaunchTemplateId", "LaunchTemplateName") if name in template}
    question = {"Action": "DescribeLaunchTemplateVersions", **named}
    answer = await query.asking(question, service="ec2").answer()
    if answer.status != 200:
        return None
    elements = parsed(answer).findall("{*}launchTemplateVersionSet/{*}item")
    versions = {version.number: version for version in map(_version, elements)}
    latest = max(versions.values(), key=lambda version: int(version.number))
    versions["$Latest"] = latest
    for element in elements:
        if element.findtext("{*}defaultVersion") == "true":
            versions["$Default"] = _version(element)
    if wanted not in versions:
        raise AwsError(
            code="InvalidLaunchTemplateId.VersionNotFound",
            message=f"Could not find the specified version {wanted} for the launch template with ID "
            f"{latest.template_id}.",
        )
    return versions[wanted]


def missing(template: Mapping[str, str]) -> AwsError:
    """What EC2 says about a template that does not exist (for IDs getmoto/moto has checked it with AWS)."""
    if identity := template.get("LaunchTemplateId"):
        code, which = "InvalidLaunchTemplateId.NotFound", f"ID {identity}"
    else:
        code, which = "InvalidLaunchTemplateName.NotFoundException", f"name {template.get('LaunchTemplateName', '')}"
    return AwsError(code=code, message=f"The specified launch template, with template {which}, does not exist.")


async def ami_of(query: Query, template: Mapping[str, str]) -> str:
    """The AMI that a version of a template names, or an empty text. The template is looked up for the client."""
    if "LaunchTemplateId" not in template:
        return ""
    question = {
        "Action": "DescribeLaunchTemplateVersions",
        "LaunchTemplateId": template["LaunchTemplateId"],
        "LaunchTemplateVersion.1": template["Version"],
    }
    answer = parsed(await query.asking(question, service="ec2").answer())
    return answer.findtext(".//{*}launchTemplateData/{*}imageId", "")


def _version(element: Element) -> Version:
    return Version(
        element.findtext("{*}launchTemplateId", ""),
        element.findtext("{*}launchTemplateName", ""),
        element.findtext("{*}versionNumber", ""),
    )


def _requested_data(tree: Mapping[str, Any]) -> _Data:
    """The LaunchTemplateData of a request, in the form of answers."""
    model = _ec2_model()
    request, answer = (model.shape_for(f"{kind}LaunchTemplateData") for kind in ("Request", "Response"))
    data: dict[str, Any] = _renamed(tree.get("LaunchTemplateData", {}), request, answer)
    if "metadataOptions" in data:
        data["metadataOptions"] = {"state": "applied", **data["metadataOptions"]}
    return data


def _renamed(value: Any, request: Shape, answer: Shape) -> Any:
    if isinstance(request, StructureShape) and isinstance(answer, StructureShape):
        return {
            answer.members[member].serialization["name"]: _renamed(value[name], shape, answer.members[member])
            for member, shape in request.members.items()
            if (name := _query_name(shape, member)) in value
        }
    if isinstance(request, ListShape) and isinstance(answer, ListShape):
        return [_renamed(inner, request.member, answer.member) for inner in value]
    return value


def _query_name(shape: Shape, member: str) -> str:
    name: str = shape.serialization.get("name", member)
    return name[0].upper() + name[1:]


@functools.cache
def _ec2_model() -> ServiceModel:
    return ServiceModel(Loader().load_service_model("ec2", "service-2"), "ec2")
