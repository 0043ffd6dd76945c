"""CreateTags and DeleteTags of EC2: ministack tags what does not exist, and deletes tags with other values.

Limits are those of CreateTags in EC2's API reference and of "Tag your Amazon EC2 resources" in its user guide. An
account can tag the AMIs that are shared with it, and sees these tags alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from local_aws.errors import AwsError
from local_aws.ministack.described_images import DescribedImages
from local_aws.ministack.query_api import Query, parsed

_LONGEST_KEY = 127
_LONGEST_VALUE = 256
_MOST_TAGS = 50


async def check_new_tags(query: Query, *, images: DescribedImages, account: str) -> None:
    """Raises `AwsError` for a CreateTags request that EC2 refuses."""
    tags = {tag["Key"]: tag.get("Value", "") for tag in query.tree.get("Tag", ())}
    for key, value in tags.items():
        _check_key(key)
        if len(key) > _LONGEST_KEY:
            raise _invalid(f"Tag key exceeds the maximum length of {_LONGEST_KEY} characters")
        if len(value) > _LONGEST_VALUE:
            raise _invalid(f"Tag value exceeds the maximum length of {_LONGEST_VALUE} characters")
    await _check_amis(query, images=images, account=account)
    for resource in query.tree.get("ResourceId", ()):
        now = {key for key in await _tags(query, resource) if not key.startswith("aws:")}
        if len(now | set(tags)) > _MOST_TAGS:
            raise AwsError(
                code="TagLimitExceeded", message="The maximum number of tags for the resource has been reached."
            )


async def delete_tags(query: Query, *, images: DescribedImages, account: str) -> None:
    """Do DeleteTags: a tag that is named with a value is deleted only if it has this value.

    Without tags in the request, all are deleted, except those of AWS. Raises `AwsError` for what EC2 refuses.
    """
    named: Sequence[Mapping[str, str]] = query.tree.get("Tag", ())
    for tag in named:
        _check_key(tag["Key"])
    await _check_amis(query, images=images, account=account)
    for resource in query.tree.get("ResourceId", ()):
        now = await _tags(query, resource)
        keys = [tag["Key"] for tag in named if tag.get("Value", now.get(tag["Key"])) == now.get(tag["Key"])]
        if not named:
            keys = [key for key in now if not key.startswith("aws:")]
        numbered = {f"Tag.{number}.Key": key for number, key in enumerate(keys, 1)}
        if numbered:
            await query.asking({"Action": "DeleteTags", "ResourceId.1": resource, **numbered}).answer()


async def _check_amis(query: Query, *, images: DescribedImages, account: str) -> None:
    amis = [resource for resource in query.tree.get("ResourceId", ()) if resource.startswith("ami-")]
    if amis:
        await images.check(query, amis, account=account)


async def _tags(query: Query, resource: str) -> dict[str, str]:
    """The tags that the caller has given a resource."""
    asked: dict[str, Any] = {"Action": "DescribeTags", "Filter.1.Name": "resource-id", "Filter.1.Value.1": resource}
    items = parsed(await query.asking(asked).answer()).iterfind("{*}tagSet/{*}item")
    return {item.findtext("{*}key", ""): item.findtext("{*}value", "") for item in items}


def _check_key(key: str) -> None:
    if key.startswith("aws:"):
        raise _invalid("Tag keys starting with 'aws:' are reserved for internal use")


def _invalid(message: str) -> AwsError:
    return AwsError(code="InvalidParameterValue", message=message)
