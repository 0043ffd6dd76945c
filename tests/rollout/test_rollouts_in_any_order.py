"""Rollouts of three fleets, whatever happens in whatever order: a state machine in memory.

It mixes builds, channels that move back, applies, refreshes that go on, fail, are rolled back and cancelled,
revocations, holds, windows, freezes, instances that are protected or in standby, lost and overwritten records, groups
that are made anew, fleets that change who rolls them out, two operators whose calls alternate, processes that end
anywhere, lost answers, and weeks that pass. The oracle watches every call. `GOLDSMITH_HISTORIES=10000` in the
environment tries so many histories.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from lambda_src.rollout.decisions import Follow, Wish
from lambda_src.rollout.look import FAILURES
from lambda_src.rollout.windows import Freeze
from tests.support.memory_rollouts import (
    AUTOMATIC,
    CANARY,
    FLEETS,
    GARBAGE,
    HAND,
    OPERATORS,
    PROD,
    RECORDS,
    REGION,
    STAGING,
    Habits,
    RolloutWorld,
)
from tests.support.rollout_books import Slot
from tests.support.rollout_ends import check_end
from tests.support.rollout_faults import FAULTS, Act, Fault, Operators
from tests.support.rollout_oracle import Oracle

HISTORIES = int(os.environ.get("GOLDSMITH_HISTORIES", "40"))
OFFICE = Slot(text="mon-thu 10:00-16:00 UTC", days=frozenset(range(4)), start=10, end=16, offset=0)
NIGHT = Slot(text="fri 22:00-02:00 Asia/Tokyo", days=frozenset({4}), start=22, end=26, offset=9)
FLEET = st.sampled_from([*FLEETS, PROD, PROD])
WISHES = st.sampled_from([Wish(), Wish(), Wish(), Wish(retry=True), Wish(now=True), Wish(skip_after=True)])
BY = st.sampled_from(["goldsmith", "goldsmith", "goldsmith", "terraform", "automatic", "automatic"])


class AnyOrder(RuleBasedStateMachine):
    """Three fleets of an image."""

    @initialize(
        by=st.tuples(BY, BY, BY),
        soak=st.sampled_from([0, 0, 60, 2880]),
        windows=st.sampled_from([(), (), (OFFICE,), (OFFICE, NIGHT)]),
        freezes=st.booleans(),
        kept=st.sampled_from([None, "Ignore", "Ignore", "Refresh"]),
        bakes=st.booleans(),
    )
    def the_fleets_run(
        self, by: tuple[str, ...], soak: int, windows: tuple[Slot, ...], freezes: bool, kept: str | None, bakes: bool
    ) -> None:
        preferences: dict[str, Any] = {"SkipMatching": True, **({"BakeTime": 600} if bakes else {})}
        if kept:
            preferences |= {"ScaleInProtectedInstances": kept, "StandbyInstances": "Ignore"}
        self.world = RolloutWorld(
            Habits(
                by=dict(zip(FLEETS, by, strict=True)),
                soak_minutes=soak,
                windows=tuple(window.text for window in windows),
                preferences=preferences,
            )
        )
        self.oracle = Oracle(self.world, windows)
        if freezes:
            first = self.world.cloud.now.date() + timedelta(days=1)
            last = first + timedelta(days=2)
            freeze = Freeze(first, last, ZoneInfo("Asia/Tokyo"), "year end")
            self.world.habits = Habits(**{**vars(self.world.habits), "freezes": (freeze,)})
            self.oracle.frozen = (first, last, 9)
        self.operators = Operators(self.world, self.oracle, self._happens)
        self.world.on_step = self.oracle.sample
        self.world.point(self.world.build())
        for fleet in FLEETS:
            self._apply(fleet)
        self.world.settle()

    # What happens meanwhile, and at once.

    def _happens(self, what: str) -> None:
        """Something that others do, which is over at once."""
        world = self.world
        fleet = FLEETS[world.cloud.number % len(FLEETS)] if what == "an apply" else PROD
        group = world.group(PROD)
        if what == "a build":
            world.point(world.build())
            self._apply(PROD)
        elif what == "an apply":
            self._apply(fleet, changes=True)
        elif what == "a hold":
            self._hold("", None)
        elif what == "revoked":
            self._revoke(world.channel, timedelta(0))
        elif what == "channel back" and len(world.order) > 1:
            world.point(world.order[-2])
        elif group and what == "goes on":
            group.step()
        elif group and what == "ends":
            group.settle()
        elif group and group.active and what == "fails":
            group.fail("alarm web-5xx")
            group.settle()
        elif group and group.active and what == "cancelled":
            group.active.status = "Cancelling"
        self.oracle.sample()

    # Terraform, and the channel.

    def _apply(self, fleet: str, *, changes: bool = False) -> None:
        if self._passes_guards(fleet):
            self.world.apply(fleet, ami=self.world.channel, changes=changes)

    def _passes_guards(self, fleet: str) -> bool:
        """The guards stop the plan when the channel's AMI is gone or revoked; what takes builds by itself they warn."""
        ami = self.world.channel
        is_revoked = ami in self.oracle.revoked and self.oracle.revoked[ami] <= self.world.cloud.now
        stops = is_revoked and self.world.by[fleet] != AUTOMATIC
        return (REGION, ami) in self.world.cloud.images and not stops

    @rule(fleets=st.sets(st.sampled_from(FLEETS)), data=st.data())
    def a_build_is_taken(self, fleets: set[str], data: st.DataObject) -> None:
        self.world.point(self.world.build())
        for fleet in sorted(fleets):
            self._apply(fleet)
        self._then(data)

    @rule(fleets=st.sets(st.sampled_from(FLEETS)), back=st.integers(1, 2), data=st.data())
    def the_channel_goes_back(self, fleets: set[str], back: int, data: st.DataObject) -> None:
        self.world.point(self.world.order[max(0, len(self.world.order) - 1 - back)])
        for fleet in sorted(fleets):
            self._apply(fleet)
        self._then(data)

    @rule(fleet=FLEET, changes=st.booleans(), data=st.data())
    def somebody_applies(self, fleet: str, changes: bool, data: st.DataObject) -> None:
        self._apply(fleet, changes=changes)
        self._then(data)

    @rule(fleet=FLEET, data=st.data())
    def a_plan_is_saved(self, fleet: str, data: st.DataObject) -> None:
        if self._passes_guards(fleet):
            self.world.plan(fleet, ami=self.world.channel)
        self._then(data)

    @rule(fleet=FLEET, data=st.data())
    def a_saved_plan_is_applied(self, fleet: str, data: st.DataObject) -> None:
        if fleet in self.world.plans:
            self.world.apply_plan(fleet)
        self._then(data)

    @rule(fleet=FLEET, by=st.sampled_from(["goldsmith", "terraform", "automatic"]), data=st.data())
    def a_fleet_changes_who_rolls_it_out(self, fleet: str, by: str, data: st.DataObject) -> None:
        self.world.by[fleet] = by
        self._apply(fleet)
        self._then(data)

    @rule(fleet=FLEET, data=st.data())
    def group_and_template_are_made_anew(self, fleet: str, data: st.DataObject) -> None:
        name, clients = f"acme-{fleet}", self.world.cloud.client
        if self.world.group(fleet):
            clients("autoscaling", region=REGION, user=HAND).delete_auto_scaling_group(
                AutoScalingGroupName=name, ForceDelete=True
            )
            clients("ec2", region=REGION, user=HAND).delete_launch_template(LaunchTemplateName=name)
            self._then(data)
        self._apply(fleet)
        self._then(data)

    # AWS.

    @rule(steps=st.integers(1, 6), data=st.data())
    def refreshes_go_on(self, steps: int, data: st.DataObject) -> None:
        for fleet in FLEETS:
            group = self.world.group(fleet)
            for _ in range(steps if group else 0):
                self.world.cloud.now += timedelta(seconds=20)
                if group:
                    group.step()
                self.oracle.sample()
        self._then(data)

    @rule(data=st.data())
    def refreshes_end(self, data: st.DataObject) -> None:
        self.world.settle()
        self._then(data)

    @rule(fleet=FLEET, twice=st.booleans(), data=st.data())
    def a_refresh_fails(self, fleet: str, twice: bool, data: st.DataObject) -> None:
        """`twice`: the rollback, too."""
        for _ in range(1 + twice):
            if group := self.world.group(fleet):
                group.fail("alarm web-5xx")
        self._then(data)

    @rule(fleet=FLEET, what=st.sampled_from(["start", "cancel", "cancel", "rollback"]), data=st.data())
    def a_person_starts_or_ends_a_refresh(self, fleet: str, what: str, data: st.DataObject) -> None:
        """By hand, without a desired configuration."""
        client = self.world.cloud.client("autoscaling", region=REGION, user=HAND)
        with suppress(*FAILURES):
            getattr(client, f"{what}_instance_refresh")(AutoScalingGroupName=f"acme-{fleet}")
        self._then(data)

    @rule(fleet=FLEET, changes=st.booleans(), data=st.data())
    def a_build_fails_where_it_is_taken(self, fleet: str, changes: bool, data: st.DataObject) -> None:
        """`changes`: somebody changes something else in the template afterwards."""
        self.world.point(self.world.build())
        self._apply(fleet)
        self.operators.act([Act(fleet, Wish())])
        if group := self.world.group(fleet):
            group.fail("alarm web-5xx")
            group.settle()
        self.operators.act([Act(fleet, Wish(), data.draw(FAULTS))])
        if changes:
            self._apply(fleet, changes=True)
        self._then(data)

    @rule(
        fleet=FLEET,
        what=st.sampled_from(["protected", "free", "standby", "back", "more", "fewer", "fails"]),
        data=st.data(),
    )
    def instances_change(self, fleet: str, what: str, data: st.DataObject) -> None:
        group = self.world.group(fleet)
        for member in group.members[:1] if group else ():
            if what in ("protected", "free"):
                member.is_protected = what == "protected"
        if group and group.members and what == "fails":
            group.members.pop(0)
        if group and what in ("standby", "back"):
            for member in [each for each in group.members if each.is_standby == (what == "back")][:1]:
                member.is_standby = what == "standby"
                group.desired += 1 if what == "back" else -1
        if group and what in ("more", "fewer"):
            group.desired = min(4, max(0, group.desired + (1 if what == "more" else -1)))
        self.oracle.sample()
        self._then(data)

    @rule(
        passed=st.sampled_from([{"minutes": 10}, {"hours": 1}, {"hours": 5}, {"days": 1}, {"days": 2}, {"weeks": 7}]),
        data=st.data(),
    )
    def time_passes(self, passed: dict[str, int], data: st.DataObject) -> None:
        if "weeks" in passed:
            self.world.settle()  # AWS lets no refresh run that long
        self.world.cloud.now += timedelta(**passed)
        self._then(data)

    # Builds that go bad, and holds.

    def _revoke(self, ami: str, later: timedelta) -> None:
        if (REGION, ami) in self.world.cloud.images:
            self.oracle.revoked[ami] = (self.world.cloud.now + later).replace(microsecond=0)
            self.world.tag(ami, "goldsmith:revoked", f"{self.oracle.revoked[ami]:%Y-%m-%dT%H:%M:%SZ} bad")

    @rule(
        what=st.sampled_from(["revoked", "revoked later", "not revoked", "gone", "disabled"]),
        back=st.integers(0, 2),
        data=st.data(),
    )
    def a_build_goes_bad(self, what: str, back: int, data: st.DataObject) -> None:
        ami = self.world.order[max(0, len(self.world.order) - 1 - back)]
        if what == "gone":
            self.world.cloud.images.pop((REGION, ami), None)
        elif what == "not revoked":
            if self.oracle.revoked.pop(ami, None) and (REGION, ami) in self.world.cloud.images:
                self.world.tag(ami, "goldsmith:revoked", None)
        else:
            self._revoke(ami, timedelta(hours=30 if what == "revoked later" else 0))
        self._then(data)

    def _hold(self, channel: str, hours: int | None) -> None:
        until = None if hours is None else (self.world.cloud.now + timedelta(hours=hours)).replace(microsecond=0)
        self.world.hold(channel, until=until)
        self.oracle.holds[channel] = until

    def _end_holds(self) -> None:
        for channel in self.oracle.holds:
            self.world.hold(channel, held=False)
        self.oracle.holds.clear()

    @rule(channel=st.sampled_from(["", "stable"]), hours=st.sampled_from([None, 1, 20, 100, 0]), data=st.data())
    def somebody_holds(self, channel: str, hours: int | None, data: st.DataObject) -> None:
        """Or ends all holds."""
        if hours == 0:
            self._end_holds()
        else:
            self._hold(channel, hours)
        self._then(data)

    # Records.

    @rule(fleet=FLEET, garbled=st.booleans(), data=st.data())
    def a_record_is_lost(self, fleet: str, garbled: bool, data: st.DataObject) -> None:
        if garbled:
            self.world.put(REGION, f"{RECORDS}/{fleet}", GARBAGE)
        else:
            self.world.cloud.parameters.pop((REGION, f"{RECORDS}/{fleet}"), None)
        self._then(data)

    @rule(fleet=FLEET, data=st.data())
    def a_record_is_brought_back(self, fleet: str, data: st.DataObject) -> None:
        if self.world.is_garbled(fleet):
            self.world.bring_back(fleet)
        self._then(data)

    @rule(data=st.data())
    def slow_writes_arrive(self, data: st.DataObject) -> None:
        for call in self.operators.late:
            self.world.put(REGION, call.params["Name"], call.params["Value"])
        self.operators.late.clear()
        self._then(data)

    # Operators.

    @rule(fleet=FLEET, wish=WISHES | st.none(), fault=FAULTS)
    def an_operator_acts(self, fleet: str, wish: Wish | None, fault: Fault | None) -> None:
        self.operators.act([Act(fleet, wish, fault)])

    @rule(
        fleets=st.tuples(FLEET, FLEET),
        wishes=st.tuples(WISHES | st.none(), WISHES),
        faults=st.tuples(FAULTS, FAULTS),
        seed=st.integers(0, 2**16),
    )
    def two_operators_act(
        self,
        fleets: tuple[str, str],
        wishes: tuple[Wish | None, Wish | None],
        faults: tuple[Fault | None, Fault | None],
        seed: int,
    ) -> None:
        self.operators.act([Act(*each) for each in zip(fleets, wishes, faults, strict=True)], seed=seed)

    def _then(self, data: st.DataObject) -> None:
        """What the operators do about it: nothing yet, or one of them runs, or both do."""
        self.world.cloud.now += timedelta(minutes=1)
        count = data.draw(st.sampled_from([0, 0, 1, 1, 2]))
        if count == 1:
            self.operators.act([Act(data.draw(FLEET), Wish(), data.draw(FAULTS))])
        elif count == 2:
            fleet = data.draw(FLEET)
            acts = [Act(fleet, Wish(), data.draw(FAULTS)) for _ in OPERATORS]
            self.operators.act(acts, seed=data.draw(st.integers(0, 2**16)))

    @rule(keep_holds=st.booleans())
    def everything_calms_down(self, keep_holds: bool) -> None:
        self.operators.late.clear()
        if not keep_holds:
            self._end_holds()
        for _ in range(5):
            self.world.settle()
            started = [fleet for fleet in (STAGING, CANARY, PROD) if self._runs_cleanly(fleet)]
            if not started:
                break
        for fleet in FLEETS:
            check_end(self.oracle, fleet)
            assert not self.oracle.violations, self.oracle.violations

    def _runs_cleanly(self, fleet: str) -> bool:
        """A run without faults; whether something is on its way then."""
        self.oracle.begin(OPERATORS[0], fleet, Wish())
        decision = self.world.run(fleet)[1]
        assert not self.oracle.violations, self.oracle.violations
        return isinstance(decision, Follow)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            for keep_holds in (True, False):
                self.everything_calms_down(keep_holds)


def test_rollouts_end_as_the_rules_say_whatever_happens_in_any_order() -> None:
    run_state_machine_as_test(
        AnyOrder,
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
