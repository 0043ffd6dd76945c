"""What a fleet tried and how it ended: one parameter in the fleet's account and region.

AWS forgets instance refreshes after six weeks, and does not know which build a refresh was for. So whoever starts or
follows a rollout writes the parameter `/goldsmith/<namespace>/fleets/<fleet>`. What AWS still knows is added at each
look, so a record that was lost, or written by two at the same time, loses nothing that AWS knows.

A parameter with another value, which somebody has written, is not a record. It is never written over, so that somebody
can bring back an earlier version, which may have what AWS has forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ..handoff.answers import ask, entries, member, pages, text
from ..handoff.builds import time_in
from ..handoff.failures import code_of
from .group import ROLLED_BACK, SUCCESSFUL, Refresh, TemplateVersion

if TYPE_CHECKING:  # the Lambda runtime has no type stubs
    from mypy_boto3_ssm import SSMClient

LIMIT = 4096
"""Bytes of a parameter of the standard tier."""
_LONGEST_TEXT = 200
_MOST_BYTES = 1000
_MOST_ATTEMPTS = 20
_CONSISTENT = timedelta(days=1)
"""After which AWS surely shows a refresh that was started."""

SUCCEEDED = "succeeded"
WENT_BACK = "rolled back"
CANCELLED = "cancelled"
UNFOLLOWED = "not followed to its end"
"""The end of a rollout that AWS has forgotten, or whose group was deleted, before anybody looked again."""
_ENDS = {
    SUCCESSFUL: SUCCEEDED,
    ROLLED_BACK: WENT_BACK,
    "RollbackFailed": "rollback failed",
    "Failed": "failed",
    "Cancelled": CANCELLED,
}
_HOW = {
    "": "goes on",
    SUCCEEDED: "ended well",
    WENT_BACK: "was rolled back",
    "rollback failed": "failed, and could not be rolled back",
    "failed": "failed",
    CANCELLED: "was cancelled",
    UNFOLLOWED: "was not followed to its end",
}


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One rollout of a fleet."""

    refresh: str
    """The ID of the instance refresh."""
    template: str
    version: str
    """The number of the template's version; empty if that is not known."""
    ami: str = ""
    build: str = ""
    """`1.0.671820532/3`; empty if that is not known."""
    previous_ami: str = ""
    """What the group launched before."""
    by: str = ""
    """The ARN of who started it; empty if it was not started by these rules."""
    why: str = ""
    started: str = ""
    """ISO 8601, as `ended`."""
    ended: str = ""
    end: str = ""
    """succeeded, rolled back, rollback failed, failed, cancelled or not followed to its end; empty while it runs."""
    reason: str = ""
    """AWS's reason."""
    holds: bool = False
    """Whether other fleets of the account and region must not take the build, unless it succeeded."""

    @property
    def has_failed(self) -> bool:
        """Whether it ended otherwise than well."""
        return self.end not in ("", SUCCEEDED)

    @property
    def ended_how(self) -> str:
        """Its end as a part of a sentence: `was rolled back`."""
        return how_it_ended(self.end)

    @property
    def ended_why(self) -> str:
        """The same with AWS's reason: `was rolled back (alarm web-5xx)`."""
        return f"{self.ended_how} ({self.reason.rstrip('.')})" if self.reason else self.ended_how

    @property
    def changes_no_ami(self) -> bool:
        """Whether the group launched the same AMI before, so that something else changed."""
        return bool(self.ami) and self.ami == self.previous_ami

    def is_for(self, version: TemplateVersion) -> bool:
        """Whether it was for a version of a template."""
        return (self.template, self.version) == version.key

    def brought(self, ami: str) -> bool:
        """Whether its end says something about an AMI: it was new in the group, or the rollout ended well."""
        return bool(ami) and self.ami == ami and (self.end == SUCCEEDED or not self.changes_no_ami)


def how_it_ended(end: str) -> str:
    """The end of an attempt as a part of a sentence; a newer program may have written another one into the record."""
    return _HOW.get(end, f"ended as {end!r}")


@dataclass(frozen=True, kw_only=True)
class Record:
    """The rollouts of a fleet that are known, newest first."""

    attempts: tuple[Attempt, ...] = ()
    is_readable: bool = True
    """Whether the parameter, if there is one, is a record. If not, it must not be written, and nothing is started."""

    @property
    def builds(self) -> dict[str, str]:
        """The builds in it by AMI, also of AMIs that do not exist any more."""
        return {attempt.ami: attempt.build for attempt in self.attempts if attempt.ami and attempt.build}

    def last_try(self, version: TemplateVersion, *, launched: str) -> Attempt | None:
        """The last rollout that says something about a version: one for it, or one that brought its AMI, unless that is
        the AMI that the group launches already (`launched`)."""
        tries = (each for each in self.attempts if each.is_for(version) or each.brought(version.ami))
        if version.ami == launched:
            tries = (each for each in self.attempts if each.is_for(version))
        return next(tries, None)

    def verdict(self, ami: str) -> Attempt | None:
        """What the fleet says about an AMI: the last rollout that has ended and brought it. A retry that runs has not
        ended well yet, so it changes nothing."""
        return next((attempt for attempt in self.attempts if attempt.end and attempt.brought(ami)), None)

    def started(self, attempt: Attempt) -> Record:
        """With a rollout that was started."""
        others = (each for each in self.attempts if each.refresh != attempt.refresh)
        return replace(self, attempts=(attempt, *others))

    def released(self, ami: str) -> Record:
        """Without holds of an AMI, because the fleet runs it although a rollout of it did not end well."""
        return replace(
            self,
            attempts=tuple(
                replace(each, holds=False) if each.has_failed and each.ami == ami else each for each in self.attempts
            ),
        )

    def to_json(self) -> str:
        """The parameter's value: at most 4,096 bytes. Of many attempts, the oldest are left out."""
        attempts = [_compact(attempt) for attempt in self.attempts[:_MOST_ATTEMPTS]]
        while True:
            value = json.dumps({"attempts": attempts}, separators=(",", ":"))
            # Parameter Store refuses values with {{ ("Value" in the API reference of PutParameter)
            value = value.replace("{{", r"{\u007b")
            if len(value) <= LIMIT:  # ASCII
                return value
            attempts.pop()

    @staticmethod
    def from_json(written: str) -> Record:
        """From the parameter's value, without attempts that cannot be read, because AWS knows the last weeks."""
        try:
            members = json.loads(written)["attempts"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return Record(is_readable=False)
        if not isinstance(members, list):
            return Record(is_readable=False)
        return Record(attempts=tuple(attempt for each in members if (attempt := _attempt(each))))


def _compact(attempt: Attempt) -> dict[str, Any]:
    """Without what is empty, and with texts that are not too long."""
    cut = replace(attempt, reason=_short(attempt.reason), why=_short(attempt.why))
    return {name: value for name, value in asdict(cut).items() if value}


def _short(written: str) -> str:
    """A text that takes at most 1,000 bytes of the value, so that there is always room for one attempt."""
    cut = written if len(written) <= _LONGEST_TEXT else f"{written[: _LONGEST_TEXT - 1]}…"
    while len(json.dumps(cut)) > _MOST_BYTES:
        cut = f"{cut[:-2]}…"
    return cut


def _attempt(members: Any) -> Attempt | None:
    """Without members of a newer program. None when a member has another type."""
    if not isinstance(members, Mapping):
        return None
    known = {name: value for name, value in members.items() if name in Attempt.__dataclass_fields__}
    if not all(isinstance(value, bool if name == "holds" else str) for name, value in known.items()):
        return None
    return Attempt(**{"refresh": "", "template": "", "version": "", **known})


def completed(
    record: Record,
    refreshes: Sequence[Refresh],
    *,
    versions: Iterable[TemplateVersion],
    current: TemplateVersion | None,
    builds: Mapping[str, str],
    holds: bool = False,
) -> Record:
    """A record with what AWS knows: how each attempt ended, and refreshes that are not in it.

    `refreshes` are the last ones, newest first. `versions` are the known versions of the fleet's template, `current` is
    the one that the group launches, and `builds` are the known builds by AMI. `holds` is for refreshes that are not in
    the record.
    """
    known = {attempt.refresh: attempt for attempt in record.attempts}
    all_versions = {version.key: version for version in versions}
    seen: list[str] = []
    launches_same = True  # whether the group has launched the same version since
    for refresh in refreshes:
        # what has no configuration, such as a refresh by hand, brings nothing that others could take
        found = Attempt(refresh=refresh.id, template="", version="", holds=holds and refresh.has_configuration)
        attempt = known.get(refresh.id, found)
        if not attempt.ami:
            version = current if launches_same and _is_for(refresh, current) else None
            attempt = _identified(attempt, refresh, all_versions.get(refresh.key, version))
        end = _ENDS.get(refresh.status, "")
        if refresh.has_configuration and end == SUCCEEDED:
            launches_same = False
        # only of the last one, because Terraform gives the group another version before it starts the next one
        is_back = refresh is refreshes[0] and refresh.has_configuration and end != SUCCEEDED
        if refresh.id not in known and is_back and current:
            attempt = replace(attempt, previous_ami=current.ami)
        ended = _written(refresh.ended) if end else ""
        seen.append(refresh.id)
        known[refresh.id] = replace(
            attempt,
            build=attempt.build or builds.get(attempt.ami, ""),
            started=_written(refresh.started) or attempt.started,
            ended=ended or attempt.ended,
            end=end or attempt.end,
            reason=(refresh.rollback or refresh.reason) if end and end != SUCCEEDED else "",
        )
    # those of AWS in its order, because two may have begun in one second; one that has not begun yet has no time
    places = {identity: -place for place, identity in enumerate(seen)}
    newest_first = sorted(
        known.values(),
        key=lambda each: (each.started or each.ended or "9", places.get(each.refresh, -len(seen))),
        reverse=True,
    )
    return replace(record, attempts=tuple(newest_first))


def _is_for(refresh: Refresh, current: TemplateVersion | None) -> bool:
    """Whether a refresh is for the version that the group launches, because it has no configuration of its own."""
    if refresh.has_configuration or current is None:
        return False
    return bool(refresh.started and current.created and current.created <= refresh.started)


def _identified(attempt: Attempt, refresh: Refresh, version: TemplateVersion | None) -> Attempt:
    """With the version that a refresh was for, which somebody else may have started, for example Terraform."""
    if version is None:
        return replace(attempt, template=refresh.template, version=refresh.version)
    return replace(attempt, template=version.template, version=str(version.number), ami=version.ami)


def closed(record: Record, refreshes: Iterable[Refresh], *, now: datetime) -> Record:
    """A record in which every attempt has an end that AWS does not know any more.

    Those that AWS knows have a time: it does not say one of a pending refresh, which it may have forgotten before the
    next look.
    """
    seen = {refresh.id for refresh in refreshes}

    def ended(attempt: Attempt) -> Attempt:
        if attempt.end:
            return attempt
        if attempt.refresh in seen:
            return attempt if attempt.started else replace(attempt, started=_written(now))
        started = time_of(attempt.started)
        is_new = started is not None and now - started < _CONSISTENT
        return attempt if is_new else replace(attempt, end=UNFOLLOWED)

    return replace(record, attempts=tuple(map(ended, record.attempts)))


def _written(time: datetime | None) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if time else ""


def time_of(written: str) -> datetime | None:
    """A time of an attempt."""
    return time_in(written)


def read_records(ssm: SSMClient, folder: str) -> dict[str, Record]:
    """The records of the fleets of an estate in the client's account and region, by fleet. `folder` is their path."""
    records = {}
    for page in pages(ssm, "get_parameters_by_path", Path=folder):
        for parameter in entries(page, "Parameters"):
            name = member(parameter, "Name", str).rpartition("/")[2]
            records[name] = Record.from_json(text(parameter, "Value") or "")
    return records


def write_record(ssm: SSMClient, name: str, record: Record, *, tags: Mapping[str, str]) -> None:
    """Write a record; `tags` are for a parameter that is new."""
    value = record.to_json()
    listed: Any = [{"Key": key, "Value": tag} for key, tag in tags.items()]
    try:  # tags and an overwrite exclude each other
        ask(ssm.put_parameter, Name=name, Value=value, Type="String", Tags=listed)
    except ClientError as error:
        if code_of(error) != "ParameterAlreadyExists":
            raise
        ask(ssm.put_parameter, Name=name, Value=value, Type="String", Overwrite=True)
