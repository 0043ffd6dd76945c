"""How the rollout of a fleet ended, and what a person can do then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from estate.names import LATEST
from lambda_src.rollout.decisions import Sight
from lambda_src.rollout.group import Key, TemplateVersion
from lambda_src.rollout.record import Attempt
from lambda_src.rollout.run import Fleet
from ops.screen import build_label


@dataclass(frozen=True, kw_only=True)
class Result:
    """How the rollout of one fleet ended, or why it did not begin."""

    fleet: str
    state: str
    """done, queued, refused, failed, rolled back, cancelled, rollback failed, not followed to its end, or unknown."""
    reasons: tuple[str, ...] = ()
    until: datetime | None = None
    sight: Sight | None = None
    attempt: Attempt | None = None
    activity: str = ""
    """The launch or termination that failed."""
    is_wanted: bool = False
    """Whether it is what was asked for: `--abort` wants a rollback."""

    @property
    def is_well(self) -> bool:
        """Whether no person is needed."""
        return self.state in ("done", "queued") or self.is_wanted


def build_of(sight: Sight, ami: str) -> str:
    """A build as people read it, with its date first."""
    return build_label(sight.builds.get(ami) or ami or "an unknown AMI", sight.created.get(ami))


def now_holds(result: Result, fleet: Fleet) -> Iterator[str]:
    """What is the case after a rollout that did not end well: what is wanted, and what the instances run."""
    sight, rules = result.sight, fleet.rules
    if sight is None or sight.group is None or sight.newest is None:
        return
    if sight.wanted:
        says = "the pin" if rules.is_pinned else f"{rules.image}@{rules.channel}"
        yield f"{says} says {build_of(sight, sight.wanted)}"
    newest = sight.added or sight.newest
    yield f"the launch template has {build_of(sight, newest.ami)} (version {newest.number})"
    total, known = len(sight.group.in_service), {version.key: version.ami for version in sight.versions}
    for (template, number), count in sorted(_running(sight).items()):
        build = build_of(sight, known[template, number]) if (template, number) in known else "another build"
        other = "" if template == sight.newest.template else " of another launch template"
        verb = "runs" if count == 1 else "run"
        version = f"version {number}{other}" if number else "not from the launch template"
        yield f"{count} of {total} {verb} {build} ({version})"


def _running(sight: Sight) -> Counter[Key]:
    """How many instances in service run each version."""
    return Counter(each.key for each in sight.group.in_service) if sight.group else Counter()


@dataclass(frozen=True)
class Remedy:
    """What a person can do, and the commands for it, one after the other."""

    purpose: str
    commands: tuple[str, ...]


def remedies(result: Result, fleet: Fleet, *, again: Callable[[str], str]) -> Iterator[Remedy]:
    """What a person can do after a rollout that did not end well."""
    sight, rules = result.sight, fleet.rules
    if result.attempt is None or sight is None or sight.newest is None or not result.attempt.has_failed:
        return
    rollout = again(f"rollout {rules.fleet}")
    deploy = (again(f"plan {rules.stack}"), again("apply cdktf.out/plans"))
    apply = (rollout,) if rules.is_automatic else (*deploy, rollout)
    yield Remedy("to try again", (again(f"rollout {rules.fleet} --retry"),))
    previous = _previous(sight, sight.newest)
    if rules.is_pinned and previous:
        yield Remedy(f"to go back: git revert the commit that changed the pin of {rules.fleet}", apply)
        return
    if not sight.has_wanted:
        says = "its pin" if rules.is_pinned else f"{rules.image}@{rules.channel}"
        yield Remedy(f"to take what {says} says", apply)
        return
    if previous is None:
        yield Remedy(f"to go back: revert the change of {rules.fleet} in the configuration", (*deploy, rollout))
    elif rules.channel == LATEST:
        bad = f"{rules.image}@{sight.builds.get(sight.newest.ami) or 'BUILD'}"
        yield Remedy("to go back", (again(f"revoke {bad} --why REASON"), *apply))
    else:
        to = f" --to {build}" if (build := sight.builds.get(previous.ami)) else ""
        yield Remedy("to go back", (again(f"rollback {rules.image}@{rules.channel}{to}"), *apply))


def _previous(sight: Sight, newest: TemplateVersion) -> TemplateVersion | None:
    """The version with another AMI that most instances run, else the one that the group launches; None without one."""
    others = {version.key: version for version in sight.versions if version.ami not in ("", newest.ami)}
    for key, _ in _running(sight).most_common():
        if key in others:
            return others[key]
    return sight.current if sight.current and sight.current.key in others else None
