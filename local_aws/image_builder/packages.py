"""The packages of an image, as if Systems Manager's inventory had found them on the build instance.

No instance runs here, so they follow from texts. An image has the packages of its parent, and those that its build
components install. These are what follows `install` in commands of dnf, yum, apt and zypper, and what a parameter named
`packages` names: `curl-8.3.0` and `curl=8.3.0` are version 8.3.0 of curl, and `curl` is the newest version.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from local_aws.image_builder.parent_images import ParentImage
from local_aws.image_builder.store import RegionStore
from local_aws.image_builder.vulnerabilities import newest_version

_OF_SYSTEMS = {
    "Linux": ("bash", "curl", "openssh", "openssl", "systemd"),
    "Windows": ("Amazon SSM Agent", "AWS Tools for Windows"),
    "macOS": ("amazon-ssm-agent",),
}
_OUTDATED = {"openssh": "7.4"}
"""What a system that is no longer supported has in place of the newest versions."""

_INSTALL = re.compile(r"\b(?:apt|apt-get|dnf|microdnf|yum|zypper)\b([^\n;|&]*?)\binstall\b([^\n;|&]*)")
_PACKAGE = re.compile(r"(?P<name>[A-Za-z0-9][\w.+-]*?)(?:[-=](?P<version>\d[\w.+~:]*)(?:-\d[\w.+~]*)?)?")


def packages_of(store: RegionStore, image: Mapping[str, Any], *, parent: ParentImage | None) -> dict[str, str]:
    """The versions of an image's packages, by name. `parent` is None for a container image."""
    recipe = image.get("imageRecipe") or image["containerRecipe"]
    packages = _inherited(store, image, parent=parent)
    packages |= _installed(recipe.get("dockerfileTemplateData", ""))
    for entry in recipe.get("components", ()):
        component = store.find(entry["componentArn"])
        if component and component["type"] == "BUILD":
            packages |= _of_component(component, entry)
    return packages


def _inherited(store: RegionStore, image: Mapping[str, Any], *, parent: ParentImage | None) -> dict[str, str]:
    if parent:
        made = (other for other in store.of_path("image") if _has_made(other, parent.ami))
        base = next(made, None)
    else:
        base = store.find(image["containerRecipe"]["parentImage"])
    if base and "packages" in base:
        return dict(base["packages"])
    packages = {name: newest_version(name) for name in _OF_SYSTEMS[image["platform"]]}
    return packages | (_OUTDATED if parent and not parent.is_supported else {})


def _has_made(image: Mapping[str, Any], ami: str) -> bool:
    return any(output["image"] == ami for output in image["outputResources"].get("amis", ()))


def _of_component(component: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, str]:
    values = {each["name"]: each["defaultValue"][0] for each in component["parameters"] or () if each["defaultValue"]}
    values |= {each["name"]: each["value"][0] for each in entry.get("parameters", ())}
    text = re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda name: values.get(name[1], ""), component["data"])
    return _installed(text) | dict(_named(values.get("packages", "")))


def _installed(text: str) -> dict[str, str]:
    without_comments = re.sub(r"(?m)^\s*#.*$", "", text)
    commands = _INSTALL.findall(without_comments.replace("\\\n", " "))
    return {name: version for _, names in commands for name, version in _named(names)}


def _named(names: str) -> Iterator[tuple[str, str]]:
    """The packages in a list of words; options and variables of the shell are none."""
    for word in names.split():
        if package := _PACKAGE.fullmatch(word.strip("'\"")):
            yield package["name"], package["version"] or newest_version(package["name"])
