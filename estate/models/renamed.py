"""Keys that had another name before: the line to write instead. docs/upgrading.md lists them."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from estate.models.durations import Duration
from estate.yaml import as_text

_NAMES: Mapping[str, str] = {
    "kms_key": "kms_key_id",
    "keep": "keep_newest",
    "metadata": "metadata_options",
    "hop_limit": "http_put_response_hop_limit",
    "instance_tags": "instance_metadata_tags",
}
"""Keys with the same values as before."""

_DURATIONS: Mapping[str, tuple[str, str]] = {
    "timeout_minutes": ("timeout", "minute"),
    "log_retention_in_days": ("log_retention", "day"),
    "retention_in_days": ("retention", "day"),
    "grace_period_in_seconds": ("grace_period", "second"),
    "instance_warmup": ("warmup", "second"),
    "max_age_in_days": ("max_age", "day"),
}
"""Durations that had their unit in the name: the key of today, and the unit."""

_OF_THE_BACKEND = ("profile", "assume_role")
"""What a backend in S3 had instead of `account`."""

_LONGEST_VALUE = 100
"""Longer text is left out of the remedy."""


def instead_of(key: str, value: Any, known: Collection[str]) -> str | None:
    """The remedy for a key that was renamed, where the new name is one of the `known`; None for another key."""
    if key == "provider_version" and "providers" in known:
        constraint = ">= 6.40.0, < 7.0.0" if value == 6 else ">= 5.100.0, < 7.0.0"
        return f'write providers: {{aws: "{constraint}"}}'
    if key == "provider" and "accounts" in known:
        return f"write accounts: {{main: {_account(value)}}}"
    if key in _OF_THE_BACKEND and "use_lockfile" in known:
        return "write account: NAME, one of settings.accounts"
    if (name := _NAMES.get(key, "")) in known:
        return f"write {_with_new_names(key, value)}"
    name, unit = _DURATIONS.get(key, ("", ""))
    if name not in known:
        return None
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return f"write {name}: {Duration(value, unit) if is_count else f'… {unit}s'}"


def _account(provider: Any) -> str:
    """One of the accounts, from what `provider` had in the settings."""
    fields = provider if isinstance(provider, dict) else {}
    role, allowed = fields.get("assume_role"), fields.get("allowed_account_ids")
    role = role if isinstance(role, dict) else {}
    arn, _, name = str(role.get("role_arn", "")).rpartition(":role/")
    account = re.search(
        "[0-9]{12}", arn or (str(allowed[0]) if isinstance(allowed, list) and len(allowed) == 1 else "")
    )
    texts = {**fields, "role": name, **role}
    given = [key for key in ("role", "profile", "external_id", "session_name") if _is_short(texts.get(key))]
    return as_text({"id": account[0] if account else "…", **{key: texts[key] for key in given}})


def _is_short(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) < _LONGEST_VALUE


def _with_new_names(key: str, value: Any) -> str:
    """A key that was renamed, with its value; renamed keys in it are written anew, too."""
    if isinstance(value, dict) and value.keys() <= _NAMES.keys():
        text = f"{{{', '.join(_with_new_names(inner, each) for inner, each in value.items())}}}"
    elif isinstance(value, bool | int):
        text = str(value).lower()
    else:
        text = value if _is_short(value) else "…"
    return f"{_NAMES[key]}: {text}"
