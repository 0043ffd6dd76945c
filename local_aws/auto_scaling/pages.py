"""Pages of results, with a token for the next one."""

from collections.abc import Mapping, Sequence
from typing import Any

from local_aws.errors import AwsError


def page_of(
    found: Sequence[Any], given: Mapping[str, Any], *, member: str, most: int, usual: int | None = None
) -> Mapping[str, Any]:
    """The page that a request asks for; `most` and `usual` are the greatest and the default size in the API reference.

    Raises ValidationError for a greater size, and InvalidNextToken.
    """
    size = given.get("MaxRecords", usual or most)
    if not 1 <= size <= most:
        raise AwsError(code="ValidationError", message=f"MaxRecords must be between 1 and {most}, got {size}.")
    token = given.get("NextToken", "0")
    if not token.isdecimal():
        raise AwsError(code="InvalidNextToken", message="The token is not valid.")
    end = int(token) + size
    return {member: found[int(token) : end], "NextToken": str(end) if end < len(found) else None}
