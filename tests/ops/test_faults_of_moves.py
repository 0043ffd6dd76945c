"""Whatever goes wrong in a call of `goldsmith promote`, or stops it between two writes: a second run finishes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from botocore.httpsession import URLLib3Session

from ops.moving import Mover
from tests.support.handoff_world import HOME, REGIONS, answered, sent
from tests.support.movers import mover_of, promote, roll_back
from tests.support.ops_world import OpsWorld

PLACE = "https://aws.test/"
XML = ("ec2", "s3")


def refuse(service: str, code: str, status: int) -> AWSResponse:
    """AWS's refusal, as each service writes it."""
    error = f"<Error><Code>{code}</Code><Message>no</Message></Error>"
    if service == "ec2":
        return sent(f"<Response><Errors>{error}</Errors><RequestID>1</RequestID></Response>".encode(), status=status)
    if service == "s3":
        return sent(error.encode(), status=status)
    return answered({"__type": code, "message": "no"}, status=status, headers={"x-amzn-ErrorType": code})


def truncated(service: str) -> AWSResponse:
    return sent(b"<Answer><item><imageId>ami-0a1b" if service in XML else b'{"Parameters": [{"Name": "/imagebui')


def timed_out(_: str) -> AWSResponse:
    raise ReadTimeoutError(endpoint_url=PLACE)


def reset(_: str) -> AWSResponse:
    raise ConnectionClosedError(endpoint_url=PLACE)


def killed(_: str) -> AWSResponse:
    raise KeyboardInterrupt


FAULTS: dict[str, Callable[[str], AWSResponse]] = {
    "throttled": lambda service: refuse(service, "SlowDown" if service in XML else "ThrottlingException", 503),
    "server error": lambda service: refuse(service, "InternalError", 500),
    "denied": lambda service: refuse(service, "AccessDenied", 403),
    "truncated": truncated,
    "timed out": timed_out,
    "reset": reset,
    "killed": killed,
}
LOST = {f"{name} after AWS did it": FAULTS[name] for name in ("timed out", "truncated", "killed")}
"""The request arrives, and its answer does not."""


@dataclass
class Wire:
    """The calls of a run, of which one, or it and all later ones of its operation and region, meets a fault."""

    place: tuple[str, int] | None = None
    """A call, `ssm eu-west-1 PutParameter`, and which of several alike; None for none."""
    fault: str = ""
    goes_on: bool = False
    calls: list[str] = field(default_factory=list)

    def __call__(self, request: Any, event_name: str, **_: Any) -> AWSResponse | None:
        _prefix, service, operation = event_name.split(".")
        call = f"{service} {request.context['client_region']} {operation}"
        self.calls.append(call)
        if self.place is None or call != self.place[0]:
            return None
        past = self.calls.count(call) - 1 - self.place[1]
        if past < 0 or (past and not self.goes_on):
            return None
        if self.fault in LOST:
            URLLib3Session().send(request)
            return LOST[self.fault](service)
        return FAULTS[self.fault](service)


@pytest.fixture
def mover(world: OpsWorld) -> Mover:
    return mover_of(world)


@contextmanager
def on_the_wire(mover: Mover, wire: Wire) -> Iterator[None]:
    aws = mover.aws
    clients = [
        aws.imagebuilder(HOME),
        aws.s3(HOME),
        *(each(region) for region in REGIONS for each in (aws.ssm, aws.ec2)),
    ]
    for client in clients:
        client.meta.events.register("before-send", wire)
    try:
        yield
    finally:
        for client in clients:
            client.meta.events.unregister("before-send", wire)


def run(mover: Mover, number: int, wire: Wire) -> str:
    """Promote build `number`; what it said when it did not end well, or was stopped."""
    return ended(mover, wire, lambda: promote(mover, number))


def ended(mover: Mover, wire: Wire, command: Callable[[], str]) -> str:
    with on_the_wire(mover, wire):
        try:
            return command()
        except KeyboardInterrupt:
            return "killed"


WRITES = ("PutObject", "PutParameter")
GROUPS = 4


def values(world: OpsWorld) -> dict[str, str]:
    return {region: world.web.channels(region)["prod"].value for region in REGIONS}


def cases(calls: list[str]) -> list[tuple[tuple[str, int], str]]:
    """Each call, the first or the last one like it, with one of the faults in turn, and each write with all those that
    only a write can meet."""
    kinds, names = [*FAULTS], dict.fromkeys(calls)
    places = [(name, (calls.count(name) - 1) * (index % 2)) for index, name in enumerate(names)]
    writes = [place for place in places if place[0].endswith(WRITES)]
    assert len(writes) == 1 + len(REGIONS)
    found = [(place, kinds[index % len(kinds)]) for index, place in enumerate(places)]
    return found + [(place, fault) for place in writes for fault in ("killed", *LOST)]


@pytest.mark.parametrize("group", range(GROUPS))
def test_second_run_finishes_whatever_a_call_meets(world: OpsWorld, mover: Mover, group: int) -> None:
    clean = Wire()
    for number, wire in ((1, Wire()), (2, clean)):
        world.web.build()
        assert run(mover, number, wire) == ""
    for number, (place, fault) in enumerate(cases(clean.calls)[group::GROUPS], start=3):
        arn, case = world.web.build(), f"{fault} at {place[0]}, after {place[1]} of them"
        wire = Wire(place, fault, goes_on=number % 2 == 0)
        said = run(mover, number, wire)
        assert place[0] in wire.calls, case
        assert all(said.strip().splitlines()), case
        assert run(mover, number, Wire()) == "", case
        channels = {region: world.web.channels(region)["prod"] for region in REGIONS}
        assert {name: channel.value for name, channel in channels.items()} == world.web.values(arn), case
        (move,) = world.web.other_history.moves(after=number - 1)
        assert (move.number, move.changes[HOME].build) == (number, arn), f"{case}: one move in the history"
        assert {channel.move for channel in channels.values()} == {number}, case


@pytest.mark.parametrize("fault", ["killed", "killed after AWS did it"])
def test_second_rollback_finishes_a_first_one_and_goes_no_further(world: OpsWorld, mover: Mover, fault: str) -> None:
    arns = [world.web.build() for _ in range(2 + 3)]
    for number in range(1, len(arns) + 1):
        assert run(mover, number, Wire()) == ""
    writes = [f"s3 {HOME} PutObject", *(f"ssm {region} PutParameter" for region in REGIONS)]
    for write, present in zip(writes, reversed(arns), strict=False):
        wanted = arns[arns.index(present) - 1]
        assert ended(mover, Wire((write, 0), fault), lambda: roll_back(mover)) != ""
        said = roll_back(mover)
        # after the last write, there was nothing left to do, and a second rollback is a second one
        if (write, fault) == (writes[-1], "killed after AWS did it"):
            wanted = arns[arns.index(wanted) - 1]
        assert (said, values(world)) == ("", world.web.values(wanted)), write
