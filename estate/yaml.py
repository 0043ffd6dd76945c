"""YAML text -> plain values and the line of each.

YAML 1.2, so `on` is text. Keys are always text, a key that occurs twice is an error, and numbers keep their text,
because 1.10 and 1.1 are the same number but different versions.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from estate.problems import EstateError, Key, Problem

_TAG = "tag:yaml.org,2002:"
_LARGEST = 2**64
_DEEPEST = 100
_MOST_VALUES = 200_000
"""Of a file, counting what an alias refers to each time; a file without aliases may have more."""


_PLAIN = re.compile(r"[A-Za-z/](?:[A-Za-z0-9 @_./-]*[A-Za-z0-9@_./-])?|[0-9]+ [a-z]+")
"""Text that people write without quotes."""


@dataclass(frozen=True)
class Marks:
    """The line of a value, and the lines of its parts."""

    first: int = 1
    parts: Mapping[str | int, "Marks"] = field(default_factory=dict)

    def line(self, key: Key) -> int:
        """The line of the longest part of `key` that exists: for a missing key, that of the mapping that lacks it."""
        marks = self
        for part in key:
            if part not in marks.parts:
                break
            marks = marks.parts[part]
        return marks.first


@dataclass(frozen=True)
class Yaml:
    """The content of a text: dicts, lists, text, numbers, truth and None; and its problems."""

    value: Any
    marks: Marks
    problems: tuple[Problem, ...]


def read(text: str, *, source: str) -> Yaml:
    """Reads a text; `source` is how problems name the file.

    Raises `EstateError` if it is not YAML. Problems that leave the rest readable, such as a key that is written twice,
    are in `problems`.
    """
    reader = _Reader(source)
    try:
        node = _composed(text, source)
        root = reader.read(node, ()) if node else _Read(None, {})
    except RecursionError:
        raise _too_deep(source, 0) from None
    return Yaml(root.value, Marks(1, root.parts), tuple(reader.problems))


def _composed(text: str, source: str) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False
    try:
        node: Node | None = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _no_yaml(*_explanation(error), source, mark.line if mark else 0) from None
    except YAMLError as error:
        position = getattr(error, "position", 0)
        raise _no_yaml(str(error).splitlines()[0], "", source, text[:position].count("\n")) from None
    except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError):
        # the parser's own faults, for odd directives, tags and escapes
        raise _no_yaml("it cannot be parsed", "", source, 0) from None
    return node


def _explanation(error: MarkedYAMLError) -> tuple[str, str]:
    """What is wrong, and what to do."""
    problem, context = str(error.problem or error.context), str(error.context)
    if r"'\t'" in problem:
        return problem, "indent with spaces"
    if problem.startswith("mapping values"):
        return problem, "put text that has a colon in quotes"
    if problem.startswith("but "):
        return f"{context}, {problem}", "write one document a file"
    begin = error.context_mark.line + 1 if error.context_mark else 0
    return problem, f"see what begins at line {begin}" if begin else ""


def _too_deep(source: str, line: int) -> EstateError:
    return _no_yaml("nested too deeply", "", source, line)


def _no_yaml(rule: str, remedy: str, source: str, line: int) -> EstateError:
    return EstateError([Problem((), f"is not valid YAML: {rule}", remedy=remedy, place=f"{source}:{line + 1}")])


class _Integer(int):
    """A whole number that prints as it was written."""

    written: str

    def __str__(self) -> str:
        return self.written


class _Float(float):
    """A number with a fraction that prints as it was written."""

    written: str

    def __str__(self) -> str:
        return self.written


@dataclass(frozen=True)
class _Read:
    """A node that was read: its value, the places of its parts, and its size with every alias written out."""

    value: Any
    parts: dict[str | int, Marks]
    values: int = 1
    depth: int = 0


class _Reader:
    """Nodes -> values. Each node is read once; its aliases share the value."""

    def __init__(self, source: str) -> None:
        self.problems: list[Problem] = []
        self._source = source
        self._done: dict[int, _Read] = {}
        self._open: set[int] = set()

    def read(self, node: Node, key: Key) -> _Read:
        """The value of a node."""
        if id(node) in self._open:
            place = f"{self._source}:{_line(node)}"
            raise EstateError([Problem(key, f"*{node.anchor} contains itself", place=place)])
        if id(node) not in self._done:
            self._open.add(id(node))
            done = self._done[id(node)] = self._read(node, key)
            self._open.remove(id(node))
            if done.depth > _DEEPEST:
                raise _too_deep(self._source, _line(node) - 1)
            # without aliases there are no more values than nodes
            if done.values > max(_MOST_VALUES, 2 * len(self._done)):
                rule = f"has more than {_MOST_VALUES} values once aliases and << are written out"
                place = f"{self._source}:{_line(node)}"
                raise EstateError([Problem(key, rule, remedy="use fewer aliases", place=place)])
        return self._done[id(node)]

    def _read(self, node: Node, key: Key) -> _Read:
        kind = str(node.tag).removeprefix(_TAG)
        if kind not in ("map", "seq", "str", "null", "bool", "int", "float", "timestamp", "value", "merge"):
            tag = kind if kind.startswith("!") else f"!!{kind}"
            self._problem(key, node, "tags are not supported", got=tag, remedy="delete it")
        if isinstance(node, MappingNode):
            return self._mapping(node, key)
        if isinstance(node, SequenceNode):
            each = [self.read(item, (*key, index)) for index, item in enumerate(node.value)]
            places: dict[str | int, Marks] = {}
            places.update(
                (index, Marks(_line(item), read.parts))
                for index, (item, read) in enumerate(zip(node.value, each, strict=True))
            )
            return _whole([read.value for read in each], places, each)
        return _Read(_scalar(kind, self._text(node, key)), {})

    def _mapping(self, node: MappingNode, key: Key) -> _Read:
        values: dict[str, Any] = {}
        marks: dict[str | int, Marks] = {}
        parts: list[_Read] = []
        merged = []
        for name_node, value_node in node.value:
            if name_node.tag == f"{_TAG}merge":
                merged.append(value_node)
                continue
            if not isinstance(name_node, ScalarNode):
                self._problem(key, name_node, "a key must be text")
                continue
            name = self._text(name_node, key)
            if not name.isprintable():
                self._problem(key, name_node, "a key must be printable text", got=ascii(name))
                continue
            if name in values:
                first = f"here and at {self._source}:{marks[name].first}"
                self._problem((*key, name), name_node, "is declared twice", got=first, remedy="delete or rename one")
                continue
            parts.append(read := self.read(value_node, (*key, name)))
            values[name], marks[name] = read.value, Marks(_line(name_node), read.parts)
        if not merged:
            return _whole(values, marks, parts)
        brought = list(self._merged(merged, key))
        all_values: dict[str, Any] = {}
        all_marks: dict[str | int, Marks] = {}
        for read in reversed(brought):  # keys of the mapping itself win, then those of earlier mappings
            all_values |= read.value
            all_marks |= read.parts
        return _whole(all_values | values, all_marks | marks, [*parts, *brought])

    def _merged(self, nodes: list[Node], key: Key) -> Iterator[_Read]:
        """The mappings that `<<: *anchor` and `<<: [*one, *two]` add."""
        for node in nodes:
            for each in node.value if isinstance(node, SequenceNode) else [node]:
                read = self.read(each, key)
                if isinstance(read.value, dict):
                    yield read
                else:
                    self._problem(key, node, "<<: takes a mapping")

    def _text(self, node: Node, key: Key) -> str:
        text = str(node.value)
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            self._problem(key, node, "is not Unicode text", got=ascii(text))
            return ""
        return text

    def _problem(self, key: Key, node: Node, rule: str, *, got: str = "", remedy: str = "") -> None:
        self.problems.append(Problem(key, rule, got, remedy, place=f"{self._source}:{_line(node)}"))


def _whole(value: Any, places: dict[str | int, Marks], parts: list[_Read]) -> _Read:
    values = 1 + sum(part.values for part in parts)
    return _Read(value, places, values, 1 + max((part.depth for part in parts), default=0))


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _scalar(kind: str, text: str) -> Any:
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in ("true", "yes", "on", "y")
    if kind not in ("int", "float"):
        return text
    plain = text.lower().replace("_", "")
    number: _Integer | _Float
    try:
        number = _Integer(plain, 0 if plain.lstrip("+-")[1:2].isalpha() else 10) if kind == "int" else _Float(plain)
        if abs(number) > _LARGEST:  # no field takes it, and Python may refuse to print it
            number = _Float(number)
    except (ValueError, OverflowError):  # .inf, .nan, and more digits than Python reads: no field takes them
        return text
    number.written = text
    return number


def as_text(value: Any) -> str:
    """A value as YAML in one line, for people: `{min: 1, subnets: [subnet-0a]}`."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{as_text(name)}: {as_text(inner)}' for name, inner in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(as_text, value))}]"
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
