"""Moves channels in this process without a command line, and with clients that tests share."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import cache

from estate.load import load
from estate.references import BuildReference
from lambda_src.handoff.history import SOAK
from ops.accounts import Accounts, access_to_image
from ops.confirmed_move import Options
from ops.errors import OpsError
from ops.moving import Mover
from ops.pipeline import Pipeline
from ops.promote import Promotion, run_promote
from ops.rollback import Rollback, run_rollback
from tests.support.ops_world import OpsWorld


@cache
def _accounts(endpoint: str) -> Accounts:
    """The clients of an AWS: to make them costs more than what most tests do with them."""
    assert endpoint
    return Accounts()


def mover_of(world: OpsWorld, *, accounts: Accounts | None = None) -> Mover:
    """For the world's image, with clients that are shared unless `accounts` has others."""
    declared = load(world.config).image(world.name)
    aws = (accounts or _accounts(world.environment["AWS_ENDPOINT_URL"])).reach(access_to_image(declared))
    return Mover(declared=declared, pipeline=Pipeline(declared=declared, account=aws.account), aws=aws)


def promote(mover: Mover, number: int, *, why: str = "now") -> str:
    """Point `prod` to a build, whether it has soaked or not; why that did not end well."""
    image = mover.declared.image
    wish = Promotion(
        pipeline=mover.pipeline,
        source=BuildReference(image.name, "1.0.7", number),
        channel="prod",
        why=why,
        regions=image.regions,
        skips=frozenset({SOAK}),
    )
    return _ended(lambda: run_promote(mover, wish, as_json=False, asks=False, command=str))


def roll_back(mover: Mover, *, why: str = "") -> str:
    """Point `prod` to the build before; why that did not end well."""
    wish = Rollback(pipeline=mover.pipeline, channel="prod", why=why)
    options = Options(as_json=False, asks=False, again=wish.again)
    return _ended(lambda: run_rollback(mover, wish, options=options))


def _ended(command: Callable[[], int]) -> str:
    try:
        with redirect_stdout(io.StringIO()):
            status = command()
    except OpsError as error:
        return str(error)
    return "" if status == 0 else f"status {status}"
