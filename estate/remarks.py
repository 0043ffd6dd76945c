"""Remarks of synthesis about an estate that is valid but may not do what is meant: one line each, on standard error."""

from collections.abc import Iterator
from datetime import date

from estate.estate import Estate, EstateImage
from estate.models.ami_image import AmiImage
from estate.models.images import Image
from estate.models.retention import Retention
from estate.support import past_support


def remarks(estate: Estate, *, today: date) -> list[str]:
    """All remarks."""
    idle = (line for image in estate.images.values() for line in _idle_retention(image, estate))
    return [*past_support(estate, today=today), *idle]


def _idle_retention(image: Image, estate: Estate) -> Iterator[str]:
    """Retention whose exclusions keep every AMI of the image, so that nothing is ever deleted."""
    retention = image.retention
    if not isinstance(image, AmiImage) or retention is None:
        return
    for why, remedy in _what_keeps_all(image, retention, estate):
        yield f"images.{image.name}.retention: nothing will be deleted, because {why}; {remedy}"


def _what_keeps_all(image: AmiImage, retention: Retention, estate: Estate) -> Iterator[tuple[str, str]]:
    rules, shared = retention.exclusion_rules, image.launch_permissions
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
    own = EstateImage(estate, image).tags
    everywhere = [{**own, **image.distribution_in(region).ami_tags}.items() for region in image.regions]
    for key, value in rules.tag_map.items():
        if all((key, value) in tags for tags in everywhere):
            yield (
                f"every AMI has the tag {key} = {value}, and AMIs with this tag are kept",
                "write another exclusion_rules.tag_map, or other tags",
            )


def _some(accounts: list[str]) -> str:
    return accounts[0] if len(accounts) == 1 else f"{accounts[0]} and {len(accounts) - 1} more"
