"""The YAML files of a configuration, merged: what they declare, and in which line."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from estate.problems import Checked, EstateError, Key, Problem, did_you_mean, shown
from estate.reading import ESTATE, is_below, lack_of, text_of
from estate.yaml import Marks, read

_SECTIONS = ("images", "fleets", "environments", "defaults")
_PINS = "pins"
PINS = f"{_PINS}.yaml"
"""The file beside the configuration in which `goldsmith pin` keeps what fleets run. It has nothing but `pins:`, and no
other file has them, because each run writes the whole file."""
_CONFLICT = re.compile(r"^<{7}(?= |$)", re.MULTILINE)
"""What git writes where two branches changed the same lines, as two pull requests do that pin the same fleet."""
_SHARED = "x-"
"""How the top-level keys begin that only hold anchors for the rest of their file, as in Compose files."""


@dataclass(frozen=True)
class Source:
    """One file: how problems name it, and the lines of its values."""

    name: str
    marks: Marks

    def place(self, key: Key) -> str:
        """File and line of the value at a key."""
        return f"{self.name}:{self.marks.line(key)}"


@dataclass
class Declarations:
    """The merged files, before anything is checked."""

    settings: Any = None
    """None if no file has any."""
    sections: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {section: {} for section in (*_SECTIONS, _PINS)}
    )
    """`images`, `fleets`, `environments` and `pins`, each by name; `defaults` of `images` and `fleets`."""
    sources: dict[Key, Source] = field(default_factory=dict)
    """The file of the settings, and of each entry of a section."""
    origins: dict[Key, Key] = field(default_factory=dict)
    """Where a field of an image or fleet is written, if that is elsewhere: `("fleets", "web-prod", "region")` in
    `("environments", "prod", "region")`."""
    unusable: set[str] = field(default_factory=set)
    """The sections that are no mappings."""
    is_complete: bool = True
    """Whether everything that the files declare was understood. If not, nothing is reported as missing."""

    def placed(self, problems: Iterable[Problem]) -> list[Problem]:
        """The problems with file and line, in the order of the files."""
        return sorted((self._placed(problem) for problem in problems), key=_position)

    def place(self, key: Key) -> str:
        """File and line of the value at a key; empty if no file has it."""
        key = self.origin(key)
        source = self.sources.get(key[:2]) or self.sources.get(key[:1])
        return source.place(key) if source else ""

    def origin(self, key: Key) -> Key:
        """The key where a value is written."""
        origin = self.origins.get(key[:3])
        return (*origin, *key[3:]) if origin else key

    def _placed(self, problem: Problem) -> Problem:
        return problem if problem.place else replace(problem, place=self.place(problem.key))


def read_declarations(path: Path, *, folder: Path) -> Checked[Declarations]:
    """What a YAML file, or all YAML files of a folder, declare. No file outside of `folder` is read.

    Raises `EstateError` if there is no file to read.
    """
    declared = Declarations()
    files = _files(path)
    pins = folder / PINS
    if path in files and path != pins and os.path.lexists(pins):
        files.append(pins)  # of a configuration that is one file
    for file in files:
        yield from _merge(file, folder, declared)
    if declared.settings is None and declared.is_complete:
        yield Problem(("settings",), "is required", remedy="write settings: {namespace: …}", place=str(path))
    return declared


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


def _merge(file: Path, folder: Path, declared: Declarations) -> Iterator[Problem]:
    """Adds what a file declares."""
    try:
        if not is_below(folder, file):
            rule, remedy = "is a link to outside the configuration's folder", "put a copy of the file here"
            raise EstateError([Problem((), rule, remedy=remedy, place=str(file))])
        text = text_of(file, ESTATE)
        if conflict := _CONFLICT.search(text):
            remedy = "take either side, and run goldsmith pin" if file.name == PINS else "resolve it"
            place = f"{file}:{text.count(chr(10), 0, conflict.start()) + 1}"
            raise EstateError([Problem((), "has a merge conflict", remedy=remedy, place=place)])
        yaml = read(text, source=str(file))
    except EstateError as error:
        declared.is_complete = False
        yield from error.problems
        return
    yield from yaml.problems
    source = Source(str(file), yaml.marks)
    if yaml.value is None:
        return
    if not isinstance(yaml.value, dict):
        declared.is_complete = False
        # the message must not show the value: it may be anything, such as a password
        got = shown(yaml.value) if isinstance(yaml.value, list) else "a single value"
        wanted = "pins:" if file.name == PINS else "settings:, images: or fleets:"
        yield Problem((), f"must have {wanted}", got, place=source.place(()))
    elif "schemaVersion" in yaml.value:
        rule, remedy = "is a component document, not an estate", "move it into a folder, such as components/"
        yield Problem((), rule, remedy=remedy, place=source.place(()))
    else:
        for section, values in yaml.value.items():
            if (file.name == PINS) != (section == _PINS):
                yield from _misplaced(section, source, declared)
            elif not section.startswith(_SHARED):
                yield from _merge_section(section, values, source, declared)


def _misplaced(section: str, source: Source, declared: Declarations) -> Iterator[Problem]:
    """Pins in another file than their own, and other things in that file: both would be lost."""
    if section == _PINS:
        rule, remedy = f"must be in {PINS}, which goldsmith pin writes", "delete the section, and run goldsmith pin"
    else:
        declared.is_complete = False
        rule, remedy = f"must not be in {PINS}, which goldsmith pin writes as a whole", "move it to another file"
    yield Problem((section,), rule, remedy=remedy, place=source.place((section,)))


def _merge_section(section: str, values: Any, source: Source, declared: Declarations) -> Iterator[Problem]:
    place = source.place((section,))
    if section == "settings":
        if (yield from _declare(("settings",), source, declared)):
            declared.settings = values if values is not None else {}
    elif section not in declared.sections:
        declared.is_complete = False
        remedy = did_you_mean(section, ("settings", *_SECTIONS))
        yield Problem((section,), "unknown section", shown(section), remedy, place)
    elif not isinstance(values, dict):
        declared.is_complete &= values is None
        declared.unusable |= {section} if values is not None else set()
        remedy = "write a name below it, or delete the line" if values is None else ""
        yield Problem((section,), "must be a mapping of names", shown(values), remedy, place)
    else:
        for name, value in values.items():
            if (yield from _declare((section, name), source, declared)):
                declared.sections[section][name] = value


def _declare(key: Key, source: Source, declared: Declarations) -> Checked[bool]:
    """Adds the source of a key; False, with a problem that names both places, if another file has declared it."""
    first = declared.sources.setdefault(key, source)
    if first is source:
        return True
    got = f"here and at {first.place(key)}"
    yield Problem(key, "is declared twice", got, "delete or rename one", source.place(key))
    return False


def _position(problem: Problem) -> tuple[str, int]:
    file, _, line = problem.place.rpartition(":")
    return (file, int(line)) if line.isdecimal() else (problem.place, 0)
