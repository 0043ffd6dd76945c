"""Whatever goes wrong in a call of a command that moves channels, or ends it between two writes: a second run finishes.

What the commands share, the look and the move, meets faults in the table of `promote`: each call meets one kind,
another kind at the next call, and each write also the end of the program before and after it, and lost answers. The
other commands have in their tables their own calls and their writes, and every fourth of the shared calls, others in
each command. All kinds at all calls of all commands would take minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import partial

import pytest

from lambda_src.handoff.builds import REVOKED_TAG
from local_aws.server import LocalAws
from ops.moving import Mover
from tests.support.faults import Faults, Killed, Switch, cases
from tests.support.handoff_world import HOME, REGIONS, ImageWorld
from tests.support.movers import (
    build_children,
    mover_of,
    promote,
    revoke,
    roll_back,
    roll_back_without_home,
    switch_of,
)
from tests.support.ops_world import OpsWorld

WRITES = ("PutObject", "PutParameter", "TagResource", "UntagResource", "StartImagePipelineExecution")
SAYS = {
    "throttled": "try again in a moment",
    "server error": "try again in a moment",
    "denied": "ask for this permission",
    "truncated": "cannot be read",
    "timed out": "cannot be reached",
    "reset": "cannot be reached",
}
"""What the message of a command has, after each fault; `status 1` is what ended with messages on standard output."""
NOT_SHOWN = "was written, and shows another value"
"""What a command says that does not see that the answer to its write is not whole, because it has no members."""
FIELDS = "os: amazon-linux-2023, build: [update-os], regions: [us-east-1, eu-west-1], channels: [prod]"


@pytest.fixture
def mover(world: OpsWorld) -> Mover:
    return mover_of(world)


@pytest.fixture
def switch(world: OpsWorld) -> Switch:
    return switch_of(world)


def met(switch: Switch, faults: Faults, command: Callable[[], str]) -> str:
    """What a command says that meets faults."""
    with switch.on(faults):
        try:
            said = command()
        except Killed:
            return "killed"
    case = f"{faults.fault} at {faults.place}"
    assert faults.place is None or faults.place[0] in faults.calls, f"{case}: the call was made"
    words = SAYS.get(faults.fault.removesuffix(" after AWS did it"), "")
    assert said in ("", "status 1") or words in said or NOT_SHOWN in said, f"{case}: {said}"
    assert all(line.strip() for line in said.splitlines()), f"{case}: each line says something"
    return said


def clean(switch: Switch, command: Callable[[], str], *, down: str = "") -> list[str]:
    """The calls of a command that meets no fault."""
    faults = Faults(down=down)
    assert met(switch, faults, command) == ""
    return faults.calls


def values(web: ImageWorld, channel: str = "prod") -> dict[str, str]:
    return {region: web.channels(region)[channel].value for region in REGIONS}


def check(web: ImageWorld, arn: str, case: str) -> None:
    """`prod` points to a build, and the history agrees."""
    channels = {region: web.channels(region)["prod"] for region in REGIONS}
    assert {region: channel.value for region, channel in channels.items()} == web.values(arn), case
    last: dict[str, int] = {}
    for move in web.other_history.moves():
        if move.channel == "prod":
            last |= dict.fromkeys(move.changes, move.number)
            assert {change.build for change in move.changes.values()} and move.how, case
    assert {region: channel.move for region, channel in channels.items()} == last, f"{case}: the history agrees"


def keep_short(web: ImageWorld, index: int) -> None:
    """Now and then the function writes down what it has read of the history, so that commands need not read it."""
    if index % 4 == 0:
        web.run()


# --- promote


@pytest.mark.parametrize("group", range(4))
def test_second_promotion_finishes(world: OpsWorld, mover: Mover, switch: Switch, group: int) -> None:
    for _ in range(2):
        world.web.build()
    assert promote(mover, 1) == ""
    calls = clean(switch, lambda: promote(mover, 2))
    for number, (place, fault) in enumerate(cases(calls, writes=WRITES)[group::4], start=3):
        arn, case = world.web.build(), f"{fault} at {place}"
        command = partial(promote, mover, number)
        met(switch, Faults(place, fault, goes_on=number % 2 == 0), command)
        assert command() == "", case
        check(world.web, arn, case)
        (move,) = world.web.other_history.moves(after=number - 1)
        assert (move.number, move.changes[HOME].build) == (number, arn), f"{case}: one move in the history"


# --- rollback


@pytest.mark.parametrize("down", ["", HOME], ids=["", "home is down"])
def test_second_rollback_finishes(world: OpsWorld, mover: Mover, switch: Switch, down: str) -> None:
    command = roll_back_without_home if down else roll_back
    older, newer = (world.web.build() for _ in range(2))
    assert promote(mover, 1) == ""
    shared = calls_of_promote(mover, switch)
    calls = clean(switch, lambda: command(mover), down=down)
    for index, (case, first) in enumerate(each_of(calls, shared, first=1 if down else 0, down=down)):
        if down:
            assert roll_back(mover, to=1) == "", "home, too, goes back when it answers again"
        keep_short(world.web, index)
        assert promote(mover, 2) == ""
        said = met(switch, first, lambda: command(mover))
        if said:
            with switch.on(Faults(down=down)):
                assert command(mover, to=1) == "", f"{case}: {said}"
        assert values(world.web) == world.web.values(older) | ({HOME: world.web.values(newer)[HOME]} if down else {})
        if not down:
            check(world.web, older, case)


def each_of(
    calls: list[str], shared: Collection[str], *, first: int, writes: tuple[str, ...] = WRITES, down: str = ""
) -> Iterator[tuple[str, Faults]]:
    """The faults of a command: at its own calls, at its writes, and at every fourth call that is shared."""
    left = [name for index, name in enumerate(dict.fromkeys(calls)) if name in shared and index % 4 != first]
    some = [name for name in calls if name not in left or name.endswith(writes)]
    for number, (place, fault) in enumerate(cases(some, writes=writes, each=False)):
        yield f"{fault} at {place}", Faults(place, fault, goes_on=number % 2 == 0, down=down)


def calls_of_promote(mover: Mover, switch: Switch) -> set[str]:
    """What the promotion of the second build calls, when `prod` points to the first."""
    return {*clean(switch, lambda: promote(mover, 2))}


@pytest.mark.parametrize("fault", ["killed", "killed after AWS did it"])
def test_second_rollback_goes_no_further_than_the_first(
    world: OpsWorld, mover: Mover, switch: Switch, fault: str
) -> None:
    arns = [world.web.build() for _ in range(2 + 3)]
    for number in range(1, len(arns) + 1):
        assert promote(mover, number) == ""
    writes = [f"s3 {HOME} PutObject", *(f"ssm {region} PutParameter" for region in REGIONS)]
    for write, present in zip(writes, reversed(arns), strict=False):
        wanted = arns[arns.index(present) - 1]
        assert met(switch, Faults((write, 0), fault), lambda: roll_back(mover)) == "killed"
        said = roll_back(mover)
        # after the last write, there was nothing left to do, and a second rollback is a second one
        if (write, fault) == (writes[-1], "killed after AWS did it"):
            wanted = arns[arns.index(wanted) - 1]
        assert (said, values(world.web)) == ("", world.web.values(wanted)), write


def test_second_rollback_goes_no_further_also_while_the_home_region_is_down(
    world: OpsWorld, local_aws: LocalAws
) -> None:
    regions = (*REGIONS, "ap-northeast-1")
    world = replace(world, web=ImageWorld(local_aws, regions=regions))
    world.declare(world.name, regions=", ".join(regions))
    mover, switch = mover_of(world), switch_of(world)
    arns = [world.web.build() for _ in range(3)]
    for number in (1, 2, 3):
        assert promote(mover, number) == ""
    place = ("ssm ap-northeast-1 PutParameter", 0)
    met(switch, Faults(place, "killed", down=HOME), lambda: roll_back_without_home(mover))
    with switch.on(Faults(down=HOME)):
        assert roll_back_without_home(mover) == ""
    found = {region: world.web.channels(region)["prod"].value for region in regions}
    assert found == world.web.values(arns[1]) | {HOME: world.web.values(arns[2])[HOME]}


# --- revoke


@pytest.fixture
def family(world: OpsWorld) -> ImageWorld:
    """The world's image is a base with two builds; and this is an image that is built on its channel `prod`."""
    child = ImageWorld(world.web.aws, parent=f"ssm:{world.web.path}/prod")
    base = world.name
    images = {base: FIELDS, child.name: f"{FIELDS}, parent: {base}@prod"}
    lines = (f"  {name}: {{{fields}}}" for name, fields in images.items())
    world.config.write_text("\n".join(["settings: {namespace: acme}", "images:", *lines]))
    return child


@pytest.mark.parametrize("group", range(2))
def test_second_revocation_finishes_and_so_does_its_undoing(
    world: OpsWorld, family: ImageWorld, switch: Switch, group: int
) -> None:
    mover = mover_of(world)
    older, newer = (world.web.build() for _ in range(2))
    assert promote(mover, 1) == ""
    shared = calls_of_promote(mover, switch)
    child = family.build()
    calls = clean(switch, lambda: revoke(world, 2)), clean(switch, lambda: revoke(world, 2, undo=True))
    tables = [[*each_of(each, shared, first=2)][group::2] for each in calls]
    for index, (case, first) in enumerate(tables[0]):
        keep_short(world.web, index)
        assert promote(mover, 2) == ""
        met(switch, first, lambda: revoke(world, 2))
        assert revoke(world, 2) == "", case
        assert all(REVOKED_TAG in web.tags(arn) for web, arn in ((world.web, newer), (family, child))), case
        check(world.web, older, case)
        if index < len(tables[1]):
            case, first = tables[1][index]
            met(switch, first, lambda: revoke(world, 2, undo=True))
        assert revoke(world, 2, undo=True) == "", case
        assert not any(REVOKED_TAG in web.tags(arn) for web, arn in ((world.web, newer), (family, child))), case


# --- build --children


def test_second_run_builds_the_children(world: OpsWorld, family: ImageWorld, switch: Switch) -> None:
    mover = mover_of(world)
    for _ in range(2):
        world.web.build()
    world.web.run()
    assert promote(mover, 1) == ""
    shared = calls_of_promote(mover, switch)

    def hand_off(call: str) -> None:
        """What SNS does: the function runs when a build has ended, before somebody looks at the channels."""
        if call == f"ssm {HOME} GetParametersByPath":
            for web in (world.web, family):
                if ended[web.name] != (count := len(_builds(web))):
                    ended[web.name] = count
                    web.run()

    ended = {web.name: len(_builds(web)) for web in (world.web, family)}
    faults, writes = Faults(before=hand_off), ("PutObject", "StartImagePipelineExecution")
    assert met(switch, faults, lambda: build_children(world)) == ""
    for index, (case, first) in enumerate(each_of(faults.calls, shared, first=3, writes=writes)):
        keep_short(world.web, index)
        before = len(_builds(family))
        first.before = hand_off
        met(switch, first, lambda: build_children(world))
        newest = len(_builds(world.web))
        with switch.on(Faults(before=hand_off)):
            assert build_children(world, attached=newest) == "", case
        check(world.web, world.arn(f"1.0.7/{newest}"), case)
        assert len(_builds(family)) > before, case
        assert values(family, "latest") == family.values(_builds(family)[0]), case


def _builds(web: ImageWorld) -> list[str]:
    """The builds of an image, the newest first."""
    pipeline = web.image.pipeline_arn
    answer = web.other_imagebuilder.list_image_pipeline_images(imagePipelineArn=pipeline)
    arns = [summary["arn"] for summary in answer["imageSummaryList"]]
    return sorted(arns, key=lambda arn: int(arn.rpartition("/")[2]), reverse=True)
