"""Component documents: text -> checked document.

The schema is that of AWS's Task Orchestrator and Executor ("Component document framework" in the user guide of
EC2 Image Builder). What is wrong with a document is said with its file and line, before anything is synthesized, and
what AWS takes is taken: beyond its rules there are only those that keep a document from failing in a build an hour
later.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from estate.catalogue.operating_systems import Platform
from estate.component_documents import references as document_references
from estate.component_documents import steps as document_steps
from estate.component_documents.parameters import Parameter
from estate.limits import DESCRIPTION, DOCUMENT, text_problems
from estate.problems import EstateError, Key, Problem, Words, did_you_mean, shown
from estate.yaml import Yaml, read

_KEYS = ("name", "description", "schemaVersion", "parameters", "constants", "phases")
_VARIABLE_NAME = re.compile(r"[A-Za-z0-9_-]{3,128}")
_FIELDS: Mapping[str, tuple[str, ...]] = {
    # the guide does not know `allowedValues`, a sample of AWS's writes it
    "parameters": ("type", "default", "description", "allowedValues"),
    "constants": ("type", "value"),
}


@dataclass(frozen=True)
class Document:
    """A component document as it is sent to Image Builder, and what is known of it."""

    text: str
    description: str
    parameters: Mapping[str, Parameter]
    phases: tuple[str, ...]


def parse(text: str, *, source: str, platform: Platform | None = None) -> Document:
    """Reads and checks a document. `source` is how errors name the file, `platform` what the document is used for.

    Without a platform, actions of any will do. Raises `EstateError` with every problem of the document.
    """
    yaml = read(text, source=source)
    problems = [*yaml.problems, *_placed(_problems(text, yaml.value, platform), text, yaml, source)]
    if problems:
        raise EstateError(sorted(problems, key=lambda problem: int(problem.place.rpartition(":")[2])))
    content = yaml.value
    quoted, here = document_references.quoted_names(content), document_references.here_string_names(content)
    return Document(
        text=text,
        description=str(content.get("description", "")),
        parameters=MappingProxyType(
            {
                name: _parameter(fields, quoted=name in quoted, in_here_string=name in here)
                for _, name, fields in _variables(content, "parameters")
            }
        ),
        phases=tuple(phase["name"] for phase in content["phases"]),
    )


def _placed(problems: Iterator[tuple[Problem, str]], text: str, yaml: Yaml, source: str) -> Iterator[Problem]:
    """The problems with file and line, and with steps by their names."""
    lines = text.splitlines()
    for problem, written in problems:
        first = yaml.marks.line(problem.key)
        # a value can have many lines, of which one has what is wrong
        line = next((number for number in range(first, len(lines) + 1) if written in lines[number - 1]), first)
        yield replace(problem, key=_named(problem.key, yaml.value), place=f"{source}:{line}")


def _named(key: Key, content: Any) -> Key:
    """`phases.0.steps.1.inputs` as `build.Install.inputs`, `parameters.0.port` as `parameters.port`."""
    if key[:1] == ("phases",) and len(key) > 3 and isinstance(key[1], int) and isinstance(key[3], int):
        phase = content["phases"][key[1]]
        step = phase["steps"][key[3]]
        names = (phase.get("name"), step.get("name") if isinstance(step, dict) else None)
        places = (f"phases.{key[1]}", f"steps.{key[3]}")
        return (
            *(name if isinstance(name, str) else place for name, place in zip(names, places, strict=True)),
            *key[4:],
        )
    if key[:1] in (("parameters",), ("constants",)) and len(key) > 2:
        return (key[0], *key[2:])
    return key


def _problems(text: str, content: Any, platform: Platform | None) -> Iterator[tuple[Problem, str]]:
    """Every problem, and the part of the text that shows on which line of its value it is."""
    if not isinstance(content, dict):
        rule, remedy = "a component document is a mapping", "begin with schemaVersion: 1.0"
        yield Problem((), rule, shown(content), remedy), ""
        return
    declared = Words(name for section in _FIELDS for _, name, _ in _variables(content, section))
    for problem in (
        *_top(text, content),
        *_declarations(content),
        *document_steps.problems_of(content.get("phases"), platform),
    ):
        yield problem, ""
    yield from document_references.problems_of(content, declared)


def _top(text: str, content: Mapping[str, Any]) -> Iterator[Problem]:
    for key in content:
        if key not in _KEYS:
            yield Problem((key,), "unknown key of a component document", shown(key), did_you_mean(key, _KEYS))
    description = content.get("description", "none")
    yield from text_problems(("description",), description, DESCRIPTION)
    if str(content.get("schemaVersion")) not in ("1.0", "1"):
        version = content.get("schemaVersion")
        yield Problem(("schemaVersion",), "must be 1.0", shown(version), "write schemaVersion: 1.0")
    if not DOCUMENT.fits(text):
        yield Problem((), f"a document {DOCUMENT.rule}", str(DOCUMENT.size_of(text)), DOCUMENT.remedy)


def _variables(content: Mapping[str, Any], section: str) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """The sound entries of `parameters:` or `constants:`, with their places in the list."""
    entries = content.get(section)
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict) and len(entry) == 1 and isinstance(next(iter(entry.values())), dict):
            yield index, *next(iter(entry.items()))


def _declarations(content: Mapping[str, Any]) -> Iterator[Problem]:
    names: set[str] = set()
    for section, fields in _FIELDS.items():
        kind, entries = section.removesuffix("s"), content.get(section, [])
        if not isinstance(entries, list):
            yield Problem((section,), "must be a list", shown(entries), "write - name: {type: string}")
            continue
        sound = {index for index, _, _ in _variables(content, section)}
        for index, entry in enumerate(entries):
            if index not in sound:
                yield Problem((section, index), f"a {kind} is one name and its fields", shown(entry))
        for index, name, given in _variables(content, section):
            key: Key = (section, index, name)
            if not _VARIABLE_NAME.fullmatch(name):
                yield Problem(key, f"a {kind}'s name has 3 to 128 letters, digits, - and _", shown(name))
            if name in names:
                yield Problem(key, "is declared twice", shown(name), "delete or rename one")
            names.add(name)
            for field in given:
                if field not in fields:
                    rule = f"unknown key of a {kind}"
                    yield Problem((*key, field), rule, shown(field), did_you_mean(field, fields))
            if given.get("type") != "string":
                yield Problem(key, f"a {kind}'s type is string", shown(given.get("type")))
            yield from _value(given, key, kind)


def _value(given: Mapping[str, Any], key: Key, kind: str) -> Iterator[Problem]:
    if kind == "constant" and "value" not in given:
        yield Problem(key, "a constant needs value", remedy="write value: …")
    for field in ("default", "value"):
        if isinstance(given.get(field, ""), dict | list | None):
            yield Problem((*key, field), "must be text", shown(given[field]))
            return
    if "default" in given:
        parameter = _parameter(given)
        if not parameter.takes(_text(given["default"])):
            source = "allowedValues says" if parameter.allowed else "its description says"
            yield Problem((*key, "default"), f"must be {parameter.kind}, as {source}", shown(given["default"]))


def _parameter(fields: Mapping[str, Any], *, quoted: bool = False, in_here_string: bool = False) -> Parameter:
    allowed = fields.get("allowedValues")
    return Parameter(
        default=_text(fields["default"]) if "default" in fields else None,
        description=str(fields.get("description", "")),
        allowed=tuple(map(_text, allowed)) if isinstance(allowed, list) else (),
        quoted=quoted,
        in_here_string=in_here_string,
    )


def _text(value: Any) -> str:
    """A value as text, as YAML writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
