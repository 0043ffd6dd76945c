"""The accounts of an estate, and how Terraform and the commands get into each: `settings.accounts`."""

from typing import Annotated, Self

from pydantic import BaseModel, model_validator

from estate.arns import Arn, partition
from estate.models.provider import AssumeRole, Provider
from estate.models.types import FROZEN, AccountId, ExternalId, Matching, PlainText, SessionName
from estate.problems import RuleError, shown

# a path without the characters that Terraform would take for a template
_ROLE = r"([A-Za-z0-9_+=,.@-]+/)*[A-Za-z0-9_+=,.@-]{1,64}"
Role = Annotated[
    str,
    Matching(
        rf"(arn:aws[a-z-]*:iam::[0-9]{{12}}:role/)?{_ROLE}",
        "must be a role's name or ARN",
        "write it as goldsmith, team/goldsmith or arn:aws:iam::123456789012:role/goldsmith",
    ),
]


class Account(BaseModel):
    """An AWS account, and how Terraform and the commands get into it: by a role, by a profile, or by a role that the
    profile assumes. Without either, the credentials of the environment must belong to the account.

    Two names may have the same ID, for two ways into one account: a role for production, and another for the rest.
    """

    model_config = FROZEN

    id: AccountId
    """The account's ID. Terraform works in no other one."""
    role: Role | None = None
    """The role to assume, its name (with its path, if it has one) or its ARN. Default: no role is assumed."""
    profile: PlainText | None = None
    """A profile of the shared configuration files. Default: the credentials of the environment."""
    external_id: ExternalId | None = None
    """The external ID that the trust policy of the role requires. Default: none is sent."""
    session_name: SessionName | None = None
    """The name of the role's session, as CloudTrail shows it. Default: Terraform chooses one; that of the commands is
    `goldsmith`."""

    @model_validator(mode="after")
    def _role_of_it(self) -> Self:
        if self.role and self.role.startswith("arn:") and Arn.parse(self.role).account != self.id:
            rule, remedy = f"must be a role of account {self.id}", "write its name, or correct the id"
            raise RuleError(rule, got=shown(self.role), remedy=remedy, key=("role",))
        for field in ("external_id", "session_name"):
            if getattr(self, field) and not self.role:
                rule, remedy = "is only for a role", "write role, or delete it"
                raise RuleError(rule, got=shown(getattr(self, field)), remedy=remedy, key=(field,))
        return self

    def role_arn(self, region: str) -> str | None:
        """The ARN of the role, for work in a region."""
        if self.role is None or self.role.startswith("arn:"):
            return self.role
        return str(Arn(partition(region), "iam", "", self.id, f"role/{self.role}"))

    def provider(self, region: str) -> Provider:
        """The way into the account, for work in a region."""
        arn = self.role_arn(region)
        role = AssumeRole(role_arn=arn, external_id=self.external_id, session_name=self.session_name) if arn else None
        return Provider(profile=self.profile, assume_role=role, account=self.id)
