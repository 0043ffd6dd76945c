"""AMIs, where ministack differs from EC2.

ministack registers AMIs and shares them with accounts. The rest of what EC2 knows about an AMI is kept here: its date
(without it `data.aws_ami` cannot find the newest), how it boots (without it the AWS provider would replace the AMI),
what it was copied from, deprecation, fast launch, and the organizations that it is shared with. DescribeImages also
finds the public AMIs of publishers.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any
from xml.etree.ElementTree import Element

from local_aws.dates import api_date
from local_aws.ministack.public_images import PublicImage, public_images
from local_aws.ministack.query_api import Query, add, add_all

_BOOT = {
    "BootMode": "bootMode",
    "EnaSupport": "enaSupport",
    "ImdsSupport": "imdsSupport",
    "SriovNetSupport": "sriovNetSupport",
}
"""RegisterImage's parameters about booting, and the elements that show them."""
_ORGANIZATIONS = {"OrganizationArn": "organizationArn", "OrganizationalUnitArn": "organizationalUnitArn"}
_FILTERS = {
    "image-id": "imageId",
    "name": "name",
    "owner-id": "imageOwnerId",
    "owner-alias": "imageOwnerAlias",
    "architecture": "architecture",
    "platform": "platform",
    "state": "imageState",
    "is-public": "isPublic",
    "image-type": "imageType",
    "root-device-name": "rootDeviceName",
    "root-device-type": "rootDeviceType",
    "virtualization-type": "virtualizationType",
}
"""The filters that find public images, and the element of an answer that each compares."""


@dataclass
class _Facts:
    """What is known about an AMI beyond ministack."""

    shown: dict[str, str] = field(default_factory=dict)
    """Elements to add to a DescribeImages answer."""
    disabled: bool = False
    organizations: dict[tuple[str, str], None] = field(default_factory=dict)
    """The organizations and organizational units that may launch it: pairs of element and ARN, in order."""
    fast_launch: Mapping[str, Any] | None = None


class Amis:
    """What is known about AMIs beyond ministack, and the actions that change it."""

    def __init__(self) -> None:
        self._facts: dict[str, _Facts] = {}

    def set_date(self, ami: str, date: str) -> None:
        """Change when an AMI was created, in the API's form."""
        self._of(ami).shown["creationDate"] = date

    def set_launched(self, ami: str, date: str) -> None:
        """Change when an instance of an AMI was launched last, in the API's form."""
        self._of(ami).shown["lastLaunchedTime"] = date

    def set_origin(self, ami: str, *, platform: str, source: tuple[str, str]) -> None:
        """Set what RegisterImage has no parameters for: the platform, and region and ID of the AMI that was copied."""
        region, source_ami = source
        self._of(ami).shown |= {"sourceImageId": source_ami, "sourceImageRegion": region}
        if platform == "Windows":
            self._of(ami).shown["platform"] = "windows"

    def register(self, ami: str, parameters: Mapping[str, str]) -> None:
        """Note an AMI that RegisterImage has made."""
        boot = {_BOOT[name]: value for name, value in parameters.items() if name in _BOOT}
        self._of(ami).shown |= {"creationDate": api_date(), **boot}

    def change_state(self, parameters: Mapping[str, str]) -> None:
        """Do EnableImageDeprecation, DisableImageDeprecation, DisableImage or EnableImage."""
        facts = self._of(parameters["ImageId"])
        match parameters["Action"]:
            case "EnableImageDeprecation":
                facts.shown["deprecationTime"] = _to_the_minute(parameters["DeprecateAt"])
            case "DisableImageDeprecation":
                facts.shown.pop("deprecationTime", None)
            case "DisableImage":
                facts.disabled = True
            case "EnableImage":
                facts.disabled = False

    def share_with_organizations(self, parameters: Mapping[str, str]) -> bool:
        """Do ModifyImageAttribute for organizations; False if the request also names accounts or groups."""
        organizations = self._of(parameters["ImageId"]).organizations
        named = {name: value for name, value in parameters.items() if name.rpartition(".")[2] in _ORGANIZATIONS}
        for name, value in named.items():
            entry = (_ORGANIZATIONS[name.rpartition(".")[2]], value)
            organizations.pop(entry, None)
            if name.startswith("LaunchPermission.Add."):
                organizations[entry] = None
        return bool(named) and not any(name.endswith((".UserId", ".Group")) for name in parameters)

    def enable_fast_launch(self, query: Query, *, account: str) -> Mapping[str, Any]:
        """Do EnableFastLaunch, at once; gives the content of the answer."""
        asked = query.tree
        template = asked.get("LaunchTemplate")
        fast_launch = {
            "imageId": asked["ImageId"],
            "resourceType": "snapshot",
            "snapshotConfiguration": {
                "targetResourceCount": asked.get("SnapshotConfiguration", {}).get("TargetResourceCount", 5)
            },
            "launchTemplate": template
            and {
                "launchTemplateId": template.get("LaunchTemplateId"),
                "launchTemplateName": template.get("LaunchTemplateName"),
                "version": template.get("Version"),
            },
            "maxParallelLaunches": asked.get("MaxParallelLaunches", 6),
            "ownerId": account,
            "state": "enabled",
            "stateTransitionTime": api_date(),
        }
        self._of(asked["ImageId"]).fast_launch = fast_launch
        return fast_launch

    def fast_launches(self, query: Query) -> list[Mapping[str, Any]]:
        """The items of a DescribeFastLaunchImages answer."""
        asked = [self._facts[ami].fast_launch for ami in query.tree.get("ImageId", ()) if ami in self._facts]
        return [fast_launch for fast_launch in asked if fast_launch]

    def complete(self, root: Element, query: Query) -> None:
        """Complete a DescribeImages answer. Without IncludeDisabled, AMIs that are disabled are left out."""
        with_disabled = query.parameters.get("IncludeDisabled") == "true"
        for images in root.iterfind("{*}imagesSet"):
            for item in list(images):
                facts = self._facts.get(item.findtext("{*}imageId", ""), _Facts())
                if facts.disabled and not with_disabled:
                    images.remove(item)
                    continue
                add_all(item, facts.shown)
                for state in item.iterfind("{*}imageState") if facts.disabled else ():
                    state.text = "disabled"
            for public in _public(query):
                add(images, "item", public)

    def complete_permissions(self, root: Element, query: Query) -> None:
        """Complete a DescribeImageAttribute answer about launch permissions."""
        facts = self._facts.get(query.parameters["ImageId"], _Facts())
        for permissions in root.iterfind("{*}launchPermission"):
            for name, arn in facts.organizations:
                add(permissions, "item", {name: arn})

    def _of(self, ami: str) -> _Facts:
        return self._facts.setdefault(ami, _Facts())


def _to_the_minute(time: str) -> str:
    """A time as EC2 shows it; EC2 rounds deprecation times to the minute."""
    return datetime.fromisoformat(time).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:00.000Z")


def _public(query: Query) -> Iterator[Mapping[str, str | None]]:
    """The public images that a DescribeImages request asks for by IDs, owners and filters."""
    ids, owners = query.tree.get("ImageId", ()), query.tree.get("Owner", ())
    filters = {each["Name"]: each["Value"] for each in query.tree.get("Filter", ())}
    for image in public_images(query.region):
        shown = _elements(image, query.region)
        if (
            (not ids or shown["imageId"] in ids)
            and (not owners or {image.owner, image.owner_alias} & set(owners))
            and all(name in _FILTERS and _matches(shown[_FILTERS[name]], values) for name, values in filters.items())
        ):
            yield shown


def _matches(value: str | None, patterns: list[str]) -> bool:
    return any(fnmatchcase(value or "", pattern) for pattern in patterns)


def _elements(image: PublicImage, region: str) -> Mapping[str, str | None]:
    return {
        "imageId": image.ami(region),
        "imageLocation": f"{image.owner_alias or image.owner}/{image.name}",
        "imageState": "available",
        "imageOwnerId": image.owner,
        "imageOwnerAlias": image.owner_alias,
        "creationDate": image.created,
        "isPublic": "true",
        "architecture": image.architecture,
        "imageType": "machine",
        "name": image.name,
        "platform": "windows" if image.platform == "Windows" else None,
        "rootDeviceType": "ebs",
        "rootDeviceName": image.root_device_name,
        "virtualizationType": "hvm",
        "hypervisor": "xen",
    }
