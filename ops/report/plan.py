"""A plan as frozen values: every change of it, by what it does. `ops.report.plan_json` reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

_HOLDING_DATA = {
    "aws_db_instance",
    "aws_dynamodb_table",
    "aws_ebs_snapshot",
    "aws_ebs_volume",
    "aws_efs_file_system",
    "aws_kms_key",
    "aws_s3_bucket",
}


class Kind(StrEnum):
    """What a plan does with a resource."""

    DESTROY = "destroy"
    REPLACE = "replace"
    FORGET = "forget"
    CREATE = "create"
    UPDATE = "update"
    IMPORT = "import"
    MOVE = "move"
    SUPERSEDE = "new version"
    """An immutable resource gets a new version, which takes the place of the old one."""
    LEFTOVER = "old version removed"
    """An old object that an apply before left, because its replacement came first."""
    DEFERRED = "deferred"
    """Left for a later plan, because this one cannot know it yet."""
    READ = "read"
    NO_OP = "no change"
    OTHER = "unknown"
    """Actions that this version of Goldsmith does not know."""


QUIET = (Kind.NO_OP, Kind.READ)
"""What changes nothing."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """An attribute that changes. `before` and `after` are None where the value is not shown."""

    name: str
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a plan does with one resource."""

    address: str
    type: str
    kind: Kind
    actions: tuple[str, ...]
    """As Terraform has them."""
    previous_address: str = ""
    deposed: str = ""
    reason: str = ""
    """Terraform's `action_reason`, in words."""
    differences: tuple[Difference, ...] = ()
    version: str = ""
    """The new version of an immutable resource."""

    @property
    def loses_data(self) -> bool:
        """Whether a thing that holds data is deleted."""
        return self.kind in (Kind.DESTROY, Kind.REPLACE) and self.type in _HOLDING_DATA


@dataclass(frozen=True, kw_only=True)
class Drift:
    """A resource that was changed outside Terraform, as far as the plan depends on it."""

    address: str
    is_gone: bool
    names: tuple[str, ...]
    """The attributes that differ."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check, precondition or postcondition says against the plan."""

    address: str
    status: str
    """`fail` or `error`."""
    message: str

    @property
    def check(self) -> str:
        """The name of the check, `age`; empty for the condition of a resource."""
        found = re.search(r"(?:^|\.)check\.([\w-]+)$", self.address)
        return found[1] if found else ""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource's values before and after, for what a report knows about (`ops.report.fleet`)."""

    address: str
    type: str
    kind: Kind
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    unknown: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A plan."""

    changes: tuple[Change, ...] = ()
    outputs: tuple[Change, ...] = ()
    drift: tuple[Drift, ...] = ()
    findings: tuple[Finding, ...] = ()
    passed: tuple[str, ...] = ()
    """The addresses of checks, and of what has conditions, that are as they should be."""
    invoked: tuple[str, ...] = ()
    """The addresses of actions that the apply runs (Terraform 1.14)."""
    is_complete: bool = True
    """Whether nothing was left out, by `-target` or because Terraform defers it."""
    is_errored: bool = False
    """Whether Terraform says that planning has failed, and the plan is only a part."""
    time: datetime | None = None
    resources: tuple[Resource, ...] = field(default=(), repr=False)
    """Launch templates, groups, functions and recipes of images."""
    data: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    """What data sources read, each with `address`, `type` and `values`."""
