"""Rules of container images: what they are built from, their Dockerfile templates, and where they go."""

import json
import re
from collections.abc import Iterator
from functools import lru_cache

from estate.arns import Arn
from estate.checks.context import Context
from estate.limits import CONTAINER_RECIPE
from estate.models.container_image import DEFAULT_DOCKERFILE, ContainerImage
from estate.problems import Problem, shown

_PLACEHOLDERS = {
    "parentImage": "write FROM {{{ imagebuilder:parentImage }}}",
    "environments": "write it on a line of its own, above the components: it brings them into the build",
    "components": "write it on a line of its own, where the components run",
}
"""In this order ("Create a container recipe" in Image Builder's user guide), and what to do without one."""


def windows(image: ContainerImage, context: Context) -> Iterator[Problem]:
    """A Windows container is built from an image of Image Builder: AWS's provider cannot tell AWS the version of
    Windows of another one.

    botocore, CreateContainerRecipe: `imageOsVersionOverride`, which neither provider 5.100 nor 6 has.
    """
    if image.platform == "Windows" and not image.parent.startswith("arn:"):
        rule = (
            "for a Windows image from a registry, AWS requires its version of Windows, which AWS's provider cannot set"
        )
        example = "arn:aws:imagebuilder:…:aws:image/windows-server-2019-x86-core-ltsc2019-amd64/x.x.x"
        remedy = f"write the ARN of a container image of Image Builder, such as {example}"
        yield Problem(("parent",), rule, shown(image.parent), remedy)


def parent(image: ContainerImage, context: Context) -> Iterator[Problem]:
    """A container image is not built from a Marketplace image, because those are AMIs."""
    if _is_of_the_marketplace(image.parent):
        rule = "images of the Marketplace are AMIs, and a container image cannot be built from an AMI"
        yield Problem(("parent",), rule, shown(image.parent), "write a container image, or delete kind: container")


def components(image: ContainerImage, context: Context) -> Iterator[Problem]:
    """A container image has no Marketplace components.

    Only recipes of AMIs take them ("Use managed components" in Image Builder's user guide).
    """
    for key, use in context.components_of(image):
        if _is_of_the_marketplace(use.use):
            rule = "components of the Marketplace are not for container images"
            yield Problem(key, rule, shown(use.use), "install the product in a component of your own")


def dockerfile(image: ContainerImage, context: Context) -> Iterator[Problem]:
    """A Dockerfile template has the placeholders `parentImage`, `environments` and `components`, in this order.

    Without one, Image Builder would build another image than the estate says.
    """
    text = _template(image, context)
    if text is None:
        return
    got, places = shown(image.own_dockerfile) if image.own_dockerfile else "", _places(text)
    for name, remedy in _PLACEHOLDERS.items():
        if name not in places:
            rule = f"the template needs {{{{{{ imagebuilder:{name} }}}}}}"
            yield Problem(("dockerfile",), rule, got, remedy)
    if list(places.values()) != sorted(places.values()):
        order = " before ".join(places)
        rule, remedy = f"the template needs {order}", "Image Builder replaces them from above"
        yield Problem(("dockerfile",), rule, got, remedy)


def size_of_the_recipe(image: ContainerImage, context: Context) -> Iterator[Problem]:
    """The recipe of a container image, including the Dockerfile template, has at most 25 KiB."""
    template = _template(image, context)
    if template is None:
        return
    values = [[use.use, sorted(use.with_.items())] for use in image.uses]
    rest = json.dumps([image.description, image.parent, image.working_directory, values], ensure_ascii=False)
    size = CONTAINER_RECIPE.size_of(template) + CONTAINER_RECIPE.size_of(rest)
    if size > CONTAINER_RECIPE.most:
        rule = f"a container recipe {CONTAINER_RECIPE.rule}"
        yield Problem(("dockerfile",) if image.dockerfile else (), rule, str(size), CONTAINER_RECIPE.remedy)


def tags(image: ContainerImage, context: Context) -> Iterator[Problem]:
    """`container_tags` need a repository whose tags can be moved."""
    made = image.made_repository
    if made and made.image_tag_mutability == "IMMUTABLE" and image.container_tags:
        rule = "only the first build could have them, because the repository never moves a tag"
        remedy = "delete them, or write repository: {image_tag_mutability: MUTABLE}"
        yield Problem(("container_tags",), rule, shown(", ".join(image.container_tags)), remedy)


def keys(image: ContainerImage, context: Context) -> Iterator[Problem]:
    """The KMS keys of a repository are in their regions, which are regions of the image."""
    for region, arn in image.made_repository.kms_keys.items() if image.made_repository else ():
        key = ("repository", "kms_keys", region)
        if region not in image.regions:
            yield Problem(key, "the image is not distributed to this region", shown(region), "delete it")
        elif Arn.parse(arn).region != region:
            yield Problem(key, f"must be in {region}", shown(arn))


def hops(image: ContainerImage, context: Context) -> Iterator[Problem]:
    """The hop limit of build instances is at least 2, because the container reads the instance's metadata.

    botocore, InstanceMetadataOptions.
    """
    options = image.infrastructure.instance_metadata_options
    if options.http_tokens == "required" and options.http_put_response_hop_limit == 1:
        key = ("infrastructure", "instance_metadata_options", "http_put_response_hop_limit")
        yield Problem(key, "must be at least 2 to build a container image", "1", "delete it")


def _template(image: ContainerImage, context: Context) -> str | None:
    """The Dockerfile template, if it could be read."""
    path = image.own_dockerfile
    return context.files.dockerfiles.get(path) if path else image.dockerfile or DEFAULT_DOCKERFILE


@lru_cache  # many images may have one template
def _places(text: str) -> dict[str, int]:
    """Where each placeholder of a template stands first, in the order in which they should."""
    places = {}
    for name in _PLACEHOLDERS:
        # not behind a #: a comment is no instruction
        if found := re.search(rf"^[^#\n]*\{{\{{\{{\s*imagebuilder:{name}\s*\}}\}}\}}", text, re.MULTILINE):
            places[name] = found.end()
    return places


def _is_of_the_marketplace(arn: str) -> bool:
    return arn.startswith("arn:") and Arn.parse(arn).account == "aws-marketplace"
