"""Whether an AMI may be launched, by the rules of the guards in the stacks of fleets (`stacks/guarded_ami.py`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from ..handoff.answers import entries, text
from ..handoff.builds import REVOKED_TAG, Revocation
from .configuration import AmiRules

BUILD_TAG = "Ec2ImageBuilderArn"
"""The tag of an AMI that holds the ARN of its build. `estate.names` has it too: these sources run without `estate`, and
`estate` imports of them what needs no boto3."""


def build_of(image: Mapping[str, Any]) -> str:
    """The ARN of an AMI's build by its tag, which only its owner sees; empty without one."""
    return _tags(image).get(BUILD_TAG, "")


def faults(
    ami: str,
    rules: AmiRules,
    *,
    made: Mapping[str, Any] | None,
    here: Mapping[str, Any] | None,
    owner: str,
    place: str,
    now: datetime,
) -> Iterator[str]:
    """Everything that is wrong with an AMI.

    `made` is the AMI as the account of its image has it, with its tags, and `here` as the account of the fleet has it:
    the same one, or a copy. None means that DescribeImages did not find it. `owner` is the account that must own
    `made`, and `place` names the fleet's account and region.
    """
    if not ami:
        yield "the newest version of the launch template names no AMI"
        return
    yield from faults_here(ami, here, place=place)
    if here is None:
        return
    if made is None:
        yield f"{ami} does not exist in account {owner}, which makes the image"
        return
    is_accepted = ami in rules.accept
    name, build = text(made, "Name") or "", build_of(made)
    found_owner = text(made, "OwnerId") or owner
    if found_owner != owner:
        yield f"{ami} ({name}) belongs to account {found_owner}, and the image to account {owner}"
    elif not is_accepted and not name.startswith(rules.prefix):
        yield f"{ami} ({name}) is not a build of this image: its name does not start with {rules.prefix!r}"
    elif not is_accepted and not re.match(rules.build_pattern, build):
        yield f"{ami} ({name}) is not a build of this image: its tag {BUILD_TAG} is {build or 'missing'}"
    architecture = text(made, "Architecture") or ""
    if architecture != rules.architecture:
        yield f"{ami} is built for {architecture or 'no known architecture'}, and the image for {rules.architecture}"
    yield from _revoked(ami, made, now)


def faults_here(ami: str, here: Mapping[str, Any] | None, *, place: str) -> Iterator[str]:
    """What the account of the fleet alone shows: everything that is wrong with an AMI of another account."""
    if here is None:
        yield f"{ami} does not exist in {place}: it was deregistered, or is not shared with this account"
    elif (state := text(here, "State") or "available") != "available":
        yield f"{ami} is {state} in {place}"


def _revoked(ami: str, made: Mapping[str, Any], now: datetime) -> Iterator[str]:
    value = _tags(made).get(REVOKED_TAG)
    if value is None:
        return
    revocation = Revocation.from_tag(value)
    if revocation.since <= now:
        since = "" if revocation.is_since_ever else f" since {revocation.since:%d %b %H:%M} UTC"
        yield f"{ami} is revoked{since}: {revocation.why or 'no reason was given'}"


def _tags(image: Mapping[str, Any]) -> dict[str, str]:
    tags = entries(image, "Tags") if image.get("Tags") else []
    return {text(tag, "Key") or "": text(tag, "Value") or "" for tag in tags}
