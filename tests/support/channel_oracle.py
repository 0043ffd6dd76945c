"""An oracle for the channels of an image: it watches every write, and knows nothing of the hand-off's code.

It keeps its own books: which builds can be used where, what each channel ever pointed to, who wrote it, and what the
objects of the history say. `watch` is called after each write to AWS, `check_quiet` when faults have ended and the
function has run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.support.memory_aws import Call
from tests.support.memory_world import FUNCTION, HAND, HOME, MemoryWorld


@dataclass(frozen=True)
class Write:
    """A write of a channel's parameter."""

    value: str
    user: str
    time: datetime
    move: int
    """The number of its move; 0 for one by hand."""


@dataclass
class Oracle:
    """What is true of an image, by its own books."""

    web: MemoryWorld
    soaks: Mapping[str, tuple[str, timedelta]]
    """The channels with a soak time: the source, and how long."""
    sources: Mapping[str, str]
    """The source of each channel."""
    revoked: dict[str, datetime] = field(default_factory=dict)
    gone: set[tuple[str, str]] = field(default_factory=set)
    """Builds and the regions where their output was withdrawn."""
    holds: dict[str, datetime | None] = field(default_factory=dict)
    """What is held, `""` for everything, and until when."""
    values: dict[tuple[str, str], str] = field(default_factory=dict)
    """The build of each value, by region and value."""
    order: dict[str, int] = field(default_factory=dict)
    """The builds, the oldest first."""
    log: dict[tuple[str, str], list[Write]] = field(default_factory=dict)
    """The writes of each channel's parameter since it was made, by channel and region."""
    moves: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    """The objects of the history."""
    by_hand: list[tuple[str, str, str]] = field(default_factory=list)
    """Channel, region and value of what was written by hand, and has to be noted."""
    is_noting: bool = False
    """Whether the function has a cache, and so knows what is new."""
    sealed: dict[tuple[str, str], str | None] = field(default_factory=dict)
    """The value of which the description of a channel speaks, by channel and region."""
    late: bool = False
    """Whether a write arrives that somebody sent long ago."""
    started: list[datetime] = field(default_factory=list)
    """When the runs began that are under way, the innermost last."""

    # Facts.

    def is_good(self, arn: str, *, at: datetime | None = None) -> bool:
        """Whether a build may be chosen."""
        image = self.web.cloud.builds.get(arn)
        since = self.revoked.get(arn)
        return bool(image and image["state"]["status"] == "AVAILABLE") and not (since and since <= (at or self.web.now))

    def is_usable(self, arn: str, region: str, *, at: datetime | None = None) -> bool:
        """Whether a channel may point to a build in a region."""
        return self.is_good(arn, at=at) and region in self.web.values(arn) and (arn, region) not in self.gone

    def is_held(self, channel: str, *, at: datetime | None = None) -> bool:
        """Whether a channel must not move."""
        ends = [self.holds[name] for name in ("", channel) if name in self.holds]
        return any(end is None or (at or self.web.now) < end for end in ends)

    def pointed_to(self, channel: str, region: str = HOME) -> list[str]:
        """The builds that a channel ever pointed to, in the order of the writes."""
        builds = (self._build_of(write, region) for write in self.log.get((channel, region), []))
        return [arn for arn in builds if arn]

    def present(self, channel: str, region: str = HOME) -> str | None:
        """The build that a channel points to; None for what is no build."""
        writes = self.log.get((channel, region))
        return self._build_of(writes[-1], region) if writes else None

    def _build_of(self, write: Write, region: str) -> str | None:
        """The build of a value. That of one that was written by hand and deleted afterwards is not known any more."""
        arn = self.values.get((region, write.value))
        return arn if write.user != HAND or arn in self.web.cloud.builds else None

    def has_soaked(self, channel: str, arn: str, *, at: datetime | None = None) -> bool:
        """Whether a build was in the source of a channel long enough."""
        source, soak = self.soaks[channel]
        value = self.web.values(arn).get(HOME)
        first = next((write.time for write in self.log.get((source, HOME), []) if write.value == value), None)
        return first is not None and (at or self.web.now) - first >= soak

    def newest_ever(self, channel: str) -> int:
        """The place in the order of the newest build that a channel ever pointed to at home."""
        return max((self.order[arn] for arn in self.pointed_to(channel)), default=-1)

    def is_known(self, channel: str) -> bool:
        """Whether the values of a channel at home are known: what a person wrote into that of a container image is a
        digest, which may mean nothing to the hand-off."""
        return not self.web.container or all(write.user != HAND for write in self.log.get((channel, HOME), []))

    def of_last_moves(self) -> set[str]:
        """The builds of the last two moves in the history."""
        changes = [change for number in sorted(self.moves)[-2:] for change in self.moves[number]["changes"].values()]
        return {change["build"] for change in changes}

    # At each write.

    def watch(self, call: Call) -> None:
        """Check a write that has just had its effect, and write it down."""
        if call.operation == "PutParameter":
            self._watch_parameter(call)
        elif call.operation == "PutObject" and call.params["Key"].startswith("moves/"):
            self._watch_move(call)

    def _watch_parameter(self, call: Call) -> None:
        channel, region, value = call.params["Name"].rpartition("/")[2], call.region, call.params["Value"]
        if channel.startswith("_"):
            return
        number = 0
        if call.user != HAND and self.late:
            number = json.loads(call.params["Description"])["move"]
        elif call.user != HAND:
            number = json.loads(call.params["Description"])["move"]
            change = self.moves[number]["changes"][region]
            assert (self.moves[number]["channel"], change["value"]) == (channel, value), "the history comes first"
            self._check_target(channel, region, value)
        self._watch_description(call, channel, value)
        write = Write(value, call.user, self.web.now, number)
        self.log.setdefault((channel, region), []).append(write)

    def _watch_description(self, call: Call, channel: str, value: str) -> None:
        key, described = (
            (channel, call.region),
            [each.get("Description") for each in self.web.versions(channel, call.region)],
        )
        if call.user != HAND:
            self.sealed[key] = value
        elif len(described) < 2 or described[-1] != described[-2]:
            self.sealed[key] = None
        if call.user == HAND and self.is_noting and value != self.sealed[key]:
            self.by_hand.append((channel, call.region, value))

    def forget(self, channel: str, region: str) -> None:
        """A parameter was deleted."""
        del self.log[channel, region], self.sealed[channel, region]
        self.by_hand = [each for each in self.by_hand if each[:2] != (channel, region)]

    def _watch_move(self, call: Call) -> None:
        assert call.params["IfNoneMatch"] == "*", "a move is never written over another one"
        move = json.loads(call.params["Body"])
        assert move["number"] == int(call.params["Key"].rpartition("/")[2].removesuffix(".json"))
        assert move["number"] == max(self.moves, default=0) + 1, "there is one order without gaps"
        if move["noted"]:
            found = {
                (other["channel"], other["at"], *other["changes"]) for other in self.moves.values() if other["noted"]
            }
            assert (move["channel"], move["at"], *move["changes"]) not in found, "what is noted is noted once"
        self.moves[move["number"]] = move
        if move["noted"] or move["how"] == "not completed":
            return
        channel, changes = move["channel"], move["changes"]
        for region, change in changes.items():
            self._check_target(channel, region, change["value"])
        if HOME in changes and channel != "latest":
            if move["by"] == FUNCTION:
                self._check_own_decision(move)
            elif self.is_known(channel) and self.is_known(self.sources[channel]):
                self._check_decision_of_a_person(move)

    def _check_target(self, channel: str, region: str, value: str) -> None:
        start = self.started[-1]
        arn = self.values.get((region, value))
        assert arn, f"{channel} in {region} to {value}, which is no build of this image"
        assert any(self.is_usable(arn, region, at=at) for at in (start, self.web.now)), f"{channel} to bad {arn}"
        assert not (self.is_held(channel, at=start) and self.is_held(channel)), f"{channel} past a hold"

    def _check_own_decision(self, move: Mapping[str, Any]) -> None:
        """A channel with a soak time that moves by itself."""
        channel, arn = move["channel"], self.values[HOME, move["changes"][HOME]["value"]]
        if move["how"] == "soaked":
            assert self.has_soaked(channel, arn), f"{channel} to {arn} before its time"
            is_newest = self.order[arn] > self.newest_ever(channel) or not self.is_known(channel)
            assert is_newest, f"{channel} to {arn}, which is not newer than all"
            assert not self._is_under_way(channel, but=move["number"]), f"{channel} to {arn} while somebody promotes"
        else:
            present = self.present(channel)
            assert move["how"] == "moved back"
            assert present and not self.is_usable(present, HOME), f"{channel} leaves {present}, which is good"
            assert arn in self.pointed_to(channel) and self.order[arn] < self.order[present], f"{channel} back to {arn}"

    def _is_under_way(self, channel: str, *, but: int) -> bool:
        """Whether the last move of a channel at home, `but` for one, has not been written there."""
        mine = [move for move in self.moves_of(channel, HOME) if move["number"] != but]
        writes = self.log.get((channel, HOME), [])
        if not mine or mine[-1]["how"] == "not completed":
            return False
        return not writes or writes[-1].time < datetime.fromisoformat(mine[-1]["at"])

    def moves_of(self, channel: str, region: str) -> list[Mapping[str, Any]]:
        """The moves of a channel in a region, except what was found there."""
        moves = [move for move in self.moves.values() if move["channel"] == channel and region in move["changes"]]
        return [move for move in moves if not move["noted"]]

    def _check_decision_of_a_person(self, move: Mapping[str, Any]) -> None:
        channel, arn = move["channel"], self.values[HOME, move["changes"][HOME]["value"]]
        present = self.present(channel)
        if move["how"] == "promoted":
            assert arn in self.pointed_to(self.sources[channel]), f"{arn} never was in the source of {channel}"
            assert channel not in self.soaks or self.has_soaked(channel, arn), f"{channel} to {arn} before its time"
            assert present is None or self.order[arn] >= self.order[present], f"{channel} promoted to an older {arn}"
        else:
            assert move["how"] == "rolled back"
            assert present is None or self.order[arn] <= self.order[present], f"{channel} rolled back to a newer {arn}"

    # When everything has calmed down.

    def check_quiet(self) -> None:
        """Every channel that is not held is where the rules say, and the history agrees."""
        self._check_noted()
        for channel in ("latest", *self.web.image.channels):
            for region in self.web.image.regions:
                self._check_history(channel, region)
            if not self.is_held(channel):
                if channel == "latest":
                    self._check_latest()
                elif channel in self.soaks and self.is_known(channel) and self.is_known(self.soaks[channel][0]):
                    self._check_soaked(channel)

    def _check_history(self, channel: str, region: str) -> None:
        """The last move of a channel in a region is what its parameter has, unless a person wrote it afterwards."""
        writes = self.log.get((channel, region), [])
        assert self.web.value(channel, region) == (writes[-1].value if writes else None), "the books are right"
        moves = self.moves_of(channel, region)
        if not moves or not writes or writes[-1].user == HAND or self.is_held(channel):
            return
        if moves[-1]["how"] != "not completed":
            assert writes[-1].value == moves[-1]["changes"][region]["value"], f"{channel} in {region}"

    def _check_noted(self) -> None:
        """What was written by hand is in the history."""
        noted = {
            (move["channel"], region, change["value"])
            for move in self.moves.values()
            if move["noted"]
            for region, change in move["changes"].items()
        }
        assert not set(self.by_hand) - noted, "what was written by hand is in the history"
        self.by_hand.clear()

    def _check_latest(self) -> None:
        for region in self.web.image.regions:
            usable = [arn for arn in self.order if self.is_usable(arn, region)]
            newest = max(usable, key=self.order.__getitem__, default=None)
            if newest:
                assert self.present("latest", region) == newest, f"latest in {region}"

    def _check_soaked(self, channel: str) -> None:
        regions = self.web.image.regions
        newest = self.newest_ever(channel)
        for arn in self.order:
            if self.order[arn] > newest and self.has_soaked(channel, arn):
                assert not all(self.is_usable(arn, region) for region in regions), f"{channel} should take {arn}"
        present = self.present(channel)
        if present is None:
            return
        if not self.is_usable(present, HOME):
            for arn in self.pointed_to(channel):
                if self.order[arn] < self.order[present]:
                    usable = all(self.is_usable(arn, region) for region in self.web.values(arn))
                    assert not usable, f"{channel} should go back to {arn}"
            return
        self._check_follows(channel, present)

    def _check_follows(self, channel: str, arn: str) -> None:
        """All regions are where the home region is, if it moved by itself."""
        last = self.log[channel, HOME][-1]
        if last.user == HAND or self.moves[last.move]["how"] not in ("soaked", "moved back"):
            return
        for region in self.web.image.regions:
            writes = self.log.get((channel, region), [])
            stays = writes and (
                (writes[-1].user == HAND and writes[-1].time > last.time) or writes[-1].move > last.move
            )
            if not stays and self.is_usable(arn, region):
                assert self.present(channel, region) == arn, f"{channel} in {region} follows"
