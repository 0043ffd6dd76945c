"""An oracle for rollouts: it watches every call, and knows nothing of the rules' code.

It keeps its own books: which refreshes were started by whom and for what, what instances ran when, which builds are
revoked or gone, and what is held. `watch` is called after each call has had its effect. What is wrong is added to
`violations`, because an error that is raised inside a call would be taken for a garbled answer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from lambda_src.rollout.decisions import Decision, Follow, Wish
from tests.support.memory_aws import Call
from tests.support.memory_fleet import FORGOTTEN
from tests.support.memory_groups import FORWARD, MemoryGroup, specification
from tests.support.memory_rollouts import (
    APPLY,
    AUTOMATIC,
    CANARY,
    OPERATORS,
    PROD,
    RECORDS,
    REGION,
    STAGING,
    RolloutWorld,
)
from tests.support.rollout_books import UNFOLLOWED, Rollout, Slot, Version

_SECOND = timedelta(seconds=1)
"""The precision of the times in records."""


@dataclass
class _Look:
    fleet: str
    wish: Wish
    newest: Version | None = None
    refusals: Mapping[str, bool] = field(default_factory=dict)
    choices: Mapping[tuple[str, str], Mapping[str, bool]] = field(default_factory=dict)
    """Of a fleet that takes builds by itself: the AMI and user data of what it may run, each with what refuses it."""
    overtaken: Rollout | None = None
    """What it started although somebody else has just tried it without success."""
    is_garbled: bool = False
    """Whether its record was none when it was read."""
    is_elsewhere: bool = False
    """Whether the next read of the records is for a fleet of `after`."""


@dataclass
class Oracle:
    """What is true of the fleets, by its own books."""

    world: RolloutWorld
    windows: tuple[Slot, ...] = ()
    """Of production."""
    frozen: tuple[date, date, int] | None = None
    """The first and the last day of a freeze, and how many hours its zone is before UTC."""
    revoked: dict[str, datetime] = field(default_factory=dict)
    holds: dict[str, datetime | None] = field(default_factory=dict)
    """What is held, `""` for the image, and until when."""
    log: list[Rollout] = field(default_factory=list)
    ran: list[tuple[datetime, frozenset[str]]] = field(default_factory=list)
    """The AMIs of the instances in service in staging, from each time on."""
    looks: dict[str, _Look] = field(default_factory=dict)
    """The last look of each operator."""
    violations: list[str] = field(default_factory=list)

    # Facts.

    def rollouts(self, fleet: str) -> list[Rollout]:
        """Those of a fleet of which somebody can know, newest first."""
        return [each for each in reversed(self.log) if each.fleet == fleet and self._is_known(each)]

    def _is_known(self, rollout: Rollout) -> bool:
        """Whether the record has it, or AWS knows it, and what it was for."""
        attempt = self.world.record(rollout.fleet).get(rollout.refresh.id)
        if attempt and attempt.get("ami") and attempt.get("end", "") in (rollout.end, UNFOLLOWED):
            return True
        if not self.is_remembered(rollout):
            return False
        if attempt and attempt.get("ami"):
            return True
        if rollout.refresh.desired is None:  # for the version that the group launched, which nobody wrote down
            later = rollout.group.refreshes[rollout.group.refreshes.index(rollout.refresh) :]
            is_same = not any(each.desired and each.status == "Successful" for each in later)
            return is_same and rollout.version == specification(rollout.group.launch)["Version"]
        return self.world.cloud.template(REGION, rollout.template) is not None

    def is_remembered(self, rollout: Rollout) -> bool:
        """Whether AWS shows it."""
        is_recent = self.world.cloud.now - rollout.refresh.asked < FORGOTTEN
        return is_recent and self.world.group(rollout.fleet) is rollout.group

    def last_try(self, fleet: str, version: Version) -> Rollout | None:
        """The last rollout of a version, or of its AMI if the fleet does not launch that already."""
        template, number, ami = version
        if ami == self.world.launched(fleet):
            tries = (each for each in self.rollouts(fleet) if (each.template, each.version) == (template, number))
        else:
            tries = (each for each in self.rollouts(fleet) if each.tried(*version))
        return next(tries, None)

    def is_open(self, fleet: str, at: datetime) -> bool:
        """Whether windows and freezes let a rollout start."""
        if self.frozen:
            first, last, offset = self.frozen
            if first <= (at + timedelta(hours=offset)).date() <= last:
                return False
        if fleet != PROD or self.world.by[PROD] == "terraform" or not self.windows:
            return True
        return any(window.is_open(at) for window in self.windows)

    def aim(self, fleet: str) -> Version | None:
        """What a fleet should run: the newest version of its template, or that with what its channel points to."""
        newest = self.world.newest(fleet)
        if newest is None or self.world.by[fleet] != AUTOMATIC:
            return newest
        return self._with_ami(fleet, newest, self.world.channel)

    def instead(self, fleet: str) -> Version | None:
        """What it should run as long as it must not take what its channel points to."""
        newest, launched = self.world.newest(fleet), self.world.launched(fleet)
        if newest is None or self.world.by[fleet] != AUTOMATIC or launched in ("", self.world.channel):
            return None
        return self._with_ami(fleet, newest, launched)

    def _with_ami(self, fleet: str, newest: Version, ami: str) -> Version:
        group = self.world.group(fleet)
        launch = specification(group.launch) if group else {}
        wanted = ami, str(self.world.user_data[fleet])
        if launch and launch["LaunchTemplateId"] == newest[0] and self.content(newest[0], launch["Version"]) == wanted:
            return newest[0], launch["Version"], ami
        return newest if newest[2] == ami else (newest[0], "", ami)

    def content(self, template: str, version: str) -> tuple[str, str]:
        """The AMI and the user data of a version."""
        found = self.world.cloud.template(REGION, template)
        data = found.versions[int(version) - 1][0] if found else {}
        return data.get("ImageId", ""), data.get("UserData", "")

    def runs(self, fleet: str, version: Version) -> bool:
        """Whether a group launches a version, and all of its instances in service have it."""
        group = self.world.group(fleet)
        if group is None or not self._launches(group, version):
            return False
        return all((each.template, each.version) == version[:2] for each in group.counting)

    def is_done(self, fleet: str) -> bool:
        """Whether the fleet runs what it should."""
        newest = self.aim(fleet)
        return newest is not None and self.runs(fleet, newest)

    def is_down(self, fleet: str) -> bool:
        """Whether a fleet should have instances and has none, because they cannot start."""
        group = self.world.group(fleet)
        return bool(group and group.desired > 0 and not group.members)

    @staticmethod
    def _launches(group: MemoryGroup, version: Version) -> bool:
        launch = specification(group.launch)
        return (launch["LaunchTemplateId"], launch["Version"]) == version[:2]

    def has_run(self, ami: str, *, at: datetime) -> timedelta:
        """The longest time for which staging ran nothing but this build."""
        longest, since = timedelta(0), None
        for begin, amis in [*self.ran, (at, frozenset())]:
            if since is not None:
                longest = max(longest, begin - since)
            if amis != {ami}:
                since = None
            elif since is None:
                since = begin
        return longest

    def is_in(self, fleet: str, ami: str) -> bool:
        """Whether a group launches a build, and all of its instances in service are from the version that has it."""
        group = self.world.group(fleet)
        if group is None or not group.counting or self.world.launched(fleet) != ami:
            return False
        launch = specification(group.launch)
        version = launch["LaunchTemplateId"], launch["Version"]
        return {(each.template, each.version) for each in group.counting} == {version}

    # What must not start.

    def refusals(self, fleet: str, wish: Wish, version: Version | None = None) -> dict[str, bool]:
        """Why a version must not be started now: the kinds, each with whether it ends by itself. Default: `aim`."""
        newest, now = version or self.aim(fleet), self.world.cloud.now
        group = self.world.group(fleet)
        if newest is None or group is None:
            return {"absent": False}
        found: dict[str, bool] = {}
        ami = newest[2]
        is_automatic = self.world.by[fleet] == AUTOMATIC
        runs_already = is_automatic and ami == self.world.launched(fleet)
        last = self.last_try(fleet, newest)
        if last and last.end not in ("", "succeeded") and not wish.retry:
            found["failed"] = False
        if self.world.is_garbled(fleet):
            found["record"] = False
        if (REGION, ami) not in self.world.cloud.images:
            found["gone"] = False
        elif ami in self.revoked and self.revoked[ami] <= now:
            found["revoked"] = False
        if self._are_kept(group, last, newest):
            found["protected"] = False
        if not self.is_open(fleet, now) and not wish.now:
            found["closed"] = True
        if self.world.by[fleet] == "terraform":
            return self._by_terraform(group, newest, wish) or found
        if ends := [end for end in self.holds.values() if end is None or now < end]:
            found["held"] = None not in ends
        channel = self.world.channel
        order, exist = self.world.order, (REGION, channel) in self.world.cloud.images and "gone" not in found
        if not is_automatic and exist and order.index(channel) < order.index(ami):
            found["behind"] = False
        if fleet == PROD and self.world.habits.soak_minutes and not wish.skip_after and not runs_already:
            found |= self._unproved(ami, now)
        if fleet != CANARY and self._is_held_by_canary(ami):
            found["canary"] = False
        return found

    @staticmethod
    def _are_kept(group: MemoryGroup, last: Rollout | None, newest: Version) -> bool:
        """Whether only instances are left that the last refresh kept, because they are protected."""
        if last is None or not group.refreshes or last.refresh is not group.refreshes[-1]:
            return False
        launch = specification(group.launch)
        version = launch["LaunchTemplateId"], launch["Version"]
        if last.end != "succeeded" or version != newest[:2]:
            return False
        kept = [each for each in group.counting if (each.template, each.version) != version]
        return bool(kept) and all(each.is_protected for each in kept)

    def _by_terraform(self, group: MemoryGroup, newest: Version, wish: Wish) -> dict[str, bool]:
        """What stops a fleet that an apply rolls out, before anything else is looked at."""
        if not self._launches(group, newest):
            return {"terraform": False}
        return {} if wish.retry else {"not asked": False}

    def _unproved(self, ami: str, now: datetime) -> dict[str, bool]:
        soak = timedelta(minutes=self.world.habits.soak_minutes)
        tries = (each for each in self.rollouts(STAGING) if each.ami == ami and each.end)
        last = next(tries, None)
        failed = last and last.end != "succeeded" and last.previous != ami and not self.is_in(STAGING, ami)
        if failed or self.has_run(ami, at=now) < soak - _SECOND:
            return {"after": not failed and self.is_in(STAGING, ami)}
        return {}

    def is_provable(self, ami: str) -> bool:
        """Whether what can be seen in staging proves a build, whatever has been lost."""
        group = self.world.group(STAGING)
        last = next((each for each in self.log[::-1] if each.fleet == STAGING and each.ami == ami), None)
        if not group or not self.is_in(STAGING, ami) or (last and last.end not in ("", "succeeded")):
            return False
        now, soak = self.world.cloud.now, timedelta(minutes=self.world.habits.soak_minutes)
        # from the end of the rollout that brought it, and again from that of another build's
        brought = (each for each in self.log if each.fleet == STAGING and (each.ami, each.previous) != (ami, ami))
        times = [*(each.refresh.ended or now for each in brought), *(each.launched for each in group.counting)]
        return now - max(times) >= soak

    def _is_held_by_canary(self, ami: str) -> bool:
        """Whether the record of the canary says that the build did not end well there."""
        written = self.world.record(CANARY)
        tries = [each for each in reversed(self.log) if each.fleet == CANARY and each.refresh.id in written]
        last = next((each for each in tries if written[each.refresh.id].get("end") and each.tried("", "", ami)), None)
        return bool(last and written[last.refresh.id]["end"] != "succeeded" and written[last.refresh.id].get("holds"))

    # At each call.

    def begin(self, user: str, fleet: str, wish: Wish) -> None:
        """An operator begins a run."""
        self.looks[user] = _Look(fleet, wish)

    def finish(self, user: str, decision: Decision, *, is_alone: bool) -> None:
        """A run has ended. What it started although somebody else had tried the same meanwhile must not go on, and what
        runs is followed."""
        look = self.looks[user]
        if look.overtaken and look.overtaken.refresh.status in FORWARD:
            self.violations.append(f"{look.fleet} goes on with what somebody else has tried meanwhile")
        group = self.world.group(look.fleet)
        if is_alone and group and isinstance(decision, Follow) != bool(group.active):
            self.violations.append(f"{look.fleet} decides {type(decision).__name__}, and {group.active} is active")

    def watch(self, call: Call) -> None:
        """Look at a call that has just had its effect."""
        if call.user in OPERATORS and call.user in self.looks:
            self._watch_look(call, self.looks[call.user])
        if call.operation == "StartInstanceRefresh":
            self._watch_start(call)
        self.sample()

    def _watch_look(self, call: Call, look: _Look) -> None:
        if call.operation == "DescribeAutoScalingGroups":
            look.is_elsewhere = call.params["AutoScalingGroupNames"] != [f"acme-{look.fleet}"]
        elif call.operation == "GetParametersByPath" and call.params["Path"] == RECORDS:
            if look.is_elsewhere:
                look.is_elsewhere = False
            else:
                look.newest = self.world.newest(look.fleet)
                look.is_garbled = self.world.is_garbled(look.fleet)
                look.refusals = self.refusals(look.fleet, look.wish)
                look.choices = self._choices(look)
        elif call.operation == "PutParameter" and look.is_garbled:
            self.violations.append(f"{look.fleet} writes over a record that cannot be read")

    def _choices(self, look: _Look) -> dict[tuple[str, str], Mapping[str, bool]]:
        newest = self.world.newest(look.fleet)
        if newest is None or self.world.by[look.fleet] != AUTOMATIC:
            return {}
        versions = [version for version in (self.aim(look.fleet), self.instead(look.fleet)) if version]
        user_data = str(self.world.user_data[look.fleet])
        return {(each[2], user_data): self.refusals(look.fleet, look.wish, each) for each in versions}

    def _watch_start(self, call: Call) -> None:
        fleet = call.params["AutoScalingGroupName"].removeprefix("acme-")
        group = self.world.group(fleet)
        assert group
        refresh = group.refreshes[-1]
        wanted = specification(refresh.desired or group.launch)
        template = self.world.cloud.template(REGION, wanted["LaunchTemplateId"])
        ami = template.versions[int(wanted["Version"]) - 1][0]["ImageId"] if template else ""
        is_mine = call.user in OPERATORS
        previous = self.world.before.get(fleet, "") if call.user == APPLY else self.world.launched(fleet)
        if sum(each.is_active for each in group.refreshes) != 1:
            self.violations.append(f"{fleet} has two refreshes at once")
        refused = (
            self._check_start(call, fleet, (wanted["LaunchTemplateId"], wanted["Version"], ami)) if is_mine else ()
        )
        self.log.append(
            Rollout(
                fleet=fleet,
                group=group,
                refresh=refresh,
                template=wanted["LaunchTemplateId"],
                version=wanted["Version"],
                ami=ami,
                previous=previous,
                is_mine=is_mine,
            )
        )
        if "failed" in refused:
            self.looks[call.user].overtaken = self.log[-1]

    def _check_start(self, call: Call, fleet: str, version: Version) -> Collection[str]:
        """Whether the rules may start a version; why they may not any more, after their look."""
        look = self.looks[call.user]
        if self.world.by[fleet] != "terraform":
            desired = call.params["DesiredConfiguration"]
            if not call.params["Preferences"].get("AutoRollback") or not specification(desired)["Version"].isdecimal():
                self.violations.append(f"{fleet} starts what AWS cannot roll back")
        if self.world.by[fleet] == AUTOMATIC:
            return self._check_choice(look, version)
        now = self.refusals(fleet, look.wish)
        if version == look.newest and (both := look.refusals.keys() & now.keys()):
            self.violations.append(f"{fleet} starts version {version[1]} although: {', '.join(sorted(both))}")
        if version not in (look.newest, self.world.newest(fleet)):
            self.violations.append(f"{fleet} starts version {version[1]}, which was not the newest")
        last = self.last_try(fleet, version)
        is_same = last is not None and (last.template, last.version) == version[:2]
        return now if is_same and version == self.world.newest(fleet) else ()

    def _check_choice(self, look: _Look, version: Version) -> Collection[str]:
        """A fleet that takes builds by itself starts what its channel points to, or what it runs, with the newest of
        everything else."""
        content, now = self.content(version[0], version[1]), self._choices(look)
        group = self.world.group(look.fleet)
        launch = specification(group.launch) if group else {}
        launched = launch["LaunchTemplateId"], launch["Version"], ""
        if content == self.content(*launched[:2]) and version[0] == launched[0] and self.runs(look.fleet, launched):
            self.violations.append(f"{look.fleet} replaces instances that run the same already")
        if content not in look.choices and content not in now:
            self.violations.append(f"{look.fleet} starts {content}, and may start {[*look.choices]}")
        elif both := look.choices.get(content, {}).keys() & now.get(content, {}).keys():
            self.violations.append(f"{look.fleet} starts {content} although: {', '.join(sorted(both))}")
        return now.get(content, {})

    def sample(self) -> None:
        """Write down what staging runs now."""
        group = self.world.group(STAGING)
        amis = frozenset(each.ami for each in group.counting) if group else frozenset()
        if not self.ran or self.ran[-1][1] != amis:
            self.ran.append((self.world.cloud.now, amis))

    # When everything has calmed down.

    def check_records(self, fleet: str) -> None:
        """The record has the last rollouts that AWS remembers, each with its true end, and nothing untrue. One that
        somebody has overwritten stays as it is."""
        if self.world.is_garbled(fleet):
            return
        written = self.world.record(fleet)
        truth = {each.refresh.id: each for each in self.log if each.fleet == fleet}
        for identity, attempt in written.items():
            if attempt.get("end", "") not in (truth[identity].end, "", UNFOLLOWED):
                self.violations.append(f"{fleet}: the record says that {identity} {attempt['end']}")
        last = [each for each in truth.values() if self.is_remembered(each)][-6:]
        for rollout in last:
            attempt = written.get(rollout.refresh.id, {})
            if attempt.get("end", "") != rollout.end:
                self.violations.append(f"{fleet}: the record lacks {rollout.refresh.id}, which {rollout.end}")
