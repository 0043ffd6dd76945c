"""Lifecycle actions on an image and on the AMIs, snapshots and container images that it made.

A rule selects the image. Then each of its AMIs is checked, and skipped if an exclusion rule applies to it ("How
lifecycle management rules work" in Image Builder's user guide). If any of them is skipped, the image is not deleted
(StartResourceStateUpdate in the service model).
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from local_aws.errors import AwsError
from local_aws.image_builder.neighbours import Neighbours
from local_aws.image_builder.store import Fields, RegionStore

STATUS = {"DEPRECATE": "DEPRECATED", "DISABLE": "DISABLED", "DELETE": "DELETED", "AVAILABLE": "AVAILABLE"}
"""The state of an image after each action."""

CROSS_ACCOUNT_ROLE = "Ec2ImageBuilderCrossAccountLifecycleAccess"
"""The role that the execution role assumes in another account."""

_DAYS = {"DAYS": 1, "WEEKS": 7, "MONTHS": 30, "YEARS": 365}


def span(value: int, unit: str) -> timedelta:
    """A duration in AWS's units; a month is 30 days here, and a year 365."""
    return timedelta(days=value * _DAYS[unit])


def act(
    store: RegionStore,
    image: dict[str, Any],
    *,
    action: str,
    include: Fields,
    excluded: Fields,
    at: datetime,
    reason: str,
    role: str | None,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Do an action; gives the entries of ListLifecycleExecutionResources: the image's, and those of its outputs.

    `role` is the execution role: it assumes a role in each other account that owns an AMI of the image.
    """
    outputs = []
    made = image.get("outputResources", {})
    for output in made.get("amis", ()) if include.get("amis") else ():
        try:
            ec2 = store.neighbours.in_account(
                output["accountId"], role=CROSS_ACCOUNT_ROLE, region=output["region"], execution_role=role
            ).ec2(region=output["region"])
        except AwsError as refused:
            failed = {"status": "FAILED", "reason": str(refused)}
            outputs.append({**_ami_entry(output), "state": failed})
        else:
            outputs.append(_on_ami(ec2, output, action=action, include=include, excluded=excluded, at=at))
    for output in made.get("containers", ()) if include.get("containers") else ():
        outputs.append(_on_container(store.neighbours, output))
    states = {each["state"]["status"] for each in outputs}
    status = {"status": "SUCCESS"}
    if action != "DELETE":
        image["state"] = {"status": STATUS[action]}
    elif "FAILED" in states:
        status = {"status": "FAILED", "reason": "The action failed for an output resource."}
    elif "SKIPPED" in states:
        status = {"status": "SKIPPED", "reason": "An output resource is excluded."}
    else:
        del store.resources[image["arn"]]
    entry = {
        "accountId": image["owner"],
        "resourceId": image["arn"],
        "region": store.name,
        "action": {"name": action, "reason": reason},
        "state": status,
    }
    return entry, [{**each, "action": {"name": action, "reason": reason}} for each in outputs]


def _ami_entry(output: Fields) -> dict[str, Any]:
    return {"accountId": output["accountId"], "resourceId": output["image"], "region": output["region"]}


def _on_ami(
    ec2: Any, output: Fields, *, action: str, include: Fields, excluded: Fields, at: datetime
) -> dict[str, Any]:
    region, ami, entry = output["region"], output["image"], _ami_entry(output)
    found = ec2.describe_images(
        Filters=[{"Name": "image-id", "Values": [ami]}], IncludeDeprecated=True, IncludeDisabled=True
    )["Images"]
    if not found:  # somebody else has deleted it already
        return {**entry, "state": {"status": "SUCCESS"}}
    if why := _why_excluded(ec2, found[0], region=region, excluded=excluded, at=at):
        return {**entry, "state": {"status": "SKIPPED", "reason": f"The AMI is excluded by {why}."}}
    snapshots = []
    match action:
        case "DEPRECATE":
            # EC2 refuses times in the past
            ec2.enable_image_deprecation(ImageId=ami, DeprecateAt=max(at, datetime.now(UTC)))
            ec2.create_tags(Resources=[ami], Tags=[{"Key": "DeprecatedBy", "Value": "EC2 Image Builder"}])
        case "DISABLE":
            ec2.delete_tags(Resources=[ami], Tags=[{"Key": "DeprecatedBy"}])
            ec2.disable_image(ImageId=ami)
        case "AVAILABLE":
            ec2.delete_tags(Resources=[ami], Tags=[{"Key": "DeprecatedBy"}])
            ec2.disable_image_deprecation(ImageId=ami)
            ec2.enable_image(ImageId=ami)
        case "DELETE":
            ec2.deregister_image(ImageId=ami)
            snapshots = _delete_snapshots(ec2, found[0]) if include.get("snapshots") else []
    return {**entry, "state": {"status": "SUCCESS"}, "snapshots": snapshots}


def _delete_snapshots(ec2: Any, ami: Fields) -> list[dict[str, Any]]:
    deleted = []
    for device in ami.get("BlockDeviceMappings", ()):
        if snapshot := device.get("Ebs", {}).get("SnapshotId"):
            ec2.delete_snapshot(SnapshotId=snapshot)
            deleted.append({"snapshotId": snapshot, "state": {"status": "SUCCESS"}})
    return deleted


def _why_excluded(ec2: Any, ami: Fields, *, region: str, excluded: Fields, at: datetime) -> str | None:
    """The first exclusion rule that applies to the AMI, in AWS's order."""
    tags = {tag["Key"]: tag["Value"] for tag in ami.get("Tags", ())}
    if region in excluded.get("regions", ()):
        return "regions"
    if excluded.get("isPublic") and ami.get("Public"):
        return "isPublic"
    if has_tag(tags, excluded.get("tagMap", {})):
        return "tagMap"
    shares = ec2.describe_image_attribute(ImageId=ami["ImageId"], Attribute="launchPermission")["LaunchPermissions"]
    if {share.get("UserId") for share in shares} & set(excluded.get("sharedAccounts", ())):
        return "sharedAccounts"
    if (window := excluded.get("lastLaunched")) and (launched := ami.get("LastLaunchedTime")):
        recently = at - datetime.fromisoformat(launched) < span(window["value"], window["unit"])
        return "lastLaunched" if recently else None
    return None


def has_tag(tags: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether at least one of the wanted tags, key and value, is among the tags."""
    return any(tags.get(key) == value for key, value in wanted.items())


def _on_container(neighbours: Neighbours, output: Fields) -> dict[str, Any]:
    """Delete a container image by its URIs, each `registry/repository:tag`.

    A newer image, to which a tag of this build has moved, has further tags and is kept.
    """
    region, uris = output["region"], output["imageUris"]
    entry = {"resourceId": uris[0], "region": region, "imageUris": uris}
    name = uris[0].partition("/")[2].rpartition(":")[0]
    tags = {uri.rpartition(":")[2] for uri in uris}
    ecr = neighbours.ecr(region=region)
    try:
        for image in ecr.describe_images(repositoryName=name)["imageDetails"]:
            if image.get("imageTags") and tags.issuperset(image["imageTags"]):
                ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": image["imageDigest"]}])
    except ClientError as error:
        return {**entry, "state": {"status": "FAILED", "reason": str(error)}}
    return {**entry, "state": {"status": "SUCCESS"}}
