"""What fleets do that take builds by themselves, with an AWS in memory."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

import pytest

from lambda_src.rollout.decisions import Done, Ended, Follow, Refused, Wait, Wish
from tests.support.memory_aws import Call, refusal
from tests.support.memory_rollouts import AUTOMATIC, FLEETS, HAND, PROD, REGION, STAGING, Habits, RolloutWorld


def automatic(**habits: object) -> RolloutWorld:
    """Fleets that run the first build; their channel points to the second one."""
    world = RolloutWorld(Habits(by=dict.fromkeys(FLEETS, AUTOMATIC), **habits))  # type: ignore[arg-type]
    world.point(world.build())
    for fleet in FLEETS:
        world.apply(fleet, ami=world.channel)
    world.settle()
    world.point(world.build())
    return world


@pytest.fixture
def world() -> RolloutWorld:
    return automatic()


def versions(world: RolloutWorld) -> list[tuple[str, str]]:
    """The number of the build and the user data of each version of the template."""
    template = world.cloud.template(REGION, f"acme-{PROD}")
    assert template
    return [(world.build_of(data["ImageId"]).rpartition("/")[2], data["UserData"]) for data, _ in template.versions]


def runs(world: RolloutWorld) -> set[str]:
    """The versions of the instances."""
    group = world.group(PROD)
    assert group
    return {member.version for member in group.members}


def fails(world: RolloutWorld) -> None:
    """The rollout that runs is rolled back."""
    group = world.group(PROD)
    assert group
    group.fail("alarm web-5xx")
    world.settle()


def test_it_takes_what_its_channel_points_to_and_keeps_everything_else(world: RolloutWorld) -> None:
    assert isinstance(world.run(PROD)[1], Follow)
    assert versions(world) == [("1", "0"), ("2", "0")]
    world.settle()
    assert (isinstance(world.run(PROD)[1], Done), runs(world)) == (True, {"2"})


def test_it_adds_no_version_before_it_can_start() -> None:
    world = automatic(windows=("mon-thu 10:00-16:00 UTC",))
    decision = world.run(PROD)[1]
    assert isinstance(decision, Wait) and "outside its window" in decision.reasons[0]
    assert versions(world) == [("1", "0")]
    world.cloud.now = decision.until
    assert isinstance(world.run(PROD)[1], Follow)


def test_after_a_rollback_the_template_has_what_runs_and_the_build_is_not_tried_again(world: RolloutWorld) -> None:
    world.run(PROD)
    fails(world)
    assert isinstance(world.run(PROD)[1], Ended)
    assert versions(world) == [("1", "0"), ("2", "0"), ("1", "0")]
    for _ in range(3):
        assert isinstance(world.run(PROD)[1], Ended)
    assert (len(versions(world)), runs(world)) == (3, {"1"})


def test_a_newer_build_or_a_person_ends_that(world: RolloutWorld) -> None:
    world.run(PROD)
    fails(world)
    world.run(PROD)
    assert isinstance(world.run(PROD, Wish(retry=True))[1], Follow)
    fails(world)
    world.point(world.build())
    assert isinstance(world.run(PROD)[1], Follow)
    world.settle()
    assert isinstance(world.run(PROD)[1], Done)
    assert versions(world)[-1] == ("3", "0")


def test_what_terraform_changes_rolls_out_while_the_build_waits_for_a_person(world: RolloutWorld) -> None:
    world.run(PROD)
    fails(world)
    world.run(PROD)
    world.apply(PROD, ami=world.channel, changes=True)
    assert versions(world)[-1] == ("1", "1")
    assert isinstance(world.run(PROD)[1], Follow)
    world.settle()
    assert isinstance(world.run(PROD)[1], Ended), "the build still needs a person"
    assert runs(world) == {"4"}


def test_what_terraform_changes_rolls_out_with_the_next_build(world: RolloutWorld) -> None:
    world.apply(PROD, ami=world.channel, changes=True)
    assert isinstance(world.run(PROD)[1], Follow)
    world.settle()
    assert versions(world) == [("1", "0"), ("1", "1"), ("2", "1")]
    assert runs(world) == {"3"}


def test_an_old_plan_brings_back_no_old_build(world: RolloutWorld) -> None:
    world.plan(PROD, ami=world.channel)
    world.run(PROD)
    world.settle()
    world.apply_plan(PROD)
    assert versions(world)[-1] == ("1", "1"), "Terraform sends what it planned"
    assert isinstance(world.run(PROD)[1], Follow)
    world.settle()
    assert versions(world)[-1] == ("2", "1")
    assert isinstance(world.run(PROD)[1], Done)


def test_it_follows_a_channel_that_goes_back(world: RolloutWorld) -> None:
    world.run(PROD)
    world.settle()
    world.point(world.order[0])
    assert isinstance(world.run(PROD)[1], Follow)
    world.settle()
    assert (isinstance(world.run(PROD)[1], Done), versions(world)[-1]) == (True, ("1", "0"))


def test_a_revoked_build_is_refused_also_when_its_version_was_added(world: RolloutWorld) -> None:
    world.apply(PROD, ami=world.channel)
    world.by[PROD] = "goldsmith"
    world.apply(PROD, ami=world.channel)  # as if the function had ended between version and start
    world.by[PROD] = AUTOMATIC
    world.tag(world.channel, "goldsmith:revoked", "2026-01-01T00:00:00Z leaks keys")
    decision = world.run(PROD)[1]
    assert isinstance(decision, Refused) and "is revoked" in decision.reasons[0]
    assert versions(world)[-1] == ("1", "0"), "the template has what runs again"


def test_a_fleet_of_after_that_cannot_be_read_now_and_then_costs_one_version() -> None:
    world = automatic(soak_minutes=1)
    world.run(STAGING)
    world.settle()
    world.cloud.now += timedelta(minutes=5)
    world.run(STAGING)
    calls = count()

    def before(call: Call) -> None:
        of_staging = "web-staging" in str(call.params.get("AutoScalingGroupName"))
        if of_staging and call.operation == "DescribeInstanceRefreshes" and next(calls) % 3:
            raise refusal("Throttling", call.operation)

    world.cloud.before = before
    decision = world.run(PROD)[1]
    assert isinstance(decision, Refused) and "cannot be read" in decision.reasons[0]
    for _ in range(2):
        world.run(PROD)
    assert (versions(world), runs(world)) == ([("1", "0"), ("2", "0")], {"1"})
    world.settle()
    assert runs(world) == {"2"}


def test_two_runs_at_once_start_one_refresh(world: RolloutWorld) -> None:
    """A person adds a version for the same build between the look and the start of the function."""
    ec2 = world.cloud.client("ec2", region=REGION, user=HAND)
    template = world.cloud.template(REGION, f"acme-{PROD}")
    assert template
    data = {"ImageId": world.channel}
    for _ in range(2):
        ec2.create_launch_template_version(
            LaunchTemplateId=template.id, SourceVersion="$Latest", LaunchTemplateData=data
        )
    assert isinstance(world.run(PROD)[1], Follow)
    world.settle()
    world.cloud.now += timedelta(minutes=5)
    ec2.create_launch_template_version(LaunchTemplateId=template.id, SourceVersion="$Latest", LaunchTemplateData=data)
    assert isinstance(world.run(PROD)[1], Done), "a version with the same content replaces nothing"
