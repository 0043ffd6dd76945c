"""Which organization and organizational units accounts are in. There are none until `control` makes them."""

import re


class Organizations:
    """The places of accounts."""

    def __init__(self) -> None:
        self._paths: dict[str, str] = {}

    def place(self, account: str, path: str) -> None:
        """Put an account into an organization.

        `path` is as in `aws:PrincipalOrgPaths`: `o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/`. Raises ValueError for another
        form.
        """
        if not re.fullmatch(r"o-[a-z0-9]{10,32}/r-[a-z0-9]{4,32}/(ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}/)*", path):
            raise ValueError(f"a path is o-…/r-…/ or o-…/r-…/ou-…/, got {path!r}")
        self._paths[account] = path

    def path(self, account: str) -> str:
        """Where an account is; empty for an account outside any organization."""
        return self._paths.get(account, "")

    def has(self, arn: str, account: str) -> bool:
        """Whether an account is in the organization or organizational unit with this ARN."""
        return arn.rpartition("/")[2] in self.path(account).split("/")

    def reset(self) -> None:
        """Forget everything."""
        self._paths.clear()
