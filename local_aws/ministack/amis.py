"""AMIs, where ministack differs from EC2.

ministack registers AMIs and shares them with accounts. The rest of what EC2 knows about an AMI is kept here: its date
(without it `data.aws_ami` cannot find the newest), how it boots (without it the AWS provider would replace the AMI),
what it was made from, deprecation, fast launch, and the organizations that it is shared with. `described_images`
shows it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element

from local_aws.dates import api_date
from local_aws.errors import AwsError
from local_aws.ministack.public_images import by_ami
from local_aws.ministack.query_api import Query, add
from local_aws.organizations import Organizations

_BOOT = {
    "BootMode": "bootMode",
    "EnaSupport": "enaSupport",
    "ImdsSupport": "imdsSupport",
    "SriovNetSupport": "sriovNetSupport",
}
"""RegisterImage's parameters about booting, and the elements that show them."""
_LONGEST_ANCESTRY = 50
_ORGANIZATIONS = {"OrganizationArn": "organizationArn", "OrganizationalUnitArn": "organizationalUnitArn"}


@dataclass
class AmiFacts:
    """What is known about an AMI beyond ministack."""

    owner: str = ""
    """The account that registered it."""
    shown: dict[str, str] = field(default_factory=dict)
    """Elements to add to a DescribeImages answer."""
    disabled: bool = False
    kms_key: str | None = None
    """The ARN of the key with which its volumes are encrypted, if it is not AWS's own."""
    organizations: dict[tuple[str, str], None] = field(default_factory=dict)
    """The organizations and organizational units that may launch it: pairs of element and ARN, in order."""
    fast_launch: Mapping[str, Any] | None = None

    def is_deprecated(self, now: datetime) -> bool:
        """Whether its deprecation time has come."""
        time = self.shown.get("deprecationTime")
        return time is not None and datetime.fromisoformat(time) <= now


class Amis:
    """What is known about AMIs beyond ministack, and the actions that change it."""

    def __init__(self) -> None:
        self._facts: dict[str, AmiFacts] = {}

    def set_date(self, ami: str, date: str) -> None:
        """Change when an AMI was created, in the API's form."""
        self._of(ami).shown["creationDate"] = date

    def set_launched(self, ami: str, date: str) -> None:
        """Change when an instance of an AMI was launched last, in the API's form."""
        self._of(ami).shown["lastLaunchedTime"] = date

    def set_origin(self, ami: str, *, platform: str, source: tuple[str, str], kms_key: str | None) -> None:
        """Set what RegisterImage has no parameters for.

        These are the platform, region and ID of the AMI that was copied, and the ARN of the key of its volumes.
        """
        region, source_ami = source
        self._of(ami).kms_key = kms_key
        self._of(ami).shown |= {"sourceImageId": source_ami, "sourceImageRegion": region}
        if platform == "Windows":
            self._of(ami).shown["platform"] = "windows"

    def ancestry(self, ami: str, *, region: str) -> list[Mapping[str, str | None]]:
        """The items of a GetImageAncestry answer: an AMI, its parent, and so on.

        According to "AMI ancestry" in EC2's user guide, what an AMI was made from stays known when its source is
        deregistered, and to accounts that cannot see the source. The list ends with a public AMI of a verified
        provider, with an AMI that has no known source, or after 50.
        """
        items: list[Mapping[str, str | None]] = []
        while ami and len(items) < _LONGEST_ANCESTRY:
            public = by_ami(ami, region=region)
            shown = {"creationDate": public.created} if public else self.facts(ami).shown
            source = {name: shown.get(name) for name in ("sourceImageId", "sourceImageRegion")}
            alias = public.owner_alias if public else None
            created = shown.get("creationDate")
            items.append({"creationDate": created, "imageId": ami, "imageOwnerAlias": alias, **source})
            ami, region = source["sourceImageId"] or "", source["sourceImageRegion"] or ""
        return items

    def facts(self, ami: str) -> AmiFacts:
        """What is known about an AMI."""
        return self._facts.get(ami, AmiFacts())

    def of_organizations(self, account: str, organizations: Organizations) -> Mapping[str, set[str]]:
        """The AMIs of other accounts that are shared with the organization of an account, by owner."""
        found: dict[str, set[str]] = {}
        for ami, facts in list(self._facts.items()):
            if facts.owner != account and any(organizations.has(arn, account) for _, arn in facts.organizations):
                found.setdefault(facts.owner, set()).add(ami)
        return found

    def check_owner(self, ami: str, *, account: str) -> None:
        """Raises AuthFailure for the AMI of another account."""
        if self.facts(ami).owner not in ("", account):
            raise AwsError(code="AuthFailure", message=f"Not authorized for image:{ami}")

    def register(self, ami: str, parameters: Mapping[str, str], *, account: str) -> None:
        """Note an AMI that an account has made with RegisterImage."""
        boot = {_BOOT[name]: value for name, value in parameters.items() if name in _BOOT}
        facts = self._of(ami)
        facts.owner = account
        facts.shown |= {"creationDate": api_date(), **boot}

    def change_state(self, parameters: Mapping[str, str]) -> None:
        """Do EnableImageDeprecation, DisableImageDeprecation, DisableImage or EnableImage."""
        facts = self._of(parameters["ImageId"])
        match parameters["Action"]:
            case "EnableImageDeprecation":
                facts.shown["deprecationTime"] = _to_the_minute(parameters["DeprecateAt"])
            case "DisableImageDeprecation":
                facts.shown.pop("deprecationTime", None)
            case "DisableImage":  # nobody else has access any longer, also not when it is enabled again
                facts.disabled = True
                facts.organizations.clear()
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

    def complete_permissions(self, root: Element, query: Query) -> None:
        """Complete a DescribeImageAttribute answer about launch permissions."""
        facts = self.facts(query.parameters["ImageId"])
        for permissions in root.iterfind("{*}launchPermission"):
            for name, arn in facts.organizations:
                add(permissions, "item", {name: arn})

    def _of(self, ami: str) -> AmiFacts:
        return self._facts.setdefault(ami, AmiFacts())


def _to_the_minute(time: str) -> str:
    """A time as EC2 shows it; EC2 rounds deprecation times to the minute."""
    return datetime.fromisoformat(time).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:00.000Z")
