"""EC2 Image Builder: its operations, on one store for each account and region.

Everything is kept in memory. What differs between kinds of resources is in `kinds.py`; builds are in `builds.py`.
"""

import copy
import hashlib
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from local_aws.dates import api_date
from local_aws.errors import AwsError
from local_aws.image_builder.arns import arn_of, matches, version_arn
from local_aws.image_builder.builds import Builds, has_ended
from local_aws.image_builder.kinds import KINDS, Kind
from local_aws.image_builder.lifecycle_executions import lifecycle_operations
from local_aws.image_builder.lifecycle_policies import run_policy
from local_aws.image_builder.neighbours import Neighbours
from local_aws.image_builder.pages import page_of
from local_aws.image_builder.parent_images import find_managed, managed_image
from local_aws.image_builder.scans import change_status, scan_operations
from local_aws.image_builder.service_model import NOT_IMPLEMENTED
from local_aws.image_builder.store import Fields, RegionStore
from local_aws.image_builder.tags import tag_resource, untag_resource

_NOT_KEPT = ("clientToken", "dryRun", "semanticVersion", "uri", "dockerfileTemplateUri", "platformOverride")
_NOT_UPDATED = ("arn", "name", "dateCreated", "tags", "dateLastRun", "lastRunStatus")
_HIGHEST_VERSION_NODE = 2**30 - 1


class ImageBuilder:
    """Answers operations. Their parameters have been checked against the service model already.

    `neighbours` makes the other services of an account.
    """

    def __init__(self, *, neighbours: Callable[[str], Neighbours], builds: Builds) -> None:
        self._neighbours = neighbours
        self._builds = builds
        self._lock = builds.lock
        self._stores: dict[tuple[str, str], RegionStore] = {}  # by account and region
        self._operations = self._table()

    def answer(self, *, operation: str, params: Fields, account: str, region: str) -> dict[str, Any]:
        """The operation's result. Raises `AwsError` for what AWS refuses, and what is not implemented."""
        run = self._operations.get(operation)
        if run is None:
            raise AwsError(
                code=NOT_IMPLEMENTED,
                message=f"The local AWS does not implement the Image Builder operation {operation}.",
            )
        with self._lock:
            store = self._store(account=account, region=region)
            token = params.get("clientToken")
            if token in store.answers:
                return _answered(store, token=token, operation=operation, params=params)
            result = {"requestId": str(uuid.uuid4()), **copy.deepcopy(run(store, params))}
            if token:
                result["clientToken"] = token
                store.answers[token] = (operation, params, result)
            return result

    def run_lifecycle_policy(self, arn: str, *, at: datetime) -> str:
        """Run a lifecycle policy as if it were `at`; gives the execution's ID."""
        with self._lock:
            region, account = arn.split(":")[3:5]
            store = self._store(account=account, region=region)
            return run_policy(store, store.get(arn), at=at)

    def change_scan(self, arn: str, status: str, *, reason: str) -> None:
        """Change the status of a build's scan. Raises ValueError if the build is not scanned."""
        with self._lock:
            region, account = arn.split(":")[3:5]
            change_status(self._store(account=account, region=region).get(arn), status, reason=reason)

    def reset(self) -> None:
        """Forget everything, and stop all builds."""
        with self._lock:
            self._builds.reset()
            self._stores.clear()

    def _store(self, *, account: str, region: str) -> RegionStore:
        new = RegionStore(name=region, neighbours=self._neighbours(account))
        return self._stores.setdefault((account, region), new)

    def _table(self) -> dict[str, Callable[[RegionStore, Fields], dict[str, Any]]]:
        table: dict[str, Callable[[RegionStore, Fields], dict[str, Any]]] = {
            "GetImage": _get_image,
            "DeleteImage": _delete_image,
            "ListImages": _list_images,
            "ListImageBuildVersions": _list_image_builds,
            "ListImagePipelineImages": _list_pipeline_images,
            "StartImagePipelineExecution": self._start_pipeline,
            "CancelImageCreation": self._cancel_image,
            "ListComponentBuildVersions": _list_component_builds,
            "ListWorkflowBuildVersions": _list_workflow_builds,
            **lifecycle_operations(),
            **scan_operations(),
            "TagResource": tag_resource,
            "UntagResource": untag_resource,
            "ListTagsForResource": lambda store, p: {"tags": store.get(p["resourceArn"]).get("tags", {})},
        }
        for kind in KINDS:
            table |= _operations_of(kind)
        return table

    def _start_pipeline(self, store: RegionStore, params: Fields) -> dict[str, Any]:
        pipeline = store.get(params["imagePipelineArn"])
        image = self._builds.start(store, pipeline=pipeline, tags=params.get("tags", {}))
        return {"imageBuildVersionArn": image["arn"]}

    def _cancel_image(self, store: RegionStore, params: Fields) -> dict[str, Any]:
        image = store.get(params["imageBuildVersionArn"])
        if not self._builds.cancel(image):
            raise AwsError(
                code="InvalidRequestException",
                message=f"The image '{image['arn']}' is {image['state']['status']} and cannot be cancelled.",
            )
        return {"imageBuildVersionArn": image["arn"]}


def _operations_of(kind: Kind) -> dict[str, Callable[[RegionStore, Fields], dict[str, Any]]]:
    table: dict[str, Callable[[RegionStore, Fields], dict[str, Any]]] = {
        f"Create{kind.noun}": lambda store, params: _create(store, kind, params),
        f"Get{kind.noun}": lambda store, params: {kind.member: store.get(params[kind.arn_member])},
        f"Delete{kind.noun}": lambda store, params: _delete(store, kind, params),
        kind.list_operation: lambda store, params: _list(
            _versions(store.of_path(kind.path)) if kind.has_builds else store.of_path(kind.path),
            params,
            member=kind.listed_as,
        ),
    }
    if not kind.versioned:
        table[f"Update{kind.noun}"] = lambda store, params: _update(store, kind, params)
    return table


def _answered(store: RegionStore, *, token: str, operation: str, params: Fields) -> dict[str, Any]:
    earlier, earlier_params, result = store.answers[token]
    if (earlier, earlier_params) != (operation, params):
        raise AwsError(
            code="IdempotentParameterMismatchException",
            message=f"The client token '{token}' was used with other parameters.",
        )
    return result


def _create(store: RegionStore, kind: Kind, params: Fields) -> dict[str, Any]:
    version = _version(params) if kind.versioned else ""
    resource = {**_kept(params), **kind.complete(params, store)}
    arn = arn_of(
        region=store.name, account=store.account, path=kind.path_of(params), name=params["name"], version=version
    )
    existing = store.find(arn)
    if existing and not (kind.has_builds and _differs(resource, existing)):
        raise AwsError(
            code="ResourceAlreadyExistsException",
            message=f"The following resource '{kind.noun}' already exists: '{existing['arn']}'.",
        )
    if kind.has_builds:
        build = 1 + (int(existing["arn"].rpartition("/")[2]) if existing else 0)
        arn = f"{arn}/{build}"
    if version:
        resource["version"] = version
    if params.get("dryRun"):
        raise AwsError(code="DryRunOperationException", message="The dry run was successful.")
    store.resources[arn] = {"arn": arn, **resource, "dateCreated": api_date()}
    return {kind.arn_member: arn}


def _differs(resource: Mapping[str, Any], existing: Mapping[str, Any]) -> bool:
    """Whether a component or workflow differs from the latest build of its version.

    If so, AWS makes a new build; otherwise it refuses (CreateComponent in the service model).
    """
    return any(resource[key] != existing.get(key) for key in resource if key != "tags")


def _version(params: Fields) -> str:
    version = str(params["semanticVersion"])
    if "x" in version:
        raise AwsError(code=NOT_IMPLEMENTED, message=f"The local AWS does not number recipes: '{version}'.")
    if any(int(node) > _HIGHEST_VERSION_NODE for node in version.split(".")):
        raise AwsError(
            code="InvalidVersionNumberException",
            message=f"Each node of version '{version}' must be at most {_HIGHEST_VERSION_NODE}.",
        )
    return version


def _update(store: RegionStore, kind: Kind, params: Fields) -> dict[str, Any]:
    """Replace everything that does not identify the resource; "omitted optional properties are cleared"."""
    resource = store.get(params[kind.arn_member])
    same: dict[str, Any] = {key: resource[key] for key in _NOT_UPDATED if key in resource}
    changed = {key: value for key, value in _kept(params).items() if key != kind.arn_member}
    completed = kind.complete(params, store)
    resource.clear()
    resource.update({**changed, **completed, **same, "dateUpdated": api_date()})
    return {kind.arn_member: resource["arn"]}


def _delete(store: RegionStore, kind: Kind, params: Fields) -> dict[str, Any]:
    arn = store.get(params[kind.arn_member])["arn"]
    for user_kind in KINDS:
        for user in store.of_path(user_kind.path):
            if any(used and matches(used, arn) for used in user_kind.uses(user)):
                raise _in_use(arn)
    del store.resources[arn]
    return {kind.arn_member: arn}


def _get_image(store: RegionStore, params: Fields) -> dict[str, Any]:
    arn = params["imageBuildVersionArn"]
    if managed := find_managed(arn, region=store.name):
        return {"image": managed_image(*managed, region=store.name)}
    return {"image": store.get(arn)}


def _delete_image(store: RegionStore, params: Fields) -> dict[str, Any]:
    image = store.get(params["imageBuildVersionArn"])
    if not has_ended(image):
        raise _in_use(image["arn"])
    del store.resources[image["arn"]]
    return {"imageBuildVersionArn": image["arn"]}


def _in_use(arn: str) -> AwsError:
    return AwsError(
        code="ResourceDependencyException",
        message=f"Resource dependency error: The resource ARN '{arn}' has other resources depended on it.",
    )


def _list_images(store: RegionStore, params: Fields) -> dict[str, Any]:
    versions = [{**image, "version": image["version"].split("/")[0]} for image in store.of_path("image")]
    return _list(_versions(versions), params, member="imageVersionList")


def _list_image_builds(store: RegionStore, params: Fields) -> dict[str, Any]:
    wanted = params.get("imageVersionArn")
    images = [image for image in store.of_path("image") if not wanted or matches(wanted, image["arn"])]
    return _list(images, params, member="imageSummaryList")


def _list_component_builds(store: RegionStore, params: Fields) -> dict[str, Any]:
    wanted = params.get("componentVersionArn")
    builds = [c for c in store.of_path("component") if not wanted or matches(wanted, c["arn"])]
    return _list([{**build, "state": {"status": "ACTIVE"}} for build in builds], params, member="componentSummaryList")


def _list_pipeline_images(store: RegionStore, params: Fields) -> dict[str, Any]:
    """The images of a pipeline; none if it does not exist, as in AWS."""
    pipeline = params["imagePipelineArn"]
    images = [image for image in store.of_path("image") if image["sourcePipelineArn"] == pipeline]
    return _list(images, params, member="imageSummaryList")


def _list_workflow_builds(store: RegionStore, params: Fields) -> dict[str, Any]:
    wanted = params.get("workflowVersionArn")
    builds = [each for each in store.of_path("workflow") if not wanted or matches(wanted, each["arn"])]
    return _list(builds, params, member="workflowSummaryList")


def _list(resources: list[dict[str, Any]], params: Fields, *, member: str) -> dict[str, Any]:
    """One page. AWS promises no order: this one is the same each time, but arbitrary."""
    if params.get("owner", "Self") != "Self":
        raise AwsError(
            code=NOT_IMPLEMENTED,
            message=f"The local AWS lists only resources with owner 'Self', not '{params['owner']}'.",
        )
    found = [r for r in resources if all(_passes(r, item) for item in params.get("filters", ()))]
    found.sort(key=lambda resource: hashlib.sha256(resource["arn"].encode()).digest())
    return page_of(found, params, member=member)


def _passes(resource: Mapping[str, Any], item: Fields) -> bool:
    return str(resource.get(item["name"])) in item["values"]


def _versions(builds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One entry for each version, from its last build."""
    last = {version_arn(build["arn"]): build for build in builds}
    return [{**build, "arn": arn} for arn, build in last.items()]


def _kept(params: Fields) -> dict[str, Any]:
    return {key: value for key, value in params.items() if key not in _NOT_KEPT}
