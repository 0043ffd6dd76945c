"""What commands, plans and builds need in AWS: credentials and roles, permissions, quotas, for each account."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from botocore.exceptions import ClientError

from estate.estate import Estate, EstateFleet, EstateImage
from estate.models.images import Image
from estate.names import AUTO_SCALING_ROLE
from ops.accounts import Access, Accounts, Unreachable, access_to_fleet, access_to_image
from ops.aws import Aws, asking
from ops.doctor_alarms import check_alarms
from ops.errors import OpsError
from ops.finding import MISSING, UNKNOWN, Finding
from ops.permissions import check_ec2, check_policies, needs_of
from ops.quotas import check_quotas
from ops.reader_role import why_not_assumed


@dataclass(kw_only=True)
class _Part:
    """What of an estate is in one account."""

    images: list[EstateImage[Image]] = field(default_factory=list)
    fleets: list[EstateFleet] = field(default_factory=list)

    @property
    def regions(self) -> list[str]:
        """All regions of its images and fleets."""
        regions = [region for image in self.images for region in image.image.regions]
        return [*dict.fromkeys([*regions, *(fleet.fleet.region for fleet in self.fleets)])]


def check_aws(estate: Estate) -> Iterator[Finding]:
    """The lines of each account, or of the credentials where the settings name no accounts; then those of fleets of
    other accounts than their image's."""
    accounts, parts = Accounts(), _parts(estate)
    for access, part in parts.items():
        yield from _check_account(access, part, accounts=accounts, is_only=len(parts) == 1)
    yield from _reader_roles([fleet for part in parts.values() for fleet in part.fleets], accounts)


def _parts(estate: Estate) -> Mapping[Access, _Part]:
    parts: dict[Access, _Part] = {}
    for image in map(estate.image, estate.images):
        parts.setdefault(access_to_image(image), _Part()).images.append(image)
    for fleet in map(estate.fleet, estate.fleets):
        parts.setdefault(access_to_fleet(fleet), _Part()).fleets.append(fleet)
    return parts


def _check_account(access: Access, part: _Part, *, accounts: Accounts, is_only: bool) -> Iterator[Finding]:
    subject = f"account {access.name}" if access.name else "credentials"
    place = "" if is_only else f" ({subject})"
    try:
        aws = accounts.reach(access)
    except Unreachable as error:
        yield Finding(subject=subject, state=MISSING, text=error.reason)
        return
    yield Finding(subject=subject, text=f"{aws.caller} in account {aws.account}")
    needs = needs_of(part.images, part.fleets, account=aws.account)
    yield from check_policies(needs, aws=aws, home=access.region, place=place)
    yield check_ec2(part.regions, aws=aws, place=place)
    yield from check_quotas(part.images, part.fleets, aws=aws, place=place)
    yield from check_alarms(part.fleets, aws=aws)
    if any(fleet.is_elsewhere for fleet in part.fleets):
        yield _role_of_auto_scaling(aws, access.region, place)


def _role_of_auto_scaling(aws: Aws, region: str, place: str) -> Finding:
    """The role that launches instances, which AWS makes with the first group of an account. A fleet of another account
    than its image's needs it before: KMS refuses grants for roles that do not exist."""
    subject, name = f"role of Auto Scaling{place}", AUTO_SCALING_ROLE.rpartition("/")[2]
    try:
        with asking(region):
            try:
                return Finding(subject=subject, text=str(aws.iam(region).get_role(RoleName=name)["Role"]["Arn"]))
            except ClientError as error:
                if error.response["Error"].get("Code") != "NoSuchEntity":
                    raise
    except OpsError as error:
        return Finding(subject=subject, state=UNKNOWN, text=str(error))
    remedy = "make it there: aws iam create-service-linked-role --aws-service-name autoscaling.amazonaws.com"
    text = f"{name} does not exist in account {aws.account}, and no grant on the key of the AMIs can name it"
    return Finding(subject=subject, state=MISSING, text=text, remedy=remedy)


def _reader_roles(fleets: Sequence[EstateFleet], accounts: Accounts) -> Iterator[Finding]:
    """Whether the plans of fleets can read the channels in the image's account, if that is another one."""
    found: dict[tuple[Access, str], Finding] = {}
    for fleet in fleets:
        if fleet.is_elsewhere:
            key = access_to_fleet(fleet), fleet.image.reader_role
            if key not in found:
                found[key] = _reader_role(fleet, accounts)
            yield replace(found[key], subject=f"fleet {fleet.fleet.name} reads image {fleet.fleet.image}")


def _reader_role(fleet: EstateFleet, accounts: Accounts) -> Finding:
    try:
        refusal = why_not_assumed(fleet, accounts=accounts)
    except OpsError as error:
        return Finding(subject="", state=UNKNOWN, text=str(error))
    if refusal:
        return Finding(subject="", state=MISSING, text=refusal.reason, remedy=refusal.remedy)
    return Finding(subject="", text=f"with {fleet.image.reader_role}")
