"""DescribeImages: which AMIs an account sees, and what it sees of them.

An account sees its own AMIs, those that are shared with it or with its organization, and public ones. Of another
account's AMI it sees no tags, nothing while the AMI is disabled, and a deprecated AMI only if it asks for its ID or for
deprecated ones ("Share an AMI with specific AWS accounts" and "Deprecate an AMI" in EC2's user guide). ministack knows
the AMIs that are shared with accounts and the tags of each account; organizations, states and the public AMIs of
publishers are added here.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from xml.etree.ElementTree import Element

from local_aws.asgi import Answer
from local_aws.errors import AwsError
from local_aws.ministack.amis import AmiFacts, Amis
from local_aws.ministack.public_images import PublicImage, public_images
from local_aws.ministack.query_api import Query, add, add_all, changed, parsed
from local_aws.organizations import Organizations

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


class DescribedImages:
    """Answers for the AMIs that an account sees."""

    def __init__(self, *, amis: Amis, organizations: Organizations) -> None:
        self._amis = amis
        self._organizations = organizations

    async def answer(self, query: Query, *, account: str) -> Answer:
        """Answer DescribeImages. Raises InvalidAMIID.NotFound if it names an AMI that the account does not see."""
        answer = await self._listed(query, account)
        wanted = query.tree.get("ImageId", ())
        if set(wanted) - _ids(answer):
            await self.check(query, wanted, account=account)
        return answer

    async def check(self, query: Query, amis: Sequence[str], *, account: str) -> None:
        """Raises InvalidAMIID.NotFound if the account does not see all of these AMIs in the region of `query`."""
        asked = {"Action": "DescribeImages", "IncludeDisabled": "true", "IncludeDeprecated": "true"}
        named = {f"ImageId.{number}": ami for number, ami in enumerate(amis, 1)}
        seen = _ids(await self._listed(query.asking({**asked, **named}, service="ec2"), account))
        if missing := [ami for ami in amis if ami not in seen]:
            ids, verb = ("ids", "do") if len(missing) > 1 else ("id", "does")
            raise AwsError(
                code="InvalidAMIID.NotFound", message=f"The image {ids} '[{', '.join(missing)}]' {verb} not exist"
            )

    async def _listed(self, query: Query, account: str) -> Answer:
        """The AMIs that the account sees, as far as there are those that the request names."""
        shared = await self._shared_by_organization(query, account)

        def complete(root: Element) -> None:
            for images in root.iterfind("{*}imagesSet"):
                listed = {item.findtext("{*}imageId") for item in images}
                images.extend(item for item in shared if item.findtext("{*}imageId") not in listed)
                for item in list(images):
                    facts = self._amis.facts(item.findtext("{*}imageId", ""))
                    if _is_hidden(facts, query, is_own=item.findtext("{*}imageOwnerId") == account):
                        images.remove(item)
                    else:
                        _complete(item, facts)
                for public in _public(query):
                    add(images, "item", public)

        return changed(await query.answer(), complete)

    async def _shared_by_organization(self, query: Query, account: str) -> list[Element]:
        """What the request asks for of the AMIs that are shared with the account's organization, without tags."""
        asked, executable_by = dict(query.parameters), query.tree.get("ExecutableBy", ())
        owners = [owner for owner in query.tree.get("Owner", ()) if owner not in ("self", account)]
        by_tags = any(each["Name"].startswith("tag") for each in query.tree.get("Filter", ()))
        only_own = "Owner" in query.tree and not owners
        if by_tags or only_own or (executable_by and not {"self", account} & set(executable_by)):
            return []
        kept = {name: value for name, value in asked.items() if not name.startswith(("Owner.", "ExecutableBy."))}
        kept |= {f"Owner.{number}": owner for number, owner in enumerate(owners, 1)}
        items = []
        for owner, amis in self._amis.of_organizations(account, self._organizations).items():
            answer = parsed(await query.asking(kept, account=owner).answer())
            items += [each for each in answer.iterfind("{*}imagesSet/{*}item") if each.findtext("{*}imageId") in amis]
        for item in items:
            for tags in item.findall("{*}tagSet"):
                item.remove(tags)
        return items


def _ids(answer: Answer) -> set[str]:
    return {element.text or "" for element in parsed(answer).iterfind("{*}imagesSet/{*}item/{*}imageId")}


def _is_hidden(facts: AmiFacts, query: Query, *, is_own: bool) -> bool:
    if facts.disabled:
        return not is_own or query.parameters.get("IncludeDisabled") != "true"
    asked_for = "ImageId" in query.tree or query.parameters.get("IncludeDeprecated") == "true"
    return not (is_own or asked_for) and facts.is_deprecated(datetime.now(UTC))


def _complete(item: Element, facts: AmiFacts) -> None:
    add_all(item, facts.shown)
    for state in item.iterfind("{*}imageState") if facts.disabled else ():
        state.text = "disabled"


def _public(query: Query) -> Iterator[Mapping[str, str | None]]:
    """The public images that a DescribeImages request asks for by IDs, owners and filters."""
    ids, owners = query.tree.get("ImageId", ()), query.tree.get("Owner", ())
    filters = {each["Name"]: each["Value"] for each in query.tree.get("Filter", ())}
    if "all" not in query.tree.get("ExecutableBy", ["all"]):
        return
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
