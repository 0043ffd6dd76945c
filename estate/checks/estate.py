"""Rules across images, fleets and documents, which no model can see alone."""

import re
from collections.abc import Iterator

from estate import names
from estate.cdktf_tokens import tokens_in_model
from estate.checks import component_values
from estate.checks.accounts import check_accounts
from estate.checks.builds import check_build, check_workflow_arns
from estate.checks.containers import check_container
from estate.checks.distribution import check_distribution
from estate.checks.parts import Parts
from estate.checks.retention import check_retention
from estate.checks.room import check_room
from estate.checks.systems import check_circles, check_fleet_system, check_system
from estate.checks.tags import check_fleet_tags, check_image_tags
from estate.checks.volumes import check_fleet_volumes, check_volumes
from estate.component_documents.document import Document
from estate.component_documents.references import BUILD_STAGE, TEST_STAGE
from estate.models.ami_image import AmiImage, ComponentUse
from estate.models.fleet import Fleet
from estate.models.images import Image
from estate.problems import Key, Problem, did_you_mean, shown

MOST_COMPONENTS = 20
"""Components of one recipe (AWS's service quotas for EC2 Image Builder)."""


def check(parts: Parts) -> list[Problem]:
    """Every broken rule."""
    return [
        *_tokens(parts),
        *(problem for image in parts.images.values() for problem in _image(image, parts)),
        *_settings_elsewhere(parts),
        *check_circles(parts),
        *_same_in_arns(parts),
        *check_workflow_arns(parts),
        *(problem for fleet in parts.fleets.values() for problem in _fleet(fleet, parts)),
        *check_accounts(parts),
    ]


def _tokens(parts: Parts) -> Iterator[Problem]:
    """What would not reach Terraform as it is written. Files are looked at where they are read."""
    if parts.settings:
        yield from tokens_in_model(parts.settings, ("settings",))
    for name, image in parts.images.items():
        yield from tokens_in_model(image, ("images", name))
    for name, fleet in parts.fleets.items():
        yield from tokens_in_model(fleet, ("fleets", name))


def _image(image: Image, parts: Parts) -> Iterator[Problem]:
    key: Key = ("images", image.name)
    if parts.sound(key, "build", "test"):
        yield from _count(image, key)
    if parts.sound(key, "build", "test", "parent", "schedule"):
        yield from _never_fires(image, key)
    if parts.sound(key, "regions", "notifications"):
        yield from _elsewhere(image, key, parts)
    if parts.sound(key, "test", "image_tests") and image.test and not image.image_tests.image_tests_enabled:
        yield Problem((*key, "test"), "would not run: image_tests_enabled is false", remedy="delete one of them")
    yield from check_image_tags(image, parts)
    yield from check_system(image, parts) if isinstance(image, AmiImage) else check_container(image, parts)
    if isinstance(image, AmiImage):
        yield from check_distribution(image, parts)
        yield from check_volumes(image, parts)
    if parts.sound(key, "retention", "regions"):
        yield from check_retention(image)
    yield from _components(image, parts)
    yield from check_build(image, parts)
    yield from check_room(image, parts)


def _count(image: Image, key: Key) -> Iterator[Problem]:
    if not image.uses:
        yield Problem(key, "needs at least one component", remedy="begin with build: [update-os]")
    if len(image.uses) > MOST_COMPONENTS:
        yield Problem(key, f"an image has at most {MOST_COMPONENTS} components", str(len(image.uses)), "merge some")


def _components(image: Image, parts: Parts) -> Iterator[Problem]:
    sources: dict[str, str] = {}
    used: set[str] = set()
    for place, use in image.placed_uses:
        if place in parts.broken:
            continue
        # botocore's service model, ComponentConfiguration: "only once in a recipe, regardless of version"
        if use.without_version in used:
            remedy = "delete one" if use.is_managed else "delete one, or use a copy of its document under another name"
            yield Problem(place, "Image Builder takes each component of an image once", shown(use.use), remedy)
            continue
        used.add(use.without_version)
        if use.is_managed:
            continue
        name = use.short_name
        if sources.setdefault(name, use.use) != use.use:
            yield Problem(place, f"component {name} stands for two documents", shown(use.use), "rename one file")
        document = parts.files.documents.get((use.use, image.platform))
        if document and not re.fullmatch(rf"(?=.{{1,{names.LONGEST_COMPONENT}}}$)[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
            rule = "the file of a component is named in lower-case letters, digits and hyphens"
            yield Problem(place, f"{rule}, at most {names.LONGEST_COMPONENT} of them", shown(use.use))
        if document:
            yield from _in_its_list(use, document, place)
            yield from component_values.problems_of(use, document, place)


def _in_its_list(use: ComponentUse, document: Document, place: Key) -> Iterator[Problem]:
    """Image Builder runs the phases that there are, wherever a component stands: its list would say something else."""
    builds, tests = (not stage.isdisjoint(document.phases) for stage in (set(BUILD_STAGE), set(TEST_STAGE)))
    if not builds and not tests:
        rule = f"{use.use} has none of the phases that Image Builder runs, so it does nothing"
        yield Problem(
            place, rule, remedy=f"name one of them {BUILD_STAGE[0] if place[2] == 'build' else TEST_STAGE[0]}"
        )
    elif place[2] == "test" and not tests:
        yield Problem(place, f"{use.use} has no phase test, so it tests nothing", remedy="write it in build")
    elif place[2] == "build" and not builds:
        yield Problem(place, f"{use.use} has only the phase test, so it builds nothing", remedy="write it in test")


def _elsewhere(image: Image, key: Key, parts: Parts) -> Iterator[Problem]:
    """What must be in the region of the image's stack, and is not."""
    for place, use in image.placed_uses:
        if use.is_managed and place not in parts.broken:
            yield from _other_region(use.use, image.home, place, "the image's home")
    if isinstance(image.parent, str) and image.parent.startswith("arn:"):
        yield from _other_region(image.parent, image.home, (*key, "parent"), "the image's home")
    placement, where = image.infrastructure.placement, (*key, "infrastructure", "placement")
    if placement and placement.host_resource_group_arn:
        group = placement.host_resource_group_arn
        yield from _other_region(group, image.home, (*where, "host_resource_group_arn"), "the image's home")
    if placement and placement.availability_zone and not placement.availability_zone.startswith(image.home):
        rule = f"must be in {image.home}, the image's home"
        yield Problem((*where, "availability_zone"), rule, shown(placement.availability_zone))
    for index, arn in enumerate(image.notifications.topic_arns):
        yield from _other_region(arn, image.home, (*key, "notifications", "topic_arns", index), "the image's home")


def _settings_elsewhere(parts: Parts) -> Iterator[Problem]:
    """Settings that are in another region than an image's home: once for each home, however many have it."""
    if parts.settings is None:
        return
    homes: dict[str, str] = {}
    for image in parts.images.values():
        if parts.sound(("images", image.name), "regions", "notifications"):
            homes.setdefault(image.home, image.name)
    for home, name in homes.items():
        why = f"the home of image {name}"
        if parts.settings.kms_key:
            yield from _other_region(parts.settings.kms_key, home, ("settings", "kms_key"), why)
        for index, arn in enumerate(parts.settings.alarm_actions):
            yield from _other_region(arn, home, ("settings", "alarm_actions", index), why)


def _other_region(arn: str, region: str, key: Key, why: str) -> Iterator[Problem]:
    if arn.split(":")[3] not in ("", region):
        yield Problem(key, f"must be in {region}, {why}", shown(arn))


def _same_in_arns(parts: Parts) -> Iterator[Problem]:
    """Component `x` of image `web-app` and component `app-x` of image `web` would be one to Image Builder."""
    owners: dict[str, str] = {}
    for image in parts.images.values():
        for place, use in image.placed_uses:
            if not use.is_managed and place not in parts.broken:
                name = names.in_arn(names.component("", image.name, use.short_name))
                owner = owners.setdefault(name, image.name)
                if owner != image.name:
                    rule = f"Image Builder cannot tell this component from one of image {owner}"
                    yield Problem(place, rule, shown(use.use), "rename the image or the component's file")


def _never_fires(image: Image, key: Key) -> Iterator[Problem]:
    """Dependency updates fire for wildcard versions and `ssm:` parents, not for one fixed image."""
    schedule = image.schedule
    if schedule is None or schedule.when != "dependency-updates":
        return
    parent = image.parent_reference(namespace="")  # of anybody's: only its form matters
    if parent is None:
        return  # that it needs one is said elsewhere
    dependencies = [parent, *(use.use for use in image.uses if use.is_managed)]
    if not any(text.startswith("ssm:") or re.search(r"/[0-9.]*x[0-9.x]*$", text) for text in dependencies):
        yield Problem(
            (*key, "schedule"),
            "with a fixed parent image no dependency can be updated, so when: dependency-updates would never fire",
            shown(parent),
            "write when: always, or a parent that moves",
        )


def _fleet(fleet: Fleet, parts: Parts) -> Iterator[Problem]:
    key: Key = ("fleets", fleet.name)
    yield from check_fleet_tags(fleet, parts)
    if parts.sound(key, "region", "notifications"):
        for index, arn in enumerate(fleet.notifications.topic_arns):
            place: Key = (*key, "notifications", "topic_arns", index)
            yield from _other_region(arn, fleet.region, place, "the fleet's region")
    if parts.sound(key, "region", "target_group_arns"):
        for index, arn in enumerate(fleet.target_group_arns):
            yield from _other_region(arn, fleet.region, (*key, "target_group_arns", index), "the fleet's region")
    if parts.sound(key, "region", "root_volume") and fleet.root_volume.kms_key_id:
        place = (*key, "root_volume", "kms_key_id")
        yield from _other_region(fleet.root_volume.kms_key_id, fleet.region, place, "the fleet's region")
    if parts.sound(key, "region", "volumes"):
        for name, volume in fleet.volumes.items():
            if volume.kms_key_id:
                place = (*key, "volumes", name, "kms_key_id")
                yield from _other_region(volume.kms_key_id, fleet.region, place, "the fleet's region")
    group = fleet.placement.host_resource_group_arn if fleet.placement else None
    if parts.sound(key, "region", "placement") and group:
        place = (*key, "placement", "host_resource_group_arn")
        yield from _other_region(group, fleet.region, place, "the fleet's region")
    if parts.sound(key, "region", "license_configuration_arns"):
        for index, arn in enumerate(fleet.license_configuration_arns):
            place = (*key, "license_configuration_arns", index)
            yield from _other_region(arn, fleet.region, place, "the fleet's region")
    groups = parts.sound(key, "target_group_arns", "security_group_ids")
    if groups and fleet.target_group_arns and not fleet.security_group_ids:
        rule = "a load balancer cannot reach the instances: the group that is made for them lets nothing in"
        yield Problem((*key, "target_group_arns"), rule, remedy="write security_group_ids that let it in")
    image = parts.images.get(fleet.image)
    if not parts.sound(key, "image"):
        return
    if isinstance(image, AmiImage):
        yield from _fits(fleet, image, parts)
    elif image:
        rule = "a fleet runs an AMI, and this is a container image"
        yield Problem((*key, "image"), rule, shown(fleet.image), "read its channel where containers run, in ECS or EKS")
    elif parts.declared is not None and fleet.image not in parts.declared:
        remedy = did_you_mean(fleet.image, parts.declared) or "declare it under images:"
        yield Problem((*key, "image"), "no such image", shown(fleet.image), remedy)


def _fits(fleet: Fleet, image: AmiImage, parts: Parts) -> Iterator[Problem]:
    """Whether image and fleet go together."""
    key: Key = ("fleets", fleet.name)
    image_key: Key = ("images", image.name)
    channels = (names.LATEST, *image.channels)
    if parts.sound(key, "channel") and parts.sound(image_key, "channels") and fleet.channel not in channels:
        rule, remedy = f"image {image.name} has no such channel", did_you_mean(fleet.channel, channels)
        yield Problem((*key, "channel"), rule, shown(fleet.channel), remedy)
    if parts.sound(key, "region") and parts.sound(image_key, "regions") and fleet.region not in image.regions:
        rule = f"image {image.name} does not go to this region"
        remedy = f"add it to images.{image.name}.regions, or {did_you_mean(fleet.region, image.regions)}"
        yield Problem((*key, "region"), rule, shown(fleet.region), remedy)
    yield from check_fleet_system(fleet, image, parts)
    yield from check_fleet_volumes(fleet, image, parts)
