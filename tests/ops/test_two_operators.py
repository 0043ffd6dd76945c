"""Two people, or a person and the hand-off function, move channels at the same time: no move is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ops.accounts import Accounts
from ops.moving import ROUNDS, Mover
from tests.support.handoff_world import HOME, REGIONS, intercepted
from tests.support.movers import mover_of, promote
from tests.support.ops_world import OpsWorld


@pytest.fixture
def movers(world: OpsWorld) -> tuple[Mover, Mover]:
    """Of two people, each with clients of their own."""
    for _ in range(3):
        world.web.build()
    one, other = mover_of(world), mover_of(world, accounts=Accounts())
    assert promoted(one, 1) == ""
    return one, other


def promoted(mover: Mover, number: int) -> str:
    return promote(mover, number, why=f"build {number}")


def first(what: Callable[[], object]) -> Callable[[], None]:
    """Does something before the first call that is watched."""
    left = [what]

    def once() -> None:
        if left:
            left.pop()()

    return once


def prod(world: OpsWorld) -> tuple[dict[str, str], list[str]]:
    """What `prod` points to by region, and the reasons of its moves in the history."""
    values = {region: world.web.channels(region)["prod"].value for region in REGIONS}
    return values, [move.why for move in world.web.other_history.moves() if move.channel == "prod"]


def test_the_newer_of_two_promotions_stays_and_the_older_one_is_refused(
    world: OpsWorld, movers: tuple[Mover, Mover]
) -> None:
    one, other = movers
    with intercepted(one.aws.s3(HOME), "PutObject", first(lambda: promoted(other, 3))):
        said = promoted(one, 2)
    assert said.startswith(f"{world.name}@prod: must not move to an older build, got 1.0.7/2 where ")
    assert prod(world) == (world.web.amis(world.arn("1.0.7/3")), ["build 1", "build 3"])


def test_the_newer_one_comes_after_an_older_one_that_was_faster(world: OpsWorld, movers: tuple[Mover, Mover]) -> None:
    one, other = movers
    with intercepted(one.aws.s3(HOME), "PutObject", first(lambda: promoted(other, 2))):
        assert promoted(one, 3) == ""
    assert prod(world) == (world.web.amis(world.arn("1.0.7/3")), ["build 1", "build 2", "build 3"])


def test_a_slow_writer_does_not_bring_an_older_build_back(world: OpsWorld, movers: tuple[Mover, Mover]) -> None:
    """One person has the number, and is slow; the other one moves the channel on before the first parameter."""
    one, other = movers
    with intercepted(one.aws.ssm(HOME), "PutParameter", first(lambda: promoted(other, 3))):
        said = promoted(one, 2)
    values, reasons = prod(world)
    assert reasons == ["build 1", "build 2", "build 3"]
    assert values == world.web.amis(world.arn("1.0.7/3"))
    assert said.startswith(f"us-east-1: somebody else has moved it to {values[HOME]}\n"), said


def test_the_function_moves_latest_at_the_same_time(world: OpsWorld, movers: tuple[Mover, Mover]) -> None:
    one, _ = movers
    with intercepted(one.aws.s3(HOME), "PutObject", first(world.web.run)):
        assert promoted(one, 2) == ""
    assert world.web.latest() == world.web.amis(world.arn("1.0.7/3"))
    assert prod(world) == (world.web.amis(world.arn("1.0.7/2")), ["build 1", "build 2"])
    assert world.web.other_history.numbers() == [1, 2, 3]


def test_what_was_shown_is_moved_although_its_source_moves_meanwhile(
    world: OpsWorld, movers: tuple[Mover, Mover]
) -> None:
    one, _ = movers
    world.web.run()
    world.web.build()
    looks: Iterator[Callable[[], object]] = iter([lambda: None, world.web.run])  # to show it, and after the answer

    def meanwhile() -> None:
        next(looks, lambda: None)()

    with intercepted(one.aws.ssm(HOME), "GetParametersByPath", meanwhile):
        assert promote(one, world.name) == ""
    assert world.web.latest() == world.web.amis(world.arn("1.0.7/4"))
    assert prod(world)[0] == world.web.amis(world.arn("1.0.7/3"))


def test_somebody_who_is_always_faster_is_named(world: OpsWorld, movers: tuple[Mover, Mover]) -> None:
    one, _ = movers
    taken = []

    def take_the_number() -> None:
        *_, last = world.web.other_history.moves()
        move = type(last)(**{**vars(last), "number": last.number + 1, "channel": "other", "run": "1"})
        taken.append(world.web.other_history.add(move))

    with intercepted(one.aws.s3(HOME), "PutObject", take_the_number):
        said = promoted(one, 2)
    assert said == f"{world.name}@prod: somebody else moves channels of {world.name} at this moment; try again"
    assert taken == [True] * ROUNDS
    assert prod(world)[0] == world.web.amis(world.arn("1.0.7/1"))
