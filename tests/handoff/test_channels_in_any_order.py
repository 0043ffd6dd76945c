"""Channels that move by themselves and by people, whatever happens in whatever order: a state machine in memory.

It mixes builds, promotions, roll-backs, revocations, holds, writes by hand, deleted parameters, lost caches, regions
and buckets that fail, answers that are lost, processes that end anywhere, slow writers, and runs inside the calls of
other runs. The oracle watches every write. `GOLDSMITH_HISTORIES=10000` in the environment tries so many histories.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lambda_src.handoff.configuration import ChannelRule
from tests.support.channel_oracle import Oracle
from tests.support.memory_aws import Call, Crash, refusal
from tests.support.memory_mover import promote, roll_back
from tests.support.memory_world import HAND, REGIONS, MemoryWorld, Result

HISTORIES = int(os.environ.get("GOLDSMITH_HISTORIES", "60"))
RULES = {
    "stable": ChannelRule(source="latest", soak_minutes=60),
    "gold": ChannelRule(source="stable", soak_minutes=90),
    "prod": ChannelRule(source="stable"),
}
SOURCES = {name: channel.source for name, channel in RULES.items()}
CHANNELS = ("latest", *RULES)
S3 = ("PutObject", "GetObject", "ListObjectsV2")
OPERATIONS = [
    *("PutParameter", "PutParameter", "PutObject", "GetParameter", "GetParametersByPath", "GetParameterHistory"),
    *("GetObject", "ListObjectsV2", "ListImagePipelineImages", "GetImage", "DescribeImages"),
]
KINDS = ["refused", "lost", "ends before", "ends after", "late", "a person writes", "another run", "a promotion"]


@dataclass(frozen=True)
class Fault:
    """What happens at one call of a run."""

    operation: str
    number: int
    """Which one of the calls of this operation, from 0."""
    kind: str


LATE = st.builds(Fault, st.just("PutParameter"), st.integers(0, 2), st.just("late"))
FAULTS = st.none() | st.builds(Fault, st.sampled_from(OPERATIONS), st.integers(0, 3), st.sampled_from(KINDS))


class AnyOrder(RuleBasedStateMachine):
    """An image with three regions, two channels with soak times, and one that people move."""

    container = False

    def __init__(self) -> None:
        super().__init__()
        self.web = MemoryWorld(channels=RULES, container=self.container, keep_newest=2)
        soaks = {
            name: (channel.source, timedelta(minutes=channel.soak_minutes))
            for name, channel in RULES.items()
            if channel.soak_minutes
        }
        self.oracle = Oracle(self.web, soaks, SOURCES)
        self.down: set[str] = set()  # regions
        self.read_only: set[str] = set()
        self.bucket_is_down = False
        self.failing_steps = 0
        self.late: list[Call] = []  # writes of people that have not arrived
        self.fault: Fault | None = None
        self.calls = 0
        self.happens: dict[int, str] = {}
        self.is_inside = False
        self.draw: Callable[[Any], Any] = lambda strategy: None
        self.web.cloud.before, self.web.cloud.after = self._before, self._after

    # What happens at each call.

    def _before(self, call: Call) -> None:
        if call.user == HAND or not self.oracle.started:
            return
        fails = call.region in self.down or (self.bucket_is_down and call.operation in S3)
        if fails or (call.operation == "PutParameter" and call.region in self.read_only):
            raise refusal("InternalServerError", call.operation, status=500)
        kind = self._kind_at(call)
        if kind == "refused":
            raise refusal("ThrottlingException", call.operation)
        if kind == "late" and call.operation == "PutParameter":
            self.late.append(call)
        if kind in ("ends before", "late"):
            raise Crash
        if kind in ("a person writes", "another run", "a promotion"):
            self._meanwhile(kind)

    def _after(self, call: Call) -> None:
        self.oracle.watch(call)
        kind = self.happens.pop(id(call), "")
        if kind == "lost":
            raise refusal("InternalServerError", call.operation, status=500)
        if kind == "ends after":
            raise Crash

    def _kind_at(self, call: Call) -> str:
        """What the fault of this run does at a call; it happens once."""
        if self.fault is None or self.is_inside or call.operation != self.fault.operation:
            return ""
        self.calls += 1
        if self.calls - 1 != self.fault.number:
            return ""
        self.happens[id(call)] = self.fault.kind
        return self.fault.kind

    def _meanwhile(self, kind: str) -> None:
        self.is_inside = True
        if kind == "a person writes":
            self._write_by_hand()
        elif kind == "another run":
            self._watched(self.web.run)
        elif targets := self._targets("prod"):
            arn = self.draw(st.sampled_from(targets))
            self._watched(lambda: promote(self.web, "prod", arn))
        self.is_inside = False

    def _watched(self, run: Callable[[], Result | bool]) -> None:
        self.oracle.started.append(self.web.now)
        try:
            with suppress(Crash):
                result = run()
                self.oracle.is_noting |= isinstance(result, Result) and not result.failures
        finally:
            self.oracle.started.pop()

    def _disturbed(self, fault: Fault | None, data: st.DataObject, run: Callable[[], Result | bool]) -> None:
        self.fault, self.calls, self.draw = fault, 0, data.draw
        self._watched(run)
        self.fault, self.is_inside = None, False
        self.happens.clear()

    def _step(self, data: st.DataObject) -> None:
        """Some time after the step before; what failed may work again."""
        self.web.later(minutes=data.draw(st.sampled_from([1, 20, 20, 70])))
        self.failing_steps -= 1
        if self.failing_steps <= 0:
            self._heal()

    def _heal(self) -> None:
        self.down, self.read_only, self.bucket_is_down = set(), set(), False

    def _then(self, data: st.DataObject) -> None:
        """What the function does about it: nothing yet, or it runs, perhaps with a fault."""
        if data.draw(st.integers(0, 3)):
            self._disturbed(data.draw(FAULTS), data, self.web.run)

    # Builds.

    @initialize(builds=st.sampled_from([0, 2, 3, 4]))
    def some_builds_have_soaked(self, builds: int) -> None:
        for _ in range(builds):
            self._build()
            for minutes in (0, 61, 91):
                self.web.later(minutes=minutes)
                self._watched(self.web.run)

    @rule(data=st.data())
    def a_build_ends(self, data: st.DataObject) -> None:
        self._step(data)
        self._build()
        self._then(data)

    def _build(self) -> None:
        arn = self.web.build()
        self.oracle.order[arn] = len(self.oracle.order)
        self.oracle.values.update(dict.fromkeys(self.web.values(arn).items(), arn))

    @rule(
        data=st.data(),
        what=st.sampled_from(["revoked", "revoked", "revoked later", "not revoked", "withdrawn", "deleted"]),
        region=st.sampled_from(REGIONS),
    )
    def a_build_goes_bad(self, data: st.DataObject, what: str, region: str) -> None:
        self._step(data)
        oracle = self.oracle
        channels = [(channel, where) for channel in CHANNELS for where in REGIONS]
        # mostly one that matters: that a channel points to, or was about to
        matter = {oracle.present(channel, where) for channel, where in channels} | oracle.of_last_moves()
        builds = [arn for arn in self.web.cloud.builds if arn in matter or data.draw(st.integers(0, 3)) == 0]
        builds = [arn for arn in builds if (arn in oracle.revoked) == (what == "not revoked")]
        builds = [arn for arn in builds if what != "withdrawn" or (arn, region) not in oracle.gone]
        if not builds or (what == "deleted" and len(builds) < 3):
            return
        arn = data.draw(st.sampled_from(builds))
        if what == "withdrawn":
            oracle.gone.add((arn, region))
            self.web.withdraw(arn, region)
        elif what == "deleted":  # its outputs stay
            self.web.delete(arn)
        elif what == "not revoked":
            del oracle.revoked[arn]
            self.web.undo_revocation(arn)
        else:
            oracle.revoked[arn] = self.web.now + timedelta(minutes=50 if what == "revoked later" else 0)
            self.web.revoke(arn, at=oracle.revoked[arn])
        self._then(data)

    # People.

    @rule(data=st.data(), fault=FAULTS | LATE, channel=st.sampled_from(["prod", "prod", "stable", "gold"]))
    def somebody_promotes(self, data: st.DataObject, fault: Fault | None, channel: str) -> None:
        self._step(data)
        if targets := self._targets(channel):
            arn = data.draw(st.sampled_from(targets))
            self._disturbed(fault, data, lambda: promote(self.web, channel, arn))
        self._then(data)

    @rule(data=st.data(), fault=FAULTS, channel=st.sampled_from(["prod", "stable", "gold"]))
    def somebody_rolls_back(self, data: st.DataObject, fault: Fault | None, channel: str) -> None:
        self._step(data)
        self._disturbed(fault, data, lambda: roll_back(self.web, channel))
        self._then(data)

    def _targets(self, channel: str) -> list[str]:
        """What a person may promote, as far as it has not to be newer, or to have soaked."""
        return sorted(self.web.cloud.builds.keys() & set(self.oracle.pointed_to(SOURCES[channel])))

    @rule(data=st.data(), channel=st.sampled_from(["", *CHANNELS]), minutes=st.sampled_from([None, 30, 100, 0]))
    def somebody_holds(self, data: st.DataObject, channel: str, minutes: int | None) -> None:
        """Or ends all holds."""
        self._step(data)
        if minutes == 0:
            self._end_holds()
        else:
            until = None if minutes is None else self.web.now + timedelta(minutes=minutes)
            self.web.hold(channel, until=until)
            self.oracle.holds[channel] = until
        self._then(data)

    def _end_holds(self) -> None:
        for channel in self.oracle.holds:
            self.web.hold(channel, held=False)
        self.oracle.holds.clear()

    @rule(data=st.data())
    def somebody_writes_by_hand(self, data: st.DataObject) -> None:
        self._step(data)
        self.draw = data.draw
        self._write_by_hand()
        self._then(data)

    def _write_by_hand(self) -> None:
        channel, region = self.draw(st.sampled_from(CHANNELS)), self.draw(st.sampled_from(REGIONS))
        known = sorted({value for place, value in self.oracle.values if place == region})
        value = self.draw(st.sampled_from(["ami-0f", *known]))
        how = self.draw(st.sampled_from(["kept", "text", "copied"]))
        copied = next(
            (
                self.web.versions(name, region)[-1].get("Description")
                for name in CHANNELS
                if self.web.versions(name, region)
            ),
            None,
        )
        description = {"kept": None, "text": "by hand", "copied": copied}[how]
        self.web.by_hand(region, channel, value, description=description)

    @rule(data=st.data(), channel=st.sampled_from(CHANNELS), region=st.sampled_from(REGIONS))
    def somebody_deletes_a_parameter(self, data: st.DataObject, channel: str, region: str) -> None:
        self._step(data)
        if (channel, region) in self.oracle.log:
            self.oracle.forget(channel, region)
            client = self.web.cloud.client("ssm", region=region, user=HAND)
            client.delete_parameter(Name=f"{self.web.path}/{channel}")

    # What fails.

    @rule(data=st.data(), what=st.sampled_from([*REGIONS, *REGIONS, "bucket"]), steps=st.integers(1, 4))
    def something_fails(self, data: st.DataObject, what: str, steps: int) -> None:
        self._step(data)
        self.failing_steps = steps
        if what == "bucket":
            self.bucket_is_down = True
        else:
            (self.down if data.draw(st.booleans()) else self.read_only).add(what)
        self._then(data)

    @rule(data=st.data(), written=st.sampled_from([None, b"{}", b"\xff"]))
    def the_cache_is_lost(self, data: st.DataObject, written: bytes | None) -> None:
        self.oracle.is_noting = False
        self.oracle.by_hand.clear()
        objects = self.web.cloud.buckets[self.web.bucket]
        objects.pop("cache/web.json", None)
        if written:
            objects["cache/web.json"] = written
        self._then(data)

    @precondition(lambda self: self._overtaken())
    @rule(data=st.data())
    def a_slow_write_arrives(self, data: st.DataObject) -> None:
        """Of a process that seemed to have ended; another move has been written meanwhile."""
        call = self._overtaken()[0]
        self.late.remove(call)
        if (call.region, call.params["Name"]) in self.web.cloud.parameters:
            kind = self.web.cloud.parameters[call.region, call.params["Name"]][-1]["DataType"]
            ssm = self.web.cloud.client("ssm", region=call.region, user=call.user)
            self.oracle.late = True
            ssm.put_parameter(**{**call.params, "Overwrite": True}, DataType=kind)
            self.oracle.late = False
        self._then(data)

    def _overtaken(self) -> list[Call]:
        """The slow writes over which there is a newer one."""
        logs = {
            id(call): self.oracle.log.get((call.params["Name"].rpartition("/")[2], call.region)) for call in self.late
        }
        return [call for call in self.late if (log := logs[id(call)]) and log[-1].value != call.params["Value"]]

    # The function.

    @rule(keep_holds=st.booleans())
    def everything_calms_down(self, keep_holds: bool) -> None:
        self._heal()
        self.late = []
        if not keep_holds:
            self._end_holds()
        self.web.later(minutes=3)
        for _ in range(3):
            self._watched(self.web.run)
        before = len(self.web.cloud.calls)
        self._watched(self.web.run)
        writes = [call for call in self.web.cloud.calls[before:] if call.operation.startswith(("Put", "Tag", "Untag"))]
        assert writes == [], "there is nothing left to do"
        self.oracle.check_quiet()

    def teardown(self) -> None:
        self.everything_calms_down(False)


@pytest.mark.parametrize("container", [False, True])
def test_channels_are_where_the_rules_say_whatever_happens_in_any_order(container: bool) -> None:
    class OfThisKind(AnyOrder):
        pass

    OfThisKind.container = container
    run_state_machine_as_test(
        OfThisKind,
        settings=settings(
            max_examples=HISTORIES // 2,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
