"""Starts and ends instance refreshes.

AWS runs one refresh of a group at a time and refuses a second one, so two writers, or a call that is repeated because
its answer was lost, never start two ("InstanceRefreshInProgress" in the API reference of StartInstanceRefresh).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from ..handoff.answers import ask, member
from ..handoff.failures import code_of
from .configuration import FleetRules
from .group import SUCCESSFUL, Group, Refresh, TemplateVersion

_IN_PROGRESS = ("InstanceRefreshInProgress", "InstanceRefreshInProgressFault")
_NOT_FOUND = ("ActiveInstanceRefreshNotFound", "ActiveInstanceRefreshNotFoundFault")
_IRREVERSIBLE = ("IrreversibleInstanceRefresh", "IrreversibleInstanceRefreshFault")
"""The codes of these faults in answers, and their names in the service model."""


def start(
    autoscaling: Any, rules: FleetRules, group: Group, version: TemplateVersion, *, can_go_back: bool
) -> str | None:
    """Start a refresh to a version of the template; its ID. None when one runs already: look again.

    AWS cannot go back when the version that the group launches does not exist any more.
    """
    wanted: dict[str, Any] = {"Preferences": dict(rules.preferences)}
    if rules.is_by_goldsmith:
        # with a number, because AWS goes back to a version only by its number
        wanted["DesiredConfiguration"] = group.configuration(version)
        wanted["Preferences"]["AutoRollback"] = can_go_back
    try:
        answer = ask(autoscaling.start_instance_refresh, AutoScalingGroupName=group.name, Strategy="Rolling", **wanted)
    except ClientError as error:
        if code_of(error) in _IN_PROGRESS:
            return None
        raise
    return member(answer, "InstanceRefreshId", str)


def abort(autoscaling: Any, group: str, refresh: Refresh) -> bool:
    """Have AWS go back; without a desired configuration it can only stop. False when no refresh runs: look again."""
    if refresh.has_configuration:
        try:
            return _end(autoscaling.rollback_instance_refresh, group)
        except ClientError as error:
            if code_of(error) not in _IRREVERSIBLE:
                raise
    return _end(autoscaling.cancel_instance_refresh, group)


def _end(call: Any, group: str) -> bool:
    try:
        ask(call, AutoScalingGroupName=group)
    except ClientError as error:
        if code_of(error) in _NOT_FOUND:
            return False
        raise
    return True


def came_between(before: Sequence[Refresh], after: Sequence[Refresh], *, mine: str) -> list[Refresh]:
    """What somebody else has tried without success between a look and the start of `mine` that followed it.

    If that was the same, `mine` was started although nobody has asked to try again, and must be ended.
    """
    known = {mine, *(refresh.id for refresh in before if not refresh.is_running)}
    failed = (refresh for refresh in after if not refresh.is_running and refresh.status != SUCCESSFUL)
    return [refresh for refresh in failed if refresh.id not in known]
