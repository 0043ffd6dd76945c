"""Rules of the components that an image is built and tested with."""

import re
from collections.abc import Iterator

from estate import names
from estate.checks import parameter_values
from estate.checks.context import Context
from estate.component_documents.references import BUILD_STAGE, TEST_STAGE
from estate.models.images import Image
from estate.names import ImageNames
from estate.problems import Key, Problem, shown

MOST = 20
"""Of one recipe (AWS's service quotas for EC2 Image Builder)."""
ROOM_FOR_OBJECTS = 4000
"""Characters in the policy of the build's role for the objects in S3 that values name. IAM takes 10,240 of all inline
policies of a role and 6,144 of another, and one statement has to fit."""


def number(image: Image, context: Context) -> Iterator[Problem]:
    """An image has 1 to 20 components."""
    if not image.uses:
        yield Problem((), "needs at least one component", remedy="begin with build: [update-os]")
    if len(image.uses) > MOST:
        yield Problem((), f"an image has at most {MOST} components", str(len(image.uses)), "merge some")


def once(image: Image, context: Context) -> Iterator[Problem]:
    """An image uses a component only once.

    botocore's service model, ComponentConfiguration: "only once in a recipe, regardless of version".
    """
    used: set[str] = set()
    for key, use in context.components_of(image):
        if use.without_version in used:
            remedy = "delete one" if use.is_managed else "delete one, or use a copy of its document under another name"
            yield Problem(key, "an image can have a component only once", shown(use.use), remedy)
        used.add(use.without_version)


def one_document_a_name(image: Image, context: Context) -> Iterator[Problem]:
    """The documents of an image's components have different file names, because components are named after their
    files."""
    sources: dict[str, str] = {}
    for key, use in context.components_of(image):
        if not use.is_managed and sources.setdefault(use.short_name, use.use) != use.use:
            rule = f"another document of the image is also named {use.short_name}"
            yield Problem(key, rule, shown(use.use), "rename one file")


def file_names(image: Image, context: Context) -> Iterator[Problem]:
    """The file name of a component has at most 89 lower-case letters, digits and hyphens."""
    for key, use, _ in context.component_documents_of(image):
        if not re.fullmatch(rf"(?=.{{1,{names.LONGEST_COMPONENT}}}$)[a-z][a-z0-9]*(-[a-z0-9]+)*", use.short_name):
            rule = "the name of a component's file must be lower-case letters, digits and hyphens"
            yield Problem(key, f"{rule}, at most {names.LONGEST_COMPONENT} of them", shown(use.use))


def phases(image: Image, context: Context) -> Iterator[Problem]:
    """A component under `build` has a phase that is run when an image is built, a component under `test` the phase
    `test`.

    Image Builder runs the phases that a document has, wherever the component is listed.
    """
    for key, use, document in context.component_documents_of(image):
        builds, tests = (not stage.isdisjoint(document.phases) for stage in (set(BUILD_STAGE), set(TEST_STAGE)))
        if not builds and not tests:
            rule = f"{use.use} has none of the phases that Image Builder runs, so it does nothing"
            first = BUILD_STAGE[0] if key[0] == "build" else TEST_STAGE[0]
            yield Problem(key, rule, remedy=f"name one of them {first}")
        elif key[0] == "test" and not tests:
            yield Problem(key, f"{use.use} has no phase test, so it tests nothing", remedy="move it to build")
        elif key[0] == "build" and not builds:
            yield Problem(key, f"{use.use} has only the phase test, so it builds nothing", remedy="move it to test")


def values(image: Image, context: Context) -> Iterator[Problem]:
    """Values are only for parameters that a component has, fit their kind, and are given for all that have no
    default."""
    for key, use, document in context.component_documents_of(image):
        yield from parameter_values.problems_of(use, document.parameters, key)


def values_in_scripts(image: Image, context: Context) -> Iterator[Problem]:
    """A value does not end the quoted text of a script into which the component inserts it."""
    for key, use, document in context.component_documents_of(image):
        for name, value, parameter in parameter_values.taken(use, document.parameters):
            place: Key = (*key, "with", name)
            if parameter.quoted and "'" in value:
                rule = f"{use.use} puts it between single quotes in a script, so it cannot contain a single quote"
                yield Problem(place, rule, shown(value), "remove the single quote")
            elif parameter.in_here_string and re.search("^'@", value, re.MULTILINE):
                rule = f"{use.use} puts it into a here-string of a script, so no line of it can begin with '@"
                yield Problem(place, rule, shown(value), 'write @" and "@ around that text')


def objects(image: Image, context: Context) -> Iterator[Problem]:
    """The S3 objects that values of components name fit into one IAM policy: 4,000 characters."""
    room, seen = ROOM_FOR_OBJECTS, set[str]()
    for key, use in context.components_of(image):
        for name, value in use.with_.items():
            if re.fullmatch(r"s3://[a-z0-9.-]+/.+", value) and value not in seen:
                seen.add(value)
                room -= len("arn:aws-us-gov:s3:::") + len(value) + 3 * sum(map(value.count, "*?$"))
                if room < 0:
                    rule = f"the build's role has no room for more objects: at most {ROOM_FOR_OBJECTS} characters"
                    yield Problem((*key, "with", name), rule, shown(value), "put several into one archive")
                    return


def names_in_arns(context: Context) -> Iterator[Problem]:
    """Components of different images have different names in ARNs.

    Component `x` of image `web-app` and component `app-x` of image `web` would.
    """
    owners: dict[str, str] = {}
    for image in context.images.values():
        for key, use in context.components_of(image):
            if use.is_managed:
                continue
            name = names.in_arn(ImageNames("", image.name).component(use.short_name))
            owner = owners.setdefault(name, image.name)
            if owner != image.name:
                rule = f"a component of image {owner} has the same name for Image Builder"
                remedy = "rename the image or the component's file"
                yield Problem(("images", image.name, *key), rule, shown(use.use), remedy)
