"""The hand-off, whatever happens in whatever order: a state machine, and an oracle that knows nothing of its code.

It mixes builds, lost, late and repeated messages, withdrawn builds, failing regions, answers that cannot be read or
lack something, records of others and runs that end too early; the oracle is "the newest good build".
`GOLDSMITH_HISTORIES=500` in the environment tries so many histories, each of which takes about a second.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from lambda_src.handoff.channels import Channel
from local_aws.server import LocalAws
from tests.support.answers import refused, sent
from tests.support.handoff_world import HOME, REGIONS, ContainerImageWorld, ImageWorld, intercepted, retold, sns_event

HISTORIES = int(os.environ.get("GOLDSMITH_HISTORIES", "8"))
THROTTLED = partial(refused, "ThrottlingException")
UNREADABLE = [partial(sent, body) for body in (b"", b"{}", b"[7]", b"\xff", b"<html>", b'{"Parameters": [{}]}')]
FOREIGN = "arn:aws:imagebuilder:us-east-1:000000000000:image/acme-db/1.0.0/1"


Channels = Mapping[str, Mapping[str, Channel]]
"""By region and name."""


class AnyOrder(RuleBasedStateMachine):
    """Builds start, end and are withdrawn, messages come late, twice or never; after each run the oracle is asked.

    Every build is real. Only its creation time is drawn, so that starts and ends come in any order and at the same
    time, and Image Builder shows it as DISTRIBUTING, its AMIs there already, until its rule ends it.
    """

    local_aws: ClassVar[LocalAws]
    world: ClassVar[type[ImageWorld]]

    def __init__(self) -> None:
        super().__init__()
        self.web = self.world(self.local_aws)
        self.web.image = replace(self.web.image, keep_newest=2)
        self.recipes = {7}  # patch numbers that exist
        self.times: dict[str, str] = {}
        self.running: list[str] = []
        self.values: dict[str, dict[str, str]] = {}  # of good builds, less those that were withdrawn
        self.outputs: dict[str, set[str]] = {}  # what Image Builder and registries still show of them
        self.channels: Channels = {region: {} for region in REGIONS}  # as they were at the last look
        self.outbox: list[tuple[str, str]] = []
        self.incomplete: tuple[str, str] | None = None  # build and region
        self.not_shown: str | None = None
        self.has_open_moves = False  # a region may have failed before it was written
        self.hooks = ExitStack()
        self.hooks.enter_context(retold(self.web.imagebuilder, "ListImagePipelineImages", self._as_drawn))
        self.hooks.enter_context(retold(self.web.imagebuilder, "GetImage", self._as_drawn))

    def teardown(self) -> None:
        self.hooks.close()

    def _as_drawn(self, answer: Any) -> None:
        single = [answer["image"]] if "image" in answer else []  # neither is in a refusal
        for image in answer.get("imageSummaryList", single):
            image["dateCreated"] = self.times[image["arn"]]
            if image["arn"] in self.running:
                image["state"] = {"status": "DISTRIBUTING"}
            for output in (each for kind in image.get("outputResources", {}).values() for each in kind):
                if self.incomplete == (image["arn"], output.get("region")):
                    for member in ("image", "imageUris"):
                        output.pop(member, None)
        if "imageSummaryList" in answer:
            shown = [image for image in answer["imageSummaryList"] if image["arn"] != self.not_shown]
            answer["imageSummaryList"] = shown

    @rule(second=st.integers(0, 5), fraction=st.sampled_from(["", ".5", ".250"]), fail=st.booleans())
    def a_build_starts(self, second: int, fraction: str, fail: bool) -> None:
        arn = self.web.build(fail=fail)
        self.times[arn] = f"2026-07-01T00:00:0{second}{fraction}Z"
        self.running.append(arn)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def a_build_ends(self, data: st.DataObject) -> None:
        arn = data.draw(st.sampled_from(self.running))
        self.running.remove(arn)
        if amis := self.web.values(arn):
            self.values[arn], self.outputs[arn] = amis, set(amis.values())
        self.outbox.append((arn, "AVAILABLE" if amis else "FAILED"))

    @rule(patch=st.integers(0, 2**30 - 1))
    def the_recipe_changes(self, patch: int) -> None:
        if patch not in self.recipes:
            self.recipes.add(patch)
            self.web.change_recipe(f"1.0.{patch}")

    @precondition(lambda self: self.values)
    @rule(data=st.data())
    def a_build_is_deleted(self, data: st.DataObject) -> None:
        arn = data.draw(st.sampled_from(sorted(self.values)))
        del self.values[arn]
        self.web.other_imagebuilder.delete_image(imageBuildVersionArn=arn)

    @precondition(lambda self: any(self.values.values()))
    @rule(data=st.data())
    def an_output_is_withdrawn(self, data: st.DataObject) -> None:
        arn = data.draw(st.sampled_from(sorted(arn for arn, amis in self.values.items() if amis)))
        region = data.draw(st.sampled_from(sorted(self.values[arn])))
        self.web.withdraw(region, self.values[arn].pop(region))
        self.outputs[arn] = set(self.web.values(arn).values())

    @precondition(lambda self: any(self.values.values()))
    @rule(data=st.data())
    def an_operator_promotes(self, data: st.DataObject) -> None:
        arn = data.draw(st.sampled_from(sorted(arn for arn, amis in self.values.items() if amis)))
        region, ami = data.draw(st.sampled_from(sorted(self.values[arn].items())))
        self.web.other_ssm[region].put_parameter(Name=f"{self.web.path}/prod", Value=ami, Type="String", Overwrite=True)
        self._look()

    @precondition(lambda self: self.outbox)
    @rule(data=st.data())
    def a_message_arrives(self, data: st.DataObject) -> None:
        """Any one that was ever sent: late, again, or after a newer one. Many never arrive."""
        arn, status = data.draw(st.sampled_from(self.outbox))
        self._run(self.web.message(arn, status=status))

    @rule(event=st.sampled_from([None, {}, sns_event("nonsense"), {"Records": 1}]))
    def something_else_calls(self, event: object) -> None:
        self._run(event)

    @rule(
        operation=st.sampled_from(["GetParametersByPath", "PutParameter", "GetParameter"]),
        answer=st.sampled_from([THROTTLED, *UNREADABLE]),
    )
    def a_region_fails(self, operation: str, answer: Callable[[], Any]) -> None:
        with intercepted(self.web.targets[1].ssm, operation, answer) as calls:
            run = self.web.run()
        self.has_open_moves = True
        before = self._look()
        assert bool(run.error) == bool(calls), "raised if and only if something failed"
        self._check_moves(before)
        self._check_region(HOME, before)

    @rule(answer=st.sampled_from([THROTTLED, *UNREADABLE]))
    def image_builder_fails(self, answer: Callable[[], Any]) -> None:
        with intercepted(self.web.imagebuilder, "ListImagePipelineImages", answer):
            run = self.web.run()
        assert run.error
        assert self._look() == self.channels

    @rule(region=st.sampled_from(REGIONS))
    def somebody_copies_a_parameter(self, region: str) -> None:
        """Of another image, whose builds the function may not look at."""
        (target,) = [each for each in self.web.targets if each.region == region]
        self.web.other_ssm[region].put_parameter(
            Name=f"{self.web.path}/latest",
            Value="ami-0f0f0f0f",
            Type="String",
            DataType=target.outputs.data_type,
            Description=f'{{"build": "{FOREIGN}", "created": "2099-01-01T00:00:00+00:00"}}',
            Overwrite=True,
        )
        self._look()

    @precondition(lambda self: any(self.values.values()))
    @rule(data=st.data())
    def an_output_lacks_something(self, data: st.DataObject) -> None:
        arn = data.draw(st.sampled_from(sorted(arn for arn, amis in self.values.items() if amis)))
        region = data.draw(st.sampled_from(sorted(self.values[arn])))
        self._complete_moves()
        self.incomplete = (arn, region)
        assert self.web.run().error == ""
        self.incomplete = None
        before = self._look()
        for each in REGIONS:
            hidden = arn if each == region else ""
            self._check_in_doubt(each, before, hidden=hidden, doubtful={hidden} - {""})
        self._run(None)

    @precondition(lambda self: self.values)
    @rule(data=st.data())
    def a_build_is_not_shown(self, data: st.DataObject) -> None:
        self._complete_moves()
        self.not_shown = data.draw(st.sampled_from(sorted(self.values)))
        with intercepted(self.web.imagebuilder, "GetImage", lambda: refused("AccessDeniedException", status=403)):
            assert self.web.run().error == ""
        hidden, self.not_shown = self.not_shown, None
        before = self._look()
        gone = self.times.keys() - self.values.keys() - set(self.running)
        for region in REGIONS:
            self._check_in_doubt(region, before, hidden=hidden, doubtful={hidden, *gone})
        self._run(None)

    @rule(tags=st.integers(1, 3))
    def time_ends_while_builds_are_tagged(self, tags: int) -> None:
        had = {arn: self.web.tags(arn) for arn in self.values}
        with intercepted(self.web.imagebuilder, "TagResource") as calls:
            run = self.web.run(seconds_left=lambda: 1.0 if len(calls) < tags else 0.0)
        assert run.error == ""
        before = self._look()
        self._check_moves(before)
        for region in REGIONS:
            self._check_region(region, before)
        for arn, expected in self._expected_tags().items():
            has = self.web.tags(arn)
            if "goldsmith:retention" not in had[arn] and "goldsmith:retention" in has:
                assert _protection(has) == expected, "never selected before it is spared"
        with (
            intercepted(self.web.imagebuilder, "TagResource") as added,
            intercepted(self.web.imagebuilder, "UntagResource") as removed,
        ):
            self._run(None)
        assert bool(added or removed) == bool(run.line["Untagged"])

    def _run(self, event: object) -> None:
        run = self.web.run(event)
        self.has_open_moves = False
        assert run.error == ""
        before = self._look()
        self._check_moves(before)
        for region in REGIONS:
            self._check_region(region, before)
        assert run.line["Untagged"] == 0
        for arn, expected in self._expected_tags().items():
            tags = self.web.tags(arn)
            assert _protection(tags) == expected
            assert tags["goldsmith:retention"] == f"acme/{self.web.name}/2"

    def _complete_moves(self) -> None:
        """A move waits while its build is hidden, and older builds do not move there meanwhile. This oracle does not
        know which moves are open; `test_completed_moves.py` says what happens to them."""
        if self.has_open_moves:
            self._run(None)

    def _look(self) -> Channels:
        """Read all channels; gives how they were at the look before."""
        before, self.channels = self.channels, {region: self.web.channels(region) for region in REGIONS}
        return before

    def _expected_tags(self) -> dict[str, tuple[bool, bool]]:
        """Whether each good build is in use, and whether it is among the two newest."""
        in_use, newest = self._in_use(), sorted(self.values, key=self._age)[-2:]
        return {arn: (not in_use.isdisjoint(self.outputs[arn]), arn in newest) for arn in self.values}

    def _in_use(self) -> set[str]:
        """What operators' channels ever pointed to, and of latest what it points to and pointed to last."""
        found: set[str] = set()
        for channels in self.channels.values():
            for name, channel in channels.items():
                newest_first = [value for value, _ in groupby(reversed(channel.history))]
                found.update(newest_first if name == "prod" else newest_first[:2])
        return found

    def _check_region(self, region: str, before: Channels) -> None:
        """The oracle: the newest good build that still has its AMI here; without one, what was there before."""
        usable = {arn: amis[region] for arn, amis in self.values.items() if region in amis}
        newest = max(usable, key=self._age, default=None)
        if newest:
            assert self.channels[region]["latest"].value == usable[newest]
        else:
            assert self.channels[region].get("latest") == before[region].get("latest")

    def _check_in_doubt(self, region: str, before: Channels, *, hidden: str, doubtful: set[str]) -> None:
        """The oracle where `hidden` is not shown: latest never moves back from a build of which nothing is known."""
        usable = {arn: amis[region] for arn, amis in self.values.items() if region in amis and arn != hidden}
        newest = max(usable, key=self._age, default=None)
        old, now = before[region].get("latest"), self.channels[region].get("latest")
        named = old.record.get("build", "") if old else ""
        stays = named in doubtful and newest and self._age(newest)[0] <= self._age(named)[0]
        expected = usable[newest] if newest and not stays else old and old.value
        assert (now and now.value) == expected

    def _check_moves(self, before: Channels) -> None:
        """One write where the value changed, none where it did not, and none backwards from a build that is there."""
        arns = {ami: arn for arn, amis in self.values.items() for ami in amis.values()}
        for region in REGIONS:
            if (now := self.channels[region].get("latest")) is None:
                continue
            earlier = before[region].get("latest")
            version, old = (earlier.version, earlier.value) if earlier else (0, "")
            assert now.version == version + (now.value != old)
            if old in arns and old != now.value:
                assert self._age(arns[now.value]) > self._age(arns[old])

    def _age(self, arn: str) -> tuple[datetime, int, str]:
        return datetime.fromisoformat(self.times[arn]), int(arn.rpartition("/")[2]), arn


def _protection(tags: Mapping[str, str]) -> tuple[bool, bool]:
    return "goldsmith:in-use" in tags, "goldsmith:newest" in tags


@pytest.mark.parametrize("world", [ImageWorld, ContainerImageWorld])
def test_latest_is_the_newest_good_build_whatever_happens_in_whatever_order(
    local_aws: LocalAws, world: type[ImageWorld]
) -> None:
    class OnThisAws(AnyOrder):
        pass

    OnThisAws.local_aws, OnThisAws.world = local_aws, world
    run_state_machine_as_test(
        OnThisAws,
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
