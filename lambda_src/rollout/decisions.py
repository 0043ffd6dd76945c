"""What a fleet's rollout needs next: nothing, to be followed, to wait, a person, or an instance refresh.

`decide` is a function of what was read (`Sight`) and of what a person wants (`Wish`): it calls nothing, so the same
question always has the same answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from .configuration import FleetRules
from .evidence import Evidence
from .group import SUCCESSFUL, Group, Refresh, TemplateVersion
from .record import Attempt, Record
from .windows import Opening, opening, parse_window


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Why a rollout must not start now."""

    text: str
    """In words, without the fleet's name."""
    until: datetime | None = None
    """When it may start by itself; None when a person is needed."""
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    """In which people read that time."""


@dataclass(frozen=True, kw_only=True)
class Sight:
    """A fleet as it was read."""

    group: Group | None
    newest: TemplateVersion | None
    """What it should run: the newest version of its launch template; None when the template does not exist.

    A fleet that takes builds by itself should run the newest version with what its channel points to: that may be one
    that has to be added yet, or the one that the group launches, if it is the same."""
    added: TemplateVersion | None = None
    """The newest version that there is."""
    instead: Sight | None = None
    """Of a fleet that takes builds by itself: what it should run as long as it must not take what its channel points
    to, which is the newest version with the AMI that it runs. None if that is the same."""
    current: TemplateVersion | None = None
    """The version that the group launches."""
    versions: tuple[TemplateVersion, ...] = ()
    """All versions that were read: these two, those that instances in service run, and that of a running refresh."""
    refreshes: tuple[Refresh, ...] = ()
    """Newest first."""
    record: Record = field(default_factory=Record)
    others: Mapping[str, Record] = field(default_factory=dict)
    """The records of the other fleets of the estate in the account and region that run the same image."""
    builds: Mapping[str, str] = field(default_factory=dict)
    """The known builds by AMI."""
    created: Mapping[str, datetime] = field(default_factory=dict)
    """When the known AMIs were made."""
    wanted: str = ""
    """What the channel points to in the fleet's region, or what the pin says."""
    has_wanted: bool = True
    """Whether the newest version has what the channel points to, or a copy of it."""
    faults: tuple[str, ...] = ()
    """What guards say against the AMI of the newest version; empty if it may be launched."""
    holds: tuple[Rule, ...] = ()
    """What holds the image or the channel, and what the channel says against the build."""
    evidence: Evidence = field(default_factory=Evidence)
    """What the fleets of `after` have proved."""
    opening: Opening = field(default_factory=lambda: Opening(True, "", None, ZoneInfo("UTC")))
    """Whether windows and freezes allow a start now."""

    @property
    def refresh(self) -> Refresh | None:
        """The last refresh."""
        return next(iter(self.refreshes), None)

    def build(self, version: TemplateVersion | None) -> str:
        """The build of a version, for people: its version, else its AMI."""
        ami = version.ami if version else ""
        return self.builds.get(ami) or ami or "an unknown AMI"

    @property
    def is_done(self) -> bool:
        """Whether the group launches the newest version, and all instances in service run it."""
        group, newest = self.group, self.newest
        return bool(group and newest and group.launches(newest) and not self.outdated)

    @property
    def is_settled(self) -> bool:
        """Whether all instances in service run the version that the group launches."""
        group, current = self.group, self.current
        return bool(group and current and not group.is_down and all(each.runs(current) for each in group.in_service))

    @property
    def last_try(self) -> Attempt | None:
        """The last rollout that says something about the newest version."""
        launched = self.current.ami if self.current else ""
        return self.record.last_try(self.newest, launched=launched) if self.newest else None

    @property
    def has_stray_ami(self) -> bool:
        """Whether the newest version that there is has another AMI than the group launches."""
        return bool(self.added and self.current and self.current.ami and self.added.ami != self.current.ami)

    @property
    def outdated(self) -> tuple[str, ...]:
        """The IDs of the instances in service that do not run the newest version."""
        if self.group is None or self.newest is None:
            return ()
        return tuple(each.id for each in self.group.in_service if not each.runs(self.newest))


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a person wants beyond the rules."""

    retry: bool = False
    """To try again what did not end well."""
    now: bool = False
    """To start although windows or freezes say that it has to wait."""
    skip_after: bool = False
    """To start although the fleets of `after` have not proved the build."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """All instances in service run the newest version."""

    version: TemplateVersion


@dataclass(frozen=True, kw_only=True)
class Follow:
    """An instance refresh runs."""

    refresh: Refresh


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The last refresh ended otherwise than well, and nothing is started until somebody says so."""

    attempt: Attempt


@dataclass(frozen=True, kw_only=True)
class Wait:
    """It may start by itself later."""

    reasons: tuple[str, ...]
    until: datetime
    """In the time zone in which people read it."""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A person is needed. With everything that is wrong."""

    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Start:
    """An instance refresh has to be started."""

    version: TemplateVersion
    skipped: tuple[str, ...] = ()
    """The rules that the person does not want to wait for."""


Decision = Done | Follow | Ended | Wait | Refused | Start


def decide(rules: FleetRules, sight: Sight, wish: Wish) -> Decision:
    """What has to happen next. The version of a `Start` may have to be added first."""
    decision = _decide(rules, sight, wish)
    if sight.instead and isinstance(decision, Ended | Wait | Refused):
        # what Terraform has changed does not wait for the next build
        other = _decide(rules, sight.instead, wish)
        return other if isinstance(other, Start) else decision
    return decision


def _decide(rules: FleetRules, sight: Sight, wish: Wish) -> Decision:
    group, newest = sight.group, sight.newest
    if group is None or newest is None or group.is_being_deleted:
        return Refused(reasons=(_absent(rules, sight),))
    if sight.refresh and sight.refresh.is_running:
        return Follow(refresh=sight.refresh)
    if rules.is_automatic and not sight.wanted:  # somebody has deleted it, or the stack of the image
        return Refused(reasons=(f"channel {rules.channel} of image {rules.image} is not set in {rules.region}",))
    if sight.is_done and group.is_down:
        return Refused(reasons=(_down(group),))
    if sight.is_done:
        return Done(version=newest)
    last = sight.last_try
    if last and last.has_failed and not wish.retry:
        return Ended(attempt=last)
    if not rules.is_by_goldsmith:
        return _by_terraform(rules, sight, group, newest, wish)
    return _by_goldsmith(rules, sight, group, newest, wish)


def unreadable(rules: FleetRules, record: Record) -> str:
    """Why nothing is started, and no end written down, if the fleet's record cannot be read; empty if it can."""
    if record.is_readable:
        return ""
    remedy = "bring an earlier version of it back, or delete it"
    return f"its record, the parameter {rules.record}, cannot be read: {remedy}"


def _down(group: Group) -> str:
    count = _instances(group.desired)
    return f"none of its {count} is in service: AWS still starts them, or cannot; look at the activity of {group.name}"


def _absent(rules: FleetRules, sight: Sight) -> str:
    if sight.group and sight.group.is_being_deleted:
        return f"group {rules.group} is being deleted"
    if sight.group is None and sight.newest is None:
        return f"{rules.stack} is not deployed: run {rules.deploy}"
    what = "group" if sight.group is None else "launch template"
    return f"{what} {rules.group} does not exist: run {rules.deploy}"


def _by_terraform(rules: FleetRules, sight: Sight, group: Group, newest: TemplateVersion, wish: Wish) -> Decision:
    """Only an apply gives the group another version. What is left undone of that is started again when wanted."""
    if not group.launches(newest):
        text = f"the group launches version {group.version}, and {newest.number} is the newest"
        return Refused(reasons=(f"{text}: Terraform starts this rollout, so run {rules.deploy}",))
    if wish.retry:
        return _allowed(rules, newest, wish, [*_unfit(rules, sight)], [(rule, wish.now) for rule in _closed(sight)])
    count = len(sight.outdated)
    text = f"{_instances(count)} of {len(group.in_service)} do not run version {newest.number}, and no refresh runs"
    return Refused(reasons=(f"{text}: goldsmith rollout {rules.fleet} --retry starts one",))


def _by_goldsmith(rules: FleetRules, sight: Sight, group: Group, newest: TemplateVersion, wish: Wish) -> Decision:
    found = [
        *_unfit(rules, sight),
        *sight.holds,
        *_held_by_others(sight, newest),
        *_unnumbered(rules, group),
    ]
    skippable = [
        *((rule, wish.skip_after) for rule in _unproved(rules, sight)),
        *((rule, wish.now) for rule in _closed(sight)),
    ]
    return _allowed(rules, newest, wish, found, skippable)


def _allowed(
    rules: FleetRules, newest: TemplateVersion, wish: Wish, found: list[Rule], skippable: Sequence[tuple[Rule, bool]]
) -> Refused | Wait | Start:
    """A start, unless a rule says otherwise. `skippable` are rules, each with whether the person skips it."""
    found = [*found, *(rule for rule, is_skipped in skippable if not is_skipped)]
    refused = [rule.text for rule in found if rule.until is None]
    if refused:
        return Refused(reasons=tuple(refused))
    if ends := [(rule.until, rule.zone) for rule in found if rule.until]:
        until, zone = max(ends, key=lambda end: end[0])
        reasons = tuple(rule.text for rule in found)
        if wish.now:
            return Wait(reasons=reasons, until=until.astimezone(zone))
        # windows may be closed, and a freeze hold, when everything else has ended
        then = opening([parse_window(window) for window in rules.windows], rules.freezes, now=until)
        if then.opens is None:
            return Refused(reasons=reasons)
        return Wait(reasons=reasons, until=then.opens.astimezone(zone if then.is_open else then.zone))
    return Start(version=newest, skipped=tuple(rule.text for rule, is_skipped in skippable if is_skipped))


def _unfit(rules: FleetRules, sight: Sight) -> Iterator[Rule]:
    """What a refresh would not change, a record that is none, and what guards say. They never only warn of a version
    that names no AMI: the function would add one after the other."""
    lost = unreadable(rules, sight.record)
    only_warns = rules.warns_only and sight.newest and sight.newest.ami
    for text in (*_left(sight), *((lost,) if lost else ()), *(() if only_warns else sight.faults)):
        yield Rule(text=text)


def _left(sight: Sight) -> Iterator[str]:
    """Instances that the last refresh kept on purpose: another one would keep them too."""
    group, newest, refresh = sight.group, sight.newest, sight.refresh
    if group is None or newest is None or refresh is None or refresh.status != SUCCESSFUL or not group.launches(newest):
        return
    attempt = sight.last_try
    kept = [each for each in group.in_service if not each.runs(newest)]
    if attempt and attempt.refresh == refresh.id and kept and all(each.is_protected for each in kept):
        verb = "is" if len(kept) == 1 else "are"
        yield (
            f"{_instances(len(kept))} of {len(group.in_service)} {verb} protected from scale-in, and the last rollout "
            "kept them: end the protection, or write rollout: {protected_instances: refresh}"
        )


def _held_by_others(sight: Sight, newest: TemplateVersion) -> Iterator[Rule]:
    """The build did not end well in another fleet, which holds it for the others."""
    for fleet, record in sight.others.items():
        last = record.verdict(newest.ami)
        if last and last.holds and last.has_failed:
            why = f" ({last.reason})" if last.reason else ""
            yield Rule(
                text=f"fleet {fleet} holds {sight.build(newest)}, which {last.ended_how} there{why}: roll out another "
                f"build, or run goldsmith rollout {fleet} --retry first"
            )


def _unnumbered(rules: FleetRules, group: Group) -> Iterator[Rule]:
    """AWS does not roll back to a version without a number."""
    if not group.version.isdecimal() and group.template:
        said = f"the group launches version {group.version} of its launch template, and AWS goes back to a number only"
        number, plain = _usual(group), group.policy is None
        template = f"LaunchTemplateId={group.template},Version={number}"
        command = f"aws autoscaling update-auto-scaling-group --auto-scaling-group-name {group.name}"
        remedy = f"run {command} --launch-template {template}" if plain else f"write {number} in its policy"
        yield Rule(text=f"{said}: {remedy}")
    elif not group.template:
        yield Rule(text=f"the group has no launch template: run {rules.deploy}")


def _usual(group: Group) -> str:
    """The version that most instances in service run."""
    runs = Counter(each.version for each in group.in_service if each.template == group.template)
    return runs.most_common(1)[0][0] if runs else "1"


def _unproved(rules: FleetRules, sight: Sight) -> Iterator[Rule]:
    if rules.after:
        for lack in sight.evidence.lacks:
            yield Rule(text=lack.text, until=lack.until)


def _closed(sight: Sight) -> Iterator[Rule]:
    if not sight.opening.is_open:
        yield Rule(text=sight.opening.reason, until=sight.opening.opens, zone=sight.opening.zone)


def _instances(count: int) -> str:
    return f"{count} instance" if count == 1 else f"{count} instances"
