"""A channel in Parameter Store: its name, what it points to, its history, and how to move it.

A channel is a parameter `/imagebuilder/<namespace>/<image>/<channel>` of type String in each region. Its data type is
aws:ec2:image, or text for a container image. The description of each version is a small JSON record of the build that
it points to, so one write changes value and record together, and the parameter's history is the audit trail.

Somebody who writes a parameter without a description keeps the description before, and a description can be copied. So
a record has a `seal`, which follows from the region, the parameter and the value: one that does not fit is no record.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from .answers import ask, entries, member, pages, text
from .failures import NotYet, code_of

if TYPE_CHECKING:  # the Lambda runtime has no type stubs
    from mypy_boto3_ssm import SSMClient

LATEST = "latest"
DESCRIPTION_LIMIT = 1024  # characters, PutParameter
MOST_VERSIONS = 1000
"""How many versions of a channel in the home region are known at most; Parameter Store itself keeps 100."""

HOLD = "_hold"
"""The parameter that holds all channels of an image; `_hold-<channel>` holds one of them."""
_NO_CHANNEL = "_"
"""The start of the names of parameters that are no channels: names of channels have no underscore."""

_LEFT_OUT_OF_LONG_RECORDS = ((), ("parent",), ("previous",), ("parent", "previous"))
"""Which members are left out of a record that is too long; the first entry that makes it short enough. Image Builder
knows the parent, and Parameter Store's history has the previous value."""

_HISTORY_SHOWS_WITHIN = (0.1, 0.3, 0.6)
"""The waits, in seconds, for a history that does not have a parameter's present version yet."""

_SAME_TIME = timedelta(seconds=1)
"""How far two answers about the time of one version may differ: nothing says that both have the same precision."""


@dataclass(frozen=True)
class Version:
    """One version of a channel's parameter in one region."""

    value: str
    version: int
    modified: datetime
    record: Mapping[str, str]
    """move, build, created, parent, previous, by, how, why, skipped; empty when the description is no record of this
    value."""
    user: str = ""
    """The ARN of who wrote it, as Parameter Store says."""

    @property
    def build(self) -> str:
        """The ARN of the build that the record names; empty when it names none."""
        return self.record.get("build", "")

    @property
    def move(self) -> int:
        """The number of its move in the history bucket; 0 for a version without one: it was written by hand, by a
        command while the home region was down, or before there was a bucket."""
        number = self.record.get("move", "")
        return int(number) if number.isdecimal() else 0

    @property
    def is_by_hand(self) -> bool:
        """Whether it has no record. That of an AMI that no build made names no build."""
        return not self.build and "how" not in self.record


@dataclass(frozen=True)
class Channel:
    """A channel in one region, with its history."""

    versions: tuple[Version, ...]
    """The known versions, oldest first; the last one is the present one, so there is always one."""

    @property
    def move(self) -> int:
        """The number of the present version's move."""
        return self.present.move

    @property
    def newest_move(self) -> int:
        """The greatest number of a move in all versions: the present one has a smaller number when a slow writer has
        put the value of an older move over that of a newer one."""
        return max(version.move for version in self.versions)

    @property
    def without_moves(self) -> Iterator[tuple[Version | None, Version]]:
        """The versions that no move explains, each with the one before: those without a move, and those that bring the
        value and the record of an earlier move back over one without."""
        before: Version | None = None
        newest = 0
        for version in self.versions:
            if not version.move or (before and not before.move and version.move <= newest):
                yield before, version
            before, newest = version, max(newest, version.move)

    @property
    def present(self) -> Version:
        """What the channel points to."""
        return self.versions[-1]

    @property
    def value(self) -> str:
        """The present value."""
        return self.present.value

    @property
    def version(self) -> int:
        """The number of the present version."""
        return self.present.version

    @property
    def modified(self) -> datetime:
        """When the present version was written."""
        return self.present.modified

    @property
    def record(self) -> Mapping[str, str]:
        """The record of the present version."""
        return self.present.record

    @property
    def history(self) -> tuple[str, ...]:
        """The known values, oldest first; the last one is the present value."""
        return tuple(version.value for version in self.versions)


@dataclass(frozen=True)
class Folder:
    """What Parameter Store has for an image in one region."""

    channels: dict[str, Channel]
    """The channels by name."""
    holds: dict[str, str]
    """The values of the parameters that hold channels, by the channel; `""` is for all channels."""


def in_use(channels: Mapping[str, Channel]) -> set[str]:
    """The values that must be kept: those that a channel points to, or pointed to as far back as its history goes.

    `latest` moves to every good build in turn, so only its present value and the one before it count: a fleet that
    follows `latest` may not have been applied since the last move. The same value can be in the history twice in a
    row, when two runs wrote it at the same time; it counts once.
    """
    found: set[str] = set()
    for name, channel in channels.items():
        newest_first = list(dict.fromkeys(reversed(channel.history)))
        found.update(newest_first[:2] if name == LATEST else newest_first)
    return found


def channel_path(*, namespace: str, image: str) -> str:
    """The path of an image's channels. Image Builder's own role may read parameters below `/imagebuilder/` only."""
    return f"/imagebuilder/{namespace}/{image}"


def read_channels(ssm: SSMClient, *, path: str, known: Mapping[str, Channel] | None = None) -> dict[str, Channel]:
    """Every channel of an image in the region of `ssm`, by its name: see `read_folder`."""
    return read_folder(ssm, path=path, known=known).channels


def read_folder(
    ssm: SSMClient, *, path: str, known: Mapping[str, Channel] | None = None, most_versions: int = MOST_VERSIONS
) -> Folder:
    """Every channel of an image in the region of `ssm`, and its holds; empty before the first good build.

    One call for all parameters, and one for the history of each channel. The history of a channel that is unchanged
    since `known`, an earlier answer, is not read again. Raises NotYet when a history does not show the present version,
    GarbledAnswer, and what boto3 raises.
    """
    folder = Folder({}, {})
    for parameter in _entries(ssm, "get_parameters_by_path", Path=path):
        name = member(parameter, "Name", str)
        channel = name.rsplit("/", 1)[-1]
        if channel.startswith(_NO_CHANNEL):
            folder.holds.update(_hold(channel, parameter))
            continue
        before = (known or {}).get(channel)
        folder.channels[channel] = _channel(ssm, name, parameter, before, most_versions)
    return folder


def read_holds(ssm: SSMClient, *, path: str) -> dict[str, str]:
    """The values of the parameters that hold channels of an image, as in `Folder`. Raises what `read_folder` raises."""
    holds: dict[str, str] = {}
    for parameter in _entries(ssm, "get_parameters_by_path", Path=path):
        holds.update(_hold(member(parameter, "Name", str).rsplit("/", 1)[-1], parameter))
    return holds


def hold_parameter(channel: str) -> str:
    """The last part of the name of the parameter that holds a channel; `""` is for all channels."""
    return f"{HOLD}-{channel}" if channel else HOLD


def _hold(name: str, parameter: Mapping[str, Any]) -> dict[str, str]:
    """The value of a hold's parameter by its channel; empty for another parameter."""
    channel = name.removeprefix(HOLD).removeprefix("-")
    return {channel: member(parameter, "Value", str)} if name == hold_parameter(channel) else {}


def _channel(
    ssm: SSMClient, name: str, parameter: Mapping[str, Any], before: Channel | None, most_versions: int
) -> Channel:
    """A channel with its history, of which `before` is an earlier answer."""
    number, value = member(parameter, "Version", int), member(parameter, "Value", str)
    modified = member(parameter, "LastModifiedDate", datetime)
    if before and (before.version, before.value, before.modified) == (number, value, modified):
        return before
    # The description comes from the history, because DescribeParameters cannot be allowed for one image only.
    history = _history(ssm, name, number)
    shown = [history[each] for each in sorted(history) if each < number] + [{**history[number], **parameter}]
    versions = [_version(ssm.meta.region_name, name, each) for each in shown]
    older = _older(before, versions) if before else []
    return Channel(tuple([*older, *versions][-most_versions:]))


def _history(ssm: SSMClient, name: str, number: int) -> dict[int, Mapping[str, Any]]:
    """The versions of a parameter by number. Waits until the present one is there: without it, it would seem to be
    written by hand."""
    for wait in (*_HISTORY_SHOWS_WITHIN, None):
        history = {member(each, "Version", int): each for each in _entries(ssm, "get_parameter_history", Name=name)}
        if number in history:
            return history
        if wait:
            time.sleep(wait)
    raise NotYet(f"the history of {name} does not show version {number}")


def _older(before: Channel, versions: Sequence[Version]) -> list[Version]:
    """The versions that Parameter Store has forgotten since, unless the parameter was deleted and made again: then it
    counts from 1, and shows another time for a number."""
    shown = {version.version: version.modified for version in versions}
    for version in before.versions:
        if abs(shown.get(version.version, version.modified) - version.modified) > _SAME_TIME:
            return []
    return [version for version in before.versions if version.version < min(shown)]


def _version(region: str, name: str, entry: Mapping[str, Any]) -> Version:
    value = member(entry, "Value", str)
    record = _record(text(entry, "Description") or "")
    seal = record.pop("seal", None)
    # records of the function before there was a history have neither a seal nor what came with it
    is_old = seal is None and record.keys().isdisjoint(("move", "how"))
    return Version(
        value,
        member(entry, "Version", int),
        member(entry, "LastModifiedDate", datetime),
        record if is_old or seal == _seal(region, name, value) else {},
        text(entry, "LastModifiedUser") or "",
    )


def write_channel(
    ssm: SSMClient,
    *,
    name: str,
    value: str,
    data_type: str,
    record: Mapping[str, str | int | None],
    tags: Mapping[str, str],
    exists: bool,
) -> int:
    """Write an output into the parameter `name`; the version that it will have, as Parameter Store answers.

    Only a new parameter gets the tags, because PutParameter refuses them together with Overwrite. The answer does not
    mean that the value is accepted: an aws:ec2:image is validated later, and a bad one is dropped without an error.
    So `confirm_channel` has to follow.
    """
    put = partial(
        _put,
        ssm,
        Name=name,
        Value=value,
        Description=_description({**record, "seal": _seal(ssm.meta.region_name, name, value)}),
        Type="String",
        DataType=data_type,
    )
    if not exists:
        try:
            return put(Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
        except ClientError as error:
            if code_of(error) != "ParameterAlreadyExists":
                raise  # otherwise another run has created it meanwhile, with the same tags
    return put(Overwrite=True)


def confirm_channel(ssm: SSMClient, *, name: str, value: str, version: int, until: float) -> None:
    """Read until the parameter has this value at this version. Raises NotYet when time.monotonic() reaches `until`.

    A later version ends the wait too: another run wrote meanwhile, and the next look decides whether it is right.
    """
    wait = 0.1  # seconds
    while True:
        seen = "nothing"
        try:
            parameter = member(ask(ssm.get_parameter, Name=name), "Parameter", dict)
        except ClientError as error:
            if code_of(error) != "ParameterNotFound":
                raise
        else:
            now = member(parameter, "Version", int), member(parameter, "Value", str)
            if now[0] > version or now == (version, value):
                return
            seen = f"{now[1]} (version {now[0]})"
        if time.monotonic() + wait > until:
            raise NotYet(f"{name} was set to {value} (version {version}) and still shows {seen}")
        time.sleep(wait)
        wait = min(2 * wait, 2.0)


def _entries(ssm: SSMClient, operation: str, **params: str) -> Iterator[Mapping[str, Any]]:
    """The parameters, or the versions of one parameter, on all pages."""
    return (entry for page in pages(ssm, operation, **params) for entry in entries(page, "Parameters"))


def _put(ssm: SSMClient, **params: Any) -> int:
    return member(ask(ssm.put_parameter, **params), "Version", int)


def _seal(region: str, name: str, value: str) -> str:
    """What connects a record with its value. It protects from mistakes, not from forgery."""
    return hashlib.sha256(f"{region} {name} {value}".encode()).hexdigest()[:8]


def _description(record: Mapping[str, str | int | None]) -> str:
    """The record as JSON in ASCII, so that each character is one byte. In a record that is too long, as few members as
    possible are replaced by null, then the reason is shortened, and only then `by` is left out."""
    for left_out in _LEFT_OUT_OF_LONG_RECORDS:
        short = {**record, **dict.fromkeys(left_out)}
        if len(json.dumps(short)) <= DESCRIPTION_LIMIT:
            return json.dumps(short)
    why = str(record.get("why") or "")
    while why and (excess := len(json.dumps(short)) - DESCRIPTION_LIMIT) > 0:
        why = why[: -max(1, excess // 12)]  # a character has at most 12 in JSON
        short["why"] = f"{why}…"
    return json.dumps(short if len(json.dumps(short)) <= DESCRIPTION_LIMIT else {**short, "by": None})


def _record(description: str) -> dict[str, str]:
    """The record in a parameter's description; empty when the description is something else."""
    try:
        record = json.loads(description)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(record, dict):
        return {}
    return {key: str(value) for key, value in record.items() if isinstance(value, str | int)}
