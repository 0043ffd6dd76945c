"""Rules of tags that come from several places: settings, images, their AMIs, and fleets."""

from collections.abc import Iterator, Mapping

from estate.checks.context import Context
from estate.models.ami_image import AmiImage
from estate.models.fleet import Fleet
from estate.models.images import Image
from estate.problems import Key, Problem, shown

MOST_OF_AN_IMAGE = 29
"""Of an image and the settings: Image Builder takes 30 for the resources of a build (botocore: `ResourceTagMap`), and
one is Goldsmith's own."""
MOST_OF_AN_AMI = 46
"""EC2 takes 50 for an AMI: two are Goldsmith's own, of which one is for a revoked build, and Image Builder adds
CreatedBy and Ec2ImageBuilderArn."""
MOST_OF_A_FLEET = 47
"""Of a fleet and the settings: EC2 takes 50 for an instance, of which three are Goldsmith's own."""

_Tags = Mapping[str, str]


def number_of_an_image(image: Image, context: Context) -> Iterator[Problem]:
    """An image has at most 29 tags, including those of the settings."""
    count = len({*context.settings.tags, *image.tags})
    if count > MOST_OF_AN_IMAGE:
        rule = f"image and settings have at most {MOST_OF_AN_IMAGE} tags together"
        yield Problem(("tags",), rule, str(count), "delete some")


def number_of_an_ami(image: AmiImage, context: Context) -> Iterator[Problem]:
    """An AMI has at most 46 tags, including those of the image and the settings."""
    for region, distribution in image.distribution.items():
        count = len({*context.settings.tags, *image.tags, *distribution.ami_tags})
        if count > MOST_OF_AN_AMI:
            rule = f"an AMI has at most {MOST_OF_AN_AMI} tags, with those of image and settings"
            yield Problem(("distribution", region, "ami_tags"), rule, str(count), "delete some")


def number_of_a_fleet(fleet: Fleet, context: Context) -> Iterator[Problem]:
    """A fleet has at most 47 tags, including those of the settings."""
    count = len({*context.settings.tags, *fleet.tags})
    if count > MOST_OF_A_FLEET:
        rule = f"fleet and settings have at most {MOST_OF_A_FLEET} tags together"
        yield Problem(("tags",), rule, str(count), "delete some")


def case_of_an_image(image: Image, context: Context) -> Iterator[Problem]:
    """No tag key of an image differs only in upper and lower case from one of the settings."""
    yield from _case(image.tags, {"settings.tags": context.settings.tags}, ("tags",))


def case_of_an_ami(image: AmiImage, context: Context) -> Iterator[Problem]:
    """No tag key of an AMI differs only in upper and lower case from one of the image or the settings."""
    others = {"settings.tags": context.settings.tags, f"images.{image.name}.tags": image.tags}
    for region, distribution in image.distribution.items():
        yield from _case(distribution.ami_tags, others, ("distribution", region, "ami_tags"))


def case_of_a_fleet(fleet: Fleet, context: Context) -> Iterator[Problem]:
    """No tag key of a fleet differs only in upper and lower case from one of the settings."""
    yield from _case(fleet.tags, {"settings.tags": context.settings.tags}, ("tags",))


def metadata(fleet: Fleet, context: Context) -> Iterator[Problem]:
    """If the tags of a fleet are in the metadata of its instances, their keys can be parts of a path."""
    if fleet.metadata_options.instance_metadata_tags:
        yield from _in_metadata(fleet.tags, fleet, ("tags",))


def metadata_of_settings(context: Context) -> Iterator[Problem]:
    """If a fleet has its tags in the metadata of its instances, the tag keys of the settings can be parts of a path,
    too."""
    for fleet in context.fleets.values():
        if fleet.metadata_options.instance_metadata_tags:
            yield from _in_metadata(context.settings.tags, fleet, ("settings", "tags"))
            return


def _in_metadata(tags: _Tags, fleet: Fleet, key: Key) -> Iterator[Problem]:
    """EC2's user guide: "View tags for your EC2 instances using instance metadata"."""
    for name in tags:
        if " " in name or "/" in name or name in (".", "..", "_index"):
            rule = f"a key in the metadata of fleet {fleet.name} must not contain a space or /, or be . or _index"
            remedy = "rename it, or write metadata_options: {instance_metadata_tags: false}"
            yield Problem((*key, name), rule, shown(name), remedy)


def _case(tags: _Tags, others: Mapping[str, _Tags], key: Key) -> Iterator[Problem]:
    """Tags against those of other places. The same key in the same case takes the place of the other one; one that
    differs in case only would be a second tag, which IAM refuses ("Duplicate tag keys found")."""
    known = {name.lower(): (place, name) for place, those in others.items() for name in those}
    for name in tags:
        place, other = known.get(name.lower(), ("", name))
        if other != name:
            rule = f"differs from {other} of {place} only in upper and lower case"
            yield Problem((*key, name), rule, shown(name), f"write {other}, or rename one of them")
