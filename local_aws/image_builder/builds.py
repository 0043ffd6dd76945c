"""Builds: from StartImagePipelineExecution to an image that is AVAILABLE or FAILED.

Each build is a thread that passes through the states of the service model's ImageStatus and stays `state_seconds` in
each. In CREATING it looks the parent up, in BUILDING it checks that EC2 could start an instance, in TESTING Inspector
scans what was built, in DISTRIBUTING it registers the AMIs or pushes the container images; at the end it publishes to
the topic of the infrastructure configuration. A pipeline can run several builds at once, each with the next build
version of its recipe's version.
"""

import copy
import sys
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from local_aws.dates import api_date
from local_aws.errors import AwsError
from local_aws.image_builder import scans
from local_aws.image_builder.arns import arn_of
from local_aws.image_builder.build_instances import launch_failure
from local_aws.image_builder.deliveries import DistributionError
from local_aws.image_builder.distribution import distribute, distribute_containers, with_names
from local_aws.image_builder.messages import sns_message
from local_aws.image_builder.packages import packages_of
from local_aws.image_builder.parent_images import ParentImage, ParentUnknown, find_managed, resolve_parent
from local_aws.image_builder.scans import Scan
from local_aws.image_builder.store import RegionStore

_STATES = ("PENDING", "CREATING", "BUILDING", "TESTING", "DISTRIBUTING", "INTEGRATING")
_ENDED = ("AVAILABLE", "FAILED", "CANCELLED", "DEPRECATED", "DISABLED")


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Where a build fails, and the reason that it gives."""

    state: str
    """BUILDING or TESTING."""
    reason: str


class Builds:
    """Starts, fails and cancels builds. `lock` protects images and all other resources."""

    def __init__(self, *, state_seconds: float) -> None:
        self.lock = threading.RLock()
        self.state_seconds = state_seconds
        self.next_failure: Failure | None = None
        """How the next build that starts fails; it is used once."""
        self.next_scans: dict[str, Scan] = {}
        """How the scan of the next build of a pipeline goes, by the pipeline's ARN; each is used once."""
        self.messages: list[str] = []
        """All published messages, oldest first."""
        self._stop = threading.Event()  # replaced by a new one at each reset

    def start(self, store: RegionStore, *, pipeline: dict[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
        """Start a build of a pipeline in the background; gives its new image, PENDING."""
        image = _new_image(store, pipeline=pipeline, tags=tags)
        store.resources[image["arn"]] = image
        pipeline["dateLastRun"] = image["dateCreated"]
        failure, self.next_failure = self.next_failure, None
        scan = self.next_scans.pop(pipeline["arn"], Scan())
        build = _Build(builds=self, store=store, image=image, failure=failure, scan=scan, stop=self._stop)
        threading.Thread(target=build.run, name=image["arn"], daemon=True).start()
        return image

    def cancel(self, image: dict[str, Any]) -> bool:
        """Cancel a build; False if it has ended already. What it has made already stays, as in AWS."""
        if has_ended(image):
            return False
        image["state"] = {"status": "CANCELLED"}
        scans.abandon(image)
        return True

    def reset(self) -> None:
        """Stop all builds, and forget messages and what the next builds were to do."""
        self._stop.set()
        self._stop = threading.Event()
        self.messages = []
        self.next_failure = None
        self.next_scans = {}


class _BuildFailed(Exception):
    """A build has failed; the message is the reason in the image's state."""


class _Build:
    """One running build."""

    _parent: ParentImage | None = None
    """Set in CREATING: a parameter is read then, and not again. Container images have none here."""

    def __init__(
        self,
        *,
        builds: Builds,
        store: RegionStore,
        image: dict[str, Any],
        failure: Failure | None,
        scan: Scan,
        stop: threading.Event,
    ) -> None:
        self._builds = builds
        self._store = store
        self._image = image
        self._failure = failure
        self._scan = scan
        self._collects = scans.collects_findings(image, store)
        self._stop = stop

    def run(self) -> None:
        tested = self._image["imageTestsConfiguration"]["imageTestsEnabled"]
        if workflows := self._image.get("workflows"):  # only these run
            tested = any(":workflow/test/" in entry["workflowArn"] for entry in workflows)
        try:
            for state in _STATES:
                if state == "TESTING" and not tested:
                    continue
                if not self._enter({"status": state}) or self._stop.wait(self._builds.state_seconds):
                    return
                self._work(state)
        except _BuildFailed as failed:
            self._end({"status": "FAILED", "reason": str(failed)})
        else:
            self._end({"status": "AVAILABLE"})

    def _work(self, state: str) -> None:
        """Do the work of a state. Raises `_BuildFailed`."""
        if state == "TESTING" and self._collects:
            with self._builds.lock:
                scans.end(self._image, self._scan)
        if self._failure and self._failure.state == state:
            raise _BuildFailed(self._failure.reason)
        if state == "DISTRIBUTING":
            self._distribute()
        elif state == "CREATING" and self._image["type"] == "AMI":
            self._find_parent()
        elif state == "BUILDING":
            self._build()

    def _build(self) -> None:
        # the parent of a container image is in a registry, and can be built on any host
        if self._parent and (
            reason := launch_failure(self._parent, infrastructure=self._image["infrastructureConfiguration"])
        ):
            raise _BuildFailed(reason)
        with self._builds.lock:
            self._image["packages"] = packages_of(self._store, self._image, parent=self._parent)

    def _find_parent(self) -> None:
        reference, platform = self._image["imageRecipe"]["parentImage"], self._image["platform"]
        try:
            self._parent = resolve_parent(reference, self._store)
        except ParentUnknown as unknown:
            raise _BuildFailed(str(unknown)) from None
        if self._parent.platform != platform:
            raise _BuildFailed(f"The recipe is for {platform}, its parent '{reference}' is {self._parent.platform}.")
        with self._builds.lock:
            self._image["osVersion"] = self._parent.os_version

    def _distribute(self) -> None:
        outputs: dict[str, Any]
        try:
            if self._parent:
                outputs = {"amis": distribute(self._store, self._image, parent=self._parent)}
            else:
                outputs = {"containers": distribute_containers(self._store, self._image)}
        except DistributionError as error:
            raise _BuildFailed(f"Not all distribution jobs are completed. 1) {error}") from None
        except (ClientError, AwsError) as error:
            raise _BuildFailed(f"Distribution failed: {error}") from None
        with self._builds.lock:
            self._image["outputResources"] = outputs

    def _enter(self, state: dict[str, str]) -> bool:
        """Set the image's state; False if the build has been cancelled meanwhile."""
        with self._builds.lock:
            if has_ended(self._image) or self._stop.is_set():
                return False
            self._image["state"] = state
            if state["status"] == "TESTING" and self._collects:
                scans.start(self._image, self._scan)
            elif has_ended(self._image) and not (state["status"] == "AVAILABLE" and self._scan.stays):
                scans.abandon(self._image)
            pipeline = self._store.resources.get(self._image["sourcePipelineArn"])
            if pipeline is not None:  # a pipeline can be deleted while it builds
                pipeline["lastRunStatus"] = state["status"]
            return True

    def _end(self, state: dict[str, str]) -> None:
        topic = self._image["infrastructureConfiguration"].get("snsTopicArn")
        if not self._enter(state) or not topic:
            return
        with self._builds.lock:
            message = sns_message(self._image)
            self._builds.messages.append(message)
        if not self._store.neighbours.publish(region=self._store.name, topic=topic, message=message):
            # this does not fail a build in AWS either
            print(f"local AWS: topic {topic} refused a message", file=sys.stderr)


def has_ended(image: Mapping[str, Any]) -> bool:
    """Whether an image's build has ended, successfully or not."""
    return image["state"]["status"] in _ENDED


def failure_reason(state: str) -> str:
    """A reason like the one that AWS gives when a component document failed."""
    return (
        f"SSM execution '{uuid.uuid4()}' failed with status = 'Failed' in state = '{state}' and "
        "failure message = 'Document failed: a step ended with exit status 1'"
    )


def _new_image(store: RegionStore, *, pipeline: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Any]:
    is_container = "containerRecipeArn" in pipeline
    recipe = store.get(pipeline["containerRecipeArn" if is_container else "imageRecipeArn"])
    infrastructure = store.get(pipeline["infrastructureConfigurationArn"])
    distribution_arn = pipeline.get("distributionConfigurationArn")
    distribution = store.get(distribution_arn) if distribution_arn else None
    version_arn = arn_of(
        region=store.name, account=store.account, path="image", name=recipe["name"], version=recipe["version"]
    )
    build = store.last_builds[version_arn] = store.last_builds.get(version_arn, 0) + 1
    image = {
        "arn": f"{version_arn}/{build}",
        "type": "DOCKER" if is_container else "AMI",
        "name": recipe["name"],
        "version": f"{recipe['version']}/{build}",
        "platform": recipe["platform"],
        "enhancedImageMetadataEnabled": pipeline["enhancedImageMetadataEnabled"],
        "state": {"status": "PENDING"},
        "containerRecipe" if is_container else "imageRecipe": recipe,
        "infrastructureConfiguration": infrastructure,
        "distributionConfiguration": with_names(distribution, image_name=recipe["name"], build=build),
        "imageTestsConfiguration": pipeline["imageTestsConfiguration"],
        **_how(pipeline, store),
        **scans.first_state(pipeline),
        "sourcePipelineArn": pipeline["arn"],
        "dateCreated": api_date(),
        "outputResources": {"containers" if is_container else "amis": []},
        "owner": store.account,
        "tags": dict(tags),
        "buildType": "USER_INITIATED",
        **({} if is_container else {"imageSource": _source(recipe["parentImage"], store)}),
    }
    # a copy, because an image keeps what it was built from, even if that is changed later
    return copy.deepcopy(image)


def _how(pipeline: Mapping[str, Any], store: RegionStore) -> dict[str, Any]:
    """Workflows, their role and image scanning. A workflow version with wildcards is resolved to the newest one."""
    how: dict[str, Any] = {}
    for member in ("executionRole", "imageScanningConfiguration"):
        if member in pipeline:
            how[member] = pipeline[member]
    if "workflows" in pipeline:
        found = ((entry, store.find(entry["workflowArn"])) for entry in pipeline["workflows"])
        how["workflows"] = [{**entry, "workflowArn": own["arn"]} if own else entry for entry, own in found]
    return how


def _source(parent: str, store: RegionStore) -> str:
    return "AMAZON_MANAGED" if find_managed(parent, region=store.name) else "CUSTOM"
