"""Runs commands that move channels in this process, without a command line, and with clients that tests share."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path

from estate.estate import Estate
from estate.load import load
from estate.references import BuildReference
from lambda_src.handoff.history import SOAK
from ops.accounts import Accounts, access_to_image
from ops.build import Options as BuildOptions
from ops.children import Wish as Lane
from ops.children import build_with_children
from ops.confirmed_move import Options
from ops.errors import OpsError
from ops.moving import Mover
from ops.pipeline import Pipeline
from ops.promote import Promotion, run_promote
from ops.revocation import Wish as Revocation
from ops.revoke import run_revoke
from ops.rollback import Rollback, run_rollback
from ops.rollback_without_home import run_without_home
from ops.selection import of_image
from tests.support.faults import Switch
from tests.support.ops_world import OpsWorld


@cache
def _accounts(endpoint: str) -> tuple[Accounts, list[Switch]]:
    """The clients of an AWS: to make them costs more than what most tests do with them."""
    assert endpoint
    return Accounts(), []


@cache
def _estate(config: Path, text: str) -> Estate:
    assert text
    return load(config)


def estate_of(world: OpsWorld) -> Estate:
    """What the configuration declares now."""
    return _estate(world.config, world.config.read_text())


def accounts_of(world: OpsWorld) -> Accounts:
    """Clients that are shared by all tests."""
    return _accounts(world.environment["AWS_ENDPOINT_URL"])[0]


def switch_of(world: OpsWorld) -> Switch:
    """The switch in the shared clients."""
    accounts, switches = _accounts(world.environment["AWS_ENDPOINT_URL"])
    if not switches:
        switches.append(Switch(accounts.reach(access_to_image(estate_of(world).image(world.name))).session))
    return switches[0]


def mover_of(world: OpsWorld, *, accounts: Accounts | None = None) -> Mover:
    """For the world's image, with clients that are shared unless `accounts` has others."""
    switch_of(world)
    declared = estate_of(world).image(world.name)
    aws = (accounts or accounts_of(world)).reach(access_to_image(declared))
    return Mover(declared=declared, pipeline=Pipeline(declared=declared, account=aws.account), aws=aws)


def promote(mover: Mover, what: int | str, *, why: str = "now") -> str:
    """Point `prod` to a build by its number, or to what this reference means, whether it has soaked or not; why that
    did not end well."""
    image = mover.declared.image
    named = BuildReference(image.name, "1.0.7", what) if isinstance(what, int) else None
    wish = Promotion(
        pipeline=mover.pipeline,
        source=named or of_image(str(what), mover.declared.estate),
        channel="prod",
        why=why,
        regions=image.regions,
        skips=frozenset({SOAK}),
    )
    return ended(lambda: run_promote(mover, wish, as_json=False, asks=False, command=str))


def roll_back(mover: Mover, *, to: int | None = None, why: str = "") -> str:
    """Point `prod` to the build before, or to this one; why that did not end well."""
    wish, options = _rollback(mover, to, why)
    return ended(lambda: run_rollback(mover, wish, options=options))


def roll_back_without_home(mover: Mover, *, to: int | None = None) -> str:
    """The same while the home region is down."""
    wish, options = _rollback(mover, to, "")
    return ended(lambda: run_without_home(mover, wish, why_down="it is down", options=options))


def _rollback(mover: Mover, to: int | None, why: str) -> tuple[Rollback, Options]:
    build = BuildReference(mover.declared.image.name, "1.0.7", to) if to else None
    wish = Rollback(pipeline=mover.pipeline, channel="prod", to=build, why=why)
    return wish, Options(as_json=False, asks=False, again=wish.again)


def revoke(world: OpsWorld, number: int, *, undo: bool = False) -> str:
    """Revoke a build and what was made on it, and roll back `prod`, or undo that; why that did not end well."""
    wish = Revocation(
        estate=estate_of(world),
        reference=BuildReference(world.name, "1.0.7", number),
        why="" if undo else "CVE-2026-1",
        children=True,
        undo=undo,
        rolls_back=not undo,
    )
    return ended(lambda: run_revoke(wish, accounts=accounts_of(world), as_json=False, asks=False, command=str))


def build_children(world: OpsWorld, *, attached: int | None = None) -> str:
    """Build the world's image with its children, or go on from a build of it; why that did not end well."""
    build = BuildReference(world.name, "1.0.7", attached) if attached else None
    options = BuildOptions(as_json=False, handoff_timeout=0, configuration=Path(world.config), command=str)
    image = estate_of(world).image(world.name)
    lane = Lane(attached=build, asks=False)
    return ended(lambda: build_with_children(image, lane, options, accounts=accounts_of(world)))


def ended(command: Callable[[], int]) -> str:
    """Run a command; why it did not end well, or nothing."""
    try:
        with redirect_stdout(io.StringIO()):
            status = command()
    except OpsError as error:
        return str(error)
    return "" if status == 0 else f"status {status}"
