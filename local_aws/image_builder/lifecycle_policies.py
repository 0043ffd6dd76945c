"""Lifecycle policies: which ones AWS refuses, and what a run of a policy does.

AWS runs a policy once a day, at a time that it chooses. Here it runs when asked, as if it were any given time
(`LocalAws.run_lifecycle_policy`). Rules are evaluated as in "How lifecycle policy execution works" in Image Builder's
user guide.
"""

import uuid
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from local_aws.errors import AwsError
from local_aws.image_builder.arns import matches, version_arn
from local_aws.image_builder.lifecycle_actions import act, has_tag, span
from local_aws.image_builder.refusals import invalid
from local_aws.image_builder.store import Fields, RegionStore

_BUILDING = ("PENDING", "CREATING", "BUILDING", "TESTING", "DISTRIBUTING", "INTEGRATING")
_FAILED = ("FAILED", "CANCELLED")
_DONE_ALREADY = {"DEPRECATE": ("DEPRECATED", "DISABLED", *_FAILED), "DISABLE": ("DISABLED", *_FAILED), "DELETE": ()}


def check_policy(params: Fields, region: RegionStore) -> dict[str, Any]:
    """Raises what AWS refuses; returns the fields that AWS adds."""
    if not region.neighbours.can_assume(params["executionRole"], region=region.name):
        # the AWS provider recognizes this message, and waits for a new role
        raise AwsError(
            code="InvalidParameterValueException",
            message="The provided role does not exist or does not have sufficient permissions: "
            f"'{params['executionRole']}'.",
        )
    selection = params["resourceSelection"]
    if ("recipes" in selection) == ("tagMap" in selection):
        raise invalid("resourceSelection", "Specify exactly one of recipes and tagMap.")
    actions = [detail["action"]["type"] for detail in params["policyDetails"]]
    for index, detail in enumerate(params["policyDetails"]):
        if actions.count(actions[index]) > 1:
            raise invalid("policyDetails", f"There is more than one {actions[index]} rule.")
        _check_detail(detail, resource_type=params["resourceType"])
    return {"status": params.get("status", "ENABLED")}


def _check_detail(detail: Fields, *, resource_type: str) -> None:
    action, rule = detail["action"], detail["filter"]
    include = action.get("includeResources", {})
    if resource_type == "CONTAINER_IMAGE" and action["type"] != "DELETE":
        raise invalid("action.type", "Policies for container images support only DELETE.")
    if rule["type"] == "COUNT" and (action["type"] != "DELETE" or "unit" in rule or "retainAtLeast" in rule):
        raise invalid("filter", "A COUNT filter is for DELETE only, and has neither unit nor retainAtLeast.")
    if rule["type"] == "AGE" and "unit" not in rule:
        raise invalid("filter.unit", "An AGE filter needs a unit.")
    if "retainAtLeast" in rule and action["type"] != "DELETE":
        raise invalid("filter.retainAtLeast", "It is for DELETE only.")
    if action["type"] != "DELETE" and (include.get("snapshots") or include.get("containers")):
        raise invalid("action.includeResources", f"A {action['type']} rule can include AMIs only.")
    if include.get("snapshots") and not include.get("amis"):
        raise invalid("action.includeResources", "Snapshots can be included only together with AMIs.")


def run_policy(store: RegionStore, policy: Fields, *, at: datetime) -> str:
    """Run a policy as if it were `at`; gives the execution's ID."""
    execution = new_execution(store, policy=policy["arn"])
    retained: Counter[str] = Counter()
    images = [image for image in store.of_path("image") if _selected(image, policy["resourceSelection"])]
    for image in sorted(images, key=lambda image: str(image["dateCreated"]), reverse=True):
        if image["state"]["status"] in _BUILDING:
            continue
        details = {detail["action"]["type"]: detail for detail in policy["policyDetails"]}
        for action in ("DEPRECATE", "DISABLE", "DELETE"):  # AWS's order, and only the first that applies
            detail = details.get(action)
            if detail and _applies(image, detail, retained=retained, at=at):
                _run(store, execution, image, detail=detail, role=policy["executionRole"], at=at)
                break
    return end(execution)


def new_execution(store: RegionStore, *, policy: str | None) -> dict[str, Any]:
    """A new run, IN_PROGRESS, which is listed from now on."""
    execution: dict[str, Any] = {
        "lifecycleExecutionId": f"lce-{uuid.uuid4()}",
        "lifecyclePolicyArn": policy,
        "state": {"status": "IN_PROGRESS"},
        "startTime": datetime.now(UTC).timestamp(),
        "images": [],
        "outputs": {},
    }
    store.lifecycle_executions.append(execution)
    return execution


def end(execution: dict[str, Any]) -> str:
    """End a run, successfully or not; gives its ID."""
    entries = [*execution["images"], *(entry for each in execution["outputs"].values() for entry in each)]
    failed = any(entry["state"]["status"] == "FAILED" for entry in entries)
    execution["state"] = {"status": "FAILED" if failed else "SUCCESS"}
    execution["resourcesImpactedSummary"] = {"hasImpactedResources": bool(entries)}
    execution["endTime"] = datetime.now(UTC).timestamp()
    return str(execution["lifecycleExecutionId"])


def _run(
    store: RegionStore, execution: dict[str, Any], image: dict[str, Any], *, detail: Fields, role: str, at: datetime
) -> None:
    rule = detail["filter"]
    entry, outputs = act(
        store,
        image,
        action=detail["action"]["type"],
        include=detail["action"].get("includeResources", {}),
        excluded=detail.get("exclusionRules", {}).get("amis", {}),
        at=at,
        reason=f"{rule['type']} {rule['value']} {rule.get('unit', '')}".strip(),
        role=role,
    )
    execution["images"].append(entry)
    execution["outputs"][image["arn"]] = outputs


def _selected(image: Fields, selection: Fields) -> bool:
    if "tagMap" in selection:
        return has_tag(image.get("tags", {}), selection["tagMap"])
    recipe = image.get("imageRecipe") or image.get("containerRecipe") or {}
    wanted = [f"x/{each['name']}/{each['semanticVersion']}" for each in selection["recipes"]]
    return any(matches(each, f"x/{recipe['name']}/{recipe['version']}") for each in wanted)


def _applies(image: Fields, detail: Fields, *, retained: Counter[str], at: datetime) -> bool:
    """Whether a rule applies to the image. `retained` counts what a DELETE rule has kept of each recipe version."""
    action, rule = detail["action"]["type"], detail["filter"]
    status = image["state"]["status"]
    if status in _DONE_ALREADY[action]:
        return False
    tagged = has_tag(image.get("tags", {}), detail.get("exclusionRules", {}).get("tagMap", {}))
    built = datetime.fromisoformat(image["dateCreated"])
    old = rule["type"] == "COUNT" or at - built > span(rule["value"], rule["unit"])
    if action != "DELETE" or status in _FAILED:
        return old and not tagged
    keep = rule["value"] if rule["type"] == "COUNT" else rule.get("retainAtLeast", 0)
    if retained[version_arn(image["arn"])] < keep:
        retained[version_arn(image["arn"])] += 1
        return False
    return old and not tagged
