"""A report as an object for programs. `ops.commands.report` describes its members."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from ops.report.document import Report

FORMAT = 1
"""Raised when a member changes its meaning."""


def members_of(report: Report) -> dict[str, Any]:
    """The members of the report's JSON."""
    return {"format": FORMAT, **_members(report)}


def _members(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _members(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): _members(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_members(inner) for inner in value]
    return value
