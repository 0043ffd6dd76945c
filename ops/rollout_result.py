"""How the rollout of a fleet ended, and what a person can do then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from lambda_src.rollout.decisions import Sight
from lambda_src.rollout.record import Attempt
from lambda_src.rollout.run import Fleet
from ops.screen import build_label


@dataclass(frozen=True, kw_only=True)
class Result:
    """How the rollout of one fleet ended, or why it did not begin."""

    fleet: str
    state: str
    """done, queued, refused, failed, rolled back, cancelled, rollback failed, or unknown."""
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
        yield f"{rules.image}@{rules.channel} says {build_of(sight, sight.wanted)}"
    yield f"the launch template has {build_of(sight, sight.newest.ami)} (version {sight.newest.number})"
    total = len(sight.group.in_service)
    runs: dict[str, int] = {}
    for instance in sight.group.in_service:
        runs[instance.version] = runs.get(instance.version, 0) + 1
    known = {str(version.number): version.ami for version in (sight.newest, sight.current) if version}
    for number, count in sorted(runs.items()):
        build = build_of(sight, known[number]) if number in known else "another build"
        verb = "runs" if count == 1 else "run"
        yield f"{count} of {total} {verb} {build} ({f'version {number}' if number else 'not from the launch template'})"


def remedies(result: Result, fleet: Fleet, *, again: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """What a person can do after a rollout that did not end well: for what, and the command."""
    sight, rules, attempt = result.sight, fleet.rules, result.attempt
    if attempt is None or sight is None or result.is_well:
        return
    yield "to try again", again(f"rollout {rules.fleet} --retry")
    previous = sight.builds.get(sight.current.ami, "") if sight.current else ""
    same = sight.newest is None or sight.current is None or sight.newest.ami == sight.current.ami
    if same:
        yield "to go back", f"revert the change of fleet {rules.fleet}, and run make deploy STACK={rules.stack}"
    elif rules.channel != "latest":
        to = f" --to {rules.image}@{previous}" if previous else ""
        back = again(f"rollback {rules.image}@{rules.channel}{to}")
        yield "to go back", f"{back}, then make deploy STACK={rules.stack}"
    else:
        bad = sight.builds.get(sight.newest.ami, "BUILD") if sight.newest else "BUILD"
        revoke = again(f"revoke {rules.image}@{bad} --why REASON")
        yield "to go back", f"{revoke}, then make deploy STACK={rules.stack}"
