"""What a build makes: an AMI or a container image in each region of its distribution configuration."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from local_aws.dates import build_date
from local_aws.image_builder.deliveries import Delivered, check_key, deliver
from local_aws.image_builder.neighbours import NewAmi
from local_aws.image_builder.parent_images import ParentImage
from local_aws.image_builder.store import RegionStore


def with_names(configuration: Mapping[str, Any] | None, *, image_name: str, build: int) -> dict[str, Any] | None:
    """A distribution configuration as an image has it: with the names of this build's AMIs.

    All of them contain the time at which the build starts, the same in every region (seen in captured messages). An AMI
    that the configuration does not name is named after the image.
    """
    if configuration is None:
        return None
    values = {"buildDate": build_date(), "buildVersion": str(build)}
    distributions = []
    for distribution in configuration["distributions"]:
        if "containerDistributionConfiguration" in distribution:
            distributions.append(distribution)
            continue
        ami = distribution.get("amiDistributionConfiguration", {})
        name = ami.get("name") or image_name + " {{ imagebuilder:buildDate }}"
        name = re.sub(r"\{\{\s*imagebuilder:(buildDate|buildVersion)\s*\}\}", lambda m: values[m[1]], name)
        distributions.append({**distribution, "amiDistributionConfiguration": {**ami, "name": name}})
    return {**configuration, "distributions": distributions}


def distribute(store: RegionStore, image: Mapping[str, Any], *, parent: ParentImage) -> list[dict[str, Any]]:
    """Register the AMIs of an image; gives the `amis` of its output resources.

    The AMI in the pipeline's region is made from the parent, and those of other regions are copies of it. Without a
    distribution configuration there is only the first one. Without target accounts an AMI is for the own account; with
    some, for exactly those. Raises botocore's ClientError when EC2 refuses, and `DistributionError` when AWS would
    fail.
    """
    name = image["name"] + " " + build_date()
    home: dict[str, Any] = {"distributions": [{"region": store.name, "amiDistributionConfiguration": {"name": name}}]}
    devices = _devices(store, image["imageRecipe"], parent)
    outputs: list[dict[str, Any]] = []
    source = (store.name, parent.ami)
    for distribution in (image["distributionConfiguration"] or home)["distributions"]:
        made = _distribute_to_region(
            store, image, distribution=distribution, parent=parent, source=source, devices=devices
        )
        outputs += made
        if distribution["region"] == store.name:
            source = (store.name, made[0]["image"])
    return outputs


def _distribute_to_region(
    store: RegionStore,
    image: Mapping[str, Any],
    *,
    distribution: Mapping[str, Any],
    parent: ParentImage,
    source: tuple[str, str],
    devices: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """The entries of one region; `source` is what its AMIs are copied from, `devices` are their volumes."""
    region, ami, recipe = distribution["region"], distribution["amiDistributionConfiguration"], image["imageRecipe"]
    volumes = [device["ebs"] for device in devices]
    encrypted = "kmsKeyId" in ami or any(ebs.get("encrypted") for ebs in volumes)
    recipes_key = next((ebs["kmsKeyId"] for ebs in volumes if "kmsKeyId" in ebs), None)
    key = ami.get("kmsKeyId") or (recipes_key if region == store.name else None)
    accounts = ami.get("targetAccountIds") or [store.account]
    delivered = Delivered(
        region=region,
        amis={},
        platform=image["platform"],
        encrypted=encrypted,
        own_key=key is not None,
        neighbours=store.neighbours,
        execution_role=image.get("executionRole"),
    )
    if accounts != [store.account]:
        check_key(delivered)
    # only the AMI in the build's own region gets the recipe's description (AmiDistributionConfiguration)
    description = ami.get("description") or (recipe.get("description") if region == store.name else None)
    own_tags = {"CreatedBy": "EC2 Image Builder", "Ec2ImageBuilderArn": image["arn"]}
    new = NewAmi(
        name=ami["name"],
        description=description or "",
        architecture=parent.architecture,
        platform=parent.platform,
        root_device_name=parent.root_device_name,
        source=source,
        block_devices=devices,
        encrypted=encrypted,
        kms_key=key,
        tags={**own_tags, **recipe.get("amiTags", {}), **ami.get("amiTags", {})},
    )
    amis = {}
    for account in accounts:
        # AWS's policy for the role in another account tags images only
        amis[account] = delivered.neighbours_in(account).register_ami(
            new, region=region, tag_snapshots=account == store.account
        )
    deliver(replace(delivered, amis=amis), distribution)
    output = {"region": region, "name": ami["name"], "description": description, "state": {"status": "AVAILABLE"}}
    return [{**output, "image": amis[account], "accountId": account} for account in accounts]


def _devices(store: RegionStore, recipe: Mapping[str, Any], parent: ParentImage) -> list[dict[str, Any]]:
    """The volumes of an image: those of its recipe, and those of its parent that the recipe does not change."""
    own = [device for device in recipe.get("blockDeviceMappings", ()) if "ebs" in device]
    known: dict[str, dict[str, Any]] = {parent.root_device_name: {"ebs": {}}}
    for device in (store.neighbours.ami(region=store.name, ami=parent.ami) or {}).get("BlockDeviceMappings", ()):
        known[device["DeviceName"]] = {"ebs": {"volumeSize": device.get("Ebs", {}).get("VolumeSize", 8)}}
    merged = known | {device["deviceName"]: device for device in own}
    for device in own:
        if inherited := known.get(device["deviceName"]):
            merged[device["deviceName"]] = {**device, "ebs": {**inherited["ebs"], **device["ebs"]}}
    return [{**device, "deviceName": name} for name, device in merged.items()]


def distribute_containers(store: RegionStore, image: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Push a container image; gives the `containers` of its output resources.

    It gets the tags of the distribution and one with the image's version and build. If no distribution is for the
    build's own region, it is also pushed to the recipe's repository there ("Target repository name" in the user guide).
    Raises botocore's ClientError when ECR refuses, for example to move a tag of an immutable repository.
    """
    recipe, version = image["containerRecipe"], image["version"].replace("/", "-")
    home = {
        "region": store.name,
        "containerDistributionConfiguration": {"targetRepository": recipe["targetRepository"]},
    }
    distributions = (image["distributionConfiguration"] or {"distributions": []})["distributions"]
    if store.name not in [distribution["region"] for distribution in distributions]:
        distributions = [home, *distributions]
    manifest = _manifest(image)
    containers = []
    for distribution in distributions:
        container = distribution["containerDistributionConfiguration"]
        uris = store.neighbours.push_container(
            region=distribution["region"],
            repository=container["targetRepository"]["repositoryName"],
            manifest=manifest,
            tags=[*container.get("containerTags", ()), version],
        )
        containers.append({"region": distribution["region"], "imageUris": uris})
    return containers


def _manifest(image: Mapping[str, Any]) -> str:
    """A manifest as Docker pushes it, different for each build. The blobs that it names do not exist."""

    def blob(kind: str, name: str) -> dict[str, Any]:
        digest = hashlib.sha256(f"{image['arn']} {image['dateCreated']} {name}".encode()).hexdigest()
        return {"mediaType": f"application/vnd.docker.{kind}", "size": 1024, "digest": f"sha256:{digest}"}

    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": blob("container.image.v1+json", "config"),
            "layers": [blob("image.rootfs.diff.tar.gzip", "layer")],
        }
    )
