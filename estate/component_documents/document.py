"""Component documents: text -> checked document.

The schema is that of AWS's Task Orchestrator and Executor ("Component document framework" in the user guide of
EC2 Image Builder). Problems are reported with file and line before anything is synthesized, and what AWS accepts is
accepted: beyond AWS's rules there are only those that keep a document from failing in a build an hour later.
"""

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any

from estate.catalogue.operating_systems import Platform
from estate.component_documents import references, steps
from estate.component_documents.parameters import Parameter
from estate.documents import below, is_mapping, list_problems, mappings, must, read_document, repeated, shapes
from estate.limits import DOCUMENT
from estate.problems import Key, Problem, shown


@dataclass(frozen=True)
class Document:
    """A component document as it is sent to Image Builder, and what is known of it."""

    text: str
    description: str
    parameters: Mapping[str, Parameter]
    phases: tuple[str, ...]


def parse(text: str, *, source: str, platform: Platform | None = None) -> Document:
    """Reads and checks a document. `source` is how errors name the file, `platform` what the document is used for.

    Without a platform, actions of any are accepted. Raises `EstateError` with every problem of the document.
    """
    content = read_document(
        text,
        source=source,
        shape=_SHAPES["a component document"],
        check=partial(_problems, platform=platform),
        references=references.problems_of,
        named=_named,
        too_long=("a document", DOCUMENT.remedy),
    )
    quoted = _names_in_scripts(content, r"'([^'\n]*)'", "ExecuteBash", "ExecutePowerShell")
    here = _names_in_scripts(content, r"(?s)@'[ \t]*\n(.*?)\n'@", "ExecutePowerShell")
    declared = {name: _parameter(fields) for entry in content.get("parameters", ()) for name, fields in entry.items()}
    parameters = {
        name: replace(each, quoted=name in quoted, in_here_string=name in here) for name, each in declared.items()
    }
    phases = tuple(phase["name"] for phase in content["phases"])
    return Document(text, content.get("description", ""), MappingProxyType(parameters), phases)


def _names_in_scripts(content: dict[str, Any], pattern: str, *actions: str) -> Set[str]:
    """The names of references in what the pattern's group finds in the scripts of these actions."""
    used = [step for phase in content["phases"] for step in phase["steps"] if step["action"] in actions]
    scripts = [str(line) for step in used for line in step["inputs"].get("commands", ())]
    return {name for script in scripts for found in re.findall(pattern, script) for name in references.names_in(found)}


def _named(key: Key, content: Any) -> Key:
    """`phases.0.steps.1.inputs` as `build.Install.inputs`, `parameters.0.port` as `parameters.port`."""
    if key[:1] == ("phases",) and len(key) > 3:
        phase = content["phases"][key[1]]
        step = phase["steps"][key[3]]
        phase_name = phase["name"] if is_mapping(phase, "name") else f"phases.{key[1]}"
        return (phase_name, step["name"] if is_mapping(step, "name") else f"steps.{key[3]}", *key[4:])
    return (key[0], *key[2:]) if key[:1] in (("parameters",), ("constants",)) and len(key) > 2 else key


def _problems(content: dict[str, Any], platform: Platform | None) -> Iterator[Problem]:
    names: list[tuple[Key, str]] = [
        ((section, index, name), name)
        for section in _VARIABLES
        for index, entry in mappings(content.get(section))
        for name in entry
    ]
    yield from repeated(names, "is declared twice", "delete or rename one")
    for section, title in _VARIABLES.items():
        form, check = must(f"{title} is one name and its fields", _is_variable), partial(_variable, title=title)
        entries, remedy = content.get(section, []), "write - name: {type: string}"
        yield from below((section,), list_problems(entries, form, check, remedy))
    yield from below(("phases",), steps.problems_of(content.get("phases"), platform))


def _is_variable(entry: Any) -> bool:
    return is_mapping(entry) and [*map(is_mapping, entry.values())] == [True]


def _variable(entry: dict[str, Any], title: str) -> Iterator[Problem]:
    ((name, fields),) = entry.items()
    if not re.fullmatch(r"[A-Za-z0-9_-]{3,128}", name):
        yield Problem((name,), f"{title}'s name has 3 to 128 letters, digits, - and _", shown(name))
    yield from below((name,), _SHAPES[title].problems(fields))
    if fields.get("type") != "string":
        yield Problem((name,), f"{title}'s type is string", shown(fields.get("type")))
    if title == "a constant" and "value" not in fields:
        yield Problem((name,), "a constant needs value", remedy="write value: …")
    parameter, default = _parameter(fields), fields.get("default")
    if not isinstance(default, dict | list | None) and not parameter.takes(_text(default)):
        source = "allowedValues says" if parameter.allowed else "its description says"
        yield Problem((name, "default"), f"must be {parameter.kind}, as {source}", shown(default))


def _parameter(fields: dict[str, Any]) -> Parameter:
    allowed = fields.get("allowedValues")
    return Parameter(
        default=_text(fields["default"]) if "default" in fields else None,
        description=str(fields.get("description", "")),
        allowed=tuple(map(_text, allowed)) if isinstance(allowed, list) else (),
    )


def _text(value: Any) -> str:
    """A value as text, as YAML writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


_VARIABLES = {"parameters": "a parameter", "constants": "a constant"}
_is_text = must("must be text", lambda value: not isinstance(value, dict | list | None))
# the guide does not have `allowedValues`, but a sample of AWS does
_SHAPES = shapes(
    """
a component document: name description schemaVersion parameters constants phases
a parameter: type default description allowedValues
a constant: type value
""",
    checks={"default": _is_text, "value": _is_text},
)
