"""Pages of results: at most 25, with a token for the next one."""

from collections.abc import Sequence
from typing import Any

from local_aws.errors import AwsError
from local_aws.image_builder.store import Fields

_LONGEST = 25


def page_of(found: Sequence[Any], params: Fields, *, member: str) -> dict[str, Any]:
    """The page that a request asks for, with the results in `member`. Raises `AwsError` for an unknown token."""
    start = _start(params.get("nextToken"))
    end = start + int(params.get("maxResults", _LONGEST))
    page: dict[str, Any] = {member: list(found[start:end])}
    if end < len(found):
        page["nextToken"] = str(end)
    return page


def _start(token: str | None) -> int:
    if token is None:
        return 0
    if not token.isdecimal():
        raise AwsError(code="InvalidPaginationTokenException", message=f"The token '{token}' is not valid.")
    return int(token)
