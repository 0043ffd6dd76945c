"""Who makes a request."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Caller:
    """An identity of IAM, or a service of AWS that acts for an account."""

    account: str
    arn: str
    """As GetCallerIdentity shows it, and as messages name the caller."""
    principal: str
    """As `aws:PrincipalArn` has it: for a session, the ARN of its role."""
