"""The message that Image Builder publishes to SNS, in the form that AWS documents.

Source: the Image Builder user guide, "Amazon SNS integration in Image Builder", section "SNS message format", and
captured messages with the same members. It differs from the API: dates are not in ISO form, there is an integer
`semver`, and tags are internal ones.
"""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from local_aws.dates import message_date
from local_aws.image_builder.arns import version_arn

_NAMESPACE = uuid.UUID("6f7c8f5e-2d5a-4d0a-9d0e-0d6a3c1f2b11")


def sns_message(image: Mapping[str, Any]) -> str:
    """The message about an image that has become AVAILABLE or FAILED, as JSON text.

    `image` is in the API's form (GetImage).
    """
    version, build = image["version"].split("/")
    available = image["state"]["status"] == "AVAILABLE"
    message = {
        "versionlessArn": version_arn(image["arn"]).rpartition("/")[0],
        "semver": _semver(version, build=int(build)),
        "arn": image["arn"],
        "name": image["name"],
        "version": version,
        "type": image["type"],
        "buildVersion": int(build),
        "state": image["state"],
        "platform": image["platform"],
        "osVersion": image.get("osVersion"),
        "imageRecipe": _part(image.get("imageRecipe")),
        "containerRecipe": _part(image.get("containerRecipe")),
        "sourcePipelineArn": image["sourcePipelineArn"],
        "infrastructureConfiguration": _part(image["infrastructureConfiguration"]),
        "imageTestsConfigurationDocument": image["imageTestsConfiguration"],
        "distributionConfiguration": _part(image.get("distributionConfiguration")),
        "dateCreated": message_date(image["dateCreated"]),
        "outputResources": _outputs(image["outputResources"]),
        **({job: _id(job, image["arn"]) for job in _JOBS} if available else {}),
        "accountId": image["owner"],
        "enhancedImageMetadataEnabled": image["enhancedImageMetadataEnabled"],
        "buildType": image["buildType"],
        "tags": _tags(image["arn"]),
    }
    return json.dumps({key: value for key, value in message.items() if value is not None}, indent=2)


_JOBS = ("buildExecutionId", "testExecutionId", "distributionJobId", "integrationJobId")


def _semver(version: str, *, build: int) -> int:
    """Thirty bits for each node: 1.0.0/3 is 1237940039285380274899124227 in AWS's own example."""
    number = 0
    for node in [*map(int, version.split(".")), build]:
        number = (number << 30) + node
    return number


def _part(resource: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A recipe or configuration in the form of the message."""
    if resource is None:
        return None
    dates = {key: message_date(value) for key, value in resource.items() if key in ("dateCreated", "dateUpdated")}
    left_out = ("owner", "type")
    kept = {key: value for key, value in resource.items() if key not in left_out and value is not None}
    return {**kept, **dates, "tags": _tags(resource["arn"]), "accountId": resource["arn"].split(":")[4]}


def _outputs(resources: Mapping[str, Any]) -> dict[str, Any]:
    """AMIs with some of their members. Messages of container images are not documented: they are as in the API."""
    if "containers" in resources:
        return {"amis": [], "containers": resources["containers"]}
    members = ("region", "image", "name", "accountId")
    return {"amis": [{member: ami[member] for member in members} for ami in resources["amis"]]}


def _tags(arn: str) -> dict[str, str]:
    return {"internalId": _id("internal", arn), "resourceArn": arn}


def _id(purpose: str, arn: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{purpose} {arn}"))
