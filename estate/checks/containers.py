"""Rules of container images: their Dockerfile templates, and the instances that build them."""

import re
from collections.abc import Iterator
from functools import lru_cache

from estate.checks.parts import Parts
from estate.checks.systems import check_instance_types, check_managed_components
from estate.models.container_image import DEFAULT_DOCKERFILE, ContainerImage
from estate.problems import Key, Problem, shown

_PLACEHOLDERS = ("parentImage", "environments", "components")
"""In this order ("Create a container recipe" in Image Builder's user guide)."""


def check_container(image: ContainerImage, parts: Parts) -> Iterator[Problem]:
    """What does not go together in a container image."""
    key: Key = ("images", image.name)
    if parts.sound(key, "dockerfile"):
        yield from _dockerfile(image, (*key, "dockerfile"), parts)
    if parts.sound(key, "platform", "architecture", "infrastructure"):
        yield from check_instance_types(image)
    if parts.sound(key, "repository", "container_tags"):
        yield from _tags_that_stay(image, (*key, "container_tags"))
    if parts.sound(key, "repository", "regions"):
        yield from _keys_elsewhere(image, (*key, "repository", "kms_keys"))
    if parts.sound(key, "platform"):
        yield from check_managed_components(image, parts)
    if parts.sound(key, "platform", "parent"):
        yield from _windows_of_a_registry(image, (*key, "parent"))
    yield from _of_the_marketplace(image, parts)


def _windows_of_a_registry(image: ContainerImage, key: Key) -> Iterator[Problem]:
    """botocore, CreateContainerRecipe: `imageOsVersionOverride`, which neither provider 5.100 nor 6 has."""
    if image.platform == "Windows" and not image.parent.startswith("arn:"):
        rule = (
            "for a Windows image of a registry AWS asks which version of Windows it is, and AWS's provider cannot say"
        )
        example = "windows-server-2019-x86-core-ltsc2019-amd64/x.x.x"
        remedy = (
            f"write the ARN of a container image of Image Builder, such as arn:aws:imagebuilder:…:aws:image/{example}"
        )
        yield Problem(key, rule, shown(image.parent), remedy)


def _of_the_marketplace(image: ContainerImage, parts: Parts) -> Iterator[Problem]:
    """Only image recipes take its components ("Use managed components" in Image Builder's user guide); its images are
    AMIs."""
    if parts.sound(("images", image.name), "parent") and _is_of_the_marketplace(image.parent):
        rule = "images of the Marketplace are AMIs, and a container image cannot be made of one"
        remedy = "write a container image, or delete kind: container"
        yield Problem(("images", image.name, "parent"), rule, shown(image.parent), remedy)
    for place, use in image.placed_uses:
        if place not in parts.broken and _is_of_the_marketplace(use.use):
            rule = "AWS takes no components of the Marketplace for containers"
            yield Problem(place, rule, shown(use.use), "install the product in a component of your own")


def _is_of_the_marketplace(arn: str) -> bool:
    return arn.startswith("arn:") and arn.split(":")[4] == "aws-marketplace"


def _tags_that_stay(image: ContainerImage, key: Key) -> Iterator[Problem]:
    made = image.made_repository
    if made and made.image_tag_mutability == "IMMUTABLE" and image.container_tags:
        rule = "the second build could not have them: the repository never moves a tag"
        remedy = "delete them, or write repository: {image_tag_mutability: MUTABLE}"
        yield Problem(key, rule, shown(", ".join(image.container_tags)), remedy)


def _keys_elsewhere(image: ContainerImage, key: Key) -> Iterator[Problem]:
    for region, arn in image.made_repository.kms_keys.items() if image.made_repository else ():
        if region not in image.regions:
            yield Problem((*key, region), "the image does not go to this region", shown(region), "delete it")
        elif arn.split(":")[3] != region:
            yield Problem((*key, region), f"must be in {region}", shown(arn))


def _dockerfile(image: ContainerImage, key: Key, parts: Parts) -> Iterator[Problem]:
    """Without its placeholders, Image Builder would build another image than the estate says."""
    path = image.own_dockerfile
    text = parts.files.dockerfiles.get(path) if path else image.dockerfile or DEFAULT_DOCKERFILE
    if text is None:
        return  # that it cannot be read is said elsewhere
    got = shown(path) if path else ""
    places = _places(text)
    for name in _PLACEHOLDERS:
        if name not in places:
            yield Problem(key, f"the template needs {{{{{{ imagebuilder:{name} }}}}}}", got, _WHY[name])
    if list(places.values()) != sorted(places.values()):
        order = " before ".join(places)
        yield Problem(key, f"the template needs {order}", got, "Image Builder replaces them from above")


@lru_cache  # many images may have one template
def _places(text: str) -> dict[str, int]:
    """Where each placeholder of a template stands first, in the order of `_PLACEHOLDERS`."""
    places = {}
    for name in _PLACEHOLDERS:
        # not behind a #: a comment is no instruction
        if found := re.search(rf"^[^#\n]*\{{\{{\{{\s*imagebuilder:{name}\s*\}}\}}\}}", text, re.MULTILINE):
            places[name] = found.end()
    return places


_WHY = {
    "parentImage": "write FROM {{{ imagebuilder:parentImage }}}",
    "environments": "write it on a line of its own, above the components: it brings them into the build",
    "components": "write it on a line of its own, where the components run",
}
