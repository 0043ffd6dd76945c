"""Tags of Image Builder's resources, with the limits that the service model does not have.

A resource has at most 50 tags, and values have the characters that all of AWS's services take ("Tag naming limits and
requirements" in the guide "Tagging AWS Resources"). What Image Builder answers to others is not documented; the
messages are our own.
"""

import unicodedata
from typing import Any

from local_aws.errors import AwsError
from local_aws.image_builder.store import Fields, RegionStore

_MOST_TAGS = 50


def tag_resource(store: RegionStore, params: Fields) -> dict[str, Any]:
    """Do TagResource. Raises `AwsError` for what AWS refuses."""
    resource = store.get(params["resourceArn"])
    for key, value in params["tags"].items():
        if not all(_is_allowed(character) for character in value):
            raise _invalid(
                f"tags.{key}", "Allowed characters are letters, spaces, digits and the characters + - = . _ : / @."
            )
    tags = {**resource.get("tags", {}), **params["tags"]}
    if len(tags) > _MOST_TAGS:
        raise _invalid("tags", f"A resource can have at most {_MOST_TAGS} tags.")
    resource["tags"] = tags
    return {}


def untag_resource(store: RegionStore, params: Fields) -> dict[str, Any]:
    """Do UntagResource."""
    resource = store.get(params["resourceArn"])
    tags = resource.get("tags", {})
    resource["tags"] = {key: value for key, value in tags.items() if key not in params["tagKeys"]}
    return {}


def _is_allowed(character: str) -> bool:
    return character in "+-=._:/@" or unicodedata.category(character)[0] in "LNZ"


def _invalid(parameter: str, reason: str) -> AwsError:
    # only the tag operations have this exception
    return AwsError(
        code="InvalidParameterException",
        message=f"The value supplied for parameter '{parameter}' is not valid. {reason}",
    )
