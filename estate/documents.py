"""What component and workflow documents share: YAML is read, models check it, and each problem gets its line.

What a mapping may have is a `Shape`, a pydantic model that is made from a row of a table: its keys, and what each of
them accepts. A `Check` yields what is wrong with a value, with keys that begin at the value. A rule about several
values is part of the check of the mapping or list that has them.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any, TypeGuard

from pydantic import ValidationError
from pydantic_core import SchemaValidator, core_schema

from estate.limits import DESCRIPTION, DOCUMENT, text_problems
from estate.models.errors import problems_inside
from estate.problems import EstateError, Key, Problem, did_you_mean, shown
from estate.yaml import read

Check = Callable[[Any], Iterable[Problem]]


def must(rule: str, fits: Callable[[Any], object], remedy: str = "", words: Collection[str] = ()) -> Check:
    """The check that a value fits. For text that should be one of some words, the remedy is the nearest word."""

    def check(value: Any) -> Iterator[Problem]:
        if not fits(value):
            near = did_you_mean(value, words) if words and isinstance(value, str) else remedy
            yield Problem((), rule, shown(value), near)

    return check


def is_mapping(value: Any, *with_text: str) -> TypeGuard[dict[str, Any]]:
    """Whether a value is a mapping, with text in these fields."""
    return isinstance(value, dict) and all(isinstance(value.get(field), str) for field in with_text)


def is_number(value: Any, least: float = float("-inf")) -> TypeGuard[int]:
    """Whether a value is a whole number; to Python, true is one."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


@dataclass(frozen=True)
class Shape:
    """The keys that a mapping may have, with their checks, if any, and the rule that other keys break."""

    title: str
    checks: Mapping[str, Check | None]
    unknown: str

    @cached_property
    def _model(self) -> SchemaValidator:
        # a model without a class, which would take ten times as long to make
        fields = {
            key: core_schema.typed_dict_field(
                core_schema.no_info_plain_validator_function(partial(_passed, check)), required=False
            )
            for key, check in self.checks.items()
            if check
        }
        return SchemaValidator(core_schema.typed_dict_schema(fields))

    def problems(self, written: Mapping[str, Any]) -> list[Problem]:
        """What is wrong with a mapping."""
        unknown = [key for key in written if key not in self.checks]
        found = [Problem((key,), self.unknown, shown(key), did_you_mean(key, self.checks)) for key in unknown]
        try:
            self._model.validate_python(written)
        except ValidationError as error:
            return [*problems_inside(error), *found]
        return found


def _passed(check: Check, value: Any) -> None:
    if problems := list(check(value)):
        raise EstateError(problems)


def shapes(table: str, checks: Mapping[str, Check]) -> dict[str, Shape]:
    """The shapes of a table, by title. A row is `title: keys`; `checks` are those of keys, as `key` or `title.key`."""
    rows = [row.partition(":")[::2] for row in table.strip().splitlines()]
    checked = {
        title: {key: checks.get(f"{title}.{key}", checks.get(key)) for key in keys.split()} for title, keys in rows
    }
    return {title: Shape(title, keys, f"unknown key of {title}") for title, keys in checked.items()}


@dataclass(frozen=True)
class Action:
    """An action that a step can name."""

    name: str
    needed: tuple[tuple[str, ...], ...]
    """The inputs without which it does not run; of several together, exactly one."""
    inputs: Shape
    outputs: tuple[str, ...]
    """What later steps can refer to; `?` where AWS's guide does not say."""
    notes: Mapping[str, str]
    """What else its table says, by the first word."""

    @property
    def needs_own_role(self) -> bool:
        """Whether AWS does not say what a workflow's execution role must be allowed for it."""
        return "own" in self.notes

    def missing(self, given: Collection[str], examples: Mapping[str, str] = MappingProxyType({})) -> Iterator[Problem]:
        """What is wrong if only these inputs are given. `examples` show how some are written."""
        for names in self.needed:
            if len(names) > 1 and sum(name in given for name in names) != 1:
                yield Problem((), f"{self.name} needs exactly one of {' and '.join(names)}")
            elif len(names) == 1 and names[0] not in given:
                remedy = f"write {examples.get(names[0]) or f'{names[0]}: …'}"
                yield Problem((), f"{self.name} needs {names[0]}", remedy=remedy)

    def output_rules(self, output: str) -> Iterator[tuple[str, str]]:
        """The rule that a reference to an output breaks, and the remedy."""
        if output not in self.outputs and self.outputs != ("?",):
            yield f"{self.name} has no such output", did_you_mean(output, self.outputs) or f"{self.name} has none"


def actions(table: str, checks: Mapping[str, Check]) -> Mapping[str, Action]:
    """The actions of a table, by name; `checks` are those of inputs.

    A row is `names: needed inputs [further inputs] -> outputs; notes`, and may continue in indented lines. Of `a|b`
    exactly one is needed. Outputs are `?` where AWS's guide does not name them.
    """
    found = {}
    for row in re.split(r"\n(?! )", table.strip()):
        head, *notes = row.split(";")
        signature, _, outputs = head.partition("->")
        names, _, inputs = signature.partition(":")
        needed, _, further = inputs.strip(" ]\n").partition("[")
        keys = f"{needed} {further}".replace("|", " ").split()
        for name in names.split():
            found[name] = Action(
                name,
                tuple(tuple(word.split("|")) for word in needed.split()),
                Shape(name, {key: checks.get(key) for key in keys}, f"{name} has no such input"),
                tuple(outputs.split()),
                dict(note.strip().partition(" ")[::2] for note in notes),
            )
    return MappingProxyType(found)


def list_problems(
    entries: Any, form: Check, check: Check, remedy: str, *, rule: str = "must be a list", least: int = 0
) -> Iterator[Problem]:
    """What is wrong with a list. An entry that fails the check of its form is not checked further."""
    if not isinstance(entries, list) or len(entries) < least:
        yield Problem((), rule, shown(entries), remedy)
        return
    for index, entry in enumerate(entries):
        yield from below((index,), list(form(entry)) or check(entry))


IS_STEP = must("a step needs name and action", lambda step: is_mapping(step, "name", "action"))


def words(text: str) -> tuple[str, ...]:
    """Several words that are written as one text."""
    return tuple(text.split())


def below(key: Key, problems: Iterable[Problem]) -> Iterator[Problem]:
    """The problems of the value at a key, as problems of what has the key."""
    return (replace(problem, key=(*key, *problem.key)) for problem in problems)


def mappings(entries: Any) -> list[tuple[int, dict[str, Any]]]:
    """The mappings in what should be a list of them, with their places."""
    return [
        (place, each) for place, each in enumerate(entries if isinstance(entries, list) else ()) if is_mapping(each)
    ]


def repeated_names(entries: Any, *inner: str, rule: str, remedy: str) -> Iterator[Problem]:
    """What is wrong with names that occur before in what should be a list of mappings with names.

    `inner` is the key in a mapping at which its problem is reported.
    """
    names = [(place, entry["name"]) for place, entry in mappings(entries) if is_mapping(entry, "name")]
    yield from repeated([((place, *inner), name) for place, name in names], rule, remedy)


def repeated(names: Iterable[tuple[Key, str]], rule: str, remedy: str) -> Iterator[Problem]:
    """What is wrong with every name that occurs before."""
    seen: set[str] = set()
    for key, name in names:
        if name in seen:
            yield Problem(key, rule, shown(name), remedy)
        seen.add(name)


def texts(value: Any, key: Key) -> Iterator[tuple[Key, str]]:
    """Every text inside a value that stands at a key, with its own key."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from texts(inner, (*key, name))


Reference = tuple[Problem, str]
"""What is wrong with a reference, and the reference as it is written, by which its line is found in longer text."""


def read_document(
    text: str,
    *,
    source: str,
    shape: Shape,
    check: Callable[[dict[str, Any]], Iterable[Problem]],
    references: Callable[[dict[str, Any]], Iterable[Reference]],
    named: Callable[[Key, dict[str, Any]], Key],
    too_long: tuple[str, str],
) -> dict[str, Any]:
    """The content of a document. Raises `EstateError` with every problem, in the order of the lines.

    `source` is how problems name the file, `check` and `references` yield what is wrong with the content, and `named`
    puts names into a key for places in lists. `too_long` is the subject of the rule about the size, and the remedy.
    """
    yaml = read(text, source=source)
    content: dict[str, Any] = yaml.value if is_mapping(yaml.value) else {}
    found: list[Problem] = []
    if not DOCUMENT.fits(text):
        found.append(Problem((), f"{too_long[0]} {DOCUMENT.rule}", str(DOCUMENT.size_of(text)), too_long[1]))
    if content is yaml.value:
        version = content.get("schemaVersion")
        found += shape.problems(content)
        found += text_problems(("description",), content.get("description", "none"), DESCRIPTION)
        if str(version) not in ("1.0", "1"):
            found.append(Problem(("schemaVersion",), "must be 1.0", shown(version), "write schemaVersion: 1.0"))
        found += check(content)
    else:
        found.append(Problem((), f"{shape.title} is a mapping", shown(yaml.value), "begin with schemaVersion: 1.0"))
    problems, lines = list(yaml.problems), text.splitlines()
    for problem, written in (*((problem, "") for problem in found), *references(content)):
        first = yaml.marks.line(problem.key)
        line = next((number for number in range(first, len(lines) + 1) if written in lines[number - 1]), first)
        problems.append(replace(problem, key=named(problem.key, content), place=f"{source}:{line}"))
    if problems:
        raise EstateError(sorted(problems, key=lambda problem: int(problem.place.rpartition(":")[2])))
    return content
