"""Files -> Estate, or every problem at once."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from estate.checks.context import Context
from estate.checks.table import problems_of
from estate.estate import Estate
from estate.files import NamedFiles, read_named
from estate.models.ami_image import AmiImage
from estate.models.container_image import ContainerImage
from estate.models.fleet import Fleet
from estate.models.images import Image
from estate.models.salvage import model_of
from estate.models.settings import Settings
from estate.problems import EstateError, Key, Problem, Words, did_you_mean, shown
from estate.reading import ESTATE, is_below, lack_of, text_of
from estate.yaml import Marks, read

_SECTIONS = ("images", "fleets")
_SHARED = "x-"
"""How the top-level keys begin that only hold anchors for the rest of their file, as in Compose files."""
_NO_SETTINGS = Settings(namespace="xx")
"""In place of settings that are missing or broken altogether."""
_Named = TypeVar("_Named", AmiImage | ContainerImage, Fleet)


@dataclass
class _Source:
    """One file: how errors name it, and the lines of its values."""

    name: str
    marks: Marks


@dataclass
class _Declared:
    """The merged files, before anything is checked."""

    values: dict[str, dict[str, Any]] = field(default_factory=lambda: {section: {} for section in _SECTIONS})
    settings: Any = None
    sources: dict[Key, _Source] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    complete: bool = True
    """Whether everything that the files declare was understood. If not, nothing is reported as missing."""


def load(path: Path) -> Estate:
    """The estate that a YAML file, or all YAML files of a folder, declare.

    Raises `EstateError` with every problem, in the order of files and lines; nothing is written.
    """
    folder = path if os.path.isdir(path) else path.parent
    declared = _Declared()
    for file in _files(path):
        _merge(file, folder, declared)
    problems = declared.problems
    broken: set[Key] = set()
    settings = None
    if declared.settings is not None:
        settings = model_of(Settings, declared.settings, key=("settings",), problems=problems, broken=broken)
    elif declared.complete:
        remedy = "write settings: {namespace: …}"
        problems.append(Problem(("settings",), "is required", remedy=remedy, place=str(path)))
    if settings is None:
        broken.update(("settings", field) for field in Settings.model_fields)
    images: dict[str, Image] = dict(_models(_kind_of_image, "images", declared, broken))
    fleets: dict[str, Fleet] = dict(_models(lambda *_: Fleet, "fleets", declared, broken))
    files = read_named(images.values(), folder=folder, problems=problems, broken=broken)
    known = Words(declared.values["images"]) if declared.complete else None
    context = Context(settings or _NO_SETTINGS, images, fleets, files, known, broken)
    problems += problems_of(context)
    if problems or settings is None:
        raise EstateError(_placed(problems, declared))
    return _estate(settings, images, fleets, files)


def assemble(
    *, settings: Settings, images: Iterable[Image] = (), fleets: Iterable[Fleet] = (), folder: Path = Path()
) -> Estate:
    """The same estate from models made in Python; paths of documents start at `folder`.

    Raises `EstateError` with every problem.
    """
    problems: list[Problem] = []
    by_name = _by_name("images", images, problems)
    fleets_by_name = _by_name("fleets", fleets, problems)
    files = read_named(by_name.values(), folder=folder, problems=problems)
    problems += problems_of(Context(settings, by_name, fleets_by_name, files, Words(by_name)))
    if problems:
        raise EstateError(problems)
    return _estate(settings, by_name, fleets_by_name, files)


def _estate(settings: Settings, images: dict[str, Image], fleets: dict[str, Fleet], files: NamedFiles) -> Estate:
    return Estate(
        settings=settings,
        images=images,
        fleets=fleets,
        documents=files.documents,
        dockerfiles=files.dockerfiles,
        workflow_documents=files.workflow_documents,
    )


def _by_name(section: str, models: Iterable[_Named], problems: list[Problem]) -> dict[str, _Named]:
    found: dict[str, _Named] = {}
    for model in models:
        if found.setdefault(model.name, model) is not model:
            problems.append(Problem((section, model.name), "is declared twice", remedy="delete or rename one"))
    return found


def _files(path: Path) -> list[Path]:
    lack = lack_of(path)
    if lack is None:
        return [path]
    if lack.got != "a folder":
        raise EstateError([_unusable(path, lack)])
    try:
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in (".yaml", ".yml"))
    except OSError as error:
        raise EstateError([Problem((), f"cannot be read: {error.strerror}", place=str(path))]) from None
    # files that editors and file systems leave start with a dot
    files = [file for file in files if not file.name.startswith(".") and not os.path.isdir(file)]
    if not files:
        raise EstateError(
            [Problem((), "the folder has no YAML file", place=str(path), remedy="begin with settings.yaml")]
        )
    return files


def _unusable(path: Path, lack: Problem) -> Problem:
    """The problem of a configuration that is neither a file nor a folder."""
    rule, remedy = lack.rule, "make it, or set GOLDSMITH_CONFIG to where your YAML files are"
    if lack.got:
        return Problem((), "is neither a regular file nor a folder", lack.got, remedy, place=str(path))
    return Problem((), f"{rule} or folder" if rule == "no such file" else rule, remedy=remedy, place=str(path))


def _merge(file: Path, folder: Path, declared: _Declared) -> None:
    """Adds what a file declares; a name that another file has, too, is an error that names both places."""
    try:
        if not is_below(folder, file):
            rule, remedy = "is a link to outside the configuration's folder", "put a copy of the file here"
            raise EstateError([Problem((), rule, remedy=remedy, place=str(file))])
        yaml = read(text_of(file, ESTATE), source=str(file))
    except EstateError as error:
        declared.problems += error.problems
        declared.complete = False
        return
    declared.problems += yaml.problems
    if yaml.value is None:
        return
    if not isinstance(yaml.value, dict):
        # the message must not show the value: it may be anything, such as a password
        got = shown(yaml.value) if isinstance(yaml.value, list) else "a single value"
        problem = Problem((), "must have settings:, images: or fleets:", got, place=f"{file}:1")
        declared.problems.append(problem)
        declared.complete = False
        return
    if "schemaVersion" in yaml.value:
        rule, remedy = "is a component document, not an estate", "move it into a folder, such as components/"
        declared.problems.append(Problem((), rule, remedy=remedy, place=f"{file}:1"))
        return
    source = _Source(str(file), yaml.marks)
    for section, values in yaml.value.items():
        if not section.startswith(_SHARED):
            _merge_section(section, values, source, declared)


def _merge_section(section: str, values: Any, source: _Source, declared: _Declared) -> None:
    place = f"{source.name}:{source.marks.line((section,))}"
    if section == "settings":
        if _declare(("settings",), source, declared):
            declared.settings = values if values is not None else {}
    elif section not in _SECTIONS:
        remedy = did_you_mean(section, ("settings", *_SECTIONS))
        declared.problems.append(Problem((section,), "unknown section", shown(section), remedy, place=place))
        declared.complete = False
    elif not isinstance(values, dict):
        remedy = "write a name below it, or delete the line" if values is None else ""
        problem = Problem((section,), "must be a mapping of names", shown(values), remedy, place=place)
        declared.problems.append(problem)
        declared.complete &= values is None
    else:
        for name, value in values.items():
            if _declare((section, name), source, declared):
                declared.values[section][name] = value


def _declare(key: Key, source: _Source, declared: _Declared) -> bool:
    """Adds the source of a key; False, with a problem, if another file has declared it."""
    first = declared.sources.setdefault(key, source)
    if first is source:
        return True
    got = f"here and at {first.name}:{first.marks.line(key)}"
    place = f"{source.name}:{source.marks.line(key)}"
    declared.problems.append(Problem(key, "is declared twice", got, "delete or rename one", place=place))
    return False


def _kind_of_image(value: Any, key: Key, problems: list[Problem]) -> type[BaseModel] | None:
    if not isinstance(value, dict) or "kind" not in value:
        return AmiImage
    if (kind := value["kind"]) == "container":
        return ContainerImage
    remedy = "write container, or delete the line for an AMI"
    problems.append(Problem((*key, "kind"), "must be container", shown(kind), remedy))
    return None


def _models(
    kind: Callable[[Any, Key, list[Problem]], type[BaseModel] | None],
    section: str,
    declared: _Declared,
    broken: set[Key],
) -> Iterator[tuple[str, Any]]:
    """The models of a section; `kind` says which one a value is, or what is wrong with it."""
    for name, value in declared.values[section].items():
        key: Key = (section, name)
        model = kind(value, key, declared.problems)
        if model is None:
            continue
        if isinstance(value, dict) and "name" in value:
            remedy = f"the name is {name}, the key above"
            declared.problems.append(Problem((*key, "name"), "unknown key", shown("name"), remedy))
        named = {**value, "name": name} if isinstance(value, dict) else value
        found: Any = model_of(model, named, key=key, problems=declared.problems, broken=broken)
        if found is not None:
            # the model may have a stand-in for a broken name
            yield name, found if found.name == name else found.model_copy(update={"name": name})


def _placed(problems: list[Problem], declared: _Declared) -> list[Problem]:
    """The problems with file and line, in the order of the files."""

    def place(problem: Problem) -> str:
        source = declared.sources.get(problem.key[:2]) or declared.sources.get(problem.key[:1])
        return problem.place or (f"{source.name}:{source.marks.line(problem.key)}" if source else "")

    def position(problem: Problem) -> tuple[str, int]:
        file, _, line = problem.place.rpartition(":")
        return (file, int(line)) if line.isdecimal() else (problem.place, 0)

    return sorted((replace(problem, place=place(problem)) for problem in problems), key=position)
