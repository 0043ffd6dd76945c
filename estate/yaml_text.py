"""YAML text -> plain values and the line of every one.

YAML 1.2, so `on` stays a word. Keys are text whatever they look like, a key twice is an error, and numbers remember
how they were written, because 1.10 and 1.1 are one number and two versions.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from estate.problems import EstateError, Key, Problem

_TAG = "tag:yaml.org,2002:"
_LARGEST = 2**64


@dataclass(frozen=True)
class Marks:
    """Where a value stands, from line 1, and where its parts do."""

    first: int = 1
    parts: Mapping[str | int, "Marks"] = field(default_factory=dict)

    def line(self, key: Key) -> int:
        """The line of the longest part of `key` that exists: a missing key points to what lacks it."""
        marks = self
        for part in key:
            if part not in marks.parts:
                break
            marks = marks.parts[part]
        return marks.first


@dataclass(frozen=True)
class Yaml:
    """What a text says: dicts, lists, text, numbers, truth and None; and what is wrong with it."""

    value: Any
    marks: Marks
    problems: tuple[Problem, ...]


def read(text: str, *, source: str) -> Yaml:
    """Reads a text; `source` is how problems name the file.

    Raises `EstateError` if it is no YAML. What can be understood all the same, such as a key that is there twice,
    is among the `problems`.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False
    reader = _Reader(source)
    try:
        node = yaml.compose(text)
        value, parts = reader.value(node, ()) if node else (None, {})
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _no_yaml(*_told(error), source, mark.line if mark else 0) from None
    except YAMLError as error:
        position = getattr(error, "position", 0)
        raise _no_yaml(str(error).splitlines()[0], "", source, text[:position].count("\n")) from None
    except RecursionError:
        raise _no_yaml("nested too deeply", "", source, 0) from None
    return Yaml(value, Marks(1, parts), tuple(reader.problems))


def _told(error: MarkedYAMLError) -> tuple[str, str]:
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


def _no_yaml(rule: str, remedy: str, source: str, line: int) -> EstateError:
    return EstateError([Problem((), f"is not valid YAML: {rule}", remedy=remedy, place=f"{source}:{line + 1}")])


class _Integer(int):
    """A number that shows as it was written."""

    written: str

    def __str__(self) -> str:
        return self.written


class _Float(float):
    """The same for one with a fraction."""

    written: str

    def __str__(self) -> str:
        return self.written


class _Reader:
    """Nodes -> values, each node once: aliases share theirs."""

    def __init__(self, source: str) -> None:
        self.problems: list[Problem] = []
        self._source = source
        self._done: dict[int, tuple[Any, dict[str | int, Marks]]] = {}
        self._open: set[int] = set()

    def value(self, node: Node, key: Key) -> tuple[Any, dict[str | int, Marks]]:
        """The value of a node, and the places of its parts."""
        if id(node) in self._open:
            place = f"{self._source}:{_line(node)}"
            raise EstateError([Problem(key, f"*{node.anchor} contains itself", place=place)])
        if id(node) not in self._done:
            self._open.add(id(node))
            self._done[id(node)] = self._read(node, key)
            self._open.remove(id(node))
        return self._done[id(node)]

    def _read(self, node: Node, key: Key) -> tuple[Any, dict[str | int, Marks]]:
        kind = str(node.tag).removeprefix(_TAG)
        if kind not in ("map", "seq", "str", "null", "bool", "int", "float", "timestamp", "value", "merge"):
            tag = kind if kind.startswith("!") else f"!!{kind}"
            self._problem(key, node, "tags have no meaning here", got=tag, remedy="delete it")
        if isinstance(node, MappingNode):
            return self._mapping(node, key)
        if isinstance(node, SequenceNode):
            each = [(item, *self.value(item, (*key, index))) for index, item in enumerate(node.value)]
            places: dict[str | int, Marks] = {}
            places.update((index, Marks(_line(item), parts)) for index, (item, _, parts) in enumerate(each))
            return [value for _, value, _ in each], places
        return _scalar(kind, self._text(node, key)), {}

    def _mapping(self, node: MappingNode, key: Key) -> tuple[Any, dict[str | int, Marks]]:
        values: dict[str, Any] = {}
        marks: dict[str | int, Marks] = {}
        merged = []
        for name_node, value_node in node.value:
            if name_node.tag == f"{_TAG}merge":
                merged.append(value_node)
                continue
            if not isinstance(name_node, ScalarNode):
                self._problem(key, name_node, "a key must be text")
                continue
            name = self._text(name_node, key)
            if name in values:
                first = f"here and at {self._source}:{marks[name].first}"
                self._problem((*key, name), name_node, "is declared twice", got=first, remedy="delete or rename one")
                continue
            values[name], parts = self.value(value_node, (*key, name))
            marks[name] = Marks(_line(name_node), parts)
        for each, places in self._merged(merged, key):
            values = {**each, **values}
            marks = {**places, **marks}
        return values, marks

    def _merged(self, nodes: list[Node], key: Key) -> Iterator[tuple[dict[str, Any], dict[str | int, Marks]]]:
        """What `<<: *anchor` and `<<: [*one, *two]` bring along; earlier ones count more."""
        for node in nodes:
            for each in node.value if isinstance(node, SequenceNode) else [node]:
                value, marks = self.value(each, key)
                if isinstance(value, dict):
                    yield value, marks
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
        if abs(number) > _LARGEST:  # no whole number that a field takes, or that Python writes again
            number = _Float(number)
    except (ValueError, OverflowError):  # .inf and .nan, and more digits than Python reads: no field takes them
        return text
    number.written = text
    return number
