"""Notifications of a fleet's function: how each rollout ended, and that a person is needed, one plain sentence each.

What was sent is remembered in a parameter of its own, and written after it was sent: so nothing is lost, and a sentence
comes twice only if the function ends between the two, or if two runs overlap. It does not matter who writes into the
record that a rollout has ended. The first run of all sends nothing, because nobody knows what was sent before.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ..handoff.answers import ask, member, part
from ..handoff.builds import time_in
from ..handoff.failures import Failures, code_of
from ..handoff.notices import shown
from ..handoff.run import Publish
from .decisions import Sight
from .record import SUCCEEDED, Attempt

if TYPE_CHECKING:  # the Lambda runtime has no type stubs
    from mypy_boto3_ssm import SSMClient

_PATIENCE = timedelta(minutes=9)
"""How long the same need is seen before it is sent: in two runs of the schedule. The instances of a new group start
meanwhile."""
_LONGEST_KEY = 200
_MOST_SEEN, _MOST_KEPT = 20, 60
"""How many of the last rollouts are looked at, and how many are remembered: those that a record which cannot be read
hides for a while, too. A parameter has 4,096 bytes."""

_Send = Callable[[str], bool]
"""Sends a sentence; whether it is done with."""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What people were notified of."""

    ends: tuple[str, ...] | None = None
    """The IDs of the instance refreshes whose end was sent; None as long as no run has seen the fleet."""
    need: str = ""
    """Why a person is needed, without numbers; empty if none is."""
    since: str = ""
    """When that was first seen, in ISO 8601."""
    is_sent: bool = False
    """Whether the need was sent."""


@dataclass(frozen=True)
class Memory:
    """The parameter in which it is remembered."""

    ssm: SSMClient
    name: str

    def read(self) -> Sent | None:
        """None if there is none yet, or if it cannot be read."""
        try:
            answer = ask(self.ssm.get_parameter, Name=self.name)
        except ClientError as error:
            if code_of(error) == "ParameterNotFound":
                return None
            raise
        try:
            members = json.loads(member(part(answer, "Parameter"), "Value", str))
            ends = members["ends"]
            return Sent(**{**members, "ends": None if ends is None else tuple(ends)})
        except (ValueError, KeyError, TypeError):
            return None

    def write(self, sent: Sent) -> None:
        """Remember it."""
        value = json.dumps(asdict(sent), separators=(",", ":")).replace("{{", r"{\u007b")
        ask(self.ssm.put_parameter, Name=self.name, Value=value, Type="String", Overwrite=True)


def announce(
    label: str,
    sight: Sight | None,
    need: Sequence[str],
    *,
    publish: Publish,
    memory: Memory,
    failures: Failures,
    now: datetime,
) -> list[str]:
    """Send what is new; the sentences. `sight` is what a run has seen, and `need` is why a person is needed.

    What could not be sent is sent by the next run, unless another try would not change that: both are in `failures`.
    A run that could not look, and may the next time, does not know whether a person is still needed.
    """
    texts: list[str] = []

    def send(text: str) -> bool:
        with failures.collected("notifications") as attempt:
            publish(subject=f"{label}: {text}", text=f"Fleet {label}: {text}")
            texts.append(text)
        return not attempt.retryable

    with failures.collected("notifications"):
        before = memory.read()
        sent = before or Sent()
        if sight:
            sent = replace(sent, ends=_ends(sight, sent.ends, send, label.rpartition("/")[2]))
        if sight or need:
            sent = _need(need, sent, send, now)
        if sent != (before or Sent()):
            memory.write(sent)
    return texts


def _ends(sight: Sight, before: tuple[str, ...] | None, send: _Send, fleet: str) -> tuple[str, ...]:
    """Send how rollouts ended, the oldest first; the refreshes that are done with. Without `before`, all are."""
    ended = [attempt for attempt in sight.record.attempts[:_MOST_SEEN] if attempt.end and attempt.refresh]
    done = [*before] if before else []
    for attempt in reversed(ended):
        if before is None or attempt.refresh in before or send(sentence(attempt, sight, fleet)):
            done.append(attempt.refresh)
    return tuple(dict.fromkeys(done))[-_MOST_KEPT:]


def _need(reasons: Sequence[str], sent: Sent, send: _Send, now: datetime) -> Sent:
    key = _key(reasons)
    if key != sent.need:
        since = f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if key else ""
        sent = replace(sent, need=key, since=since, is_sent=False)
    since_when = time_in(sent.since)
    if key and not sent.is_sent and since_when and now - since_when >= _PATIENCE:
        return replace(sent, is_sent=send(f"a person is needed: {'; '.join(reasons)}."))
    return sent


def _key(reasons: Iterable[str]) -> str:
    """The same while only numbers, times and IDs in the reasons change, or what EC2 encodes anew in each refusal
    (DecodeAuthorizationMessage in the API reference of AWS STS)."""
    return re.sub(r"(?<=Encoded authorization failure message: )\S+|\d+", "", "; ".join(reasons))[:_LONGEST_KEY]


def sentence(attempt: Attempt, sight: Sight, fleet: str) -> str:
    """How a rollout ended, and what is the case now."""
    what, now = _what(attempt, sight), _runs(sight)
    if attempt.end == SUCCEEDED:
        return f"the rollout of {what} succeeded; {now}."
    why = f": {attempt.reason.rstrip('.')}" if attempt.reason else ""
    again = f"this is not tried again until there is a newer build, or somebody runs goldsmith rollout {fleet} --retry"
    return f"the rollout of {what} {attempt.ended_how}{why}; {now}; {again}."


def _what(attempt: Attempt, sight: Sight) -> str:
    if attempt.build and not attempt.changes_no_ami:
        return f"the build {shown(attempt.build, sight.created.get(attempt.ami))}".rstrip(",")
    if attempt.version:
        return f"version {attempt.version} of the launch template"
    return attempt.ami or "what somebody started"


def _runs(sight: Sight) -> str:
    """What the instances run: `all 4 instances run 1.0.7/2`, `3 instances run 1.0.7/2, 1 runs 1.0.7/1`."""
    instances = sight.group.in_service if sight.group else ()
    versions = {version.key: version for version in sight.versions}
    amis = (versions[each.key].ami if each.key in versions else each.ami for each in instances)
    counts = Counter(sight.builds.get(ami) or ami or "something unknown" for ami in amis)
    if not counts:
        return "it has no instances"
    if len(counts) == 1:
        ((build, count),) = counts.items()
        return f"its instance runs {build}" if count == 1 else f"all {count} instances run {build}"
    return ", ".join(_counted(build, count) for build, count in counts.most_common())


def _counted(build: str, count: int) -> str:
    return f"1 instance runs {build}" if count == 1 else f"{count} instances run {build}"
