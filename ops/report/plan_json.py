"""Reads a plan from what `terraform show -json` has written.

The format is HashiCorp's ("JSON Output Format" in Terraform's internals), which adds members but does not change their
meaning while the number before the dot of `format_version` is 1. HCP Terraform, Spacelift and Atlantis have the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lambda_src.handoff.builds import time_in
from ops.report.plan import Change, Difference, Drift, Finding, Kind, Plan, Resource

_IMMUTABLE = {
    "aws_imagebuilder_component",
    "aws_imagebuilder_container_recipe",
    "aws_imagebuilder_image_recipe",
    "aws_imagebuilder_workflow",
}
"""Resources of Image Builder whose content never changes: a change of it is a new version beside the old one."""
_LONGEST_VALUE = 60
"""Characters of a value that is shown; a longer one is a document rather than a setting."""
_SECRETIVE = re.compile(r"pass|secret|token|user_?data|private|credential|content|value", re.IGNORECASE)
"""Names of attributes that may hold a secret although no provider says so."""


class NotAPlan(Exception):
    """It is no plan, or one of a format that is not known; the message is a rule, what was got, and a remedy."""


def read_plan(shown: Any) -> Plan:
    """The plan of what `terraform show -json` wrote. Raises `NotAPlan`."""
    _check(shown)
    with like_a_plan():
        return Plan(
            changes=(
                *(_change(each) for each in shown.get("resource_changes") or ()),
                *(_deferred(each["resource_change"]) for each in shown.get("deferred_changes") or ()),
            ),
            outputs=tuple(_output(name, each) for name, each in (shown.get("output_changes") or {}).items()),
            drift=tuple(_drift(each) for each in shown.get("resource_drift") or ()),
            findings=tuple(_findings(shown.get("checks") or ())),
            passed=tuple(
                each["address"]["to_display"] for each in shown.get("checks") or () if each.get("status") == "pass"
            ),
            invoked=tuple(_text(each, "address") for each in shown.get("action_invocations") or ()),
            is_complete=shown.get("complete") is not False,
            is_errored=shown.get("errored") is True,
            time=time_in(shown.get("timestamp")),
            resources=tuple(_resources(shown.get("resource_changes") or ())),
            data=tuple(_data((shown.get("prior_state") or {}).get("values") or {})),
        )


_REMEDY = "give what terraform show -json PLANFILE writes"


@contextmanager
def like_a_plan() -> Iterator[None]:
    """Whatever reads a plan's members expects Terraform's. Raises `NotAPlan` where they are others."""
    try:
        yield
    except KeyError as error:
        raise NotAPlan(f"must be a plan of Terraform, got one without {error.args[0]}; {_REMEDY}") from error
    except RecursionError as error:
        raise NotAPlan(f"must be a plan of Terraform, got values that are nested too deep; {_REMEDY}") from error
    except (AttributeError, TypeError, ValueError) as error:
        raise NotAPlan(f"must be a plan of Terraform, got a member of another type ({error}); {_REMEDY}") from error


def _check(shown: Any) -> None:
    if not isinstance(shown, Mapping):
        raise NotAPlan(f"must be a JSON object, got {json.dumps(shown)[:20]}; {_REMEDY}")
    version, members = shown.get("format_version"), ", ".join(list(shown)[:5]) or "nothing"
    if version is None:
        raise NotAPlan(f"must be a plan with format_version, got {members}; {_REMEDY}")
    if not isinstance(version, str) or not re.fullmatch(r"[0-9]+\.[0-9]+", version):
        raise NotAPlan(f'must have a format_version such as "1.2", got {json.dumps(version)[:20]}; {_REMEDY}')
    if version.partition(".")[0] not in ("0", "1"):
        raise NotAPlan(f"must have format_version 0 or 1, got {version}; use a newer Goldsmith")
    if not shown.keys() & {"resource_changes", "output_changes", "planned_values", "errored", "applyable"}:
        raise NotAPlan(f"must be a plan, got {'a state' if 'values' in shown else members}; {_REMEDY}")


def _text(each: Mapping[str, Any], name: str) -> str:
    """A member that is a text. Raises `TypeError` if it is something else."""
    if not isinstance(each[name], str):
        raise TypeError(f"{name} is {json.dumps(each[name])[:20]}")
    return str(each[name])


def _deferred(each: Mapping[str, Any]) -> Change:
    found = _change(each)
    return Change(address=found.address, type=found.type, kind=Kind.DEFERRED, actions=found.actions)


def _change(each: Mapping[str, Any]) -> Change:
    change = each["change"]
    actions = tuple(change["actions"])
    kind = _kind(each, actions)
    after = change.get("after")
    version = after.get("version") if isinstance(after, Mapping) and kind == Kind.SUPERSEDE else None
    return Change(
        address=_text(each, "address"),
        type=_text(each, "type"),
        kind=kind,
        actions=actions,
        previous_address=each.get("previous_address") or "",
        deposed=each.get("deposed") or "",
        reason=_REASONS.get(each.get("action_reason") or "", "") or _imported(change, kind),
        differences=_differences(change) if kind in (Kind.UPDATE, Kind.REPLACE, Kind.SUPERSEDE) else (),
        version=version if isinstance(version, str) else "",
    )


_ACTIONS = {
    ("no-op",): Kind.NO_OP,
    ("read",): Kind.READ,
    ("create",): Kind.CREATE,
    ("update",): Kind.UPDATE,
    ("delete",): Kind.DESTROY,
    ("delete", "create"): Kind.REPLACE,
    ("create", "delete"): Kind.REPLACE,
    ("forget",): Kind.FORGET,
    ("create", "forget"): Kind.FORGET,
}
_REASONS = {
    "replace_because_tainted": "it is tainted",
    "replace_because_cannot_update": "",
    "replace_by_request": "asked for with -replace",
    "replace_by_triggers": "replace_triggered_by",
    "delete_because_no_resource_config": "not in the configuration any longer",
    "delete_because_no_module": "its module is not in the configuration any longer",
    "delete_because_wrong_repetition": "count or for_each is different",
    "delete_because_count_index": "count is less",
    "delete_because_each_key": "its key is not in for_each any longer",
    "delete_because_no_move_target": "what it was moved to is not in the configuration",
}


def _imported(change: Mapping[str, Any], kind: Kind) -> str:
    """Of what is imported and changed in one step."""
    return "after it is imported" if change.get("importing") and kind != Kind.IMPORT else ""


def _kind(each: Mapping[str, Any], actions: tuple[str, ...]) -> Kind:
    kind = _ACTIONS.get(actions, Kind.OTHER)
    immutable = each["type"] in _IMMUTABLE
    if kind == Kind.NO_OP and each["change"].get("importing"):
        return Kind.IMPORT
    if kind == Kind.NO_OP and each.get("previous_address"):
        return Kind.MOVE
    if kind == Kind.REPLACE and immutable and _is_other_version(each["change"]):
        return Kind.SUPERSEDE
    if kind == Kind.DESTROY and immutable and each.get("deposed"):
        return Kind.LEFTOVER
    return kind


def _is_other_version(change: Mapping[str, Any]) -> bool:
    before, after = _mapping(change.get("before")), _mapping(change.get("after"))
    return any(before.get(name) != after.get(name) for name in ("name", "version"))


def _output(name: str, change: Mapping[str, Any]) -> Change:
    actions = tuple(change["actions"])
    return Change(address=name, type="output", kind=_ACTIONS.get(actions, Kind.OTHER), actions=actions)


def _differences(change: Mapping[str, Any]) -> tuple[Difference, ...]:
    """The attributes that differ, with values where they are short and nothing says that they are secret.

    What the provider computes anew is named only where nothing else differs. Of a replacement, it is what forces it.
    """
    before, after, unknown = (_mapping(change.get(name)) for name in ("before", "after", "after_unknown"))
    computed = [name for name in unknown if _holds_true(unknown[name])]
    known = [name for name in {*before, *after} - {*computed} if _differ(before.get(name), after.get(name))]
    forcing = {str(path[0]) for path in change.get("replace_paths") or () if path}
    if len(change["actions"]) > 1 and not forcing:  # asked for: all that it computes differs
        return ()
    names = sorted(forcing or known or computed)
    return tuple(_difference(name, change, is_computed=name in computed) for name in names)


def _difference(name: str, change: Mapping[str, Any], *, is_computed: bool) -> Difference:
    old, new = (_mapping(change.get(side)).get(name) for side in ("before", "after"))
    masks = (change.get("before_sensitive"), change.get("after_sensitive"))
    is_secret = _SECRETIVE.search(name) or any(_is_sensitive(mask, name) for mask in masks)
    if is_secret or not _is_scalar(old) or not (is_computed or _is_scalar(new)):
        return Difference(name=name)
    return Difference(name=name, before=_shown(old), after="known after apply" if is_computed else _shown(new))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _differ(old: Any, new: Any) -> bool:
    return bool(_pruned(old) != _pruned(new))


def _pruned(value: Any) -> Any:
    """A value without what is left out, for which providers have null, false, 0, or nothing in it."""
    if isinstance(value, Mapping):
        return {name: pruned for name, inner in value.items() if (pruned := _pruned(inner))} or None
    if isinstance(value, list):
        return [_pruned(inner) for inner in value] or None
    return value or None


def _is_sensitive(mask: Any, name: str) -> bool:
    """A mask is true for a whole value, or has the names of those in it."""
    return mask is True or (isinstance(mask, Mapping) and _holds_true(mask.get(name)))


def _holds_true(mask: Any) -> bool:
    if isinstance(mask, Mapping):
        return any(_holds_true(inner) for inner in mask.values())
    if isinstance(mask, Sequence) and not isinstance(mask, str):
        return any(_holds_true(inner) for inner in mask)
    return mask is True


def _is_scalar(value: Any) -> bool:
    return value is None or (isinstance(value, str | bool | int | float) and len(str(value)) <= _LONGEST_VALUE)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None or value == "" else str(value)


def _drift(each: Mapping[str, Any]) -> Drift:
    change = each["change"]
    before, after = _mapping(change.get("before")), _mapping(change.get("after"))
    is_gone = change.get("after") is None
    names = () if is_gone else sorted(name for name in {*before, *after} if _differ(before.get(name), after.get(name)))
    return Drift(address=each["address"], is_gone=is_gone, names=tuple(names))


def _findings(checks: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """What failed. A check without a result was not evaluated, which is usual before an apply."""
    for check in checks:
        for instance in check.get("instances") or (check,):
            status = instance.get("status") or ""
            if status not in ("fail", "error"):
                continue
            address = (instance.get("address") or check["address"]).get("to_display") or check["address"]["to_display"]
            problems = [each.get("message") or "" for each in instance.get("problems") or ()]
            for message in problems or [""]:
                yield Finding(address=address, status=status, message=" ".join(message.split()))


_KNOWN = (
    "aws_autoscaling_group",
    "aws_imagebuilder_image_recipe",
    "aws_lambda_function",
    "aws_launch_template",
)


def _resources(changes: Sequence[Mapping[str, Any]]) -> Iterator[Resource]:
    for each in changes:
        if each["type"] in _KNOWN and not each.get("deposed"):
            change = each["change"]
            before, after, unknown = (_mapping(change.get(name)) for name in ("before", "after", "after_unknown"))
            yield Resource(
                address=each["address"],
                type=each["type"],
                kind=_kind(each, tuple(change["actions"])),
                before=before,
                after=after,
                unknown=unknown,
            )


def _data(values: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What data sources have read, in the root module and those below it."""
    modules = [values.get("root_module") or {}]
    while modules:
        module = modules.pop()
        modules += module.get("child_modules") or ()
        for each in module.get("resources") or ():
            if each.get("mode") == "data":
                yield each
