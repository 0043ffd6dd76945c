"""What a lifecycle action does to an image and to the AMIs, snapshots and container images that it made.

In the words of Image Builder's user guide, "How lifecycle management rules work": a rule decides about the image; its
AMIs are then looked at one by one, and one that an exclusion rule names is skipped. An image of which something was
skipped is not deleted (StartResourceStateUpdate in the service model).
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from local_aws.image_builder.neighbours import Neighbours
from local_aws.image_builder.store import Fields, RegionStore

STATUS = {"DEPRECATE": "DEPRECATED", "DISABLE": "DISABLED", "DELETE": "DELETED", "AVAILABLE": "AVAILABLE"}
"""The state of an image after each action."""

_DAYS = {"DAYS": 1, "WEEKS": 7, "MONTHS": 30, "YEARS": 365}


def span(value: int, unit: str) -> timedelta:
    """A time in AWS's units; a month has 30 days here, a year 365."""
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
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Does it; gives the entry of the image and those of its outputs, as ListLifecycleExecutionResources has them."""
    outputs = []
    made = image.get("outputResources", {})
    for output in made.get("amis", ()) if include.get("amis") else ():
        outputs.append(_on_ami(store.neighbours, output, action=action, include=include, excluded=excluded, at=at))
    for output in made.get("containers", ()) if include.get("containers") else ():
        outputs.append(_on_container(store.neighbours, output))
    skipped = [each for each in outputs if each["state"]["status"] == "SKIPPED"]
    status = {"status": "SUCCESS"}
    if action != "DELETE":
        image["state"] = {"status": STATUS[action]}
    elif skipped:
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


def _on_ami(
    neighbours: Neighbours, output: Fields, *, action: str, include: Fields, excluded: Fields, at: datetime
) -> dict[str, Any]:
    region, ami = output["region"], output["image"]
    ec2 = neighbours.ec2(region=region)
    entry: dict[str, Any] = {"accountId": output["accountId"], "resourceId": ami, "region": region}
    found = ec2.describe_images(
        Filters=[{"Name": "image-id", "Values": [ami]}], IncludeDeprecated=True, IncludeDisabled=True
    )["Images"]
    if not found:  # whoever did it, it is done
        return {**entry, "state": {"status": "SUCCESS"}}
    if why := _why_excluded(ec2, found[0], region=region, excluded=excluded, at=at):
        return {**entry, "state": {"status": "SKIPPED", "reason": f"The AMI is excluded by {why}."}}
    snapshots = []
    match action:
        case "DEPRECATE":
            # EC2 takes no time that is past
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
    """The first exclusion rule that the AMI meets, in AWS's order."""
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
    """Whether any of the wanted tags is there, key and value."""
    return any(tags.get(key) == value for key, value in wanted.items())


def _on_container(neighbours: Neighbours, output: Fields) -> dict[str, Any]:
    """Deletes a container image by its URIs, each `registry/repository:tag`.

    ECR deletes an image with its last tag, so one to which a tag of this build has moved on stays.
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
