"""A channel in Parameter Store: its name, what it points to, its history, and how to move it and be sure.

A channel is a parameter `/imagebuilder/<namespace>/<image>/<channel>` of type String in each region, of data type
aws:ec2:image, or text for a container image. The description of each of its versions is a small JSON record of the
build that it points to, so one write moves value and record together, and the parameter's history is the audit
trail.
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
"""What may go, the first that suffices: Image Builder knows the parent, and Parameter Store the value before."""


@dataclass(frozen=True)
class Channel:
    """A channel in one region: now, and in its history, of which Parameter Store keeps 100 versions."""

    value: str
    version: int
    modified: datetime
    record: Mapping[str, str]  # build, created, parent, previous, by; empty when somebody else wrote the value
    history: tuple[str, ...]  # every value that is known, oldest first, ending in the present one


def in_use(channels: Mapping[str, Channel]) -> set[str]:
    """The values that must stay: those that a channel points to or, as far as its history goes, pointed to before.

    Of `latest`, which passes over every build, only the present value and the one before, however often each was
    written (two runs at once may write the same): a fleet that follows it may not have been applied since. Its
    earlier ones are generations like any other.
    """
    found: set[str] = set()
    for name, channel in channels.items():
        newest_first = list(dict.fromkeys(reversed(channel.history)))
        found.update(newest_first[:2] if name == LATEST else newest_first)
    return found


def channel_path(*, namespace: str, image: str) -> str:
    """The path of an image's channels, below the one prefix that Image Builder's own role may read."""
    return f"/imagebuilder/{namespace}/{image}"


def read_channels(ssm: SSMClient, *, path: str, known: Mapping[str, Channel] | None = None) -> dict[str, Channel]:
    """Every channel of an image in the region of `ssm`, by its name; none before the first good build.

    One call for all of them, and one for the history of each, but of those of `known`, an earlier answer, whose version
    is still the same. Raises GarbledAnswer, and what boto3 raises.
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
        # From the history, because DescribeParameters cannot be allowed for one image's parameters only.
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
    """Point the parameter `name` to an output; answers the version that Parameter Store promises for it.

    Only a new parameter gets the tags: PutParameter refuses them together with Overwrite. The answer says
    nothing about the value: an aws:ec2:image is validated afterwards and, when it is bad, dropped in silence.
    So `confirm_channel` follows.
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
                raise  # otherwise another run was faster, and made it with the same tags
    return put(Overwrite=True)


def confirm_channel(ssm: SSMClient, *, name: str, value: str, version: int, until: float) -> None:
    """Read until the parameter shows this value at this version; NotYet when time.monotonic() is at `until`.

    A later version is an answer too: another run wrote meanwhile, and the next evaluation judges it.
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
    """The parameters, or versions of one, on all pages."""
    return (entry for page in pages(ssm, operation, **params) for entry in entries(page, "Parameters"))


def _put(ssm: SSMClient, **params: Any) -> int:
    return member(ask(ssm.put_parameter, **params), "Version", int)


def _description(record: Mapping[str, str | None]) -> str:
    """The record as JSON, which is ASCII, so that characters are bytes; of what is too long, as little as possible is
    left out, null in its place: `build` and `created` always stay."""
    for left_out in _LEFT_OUT_OF_LONG_RECORDS:
        description = json.dumps({**record, **dict.fromkeys(left_out)})
        if len(description) <= DESCRIPTION_LIMIT:
            break
    return description


def _record(description: str) -> dict[str, str]:
    """The record in a parameter's description; empty when it holds something else."""
    try:
        record = json.loads(description)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(record, dict):
        return {}
    return {key: value for key, value in record.items() if isinstance(value, str)}
