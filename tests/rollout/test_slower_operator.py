"""An operator who has decided to start, and is slower than another one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lambda_src.rollout.decisions import Ended, Follow, Wish
from tests.support.memory_aws import Call
from tests.support.memory_groups import MemoryGroup
from tests.support.memory_rollouts import FLEETS, OPERATORS, PROD, Habits, RolloutWorld

FIRST, SECOND = OPERATORS


@pytest.fixture
def world() -> RolloutWorld:
    """With a build that is in the template, and not in the group yet."""
    made = RolloutWorld(Habits(by=dict.fromkeys(FLEETS, "goldsmith")))
    made.apply(PROD, ami=made.build())
    made.settle()
    newer = made.build()
    made.point(newer)
    made.apply(PROD, ami=newer)
    return made


def group_of(world: RolloutWorld) -> MemoryGroup:
    group = world.group(PROD)
    assert group
    return group


def meanwhile(world: RolloutWorld, happens: Callable[[], object]) -> None:
    """Let something happen when the first operator is about to start."""

    def before(call: Call) -> None:
        if (call.user, call.operation) == (FIRST, "StartInstanceRefresh"):
            world.cloud.before = lambda call: None
            happens()

    world.cloud.before = before


def roll_out_badly(world: RolloutWorld) -> None:
    world.run(PROD, user=SECOND)
    group_of(world).fail("alarm web-5xx")
    world.settle([PROD])


def test_what_somebody_else_has_tried_in_vain_is_not_tried_again(world: RolloutWorld) -> None:
    meanwhile(world, lambda: roll_out_badly(world))
    world.run(PROD, user=FIRST)
    world.settle([PROD])
    assert [each.status for each in group_of(world).refreshes] == ["RollbackSuccessful", "RollbackSuccessful"]
    assert {each.version for each in group_of(world).members} == {"1"}
    assert isinstance(world.run(PROD)[1], Ended)


def test_who_wants_to_try_again_does_so(world: RolloutWorld) -> None:
    meanwhile(world, lambda: roll_out_badly(world))
    world.run(PROD, Wish(retry=True), user=FIRST)
    world.settle([PROD])
    assert {each.version for each in group_of(world).members} == {"2"}


def test_what_somebody_else_has_started_is_followed(world: RolloutWorld) -> None:
    meanwhile(world, lambda: world.run(PROD, user=SECOND))
    assert isinstance(world.run(PROD, user=FIRST)[1], Follow)
    assert len(group_of(world).refreshes) == 1
    assert [attempt["by"] for attempt in world.record(PROD).values()] == [SECOND]


def test_an_ami_that_was_rolled_back_does_not_come_in_another_version(world: RolloutWorld) -> None:
    roll_out_badly(world)
    world.apply(PROD, ami=world.channel, changes=True)
    assert isinstance(world.run(PROD)[1], Ended)
    world.cloud.parameters.clear()  # AWS and the template know it, too
    world.point(world.order[-1])
    assert isinstance(world.run(PROD)[1], Ended)


def test_an_abort_of_what_has_just_ended_is_no_error(world: RolloutWorld) -> None:
    world.run(PROD, user=FIRST)

    def before(call: Call) -> None:
        if call.operation == "RollbackInstanceRefresh":
            world.cloud.before = lambda call: None
            world.settle([PROD])

    world.cloud.before = before
    world.abort(PROD)
    assert {each.version for each in group_of(world).members} == {"2"}
