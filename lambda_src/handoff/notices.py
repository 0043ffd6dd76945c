"""Notifications: what happened to an image's channels and builds, one plain sentence each, to e-mail and other topics.

They are about what people want to know: a channel reached a build; a build was refused by the gate, waits too long for
its scan, or is revoked; a channel is held, or not any more. The cache knows what was sent, so that nothing is sent
twice; what could not be sent is sent by the next run. Without the cache, only what happens from now on is sent.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from .answers import ask
from .builds import time_in
from .failures import is_retryable
from .history import Change, Move
from .known_builds import KnownBuilds
from .run import Run

_HOLD, _EVERY = "hold", "*"

SUBJECT_LIMIT = 99  # characters, Publish of SNS takes fewer than 100


@dataclass(frozen=True)
class Topics:
    """The topics of an image: for e-mail, which get plain text, and others, which get what Amazon Q Developer shows."""

    sns: Any
    emails: str
    others: tuple[str, ...]

    def __call__(self, *, subject: str, text: str) -> None:
        """See `run.Publish`. A topic that refuses keeps nothing from the others. At an error that a retry can fix it
        ends, because the retry sends to all topics again."""
        # "Custom notifications" in the administrator guide of Amazon Q Developer in chat applications
        content = {"textType": "client-markdown", "title": subject, "description": text}
        message = json.dumps({"version": "1.0", "source": "custom", "content": content})
        requests: list[dict[str, str]] = [{"TopicArn": topic, "Message": message} for topic in self.others]
        if self.emails:
            requests.insert(0, {"TopicArn": self.emails, "Subject": subject[:SUBJECT_LIMIT], "Message": text})
        refusal: ClientError | None = None
        for request in requests:
            try:
                ask(self.sns.publish, **request)
            except ClientError as error:
                if is_retryable(error):
                    raise
                refusal = refusal or error
        if refusal:
            raise refusal


def announce(run: Run, known: KnownBuilds, *, since: int | None) -> None:
    """Send what is new. `since` is the number of the last move that was sent; None when nobody knows what was sent.

    Moves are sent in their order, each when every region that can be asked shows it.
    """
    if run.publish is None:
        run.cache.announced = run.cache.read
        return
    now, sent = dict(_states(run, known)), set(run.cache.sent)
    for key in sorted(now.keys() - sent):
        if since is None or _send(run, now[key]):
            sent.add(key)
    for key in sorted(sent - now.keys()):
        kind, channel, *_ = key.split(" ", 2)
        if kind != _HOLD or _send(run, f"{_held(channel)} is not held any more."):
            sent.discard(key)
    run.cache.sent = tuple(sorted(sent))
    run.cache.announced = run.cache.read if since is None else since
    for number in range(run.cache.announced + 1, run.cache.read + 1):
        move = run.seen.get(number)
        if move and (_is_under_way(run, move) or not _send(run, sentence(move, but=_missing(run, move)))):
            break  # the next run sends it, and the later ones
        run.cache.announced = number


def _is_under_way(run: Run, move: Move) -> bool:
    """Whether a region that can be asked still has to show a move, or none shows it."""
    pending = [region for region in run.working_regions if region.pending.get(move.channel) == move]
    return bool(pending) or move.changes.keys() <= _missing(run, move)


def _missing(run: Run, move: Move) -> set[str]:
    """The regions that do not show a move yet."""
    unfinished = run.cache.unfinished.items()
    return {region for region, numbers in unfinished if numbers.get(move.channel) == move.number}


def _send(run: Run, text: str) -> bool:
    """Whether it is done with: sent, or refused in a way that another try would not change."""
    with run.failures.collected("notifications") as attempt:
        run.check_time()
        if run.publish:
            run.publish(subject=f"{run.image.label}: {text}", text=f"Image {run.image.label}: {text}")
    return not attempt.retryable


def _states(run: Run, known: KnownBuilds) -> Iterator[tuple[str, str]]:
    """What is so now, each with a key that stays the same as long as it is so."""
    for arn, verdict in run.report.gate.items():
        build = known.get(arn)
        name = shown(arn, build.created if build else None)
        if not verdict.waits:
            yield f"gate {arn}", f"the build {name} does not become latest: {verdict.reason}."
        elif verdict.is_overdue:
            yield (
                f"waits {arn}",
                f"the build {name} has been waiting for a long time to become latest: {verdict.reason}.",
            )
    for build in known.builds:
        if build.revocation and build.is_revoked(run.now):
            since = build.revocation.since.isoformat()
            text = f"the build {shown(build.arn, build.created)} is revoked: {build.revocation.why}."
            yield f"revoked {build.arn} {since}", text
    for channel, hold in run.holds.items():
        if hold.holds_at(run.now):
            end = f" until {when(time_in(hold.until))}" if hold.until else ""
            text = f"{_held(channel or _EVERY)} is held{_by(hold.by)}{end}: {hold.why}."
            yield f"{_HOLD} {channel or _EVERY} {hold.to_json()}", text


def _held(channel: str) -> str:
    return "every channel" if channel == _EVERY else channel


def sentence(move: Move, *, but: Collection[str] = ()) -> str:
    """What a move did, `but` in some regions."""
    changes = {region: change for region, change in move.changes.items() if region not in but}
    first = next(iter(changes.values()))
    same = len({change.build or change.value for change in changes.values()}) == 1
    where = _listed(sorted(changes))
    target = _target(first) if same else "builds that differ by region"
    why = f": {move.why}" if move.why else ""
    return f"{move.channel} points to {target} in {where}, {move.how}{_by(move.by)}{why}."


def _target(change: Change) -> str:
    if not change.build:
        return change.value
    return f"the build {shown(change.build, time_in(change.created))}"


def shown(arn: str, created: datetime | None) -> str:
    """A build as people read it: `24 Nov 03:12, 1.0.671820532/3`."""
    version = "/".join(arn.split("/")[-2:])
    return f"of {when(created)}, {version}," if created else version


def when(time: datetime | None) -> str:
    """A time as people read it, in UTC."""
    return f"{time:%-d %b %H:%M} UTC" if time else "an unknown time"


def _by(arn: str) -> str:
    """` by alice`; nothing for a function, which moves channels by itself."""
    return "" if not arn or ":function:" in arn else f" by {arn.rpartition('/')[2]}"


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
