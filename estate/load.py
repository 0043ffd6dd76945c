"""Files -> Estate, or every problem at once."""

import os
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from estate.account_names import take_ids
from estate.checks.context import Context
from estate.checks.table import problems_of
from estate.declarations import Declarations, read_declarations
from estate.defaults import take_fields
from estate.estate import Estate
from estate.files import read_named
from estate.models.ami_image import AmiImage
from estate.models.container_image import ContainerImage
from estate.models.external_image import ExternalImage
from estate.models.fleet import Fleet
from estate.models.images import Image
from estate.models.pin import Pin
from estate.models.salvage import model_of
from estate.models.settings import Settings
from estate.problems import Checked, EstateError, Key, Problem, Words, collected, did_you_mean, shown
from estate.yaml import as_text

_Kind = Callable[[Any, Key], type[BaseModel] | Problem]
_Named = TypeVar("_Named", Image | ExternalImage, Fleet, Pin)


def load(path: Path) -> Estate:
    """The estate that a YAML file, or all YAML files of a folder, declare.

    Raises `EstateError` with every problem, in the order of files and lines; nothing is written.
    """
    folder = path if os.path.isdir(path) else path.parent
    declared, problems = collected(read_declarations(path, folder=folder))
    take_ids(declared)
    every_fleet = Words(declared.sections["fleets"])  # also those that lack what they take from elsewhere
    _, elsewhere = collected(take_fields(declared))
    estate, more = collected(_read(declared, every_fleet, folder))
    # what is wrong with a default is said where it is written, not again for each image or fleet that takes it
    own = [problem for problem in more if replace(problem, key=declared.origin(problem.key)) not in elsewhere]
    if problems or elsewhere or own:
        raise EstateError(declared.placed([*problems, *elsewhere, *own]))
    return estate


@dataclass(frozen=True)
class _Names:
    """The names of everything that is declared, also of what has no model; None if a file could not be read."""

    images: Words | None
    fleets: Words | None


@dataclass(frozen=True)
class WrittenField:
    """A field of an image or fleet, its value as YAML, and where that is written."""

    field: str
    value: str
    key: str
    """The key, such as `environments.prod.region`; empty for the default of the model."""
    place: str
    """File and line; empty for the default of the model."""


def explain(path: Path, name: str) -> list[WrittenField]:
    """Each field of an image or fleet of a configuration, in the order of the model.

    Raises `EstateError` with every problem of the configuration, or if there is no image or fleet of this name.
    """
    folder = path if os.path.isdir(path) else path.parent
    estate = load(path)
    declared, _ = collected(read_declarations(path, folder=folder))
    collected(take_fields(declared))
    images = {**estate.images, **estate.external_images}
    section = "images" if name in images else "fleets"
    model: Image | ExternalImage | Fleet | None = images.get(name) or estate.fleets.get(name)
    if model is None:
        known = [*images, *estate.fleets]
        raise EstateError([Problem((), "no image or fleet has this name", shown(name), did_you_mean(name, known))])
    values = model.model_dump(mode="json", by_alias=True, exclude={"name"})
    fields = []
    for field, value in values.items():
        key: Key = (section, name, field)
        is_written = field in declared.sections[section][name]
        at = ".".join(map(str, declared.origin(key))) if is_written else ""
        written = declared.sections[section][name].get(field, value)
        fields.append(WrittenField(field, as_text(written), at, declared.place(key) if is_written else ""))
    return fields


def assemble(
    *,
    settings: Settings,
    images: Iterable[Image | ExternalImage] = (),
    fleets: Iterable[Fleet] = (),
    pins: Iterable[Pin] = (),
    folder: Path = Path(),
) -> Estate:
    """The same estate from models made in Python; paths of documents start at `folder`.

    Raises `EstateError` with every problem.
    """
    estate, problems = collected(_assembled(settings, images, fleets, pins, folder))
    if problems:
        raise EstateError(problems)
    return estate


def _read(declared: Declarations, every_fleet: Words, folder: Path) -> Checked[Estate]:
    settings, broken = yield from _settings(declared)
    images, broken_in_images = yield from _models("images", _kind_of_image, declared)
    fleets, broken_in_fleets = yield from _models("fleets", lambda *_: Fleet, declared)
    pins, broken_in_pins = yield from _models("pins", lambda *_: Pin, declared)
    names = _Names(Words(declared.sections["images"]), every_fleet) if declared.is_complete else _Names(None, None)
    broken |= broken_in_images | broken_in_fleets | broken_in_pins
    return (yield from _checked(settings, images, fleets, pins, names, folder, broken))


def _assembled(
    settings: Settings,
    images: Iterable[Image | ExternalImage],
    fleets: Iterable[Fleet],
    pins: Iterable[Pin],
    folder: Path,
) -> Checked[Estate]:
    images_by_name = yield from _by_name("images", images)
    fleets_by_name = yield from _by_name("fleets", fleets)
    pins_by_name = yield from _by_name("pins", pins)
    names = _Names(Words(images_by_name), Words(fleets_by_name))
    return (yield from _checked(settings, images_by_name, fleets_by_name, pins_by_name, names, folder))


def _checked(
    settings: Settings,
    every: Mapping[str, Image | ExternalImage],
    fleets: Mapping[str, Fleet],
    pins: Mapping[str, Pin],
    names: "_Names",
    folder: Path,
    broken: Set[Key] = frozenset(),
) -> Checked[Estate]:
    """The estate, whose rules are checked; with stand-ins in the fields that are `broken`. `every` are all images."""
    images = {name: image for name, image in every.items() if not isinstance(image, ExternalImage)}
    external_images = {name: image for name, image in every.items() if isinstance(image, ExternalImage)}
    files = yield from read_named(images.values(), folder=folder, broken=broken)
    yield from problems_of(
        Context(settings, images, external_images, fleets, files, names.images, names.fleets, broken)
    )
    return Estate(
        settings=settings,
        images=images,
        external_images=external_images,
        fleets=dict(fleets),
        pins=dict(pins),
        documents=files.documents,
        dockerfiles=files.dockerfiles,
        workflow_documents=files.workflow_documents,
    )


def _settings(declared: Declarations) -> Checked[tuple[Settings, set[Key]]]:
    """The settings, and what is broken in them: everything if there are none."""
    key: Key = ("settings",)
    if declared.settings is not None:
        settings, broken = yield from model_of(Settings, declared.settings, key=key)
        if settings is not None:
            return settings, broken
    return Settings(namespace="xx"), {(*key, field) for field in Settings.model_fields}


def _models(section: str, kind: _Kind, declared: Declarations) -> Checked[tuple[dict[str, Any], set[Key]]]:
    """The models of a section by name, and what is broken in them; `kind` finds the model of a value or its problem."""
    models: dict[str, Any] = {}
    broken: set[Key] = set()
    for name, value in declared.sections[section].items():
        key: Key = (section, name)
        model = kind(value, key)
        if isinstance(model, Problem):
            yield model
            continue
        if isinstance(value, dict) and "name" in value:
            yield Problem((*key, "name"), "unknown key", shown("name"), f"the name is {name}, the key above")
        named = {**value, "name": name} if isinstance(value, dict) else value
        found: Any
        found, broken_in_it = yield from model_of(model, named, key=key)
        broken |= broken_in_it
        if found is not None:
            # the model may have a stand-in for a broken name
            models[name] = found if found.name == name else found.model_copy(update={"name": name})
    return models, broken


def _kind_of_image(value: Any, key: Key) -> type[BaseModel] | Problem:
    if isinstance(value, dict) and "external" in value:
        return ExternalImage
    if not isinstance(value, dict) or "kind" not in value:
        return AmiImage
    if (kind := value["kind"]) == "container":
        return ContainerImage
    remedy = "write container, or delete the line for an AMI"
    return Problem((*key, "kind"), "must be container", shown(kind), remedy)


def _by_name(section: str, models: Iterable[_Named]) -> Checked[dict[str, _Named]]:
    found: dict[str, _Named] = {}
    for model in models:
        if found.setdefault(model.name, model) is not model:
            yield Problem((section, model.name), "is declared twice", remedy="delete or rename one")
    return found
