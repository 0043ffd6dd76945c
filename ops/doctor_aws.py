"""What commands, plans and builds need in AWS: credentials and roles, permissions, quotas, for each account."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from estate.estate import Estate, EstateFleet, EstateImage
from estate.models.images import Image
from estate.models.provider import AssumeRole, Provider
from ops.aws import Aws
from ops.errors import OpsError
from ops.finding import MISSING, Finding
from ops.permissions import check_ec2, check_policies, needs_of
from ops.quotas import check_quotas


@dataclass(kw_only=True)
class _Access:
    """One way into AWS, and what is reached by it."""

    name: str
    """`account prod` for one of the settings' accounts; otherwise empty."""
    provider: Provider
    images: list[EstateImage[Image]] = field(default_factory=list)
    fleets: list[EstateFleet] = field(default_factory=list)

    @property
    def home(self) -> str:
        """The region in which it is asked who the credentials belong to."""
        return self.images[0].image.home if self.images else self.fleets[0].fleet.region

    @property
    def regions(self) -> list[str]:
        """All regions of its images and fleets."""
        regions = [region for image in self.images for region in image.image.regions]
        return [*dict.fromkeys([*regions, *(fleet.fleet.region for fleet in self.fleets)])]


def check_aws(estate: Estate) -> Iterator[Finding]:
    """The lines of each account, or of the credentials where the settings name no accounts."""
    accesses = _accesses(estate)
    for access in accesses:
        place = f" ({access.name or access.provider.profile or 'other provider'})" if len(accesses) > 1 else ""
        try:
            aws = Aws(
                provider=access.provider, home=access.home, role=access.provider.assume_role if access.name else None
            )
            caller, account = aws.caller, aws.account
        except OpsError as error:
            yield Finding(subject=access.name or f"credentials{place}", state=MISSING, text=str(error))
            continue
        yield Finding(subject=access.name or f"credentials{place}", text=f"{caller} in account {account}")
        if access.provider.assume_role and not access.name:
            yield _role_of_terraform(access, access.provider.assume_role, place)
        yield from check_policies(
            needs_of(access.images, access.fleets, account=account), aws=aws, home=access.home, place=place
        )
        yield check_ec2(access.regions, aws=aws, place=place)
        yield from check_quotas(access.images, access.fleets, aws=aws, place=place)


def _accesses(estate: Estate) -> list[_Access]:
    accesses: dict[tuple[str, Provider], _Access] = {}

    def access(account: str | None, provider: Provider) -> _Access:
        name = f"account {account}" if account else ""
        return accesses.setdefault((name, provider), _Access(name=name, provider=provider))

    for image in map(estate.image, estate.images):
        access(image.image.account, image.provider).images.append(image)
    for fleet in map(estate.fleet, estate.fleets):
        access(fleet.account_name, fleet.provider).fleets.append(fleet)
    return [*accesses.values()]


def _role_of_terraform(access: _Access, role: AssumeRole, place: str) -> Finding:
    """Whether the role that only Terraform assumes can be assumed."""
    subject = f"role of Terraform{place}"
    try:
        caller = Aws(provider=access.provider, home=access.home, role=role).caller
    except OpsError as error:
        return Finding(
            subject=subject,
            state=MISSING,
            text=str(error),
            remedy=f"allow these credentials to assume {role.role_arn}, in their policies and in its trust policy",
        )
    return Finding(subject=subject, text=caller)
