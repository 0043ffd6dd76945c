"""Fields of images and fleets that are written elsewhere in the configuration: in defaults, environments and bases.

The nearest value wins, field by field: the fleet's own, its environment's, `defaults`, then the default of the model. A
value is taken whole; mappings and lists are not merged. An image that is built on another one has the operating system
of its base, if it does not say another. An image that names no account is in the only one of the settings.
"""

import re
from collections.abc import Iterator, Mapping, Set
from typing import Any

from pydantic import BaseModel

from estate.declarations import Declarations
from estate.models.ami_image import AmiImage
from estate.models.container_image import ContainerImage
from estate.models.fleet import Fleet
from estate.models.renamed import instead_of
from estate.models.salvage import model_of
from estate.models.types import NAME
from estate.problems import Checked, Key, Problem, collected, did_you_mean, shown

_Fields = Mapping[str, Any]

_OF_IMAGES = (AmiImage.model_fields.keys() | ContainerImage.model_fields.keys()) - {"name", "kind"}
_OF_FLEETS = Fleet.model_fields.keys() - {"name", "environment"}


def take_fields(declared: Declarations) -> Checked[None]:
    """Adds to the images and fleets of a configuration the fields that they take from elsewhere, and notes where those
    are written. Defaults and environments are checked by themselves, whether something uses them or not."""
    defaults, environments = declared.sections["defaults"], declared.sections["environments"]
    yield from _check_defaults(defaults)
    for name, values in environments.items():
        yield from _check_environment(name, values)
    images, fleets = declared.sections["images"], declared.sections["fleets"]
    for section in ("images", "fleets"):
        if "defaults" in declared.unusable or not isinstance(defaults.get(section, {}), dict):
            # nobody knows what they lack
            declared.sections[section].clear()
            declared.is_complete = False
    for name, value in images.items():
        if isinstance(value, dict) and "external" in value:
            continue  # nothing is made for it
        model: type[BaseModel] = ContainerImage if isinstance(value, dict) and "kind" in value else AmiImage
        fields = _known(defaults.get("images"), _OF_IMAGES & model.model_fields.keys())
        images[name] = _with(value, fields, ("defaults", "images"), ("images", name), declared)
    _take_account(declared)
    for name in images:
        _take_system(name, images, declared)
    for name, value in list(fleets.items()):
        key: Key = ("fleets", name)
        environment = value.get("environment") if isinstance(value, dict) else None
        if isinstance(environment, str) and isinstance(environments.get(environment), dict):
            of_environment = _known(environments[environment], _OF_FLEETS)
            value = _with(value, of_environment, ("environments", environment), key, declared)
        elif isinstance(environment, str):
            if environment not in environments and "environments" not in declared.unusable:
                remedy = did_you_mean(environment, environments) or f"write environments: {{{environment}: {{…}}}}"
                yield Problem((*key, "environment"), "no such environment", shown(environment), remedy)
            del fleets[name]  # its missing fields follow from that
            continue
        fleets[name] = _with(value, _known(defaults.get("fleets"), _OF_FLEETS), ("defaults", "fleets"), key, declared)


def _fields(value: Any) -> _Fields:
    return value if isinstance(value, dict) else {}


def _known(value: Any, known: Set[str]) -> _Fields:
    """The fields that are known; what is wrong with the others is reported where they are written."""
    return {name: field for name, field in _fields(value).items() if name in known}


def _with(value: Any, fields: _Fields, place: Key, key: Key, declared: Declarations) -> Any:
    """A value with the fields that it does not have itself."""
    if not isinstance(value, dict):
        return value
    missing = {name: field for name, field in fields.items() if name not in value}
    declared.origins.update({(*key, name): (*place, name) for name in missing})
    return {**value, **missing}


def _take_account(declared: Declarations) -> None:
    """The only account of the settings, for all images that name none."""
    accounts = _fields(_fields(declared.settings).get("accounts"))
    if len(accounts) != 1:
        return
    (account,) = accounts
    for name, image in declared.sections["images"].items():
        if isinstance(image, dict) and isinstance(external := image.get("external"), dict):
            declared.sections["images"][name] = {**image, "external": {"account": account, **external}}
        elif isinstance(image, dict) and "account" not in image and "external" not in image:
            declared.sections["images"][name] = {**image, "account": account}
            declared.origins["images", name, "account"] = ("settings", "accounts", account)


def _take_system(name: str, images: dict[str, Any], declared: Declarations) -> None:
    """Operating system and architecture of an image that has a base and says no system."""
    image, base, seen = _fields(images[name]), _base_of(images[name]), {name}
    if base is None or "os" in image or "kind" in image:
        return
    while base is not None and base not in seen and "os" not in _fields(images.get(base)):
        seen.add(base)
        base = _base_of(images.get(base))
    of_base = {each: value for each, value in _fields(images.get(base or "")).items() if each in ("os", "architecture")}
    images[name] = _with(image, of_base, ("images", str(base)), ("images", name), declared)
    for field in of_base:
        key = ("images", name, field)
        if key in declared.origins:
            declared.origins[key] = declared.origin(declared.origins[key])


def _base_of(image: Any) -> str | None:
    """The name of the image that is the parent of another one, if the parent is written as one."""
    parent = _fields(image).get("parent")
    name = parent.get("image") if isinstance(parent, dict) else parent
    if not isinstance(name, str):
        return None
    name = name.partition("@")[0]
    return name if re.fullmatch(NAME, name) else None


def _check_defaults(defaults: _Fields) -> Iterator[Problem]:
    for section, values in defaults.items():
        key: Key = ("defaults", section)
        if section not in ("images", "fleets"):
            yield Problem(key, "unknown key", shown(section), did_you_mean(section, ("images", "fleets")))
        elif not isinstance(values, dict):
            yield Problem(key, "must be a mapping of fields", shown(values), f"write fields of {section} below it")
        elif section == "fleets":
            yield from _check(Fleet, values, key, _OF_FLEETS)
        else:
            of_amis = {name: value for name, value in values.items() if name not in ContainerImage.model_fields}
            of_both = {name: value for name, value in values.items() if name not in of_amis}
            yield from _check(AmiImage, of_amis, key, _OF_IMAGES)
            yield from _check(ContainerImage, of_both, key, _OF_IMAGES)


def _check_environment(name: str, values: Any) -> Iterator[Problem]:
    key: Key = ("environments", name)
    if not re.fullmatch(NAME, name):
        yield Problem(key, "a name has 2 to 23 lower-case letters, digits and single hyphens", shown(name))
    if isinstance(values, dict):
        yield from _check(Fleet, values, key, _OF_FLEETS)
    else:
        rule, remedy = "must be a mapping of fields", "write fields of fleets below it, such as region"
        yield Problem(key, rule, shown(values), remedy)


def _check(model: type[BaseModel], values: _Fields, key: Key, known: Set[str]) -> Iterator[Problem]:
    """What is wrong with some fields of a model, whatever the others are."""
    for name in values:
        if name not in known:
            remedy = instead_of(name, values[name], known) or did_you_mean(name, known)
            yield Problem((*key, name), "unknown key", shown(name), remedy)
    fields = {name: value for name, value in values.items() if name in known}
    _, problems = collected(model_of(model, {**fields, "name": "stand-in"}, key=key))
    yield from (problem for problem in problems if problem.key[len(key) : len(key) + 1] in {(name,) for name in fields})
