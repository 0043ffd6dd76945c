"""One more look at the AMI of a saved plan before it is applied: it may have been revoked or deleted since."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from estate.estate import EstateFleet
from estate.models.provider import AssumeRole, Provider
from estate.recipes.rollout import rollout_of
from lambda_src.handoff.answers import text
from lambda_src.rollout.guards import faults, faults_here
from lambda_src.rollout.look import describe_by
from ops.accounts import Access, Accounts, access_to_fleet
from ops.aws import Aws, asking
from ops.errors import OpsError


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a look at an AMI has found."""

    refused: tuple[str, ...] = ()
    """Why it must not be launched."""
    notes: tuple[str, ...] = ()
    """What a person should know: also what guards that only warn would refuse."""


def look_at(ami: str, declared: EstateFleet, *, accounts: Accounts) -> Look:
    """By the rules of the guards, in the fleet's account, and in the image's as the fleet's plans read it."""
    region = declared.fleet.region
    try:
        with asking(region):
            here = accounts.of_fleet(declared)
            there, why_not = _images_account(declared, here, accounts)
            found = tuple(_faults(ami, declared, here, there))
    except OpsError as error:
        return Look(refused=(f"{ami} cannot be looked at once more: {error}",))
    notes: tuple[str, ...] = ()
    if why_not and not declared.fleet.is_pinned:
        return Look(refused=(*found, f"whether {ami} is revoked cannot be found out: {why_not}"))
    if why_not:
        notes = (f"whether {ami} was revoked since is not known: {why_not}",)
    if declared.fleet.guards == "warn":
        return Look(notes=(*found, *notes))
    return Look(refused=found, notes=notes)


def _images_account(declared: EstateFleet, here: Aws, accounts: Accounts) -> tuple[Aws | None, str]:
    """AWS in the image's account, or why it cannot be reached."""
    if not declared.is_elsewhere:
        return here, ""
    own = access_to_fleet(declared)
    access = Access(
        name=declared.image.image.account,
        provider=Provider(
            profile=own.provider.profile,
            assume_role=AssumeRole(role_arn=declared.image.reader_role),
            account=declared.image.account,
        ),
        region=own.region,
        through=own,
    )
    try:
        return accounts.reach(access), ""
    except OpsError as error:
        return None, str(error)


def _faults(ami: str, declared: EstateFleet, here: Aws, there: Aws | None) -> Iterator[str]:
    """Raises what a call to AWS raises."""
    region, rules = declared.fleet.region, rollout_of(declared)
    place = f"account {here.account} and {region}"
    own = describe_by(here.ec2(region), "image-id", {ami}).get(ami)
    if there is None:
        yield from faults_here(ami, own, place=place)
        return
    made = own
    if declared.is_elsewhere and own is not None:
        filter_name, value = ("name", text(own, "Name") or "") if declared.runs_copy else ("image-id", ami)
        made = next(iter(describe_by(there.ec2(region), filter_name, {value}).values()), None)
    yield from faults(ami, rules.ami, made=made, here=own, owner=there.account, place=place, now=datetime.now(UTC))
