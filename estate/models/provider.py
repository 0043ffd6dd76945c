"""How Terraform reaches AWS: a profile, a role to assume, and the accounts in which it may work."""

from typing import Self

from pydantic import BaseModel, model_validator

from estate.arns import Arn
from estate.models.types import FROZEN, AccountId, ExternalId, PlainText, RoleArn, SessionName
from estate.problems import RuleError, shown


class AssumeRole(BaseModel):
    """A role that Terraform assumes."""

    model_config = FROZEN

    role_arn: RoleArn
    """The role."""
    external_id: ExternalId | None = None
    """The external ID that the role's trust policy requires. Default: none is sent."""
    session_name: SessionName | None = None
    """The name of the session, as CloudTrail shows it. Default: Terraform chooses one."""


class Provider(BaseModel):
    """How Terraform reaches AWS. Without any of these fields it takes the credentials of the environment, as any AWS
    tool does."""

    model_config = FROZEN

    profile: PlainText | None = None
    """A profile of the shared configuration files. Default: none; the environment decides."""
    assume_role: AssumeRole | None = None
    """A role that Terraform assumes. Default: none."""
    allowed_account_ids: tuple[AccountId, ...] = ()
    """The only accounts in which plans and applies may run. Default: any account."""

    @model_validator(mode="after")
    def _role_allowed(self) -> Self:
        account = Arn.parse(self.assume_role.role_arn).account_id if self.assume_role else None
        if account and self.allowed_account_ids and account not in self.allowed_account_ids:
            remedy = "add the account to allowed_account_ids, or name a role of an account that is in it"
            rule = "the role's account is not in allowed_account_ids, so every plan would stop"
            raise RuleError(rule, got=shown(account), remedy=remedy, key=("assume_role", "role_arn"))
        return self

    @property
    def accounts(self) -> frozenset[str]:
        """The accounts in one of which Terraform must work, as far as the configuration shows it; empty where it does
        not."""
        role = Arn.parse(self.assume_role.role_arn).account_id if self.assume_role else None
        return frozenset({role} if role else self.allowed_account_ids)
