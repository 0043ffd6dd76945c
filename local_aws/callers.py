"""Who makes a request."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Caller:
    """An identity of IAM, or a service of AWS."""

    account: str
    arn: str
    """As GetCallerIdentity shows it, and as messages name the caller."""
    principal: str
    """As `aws:PrincipalArn` has it: for a session, the ARN of its role."""
    service: str = ""
    """The principal of a service that acts as itself: `imagebuilder.amazonaws.com`."""
    organization_path: str = ""
    """As `aws:PrincipalOrgPaths` has it; empty for an account outside any organization."""

    @property
    def is_session(self) -> bool:
        """Whether it is a session of an assumed role."""
        return ":assumed-role/" in self.arn
