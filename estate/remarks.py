"""Remarks of synthesis about an estate that is valid but may not do what is meant: one line each, on standard error."""

from collections.abc import Iterator
from datetime import date

from estate.estate import Estate, EstateImage
from estate.models.ami_image import AmiImage
from estate.models.retention import Retention


def remarks(estate: Estate, *, today: date) -> list[str]:
    """All remarks."""
    images = estate.amis.values()
    idle = (line for image in images for line in _idle_retention(EstateImage(estate, image)))
    return [*(line for image in images for line in _past_support(image, today)), *idle, *_unused_pins(estate)]


def _unused_pins(estate: Estate) -> Iterator[str]:
    """Pins that no fleet reads."""
    for name in estate.pins:
        fleet = estate.fleets.get(name)
        if fleet is None or not fleet.is_pinned:
            why = "there is no such fleet" if fleet is None else f"the fleet has updates: {fleet.updates}"
            yield f"pins.{name}: nothing reads it, because {why}; goldsmith pin deletes it"


def lacks_of_pins(estate: Estate) -> list[str]:
    """The fleets that no plan can be made of, because `pins.yaml` does not say what they run."""
    return [f"fleets.{name}: {why}; run goldsmith pin {name}" for name, why in estate.unpinned.items()]


def _past_support(image: AmiImage, today: date) -> Iterator[str]:
    """A system for which the publisher's support has ended. The image still works, so this is not a problem."""
    if image.system.is_past_support(today):
        yield (
            f"images.{image.name}.os: {image.system.title} is past the end of its support, "
            f"{image.system.end_of_support:%Y-%m-%d}: it no longer gets security updates"
        )


def _idle_retention(image: EstateImage[AmiImage]) -> Iterator[str]:
    """Retention whose exclusions keep every AMI of the image, so that nothing is ever deleted."""
    for why, remedy in _what_keeps_all(image, image.image.retention) if image.image.retention else ():
        yield f"images.{image.image.name}.retention: nothing will be deleted, because {why}; {remedy}"


def _what_keeps_all(in_estate: EstateImage[AmiImage], retention: Retention) -> Iterator[tuple[str, str]]:
    image, rules = in_estate.image, retention.exclusion_rules
    shared = image.launch_permissions
    sharing = shared.accounts if shared else ()
    if keeping := [each for each in sharing if rules.shared_accounts is None or each in rules.shared_accounts]:
        yield (
            f"launch_permission shares every AMI with {_some(keeping)}, and AMIs that are shared with them are kept",
            "write exclusion_rules: {shared_accounts: []} to delete shared AMIs, too",
        )
    if set(rules.regions) >= set(image.regions):
        yield (
            "exclusion_rules.regions has every region of the image",
            "remove the regions in which AMIs are to be deleted",
        )
    everywhere = [{**in_estate.tags, **image.distribution_in(region).ami_tags}.items() for region in image.regions]
    for key, value in rules.tag_map.items():
        if all((key, value) in tags for tags in everywhere):
            yield (
                f"every AMI has the tag {key} = {value}, and AMIs with this tag are kept",
                "write another exclusion_rules.tag_map, or other tags",
            )


def _some(accounts: list[str]) -> str:
    return accounts[0] if len(accounts) == 1 else f"{accounts[0]} and {len(accounts) - 1} more"
