"""What a fleet tried and how it ended: one parameter in the fleet's account and region.

AWS forgets instance refreshes after six weeks, and does not know which build a refresh was for. So whoever starts or
follows a rollout writes the parameter `/goldsmith/<namespace>/fleets/<fleet>`. What AWS still knows is added at each
look, so a record that was lost, or written by two at the same time, loses nothing that AWS knows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
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
_MOST_ATTEMPTS = 20

SUCCEEDED = "succeeded"
WENT_BACK = "rolled back"
_ENDS = {
    SUCCESSFUL: SUCCEEDED,
    ROLLED_BACK: WENT_BACK,
    "RollbackFailed": "rollback failed",
    "Failed": "failed",
    "Cancelled": "cancelled",
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
    """succeeded, rolled back, rollback failed, failed or cancelled; empty while it runs."""
    reason: str = ""
    """AWS's reason."""
    holds: bool = False
    """Whether other fleets of the account and region must not take the build, unless it succeeded."""

    @property
    def has_failed(self) -> bool:
        """Whether it ended otherwise than well."""
        return self.end not in ("", SUCCEEDED)

    @property
    def changes_no_ami(self) -> bool:
        """Whether the group launched the same AMI before, so that something else changed."""
        return bool(self.ami) and self.ami == self.previous_ami

    def tried(self, version: TemplateVersion) -> bool:
        """Whether it was for a version of a template, or brought the AMI of that version."""
        if (self.template, self.version) == (version.template, str(version.number)):
            return True
        return bool(self.ami) and self.ami == version.ami and not self.changes_no_ami


@dataclass(frozen=True, kw_only=True)
class Record:
    """The rollouts of a fleet that are known, newest first."""

    attempts: tuple[Attempt, ...] = ()

    def last_try(self, version: TemplateVersion) -> Attempt | None:
        """The last rollout of a version, or of the AMI in it."""
        return next((attempt for attempt in self.attempts if attempt.tried(version)), None)

    def started(self, attempt: Attempt) -> Record:
        """With a rollout that was started."""
        others = (each for each in self.attempts if each.refresh != attempt.refresh)
        return Record(attempts=(attempt, *others))

    def to_json(self) -> str:
        """The parameter's value: at most 4,096 bytes. Of many attempts, the oldest are left out."""
        attempts = [_compact(attempt) for attempt in self.attempts[:_MOST_ATTEMPTS]]
        while True:
            value = json.dumps({"attempts": attempts}, separators=(",", ":"))
            if len(value) <= LIMIT:  # ASCII
                return value
            attempts.pop()

    @staticmethod
    def from_json(written: str) -> Record:
        """From the parameter's value; an empty record for one that cannot be read, because AWS knows the last weeks."""
        try:
            members = json.loads(written)["attempts"]
            attempts = tuple(_attempt(each) for each in members)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return Record()
        return Record(attempts=attempts)


def _compact(attempt: Attempt) -> dict[str, Any]:
    """Without what is empty, and with texts that are not too long."""
    cut = replace(attempt, reason=_short(attempt.reason), why=_short(attempt.why))
    return {name: value for name, value in asdict(cut).items() if value}


def _short(written: str) -> str:
    return written if len(written) <= _LONGEST_TEXT else f"{written[: _LONGEST_TEXT - 1]}…"


def _attempt(members: Mapping[str, Any]) -> Attempt:
    fields = Attempt.__dataclass_fields__
    known = {name: value for name, value in members.items() if name in fields}
    attempt = Attempt(**{"refresh": "", "template": "", "version": "", **known})
    if not all(isinstance(value, bool if name == "holds" else str) for name, value in asdict(attempt).items()):
        raise TypeError("a member has another type")
    return attempt


def completed(
    record: Record,
    refreshes: Iterable[Refresh],
    *,
    versions: Iterable[TemplateVersion],
    builds: Mapping[str, str],
    holds: bool = False,
) -> Record:
    """A record with what AWS knows: how each attempt ended, and refreshes that are not in it.

    `versions` are the known versions of the fleet's template, and `builds` are the known builds by AMI. A refresh
    without a desired configuration is for the newest of them that existed at its start. `holds` is for refreshes that
    are not in the record.
    """
    known = {attempt.refresh: attempt for attempt in record.attempts}
    all_versions = sorted(versions, key=lambda version: version.number, reverse=True)
    for refresh in refreshes:
        attempt = known.get(refresh.id) or replace(_found(refresh, all_versions), holds=holds)
        end = _ENDS.get(refresh.status, "")
        ended = _written(refresh.ended) if end else ""
        known[refresh.id] = replace(
            attempt,
            build=attempt.build or builds.get(attempt.ami, ""),
            started=_written(refresh.started) or attempt.started,
            ended=ended or attempt.ended,
            end=end or attempt.end,
            reason=(refresh.rollback or refresh.reason) if end and end != SUCCEEDED else "",
        )
    # one that AWS has not begun yet has no time
    newest_first = sorted(known.values(), key=lambda attempt: attempt.started or "9", reverse=True)
    return Record(attempts=tuple(newest_first))


def _found(refresh: Refresh, versions: Iterable[TemplateVersion]) -> Attempt:
    """A refresh that somebody else started, for example Terraform."""
    for version in versions:
        is_wanted = (refresh.template, refresh.version) == (version.template, str(version.number))
        existed = refresh.started and version.created and version.created <= refresh.started
        if is_wanted or (not refresh.has_configuration and existed):
            return Attempt(refresh=refresh.id, template=version.template, version=str(version.number), ami=version.ami)
    return Attempt(refresh=refresh.id, template=refresh.template, version=refresh.version)


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
