"""What goes wrong in runs of operators, and two operators whose calls alternate."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from lambda_src.rollout.decisions import Wish
from lambda_src.rollout.look import FAILURES
from tests.support.memory_aws import Call, Crash, refusal
from tests.support.memory_rollouts import OPERATORS, RolloutWorld
from tests.support.rollout_oracle import Oracle
from tests.support.turns import Turns

OPERATIONS = [
    *("StartInstanceRefresh", "StartInstanceRefresh", "StartInstanceRefresh", "PutParameter", "PutParameter"),
    *("DescribeInstanceRefreshes", "DescribeAutoScalingGroups", "GetParametersByPath", "DescribeImages"),
    *("DescribeLaunchTemplateVersions", "CreateLaunchTemplateVersion", "CreateLaunchTemplateVersion"),
    *("RollbackInstanceRefresh", "CancelInstanceRefresh"),
]
KINDS = ["refused", "lost", "lost", "ends before", "ends after", "ends after", "late", "something happens"]
MEANWHILE = ["a build", "an apply", "a hold", "revoked", "goes on", "ends", "fails", "cancelled", "channel back"]


@dataclass(frozen=True)
class Fault:
    """What happens at one call of a run."""

    operation: str
    number: int
    """Which one of the calls of this operation, from 0."""
    kind: str
    meanwhile: str


FAULTS = st.none() | st.builds(
    Fault, st.sampled_from(OPERATIONS), st.integers(0, 2), st.sampled_from(KINDS), st.sampled_from(MEANWHILE)
)


@dataclass(frozen=True)
class Act:
    """What an operator does: a run with a wish, or an abort."""

    fleet: str
    wish: Wish | None
    fault: Fault | None = None


class Operators:
    """Act on a world, which the oracle watches. `happens` lets something of `MEANWHILE` happen."""

    def __init__(self, world: RolloutWorld, oracle: Oracle, happens: Callable[[str], None]) -> None:
        self.late: list[Call] = []
        """Writes of records that have not arrived."""
        self._world, self._oracle, self._let_happen = world, oracle, happens
        self._faults: dict[str, Fault] = {}
        self._seen: dict[str, int] = {}
        self._happens: dict[int, str] = {}
        self._turns = Turns()
        self._is_inside = False
        world.cloud.before, world.cloud.after = self._before, self._after

    def act(self, acts: Sequence[Act], *, seed: int = 0) -> None:
        """Let one or two act; `seed` says in which order the calls of two come. Raises AssertionError for what the
        oracle does not allow."""
        named = dict(zip(OPERATORS, acts, strict=False))
        self._faults = {user: act.fault for user, act in named.items() if act.fault}
        self._seen, self._happens = {}, {}
        functions = [self._function(user, act, is_alone=len(acts) == 1) for user, act in named.items()]
        if len(functions) == 1:
            functions[0]()
        else:
            self._turns.take(functions, choose=random.Random(seed).randrange)
        self._faults, self._is_inside = {}, False
        assert not self._oracle.violations, self._oracle.violations

    def _function(self, user: str, act: Act, *, is_alone: bool) -> Callable[[], None]:
        def function() -> None:
            self._oracle.begin(user, act.fleet, act.wish or Wish())
            try:
                if act.wish is None:
                    self._world.abort(act.fleet, user=user)
                else:
                    decision = self._world.run(act.fleet, act.wish, user=user)[1]
                    self._oracle.finish(user, decision, is_alone=is_alone and act.fault is None)
            except Crash:
                pass
            except FAILURES as error:
                if act.fault is None:
                    self._oracle.violations.append(f"{act.fleet} fails without a fault: {error}")

        return function

    def _before(self, call: Call) -> None:
        if call.user not in OPERATORS or self._is_inside:
            return
        self._turns.pause()
        kind = self._kind_at(call)
        if kind == "refused":
            raise refusal("ThrottlingException", call.operation)
        if kind == "late" and call.operation == "PutParameter":
            self.late.append(call)
        if kind in ("ends before", "late"):
            raise Crash
        if kind == "something happens":
            self._is_inside = True
            self._let_happen(self._faults[call.user].meanwhile)
            self._is_inside = False

    def _after(self, call: Call) -> None:
        self._oracle.watch(call)
        kind = self._happens.pop(id(call), "")
        if kind == "lost":
            raise refusal("InternalFailure", call.operation, status=500)
        if kind == "ends after":
            raise Crash

    def _kind_at(self, call: Call) -> str:
        """What the fault of an operator's run does at a call; it happens once."""
        fault = self._faults.get(call.user)
        if fault is None or call.operation != fault.operation:
            return ""
        self._seen[call.user] = self._seen.get(call.user, 0) + 1
        if self._seen[call.user] - 1 != fault.number:
            return ""
        self._happens[id(call)] = fault.kind
        return fault.kind
