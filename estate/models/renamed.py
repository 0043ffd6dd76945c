"""Keys that had another name before: the line to write instead."""

from collections.abc import Collection, Mapping
from typing import Any

from estate.models.durations import Duration

_DURATIONS: Mapping[str, tuple[str, str]] = {
    "timeout_minutes": ("timeout", "minute"),
    "log_retention_in_days": ("log_retention", "day"),
    "retention_in_days": ("retention", "day"),
    "grace_period_in_seconds": ("grace_period", "second"),
    "instance_warmup": ("warmup", "second"),
    "max_age_in_days": ("max_age", "day"),
}
"""Durations that had their unit in the name: the key of today, and the unit."""


def instead_of(key: str, value: Any, known: Collection[str]) -> str | None:
    """The remedy for a key that was renamed, where the new name is one of the `known`; None for another key."""
    if key == "provider_version" and "providers" in known:
        constraint = ">= 6.40.0, < 7.0.0" if value == 6 else ">= 5.100.0, < 7.0.0"
        return f'write providers: {{aws: "{constraint}"}}'
    name, unit = _DURATIONS.get(key, ("", ""))
    if name not in known:
        return None
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return f"write {name}: {Duration(value, unit) if is_count else f'… {unit}s'}"
