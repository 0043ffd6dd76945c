"""The API of lifecycle executions, and the action of a person: StartResourceStateUpdate."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from local_aws.errors import AwsError
from local_aws.image_builder.lifecycle_actions import STATUS, act
from local_aws.image_builder.lifecycle_policies import end, new_execution
from local_aws.image_builder.store import Fields, RegionStore

_ACTIONS = {status: action for action, status in STATUS.items()}


def lifecycle_operations() -> dict[str, Callable[[RegionStore, Fields], dict[str, Any]]]:
    """The operations by name."""
    return {
        "ListLifecycleExecutions": _list_executions,
        "GetLifecycleExecution": lambda store, params: {"lifecycleExecution": _find(store, params)},
        "ListLifecycleExecutionResources": _list_resources,
        "StartResourceStateUpdate": _update_state,
    }


def _list_executions(store: RegionStore, params: Fields) -> dict[str, Any]:
    arn = params["resourceArn"]
    found = [
        execution
        for execution in reversed(store.lifecycle_executions)
        if arn == execution["lifecyclePolicyArn"]
        or (not execution["lifecyclePolicyArn"] and arn in execution["outputs"])
    ]
    return {"lifecycleExecutions": found}


def _list_resources(store: RegionStore, params: Fields) -> dict[str, Any]:
    execution = _find(store, params)
    parent = params.get("parentResourceId")
    return {
        "lifecycleExecutionId": execution["lifecycleExecutionId"],
        "lifecycleExecutionState": execution["state"],
        "resources": execution["outputs"].get(parent, []) if parent else execution["images"],
    }


def _update_state(store: RegionStore, params: Fields) -> dict[str, Any]:
    """Put one image into another state, at once."""
    image = store.get(params["resourceArn"])
    status, action = image["state"]["status"], _ACTIONS[params["state"]["status"]]
    if status not in STATUS.values() and not (status in ("FAILED", "CANCELLED") and action == "DELETE"):
        raise AwsError(
            code="InvalidRequestException", message=f"The image '{image['arn']}' is {status} and cannot change state."
        )
    execution = new_execution(store, policy=None)
    entry, outputs = act(
        store,
        image,
        action=action,
        include=params.get("includeResources", {}),
        excluded=params.get("exclusionRules", {}).get("amis", {}),
        at=datetime.now(UTC),
        reason="StartResourceStateUpdate",
        role=params.get("executionRole"),
    )
    execution["images"].append(entry)
    execution["outputs"][image["arn"]] = outputs
    return {"lifecycleExecutionId": end(execution), "resourceArn": params["resourceArn"]}


def _find(store: RegionStore, params: Fields) -> dict[str, Any]:
    wanted = params["lifecycleExecutionId"]
    for execution in store.lifecycle_executions:
        if execution["lifecycleExecutionId"] == wanted:
            return execution
    raise AwsError(code="ResourceNotFoundException", message=f"The lifecycle execution '{wanted}' does not exist.")
