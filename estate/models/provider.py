"""How Terraform and the commands get into AWS, as it follows from `settings.accounts`."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class AssumeRole:
    """A role to assume. The fields are those of the provider's `assume_role`."""

    role_arn: str
    external_id: str | None = None
    session_name: str | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """The fields that have a value, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A way into one account. Without any of these fields: the credentials of the environment, as any AWS tool takes
    them."""

    profile: str | None = None
    """A profile of the shared configuration files."""
    assume_role: AssumeRole | None = None
    account: str | None = None
    """The ID of the account, the only one in which anything may be done."""
