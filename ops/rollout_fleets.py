"""The fleets of an estate as the rules of rollouts see them: each with clients for its account and its image's."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial

from estate.estate import Estate, EstateFleet
from estate.recipes.rollout import rollout_of
from lambda_src.rollout.evidence import Runs
from lambda_src.rollout.look import ImagePlace, Place, read_runs
from lambda_src.rollout.run import Fleet
from ops.accounts import Accounts, access_to_fleet, access_to_image_of
from ops.aws import asking
from ops.errors import OpsError


def reach_fleets(estate: Estate, names: Sequence[str], *, pool: Executor) -> dict[str, Fleet | OpsError]:
    """The fleets by name, or why one cannot be looked at."""
    accounts = Accounts()
    fleets = [estate.fleet(name) for name in names]
    accounts.reach_all([*map(access_to_fleet, fleets), *map(access_to_image_of, fleets)], pool=pool)
    return {name: _fleet(fleet, accounts) for name, fleet in zip(names, fleets, strict=True)}


def _fleet(declared: EstateFleet, accounts: Accounts) -> Fleet | OpsError:
    try:
        return fleet_of(declared, accounts)
    except OpsError as error:
        return error


def fleet_of(declared: EstateFleet, accounts: Accounts) -> Fleet:
    """A fleet with the way to it. Raises `OpsError`."""
    place, image = _places(declared, accounts)
    return Fleet(
        rules=rollout_of(declared),
        place=place,
        image=image,
        runs_of=partial(_runs, estate=declared.estate, accounts=accounts),
        caller=accounts.of_fleet(declared).caller,
    )


def _places(declared: EstateFleet, accounts: Accounts) -> tuple[Place, ImagePlace]:
    """Raises `OpsError`."""
    region, home = declared.fleet.region, declared.image.image.home
    here, image = accounts.of_fleet(declared), accounts.reach(access_to_image_of(declared))
    return Place(
        autoscaling=here.autoscaling(region), ec2=here.ec2(region), ssm=here.ssm(region), account=here.account
    ), ImagePlace(ec2=image.ec2(region), ssm=image.ssm(region), home_ssm=image.ssm(home), account=image.account)


def _runs(name: str, *, estate: Estate, accounts: Accounts) -> Runs | str:
    """What a fleet of `after` runs and ran, or why it cannot be read."""
    declared = estate.fleet(name)
    try:
        place, image = _places(declared, accounts)
        with asking(declared.fleet.region):
            return read_runs(rollout_of(declared), place, image)
    except OpsError as error:
        return str(error)
