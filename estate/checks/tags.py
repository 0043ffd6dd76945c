"""Rules of tags that come from several places: settings, images, their AMIs, and fleets."""

from collections.abc import Iterator, Mapping, Sequence

from estate.checks.parts import Parts
from estate.models.ami_image import AmiImage
from estate.models.fleet import Fleet
from estate.models.images import Image
from estate.problems import Key, Problem, shown

MOST_TAGS = 29
"""Of an image and the settings: Image Builder takes 30 for the resources of a build (botocore: `ResourceTagMap`), and
one is Goldsmith's own."""
MOST_TAGS_OF_A_FLEET = 47
"""Of a fleet and the settings: EC2 takes 50 for an instance, of which three are Goldsmith's own."""

_Level = tuple[Key, Mapping[str, str]]
"""Tags and where they stand."""


def check_image_tags(image: Image, parts: Parts) -> Iterator[Problem]:
    """Tags of an image that do not go with those of the settings, or of its AMIs in a region."""
    key: Key = ("images", image.name)
    levels = [*_of_settings(parts), *_sound((*key, "tags"), image.tags, parts)]
    yield from _count(levels, (*key, "tags"), f"image and settings have at most {MOST_TAGS} tags together", MOST_TAGS)
    yield from _one_case(levels)
    for region, distribution in image.distribution.items() if isinstance(image, AmiImage) else ():
        if parts.sound(key, "distribution"):
            yield from _one_case([*levels, ((*key, "distribution", region, "ami_tags"), distribution.ami_tags)])


def check_fleet_tags(fleet: Fleet, parts: Parts) -> Iterator[Problem]:
    """Tags of a fleet that do not go with those of the settings."""
    key: Key = ("fleets", fleet.name, "tags")
    levels = [*_of_settings(parts), *_sound(key, fleet.tags, parts)]
    rule = f"fleet and settings have at most {MOST_TAGS_OF_A_FLEET} tags together"
    yield from _count(levels, key, rule, MOST_TAGS_OF_A_FLEET)
    yield from _one_case(levels)
    if parts.sound(("fleets", fleet.name), "metadata") and fleet.metadata.instance_tags:
        yield from _in_metadata(levels, fleet)


def _in_metadata(levels: Sequence[_Level], fleet: Fleet) -> Iterator[Problem]:
    """EC2 makes paths of the keys ("View tags for your EC2 instances using instance metadata" in its user guide)."""
    for key, tags in levels:
        for name in tags:
            if " " in name or "/" in name or name in (".", "..", "_index"):
                rule = f"a key in the metadata of fleet {fleet.name} has neither a space nor /, and is not . or _index"
                remedy = "rename it, or write metadata: {instance_tags: false}"
                yield Problem((*key, name), rule, shown(name), remedy)


def _of_settings(parts: Parts) -> list[_Level]:
    return _sound(("settings", "tags"), parts.settings.tags, parts) if parts.settings else []


def _sound(key: Key, tags: Mapping[str, str], parts: Parts) -> list[_Level]:
    return [] if key in parts.broken else [(key, tags)]


def _count(levels: Sequence[_Level], key: Key, rule: str, most: int) -> Iterator[Problem]:
    if (count := len({name for _, tags in levels for name in tags})) > most:
        yield Problem(key, rule, str(count), "delete some")


def _one_case(levels: Sequence[_Level]) -> Iterator[Problem]:
    """The tags of the last place against those before it. The same key in the same case takes the earlier one's place;
    one that differs in case only would be a second tag, which IAM refuses ("Duplicate tag keys found")."""
    *earlier, (key, tags) = levels or [((), {})]
    known = {name.lower(): (place, name) for place, others in earlier for name in others}
    for name in tags:
        place, other = known.get(name.lower(), (key, name))
        if other != name:
            rule = f"differs from {other} of {'.'.join(map(str, place))} in upper and lower case only"
            yield Problem((*key, name), rule, shown(name), f"write {other}, or rename one of them")
