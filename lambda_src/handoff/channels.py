"""A channel in Parameter Store: its name, what it points to, its history, and how to move it.

A channel is a parameter `/imagebuilder/<namespace>/<image>/<channel>` of type String in each region. Its data type is
aws:ec2:image, or text for a container image. The description of each version is a small JSON record of the build that
it points to, so one write changes value and record together, and the parameter's history is the audit trail.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from .answers import ask, entries, member, pages, text
from .failures import NotYet, code_of

if TYPE_CHECKING:  # the Lambda runtime has no type stubs
    from mypy_boto3_ssm import SSMClient

LATEST = "latest"
DESCRIPTION_LIMIT = 1024  # characters, PutParameter

_LEFT_OUT_OF_LONG_RECORDS = ((), ("parent",), ("previous",), ("parent", "previous"), ("parent", "previous", "by"))
"""Which members are left out of a record that is too long; the first entry that makes it short enough. Image Builder
knows the parent, and Parameter Store's history has the previous value."""


@dataclass(frozen=True)
class Channel:
    """A channel in one region, with its history. Parameter Store keeps 100 versions of it."""

    value: str
    version: int
    modified: datetime
    record: Mapping[str, str]
    """build, created, parent, previous, by; empty when the parameter's description is not a record."""
    history: tuple[str, ...]
    """The known values, oldest first; the last one is the present value."""


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
    """Every channel of an image in the region of `ssm`, by its name; empty before the first good build.

    One call for all parameters, and one for the history of each. The history of a channel that is unchanged since
    `known`, an earlier answer, is not read again. Raises GarbledAnswer, and what boto3 raises.
    """
    channels = {}
    for parameter in _entries(ssm, "get_parameters_by_path", Path=path):
        name, version = member(parameter, "Name", str), member(parameter, "Version", int)
        channel, value = name.rsplit("/", 1)[-1], member(parameter, "Value", str)
        modified = member(parameter, "LastModifiedDate", datetime)
        before = (known or {}).get(channel)
        if before and (before.version, before.value, before.modified) == (version, value, modified):
            channels[channel] = before
            continue
        # The description comes from the history, because DescribeParameters cannot be allowed for one image only.
        history = {member(each, "Version", int): each for each in _entries(ssm, "get_parameter_history", Name=name)}
        past = [member(history[each], "Value", str) for each in sorted(history) if each < version]
        description = text(history.get(version, {}), "Description")
        channels[channel] = Channel(value, version, modified, _record(description or ""), (*past, value))
    return channels


def write_channel(
    ssm: SSMClient,
    *,
    name: str,
    value: str,
    data_type: str,
    record: Mapping[str, str | None],
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
        Description=_description(record),
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


def _description(record: Mapping[str, str | None]) -> str:
    """The record as JSON in ASCII, so that each character is one byte. In a record that is too long, as few members as
    possible are replaced by null, never `build` and `created`."""
    for left_out in _LEFT_OUT_OF_LONG_RECORDS:
        description = json.dumps({**record, **dict.fromkeys(left_out)})
        if len(description) <= DESCRIPTION_LIMIT:
            break
    return description


def _record(description: str) -> dict[str, str]:
    """The record in a parameter's description; empty when the description is something else."""
    try:
        record = json.loads(description)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(record, dict):
        return {}
    return {key: value for key, value in record.items() if isinstance(value, str)}
