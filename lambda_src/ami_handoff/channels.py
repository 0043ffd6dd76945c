"""A channel in Parameter Store: its name, what it points to, its history, and how to move it and be sure.

A channel is a parameter `/imagebuilder/<namespace>/<image>/<channel>` of type String in each region, of data type
aws:ec2:image, or text for a container image. The description of each of its versions is a small JSON record of the
build that it points to, so one write moves value and record together, and the parameter's history is the audit
trail.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from .failures import NotYet

if TYPE_CHECKING:  # the Lambda runtime has no type stubs
    from mypy_boto3_ssm import SSMClient

LATEST = "latest"
DESCRIPTION_LIMIT = 1024  # characters, PutParameter


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


def read_channels(ssm: SSMClient, *, path: str) -> dict[str, Channel]:
    """Every channel of an image in the region of `ssm`, by its name; none before the first good build."""
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=path)
    parameters = [parameter for page in pages for parameter in page["Parameters"]]
    channels = {}
    for parameter in parameters:
        # From the history, because DescribeParameters cannot be allowed for one image's parameters only.
        history = sorted(
            (
                version
                for page in ssm.get_paginator("get_parameter_history").paginate(Name=parameter["Name"])
                for version in page["Parameters"]
                if version["Version"] <= parameter["Version"]
            ),
            key=lambda version: version["Version"],
        )
        now = [version for version in history if version["Version"] == parameter["Version"]]
        past = [version["Value"] for version in history if version not in now]
        channels[parameter["Name"].rsplit("/", 1)[-1]] = Channel(
            value=parameter["Value"],
            version=parameter["Version"],
            modified=parameter["LastModifiedDate"],
            record=_record(now[0].get("Description", "")) if now else {},
            history=(*past, parameter["Value"]),
        )
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
    if len(description := json.dumps(record)) > DESCRIPTION_LIMIT:
        description = json.dumps({**record, "parent": None})  # the one part whose length is not ours
    put = partial(
        ssm.put_parameter,
        Name=name,
        Value=value,
        Description=description,
        Type="String",
        DataType=data_type,
    )
    if not exists:
        try:
            return put(Tags=[{"Key": key, "Value": value} for key, value in tags.items()])["Version"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ParameterAlreadyExists":
                raise  # otherwise another run was faster, and made it with the same tags
    return put(Overwrite=True)["Version"]


def confirm_channel(ssm: SSMClient, *, name: str, value: str, version: int, until: float) -> None:
    """Read until the parameter shows this value at this version; NotYet when time.monotonic() is at `until`.

    A later version is an answer too: another run wrote meanwhile, and the next evaluation judges it.
    """
    wait = 0.1  # seconds
    while True:
        seen = "nothing"
        try:
            parameter = ssm.get_parameter(Name=name)["Parameter"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ParameterNotFound":
                raise
        else:
            if parameter["Version"] > version or (parameter["Version"], parameter["Value"]) == (version, value):
                return
            seen = f"{parameter['Value']} (version {parameter['Version']})"
        if time.monotonic() + wait > until:
            raise NotYet(f"{name} was set to {value} (version {version}) and still shows {seen}")
        time.sleep(wait)
        wait = min(2 * wait, 2.0)


def _record(description: str) -> dict[str, str]:
    """The record in a parameter's description; empty when it holds something else."""
    try:
        record = json.loads(description)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(record, dict):
        return {}
    return {key: value for key, value in record.items() if isinstance(value, str)}
