"""How Terraform and the commands get into AWS: by `settings.accounts`, and what is special for a fleet."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from estate.models.types import FROZEN, ExternalId, PlainText, RoleArn, SessionName


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


class FleetRole(BaseModel):
    """A role that is assumed for one fleet."""

    model_config = FROZEN

    role_arn: RoleArn
    """The role, in the fleet's account."""
    external_id: ExternalId | None = None
    """The external ID that the role's trust policy requires. Default: none is sent."""
    session_name: SessionName | None = None
    """The name of the session, as CloudTrail shows it. Default: Terraform chooses one."""


class FleetProvider(BaseModel):
    """What is special in how Terraform and the commands get into the account of one fleet."""

    model_config = FROZEN

    profile: PlainText | None = None
    """A profile of the shared configuration files. Default: that of the account."""
    assume_role: FleetRole | None = None
    """A role to assume. Default: that of the account."""
