"""Rules across images, fleets and documents, which no model can see alone."""

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from estate import names
from estate.documents import Document
from estate.fleet import Fleet
from estate.image import ComponentUse, Image
from estate.operating_systems import DEFAULT_INSTANCE_TYPES, Platform, architecture_of
from estate.problems import Key, Problem, did_you_mean, shown
from estate.recipe import component_name, parent_of
from estate.settings import Settings

MOST_COMPONENTS = 20
"""Components of one recipe (AWS's service quotas for EC2 Image Builder)."""


MOST_TAGS = 29
"""Of an image and the settings: Image Builder takes 30 for the resources of a build (botocore: `ResourceTagMap`), and
one is Goldsmith's own."""


@dataclass(frozen=True)
class Parts:
    """What is sound so far, so that the rest is checked too, and nobody is told what follows from another problem."""

    settings: Settings | None
    images: Mapping[str, Image]
    fleets: Mapping[str, Fleet]
    documents: Mapping[tuple[str, Platform], Document]
    declared: Set[str] | None
    """The names of all images; None if a file could not be read, which may have more."""
    broken: Set[Key] = frozenset()
    """The keys of fields that are not sound, and of components in them."""

    def sound(self, key: Key, *fields: str) -> bool:
        """Whether none of the fields below `key` is broken."""
        return not any((*key, field) in self.broken for field in fields)


def check(parts: Parts) -> list[Problem]:
    """Every broken rule."""
    return [
        *(problem for image in parts.images.values() for problem in _image(image, parts)),
        *_same_in_arns(parts),
        *(problem for fleet in parts.fleets.values() for problem in _fleet(fleet, parts)),
    ]


def _image(image: Image, parts: Parts) -> Iterator[Problem]:
    key: Key = ("images", image.name)
    if parts.sound(key, "build", "test"):
        yield from _count(image, key)
    if parts.sound(key, "build", "test", "parent", "schedule"):
        yield from _never_fires(image, key)
    if parts.sound(key, "regions"):
        yield from _elsewhere(image, key, parts)
    if parts.sound(key, "test", "image_tests") and image.test and not image.image_tests.image_tests_enabled:
        yield Problem((*key, "test"), "would not run: image_tests_enabled is false", remedy="delete one of them")
    if parts.settings and len(tags := {**parts.settings.tags, **image.tags}) > MOST_TAGS:
        rule = f"image and settings have at most {MOST_TAGS} tags together"
        yield Problem((*key, "tags"), rule, str(len(tags)), "delete some")
    if parts.sound(key, "infrastructure", "architecture"):
        for index, instance_type in enumerate(image.infrastructure.instance_types):
            yield from _other_processor(instance_type, image, (*key, "infrastructure", "instance_types", index))
    yield from _components(image, parts)


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
        if use.use in used:
            # botocore's service model, CreateImageRecipe: each component only one time
            yield Problem(place, "Image Builder takes each component of an image once", shown(use.use), "delete one")
            continue
        used.add(use.use)
        if use.is_managed:
            continue
        name = component_name(use)
        if sources.setdefault(name, use.use) != use.use:
            yield Problem(place, f"component {name} stands for two documents", shown(use.use), "rename one file")
        document = parts.documents.get((use.use, image.system.platform))
        if document and not re.fullmatch(rf"(?=.{{1,{names.LONGEST_COMPONENT}}}$)[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
            rule = "the file of a component is named in lower-case letters, digits and hyphens"
            yield Problem(place, f"{rule}, at most {names.LONGEST_COMPONENT} of them", shown(use.use))
        if document:
            yield from _parameters(use, document, place)


def _elsewhere(image: Image, key: Key, parts: Parts) -> Iterator[Problem]:
    """What must be in the region of the image's stack, and is not."""
    for place, use in image.placed_uses:
        if use.is_managed and place not in parts.broken:
            yield from _other_region(use.use, image.home, place, "the image's home")
    if image.parent and image.parent.startswith("arn:"):
        yield from _other_region(image.parent, image.home, (*key, "parent"), "the image's home")
    if parts.settings:
        home = f"the home of image {image.name}"
        if parts.settings.kms_key:
            yield from _other_region(parts.settings.kms_key, image.home, ("settings", "kms_key"), home)
        for index, arn in enumerate(parts.settings.alarm_actions):
            yield from _other_region(arn, image.home, ("settings", "alarm_actions", index), home)


def _other_region(arn: str, region: str, key: Key, why: str) -> Iterator[Problem]:
    if arn.split(":")[3] not in ("", region):
        yield Problem(key, f"must be in {region}, {why}", shown(arn))


def _other_processor(instance_type: str, image: Image, key: Key) -> Iterator[Problem]:
    if architecture_of(instance_type) != image.architecture:
        example = " or ".join(DEFAULT_INSTANCE_TYPES[image.architecture])
        rule = f"image {image.name} is for {image.architecture}, which this instance type is not"
        yield Problem(key, rule, shown(instance_type), f"write for instance {example}")


def _same_in_arns(parts: Parts) -> Iterator[Problem]:
    """Component `x` of image `web-app` and component `app-x` of image `web` would be one to Image Builder."""
    owners: dict[str, str] = {}
    for image in parts.images.values():
        for place, use in image.placed_uses:
            if not use.is_managed and place not in parts.broken:
                name = names.in_arn(names.component("", image.name, component_name(use)))
                owner = owners.setdefault(name, image.name)
                if owner != image.name:
                    rule = f"Image Builder cannot tell this component from one of image {owner}"
                    yield Problem(place, rule, shown(use.use), "rename the image or the component's file")


def _parameters(use: ComponentUse, document: Document, place: Key) -> Iterator[Problem]:
    for name in use.with_:
        if name not in document.parameters:
            remedy = did_you_mean(name, document.parameters) if document.parameters else "delete it: there are none"
            yield Problem((*place, "with", name), f"{use.use} has no such parameter", shown(name), remedy)
    for name, parameter in document.parameters.items():
        if parameter.default is None and name not in use.with_:
            yield Problem(
                place,
                f"{use.use} needs a value for {name}",
                remedy=f"write {{use: {use.use}, with: {{{name}: …}}}}",
            )


def _never_fires(image: Image, key: Key) -> Iterator[Problem]:
    """Dependency updates fire for wildcard versions and `ssm:` parents, not for one fixed image."""
    schedule = image.schedule
    if schedule is None or schedule.when != "dependency-updates":
        return
    dependencies = [parent_of(image), *(use.use for use in image.uses if use.is_managed)]
    if not any(text.startswith("ssm:") or re.search(r"/[0-9.]*x[0-9.x]*$", text) for text in dependencies):
        yield Problem(
            (*key, "schedule"),
            "with a fixed parent image no dependency can be updated, so when: dependency-updates would never fire",
            shown(image.parent),
            "write when: always, or a parent that moves",
        )


def _fleet(fleet: Fleet, parts: Parts) -> Iterator[Problem]:
    key: Key = ("fleets", fleet.name)
    if parts.sound(key, "region", "target_group_arns"):
        for index, arn in enumerate(fleet.target_group_arns):
            yield from _other_region(arn, fleet.region, (*key, "target_group_arns", index), "the fleet's region")
    if parts.sound(key, "region", "root_volume") and fleet.root_volume.kms_key_id:
        place: Key = (*key, "root_volume", "kms_key_id")
        yield from _other_region(fleet.root_volume.kms_key_id, fleet.region, place, "the fleet's region")
    groups = parts.sound(key, "target_group_arns", "security_group_ids")
    if groups and fleet.target_group_arns and not fleet.security_group_ids:
        rule = "a load balancer cannot reach the instances: the group that is made for them lets nothing in"
        yield Problem((*key, "target_group_arns"), rule, remedy="write security_group_ids that let it in")
    image = parts.images.get(fleet.image)
    if not parts.sound(key, "image"):
        return
    if image:
        yield from _fits(fleet, image, parts)
    elif parts.declared is not None and fleet.image not in parts.declared:
        remedy = did_you_mean(fleet.image, parts.declared) or "declare it under images:"
        yield Problem((*key, "image"), "no such image", shown(fleet.image), remedy)


def _fits(fleet: Fleet, image: Image, parts: Parts) -> Iterator[Problem]:
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
    if parts.sound(key, "instance_type") and parts.sound(image_key, "architecture"):
        yield from _other_processor(fleet.instance_type, image, (*key, "instance_type"))
    size, least = fleet.root_volume.volume_size, image.root_volume.volume_size
    if size and least and size < least:
        rule, remedy = f"the root volume of image {image.name} is larger", f"write {least} or more"
        yield Problem((*key, "root_volume", "volume_size"), rule, str(size), remedy)
