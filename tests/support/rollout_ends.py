"""What the oracle says about the decision of a clean run, when everything has calmed down."""

from __future__ import annotations

import re
from datetime import UTC, timedelta

from lambda_src.rollout.decisions import Decision, Done, Ended, Follow, Refused, Wait, Wish
from tests.support.memory_rollouts import AUTOMATIC, OPERATORS, RECORDS
from tests.support.rollout_books import UNFOLLOWED
from tests.support.rollout_oracle import Oracle

KINDS = {
    "absent": "^fleet-.* is not deployed|does not exist: run",
    "gone": "does not exist in account",
    "revoked": "is revoked",
    "held": "is held by",
    "behind": "points to",
    "closed": "freeze until|outside its window",
    "after": "has to",
    "canary": "fleet web-canary holds",
    "protected": "protected from scale-in, and the last",
    "terraform": "Terraform starts this rollout",
    "not asked": "do not run version",
    "record": f"^its record, the parameter {RECORDS}/.*, cannot be read",
}
"""How each reason can be recognised in what the rules say."""


def kinds_of(reasons: tuple[str, ...]) -> list[str]:
    """The kinds of some reasons, sorted."""
    found = {kind for reason in reasons for kind, text in KINDS.items() if re.search(text, reason)}
    assert len(found) >= len({reason for reason in reasons if "is held by" not in reason}), reasons
    return sorted(found)


def check_end(oracle: Oracle, fleet: str) -> None:
    """The fleet runs what it should, or the rules have one reason, which is true."""
    decision = _run(oracle, fleet)
    for _ in range(3):  # the clock goes on while AWS works, and what was closed may be open
        if not isinstance(decision, Follow):
            break
        oracle.world.settle([fleet])
        decision = _run(oracle, fleet)
    oracle.check_records(fleet)
    if oracle.world.by[fleet] == AUTOMATIC:
        _check_template(oracle, fleet, decision)
    if isinstance(decision, Done):
        assert oracle.is_done(fleet) and not oracle.is_down(fleet), f"{fleet} does not run what it should"
        return
    if oracle.is_done(fleet):
        assert oracle.is_down(fleet), f"{fleet} is done, got {decision}"
        assert isinstance(decision, Refused) and "none of its" in decision.reasons[0], decision
        return
    if isinstance(decision, Ended):
        _check_ended(oracle, fleet, decision)
        return
    assert isinstance(decision, Refused | Wait), f"{fleet} should have ended: {decision}"
    refusals = oracle.refusals(fleet, Wish())
    found = kinds_of(decision.reasons)
    newest = oracle.aim(fleet)
    if "after" in found and "after" not in refusals and newest and not oracle.is_provable(newest[2]):
        refusals["after"] = isinstance(decision, Wait)  # what would prove it was lost
    if isinstance(decision, Wait):
        assert found == sorted(refusals), f"{fleet}: {decision.reasons}, {refusals}"
        assert all(refusals.values()), f"{fleet} needs a person: {refusals}"
        _check_until(oracle, fleet, decision)
    else:
        needing = sorted(kind for kind, ends_by_itself in refusals.items() if not ends_by_itself)
        assert found == needing, f"{fleet}: {decision.reasons}, {refusals}"
        assert needing, f"{fleet} could wait: {decision}"


def _check_template(oracle: Oracle, fleet: str, decision: Decision) -> None:
    """A fleet that takes builds by itself: its template has the AMI that the group launches, and what Terraform has
    changed waits for nothing but its own reasons."""
    newest, launched = oracle.world.newest(fleet), oracle.world.launched(fleet)
    if newest and launched and not isinstance(decision, Wait):
        assert newest[2] == launched, f"{fleet}: the template has {newest[2]}, and the group launches {launched}"
    instead = oracle.instead(fleet)
    if instead and not isinstance(decision, Done) and not oracle.runs(fleet, instead):
        assert oracle.refusals(fleet, Wish(), instead), f"{fleet} should start {instead}: {decision}"


def _run(oracle: Oracle, fleet: str, wish: Wish | None = None) -> Decision:
    oracle.begin(OPERATORS[0], fleet, wish or Wish())
    return oracle.world.run(fleet, wish)[1]


def _check_ended(oracle: Oracle, fleet: str, decision: Ended) -> None:
    """The rollout that is named is the last one, ended like this, and goes on when somebody says so."""
    newest = oracle.aim(fleet)
    assert newest
    rollout = next(each for each in oracle.log if each.refresh.id == decision.attempt.refresh)
    ends = (rollout.end, UNFOLLOWED) if not oracle.is_remembered(rollout) else (rollout.end,)
    assert rollout.fleet == fleet and decision.attempt.end in ends, f"{decision}, {rollout}"
    assert rollout.ami == newest[2] or (rollout.template, rollout.version) == newest[:2]
    last = oracle.last_try(fleet, newest)
    if decision.attempt.by and last:
        assert last is rollout, f"{fleet}: the last one is {last}, got {decision}"
    wish = Wish(retry=True, now=True, skip_after=True)
    refusals = oracle.refusals(fleet, wish)
    instead = oracle.instead(fleet)
    if refusals and instead and not oracle.runs(fleet, instead) and not oracle.refusals(fleet, wish, instead):
        refusals = {}  # what Terraform has changed is tried again
    again = _run(oracle, fleet, wish)
    if refusals:
        assert isinstance(again, Refused | Wait), f"{fleet}: {again}, {refusals}"
        return
    assert isinstance(again, Follow), f"{fleet} should try again: {again}"
    oracle.world.settle([fleet])


def _check_until(oracle: Oracle, fleet: str, decision: Wait) -> None:
    """It starts at the time that was named, not before, if nothing else changes."""
    cloud = oracle.world.cloud
    until = decision.until.astimezone(UTC)
    before = until - timedelta(minutes=1)
    if before > cloud.now:
        cloud.now = before
        instead = oracle.instead(fleet)
        is_free = instead and not oracle.runs(fleet, instead) and not oracle.refusals(fleet, Wish(), instead)
        early = _run(oracle, fleet)
        if is_free and isinstance(early, Follow):
            oracle.world.settle([fleet])  # what Terraform has changed waits for less
        else:
            assert isinstance(early, Wait | Refused), f"{fleet} starts too early: {early}"
    cloud.now = max(cloud.now, until)
    refusals = oracle.refusals(fleet, Wish())
    late = _run(oracle, fleet)
    if "revoked" in refusals:  # as was planned
        assert isinstance(late, Refused)
        return
    assert isinstance(late, Follow), f"{fleet} should start at {decision.until}: {late}, {refusals}"
    oracle.world.settle([fleet])
