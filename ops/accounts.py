"""The accounts of an estate, as the commands get into them.

An image and a fleet are each in one account. If `settings.accounts` names it, the commands get in as Terraform does, by
its role or profile. Otherwise they take the credentials of the environment. Nothing is done with credentials that
belong to another account than the named one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field

from botocore.session import Session

from estate.estate import EstateFleet, EstateImage
from estate.models.images import Image
from estate.models.provider import AssumeRole, Provider
from ops.aws import Aws, asking, assume, open_session
from ops.errors import OpsError


@dataclass(frozen=True, kw_only=True)
class Access:
    """The way into one account."""

    name: str | None
    """The account's name in the settings; None where `account:` does not name one."""
    provider: Provider
    """How Terraform gets in."""
    region: str = field(compare=False)
    """Where it is asked who the credentials belong to."""
    through: Access | None = None
    """The account whose credentials assume the role. Default: those of the profile or the environment do."""

    @property
    def account(self) -> str | None:
        """The ID of the account, if the settings name it."""
        return self.provider.account

    @property
    def role(self) -> AssumeRole | None:
        """The role that the commands assume."""
        return self.provider.assume_role

    @property
    def label(self) -> str:
        """`prod (333333333333)`, for messages; empty where `account:` does not name one."""
        return f"{self.name} ({self.account})" if self.name else ""


class Unreachable(OpsError):
    """The commands cannot get into an account."""

    def __init__(self, access: Access, reason: str) -> None:
        super().__init__(f"account {access.label} cannot be reached: {reason}" if access.name else reason)
        self.access = access
        self.reason = reason


class Accounts:
    """AWS in each account: one `Aws` for each, which is made at its first use. Safe to use in several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[Access, _Entry] = {}
        self._sources: dict[str | None, Session] = {}

    def of_image(self, declared: EstateImage[Image]) -> Aws:
        """AWS in the account of an image; `.ssm(region)` and so on are its clients. Raises `Unreachable`."""
        return self.reach(access_to_image(declared))

    def of_fleet(self, declared: EstateFleet) -> Aws:
        """AWS in the account of a fleet. Raises `Unreachable`."""
        return self.reach(access_to_fleet(declared))

    def reach(self, access: Access) -> Aws:
        """AWS in an account, after a look who the credentials belong to. Raises `Unreachable`, each time the same."""
        with self._lock:
            entry = self._entries.setdefault(access, _Entry())
        with entry.lock:
            if entry.found is None:
                entry.found = self._enter(access)
        return usable(entry.found)

    def reach_all(self, accesses: Iterable[Access], *, pool: Executor) -> dict[Access, Aws | Unreachable]:
        """AWS in each account, or why there is none; several at the same time."""
        wanted = list(dict.fromkeys(accesses))
        return dict(zip(wanted, pool.map(self._try, wanted), strict=True))

    def _try(self, access: Access) -> Aws | Unreachable:
        try:
            return self.reach(access)
        except Unreachable as error:
            return error

    def _enter(self, access: Access) -> Aws | Unreachable:
        try:
            with asking(access.region):
                through = self.reach(access.through) if access.through else None
                session = through.session if through else self._source(access.provider.profile)
                if access.role:
                    session = assume(access.role, source=session, region=access.region)
            aws = Aws(session, home=access.region)
            _check_account(access, aws.account)
        except OpsError as error:
            return Unreachable(access, str(error))
        return aws

    def _source(self, profile: str | None) -> Session:
        """The session of a profile, the same for all its accounts: so a person is asked only once to log in."""
        with self._lock:
            if profile not in self._sources:
                self._sources[profile] = open_session(profile=profile)
                self._sources[profile].get_credentials()
            return self._sources[profile]


@dataclass(kw_only=True)
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    found: Aws | Unreachable | None = None


def access_to_image(declared: EstateImage[Image]) -> Access:
    """The way into the account of an image."""
    image = declared.image
    return Access(name=image.account, provider=declared.provider, region=image.home)


def access_to_fleet(declared: EstateFleet) -> Access:
    """The way into the account of a fleet."""
    return Access(name=declared.account_name, provider=declared.provider, region=declared.fleet.region)


def access_to_image_of(fleet: EstateFleet) -> Access:
    """The way into the account of the image of a fleet.

    If another estate makes the image, it is the fleet's own way and then the reader role, where that is needed.
    """
    name, own, image = fleet.fleet.image, access_to_fleet(fleet), fleet.image
    if not image.is_external:
        return access_to_image(fleet.estate.image(name))
    if not fleet.is_elsewhere:
        return own
    role = AssumeRole(role_arn=image.reader_role)
    provider = Provider(profile=own.provider.profile, assume_role=role, account=image.account)
    return Access(name=image.image.account, provider=provider, region=own.region, through=own)


def usable(found: Aws | Unreachable) -> Aws:
    """AWS in an account that could be reached. Raises `Unreachable` otherwise."""
    if isinstance(found, Unreachable):
        raise found
    return found


def lines_of(errors: Iterable[Unreachable]) -> list[str]:
    """The messages, one line for each account, or for all accounts with the same reason."""
    accounts: dict[str, list[str]] = {}
    for error in errors:
        labels = accounts.setdefault(error.reason, [])
        labels += [error.access.label] if error.access.name else []
    return [
        f"account{'s' if labels[1:] else ''} {', '.join(labels)} cannot be reached: {reason}" if labels else reason
        for reason, labels in accounts.items()
    ]


def _check_account(access: Access, account: str) -> None:
    """Raises `OpsError` when the credentials belong to another account than that of the images and fleets."""
    if access.account in (None, account):
        return
    named, profile = f"settings.accounts.{access.name}", access.provider.profile
    add = f"write its role or profile in {named}, or set AWS_PROFILE to a profile of account {access.account}"
    remedy = f"correct the profile {profile} or the settings" if profile else add
    raise OpsError(f"these credentials belong to account {account}, and {named}.id is {access.account}: {remedy}")
