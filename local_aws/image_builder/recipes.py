"""Image recipes and container recipes: what AWS refuses and adds."""

import re
from typing import Any

from local_aws.errors import AwsError
from local_aws.image_builder.component_documents import check_values
from local_aws.image_builder.parent_images import check_parent
from local_aws.image_builder.refusals import invalid, missing
from local_aws.image_builder.store import Fields, RegionStore


def image_recipe(params: Fields, region: RegionStore) -> dict[str, Any]:
    """Check an image recipe; see `Kind.complete`."""
    parent = check_parent(params["parentImage"], region)
    # if the parent does not exist yet, the components decide
    return {
        "platform": _platform(params, parent.platform if parent else None, region),
        "owner": region.account,
        "type": "AMI",
    }


def container_recipe(params: Fields, region: RegionStore) -> dict[str, Any]:
    """Check a container recipe; see `Kind.complete`. A parent in a registry is not looked up."""
    given = "dockerfileTemplateData" in params
    if given == ("dockerfileTemplateUri" in params):
        raise AwsError(
            code="InvalidParameterCombinationException",
            message="Specify exactly one of 'dockerfileTemplateData' and 'dockerfileTemplateUri'.",
        )
    text = params.get("dockerfileTemplateData")
    if text is None:
        text = region.neighbours.object_text(region=region.name, uri=params["dockerfileTemplateUri"])
    if text is None:
        raise invalid("dockerfileTemplateUri", f"There is no readable object '{params['dockerfileTemplateUri']}'.")
    needed = ("parentImage", *(("environments", "components") if params.get("components") else ()))
    for variable in needed:
        if not re.search(rf"\{{\{{\{{\s*imagebuilder:{variable}\s*\}}\}}\}}", text):
            raise invalid("dockerfileTemplateData", f"The template must include {{{{{{ imagebuilder:{variable} }}}}}}.")
    repository = params["targetRepository"]["repositoryName"]
    if not region.neighbours.repository_exists(region=region.name, name=repository):
        raise invalid("targetRepository", f"The repository '{repository}' does not exist in {region.name}.")
    platform = _platform(params, _container_platform(params, region), region)
    _check_registry(params, platform)
    for entry in params.get("components", ()):
        if ":aws-marketplace:" in entry["componentArn"]:
            raise invalid("components", "Container recipes don't support AWS Marketplace components.")
    return {
        "platform": platform,
        "owner": region.account,
        "dockerfileTemplateData": text,
        "encrypted": True,
    }


def _check_registry(params: Fields, platform: str) -> None:
    """Image Builder cannot know the version of Windows of an image in a registry."""
    of_a_registry = not params["parentImage"].startswith("arn:")
    if platform == "Windows" and of_a_registry and "imageOsVersionOverride" not in params:
        raise invalid("imageOsVersionOverride", "It is required for a Windows base image from a registry.")


def _container_platform(params: Fields, region: RegionStore) -> str | None:
    """The platform of a parent; for an image in a registry, the recipe has to name it."""
    parent, override = params["parentImage"], params.get("platformOverride")
    if override == "macOS":
        raise invalid("platformOverride", "Container recipes support only the Linux and Windows platforms.")
    if f":{region.account}:image/" in parent:  # images of other owners are not looked up
        image = region.find(parent)
        if image is None or "containerRecipe" not in image:
            raise invalid("parentImage", f"The container image '{parent}' does not exist in {region.name}.")
        return str(image["platform"])
    return override or ("Windows" if "windows" in parent.lower() else None)


def _platform(params: Fields, known: str | None, region: RegionStore) -> str:
    """The platform of a recipe: that of its parent and its components, which must be the same."""
    entries = params.get("components", ())
    if len(entries) > 20:
        raise AwsError(
            code="ServiceQuotaExceededException",
            message=f"A recipe can contain at most 20 components, got {len(entries)}.",
        )
    arns = [entry["componentArn"] for entry in entries]
    for arn in arns:
        if arns.count(arn) > 1:
            raise invalid("components", f"The component '{arn}' is declared more than once.")
    own = [_own_component(entry, region) for entry in entries]
    platforms = [component["platform"] for component in own if component]
    platform = known or next(iter(platforms), "Linux")
    for component in own:
        if component and component["platform"] != platform:
            raise invalid(
                "components",
                f"The component '{component['arn']}' is for {component['platform']}, the parent {platform}.",
            )
    return platform


def _own_component(entry: Fields, region: RegionStore) -> dict[str, Any] | None:
    arn = entry["componentArn"]
    if f":{region.account}:" not in arn:  # components of Amazon and third parties are not looked up
        return None
    component = region.find(arn)
    if component is None:
        raise missing(arn)
    given = {parameter["name"]: parameter["value"] for parameter in entry.get("parameters", ())}
    check_values(given, component=component)
    return component
