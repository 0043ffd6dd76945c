"""What is wrong with a configuration, always in the same form: `place key: rule, got …; what to do`."""

from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property, lru_cache
from itertools import islice
from typing import TypeVar

Key = tuple[str | int, ...]

UNSEEN = "\u2060"
"""The prefix of the names of choices, which pydantic adds to the location of an error: a character that cannot be
printed, so that no key of a configuration begins with it."""

_LONGEST_SHOWN = 80
_MANY = 100


@dataclass(frozen=True)
class Problem:
    """One thing to fix.

    `key` is the path of the value (`("images", "web", "os")`), `rule` the rule that it breaks, `got` the value as the
    reader wrote it, `remedy` what to do. `place` is `file:line`, empty for an estate built in Python.
    """

    key: Key
    rule: str
    got: str = ""
    remedy: str = ""
    place: str = field(default="", compare=False)

    def below(self, key: Key) -> "Problem":
        """The same problem, found by looking only at the value that stands at `key`."""
        return replace(self, key=(*key, *self.key))

    def __str__(self) -> str:
        key = ".".join(_cut(str(part)) for part in self.key)
        where = " ".join(part for part in (self.place, key) if part)
        text = f"{where}: {self.rule}" if where else self.rule
        text += f", got {self.got}" if self.got else ""
        text += f"; {self.remedy}" if self.remedy else ""
        # names come from the reader's files and may hold anything; a problem must be one line
        return (
            text if text.isprintable() else "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
        )


class EstateError(ValueError):
    """The configuration cannot be used. `problems` has every reason; `str()` has one line for each."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


Result = TypeVar("Result")
Checked = Generator[Problem, None, Result]
"""What a function returns that yields the problems it finds, and returns what is valid."""


def collected(checked: Checked[Result]) -> tuple[Result, list[Problem]]:
    """What is valid, and all problems."""
    problems: list[Problem] = []
    while True:
        try:
            problems.append(next(checked))
        except StopIteration as end:
            return end.value, problems


class RuleError(ValueError):
    """One broken rule inside a model; pydantic passes it on to `estate.models.errors`, which knows the model's place.

    `key` is the path from the model to the value that breaks the rule.
    """

    def __init__(self, rule: str, *, got: str = "", remedy: str = "", key: Key = ()) -> None:
        self.rule, self.got, self.remedy, self.key = rule, got, remedy, key
        super().__init__(rule)


class Words(frozenset[str]):
    """Names of which there may be many, such as those of all images. Finding the nearest one takes the same time for
    any number."""

    @cached_property
    def in_order(self) -> tuple[str, ...]:
        """Sorted."""
        return tuple(sorted(self))

    @cached_property
    def _by_what_is_left(self) -> dict[str, str]:
        words = self.in_order[::-1]  # so that of several words the first counts, and a whole word before all others
        lefts = {left: word for word in words for left in _with_one_letter_less(word.lower())}
        return lefts | {word.lower(): word for word in words}

    def nearest(self, word: str) -> str | None:
        """The name that differs in case or in one letter, or has two letters in another order, if there is one."""
        found = (self._by_what_is_left.get(left) for left in _with_one_letter_less(word.lower()))
        return next(filter(None, found), None)


def _with_one_letter_less(word: str) -> list[str]:
    """The word, and the word without each letter: two words that differ in one letter have one of these in common."""
    return [word, *(word[:index] + word[index + 1 :] for index in range(len(word)))]


def shown(value: object) -> str:
    """A value as an error shows it: quoted text, plain numbers, and never more than one line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        # repr of a long text would take time for what is cut off
        text = repr(value[:_LONGEST_SHOWN])
        return (
            text if len(value) <= _LONGEST_SHOWN and len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"
        )
    if isinstance(value, dict):
        keys = ", ".join(str(key)[:_LONGEST_SHOWN] for key in islice(value, _LONGEST_SHOWN))
        return _cut(f"a mapping with {keys}" if value else "an empty mapping")
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}" if value else "an empty list"
    return _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


def nearest(word: str, known: Collection[str]) -> str | None:
    """The known word that was probably meant, if there is one."""
    if len(word) > _LONGEST_SHOWN:
        return None
    if len(known) > _MANY:
        return known.nearest(word) if isinstance(known, Words) else None
    return _nearest(word, tuple(sorted(known)))


@lru_cache(maxsize=1024)
def _nearest(word: str, known: tuple[str, ...]) -> str | None:
    lower = {choice.lower(): choice for choice in known}
    return next((lower[near] for near in get_close_matches(word.lower(), lower, n=1)), None)


def did_you_mean(word: str, known: Collection[str], *, otherwise: str = "") -> str:
    """The remedy for an unknown word: the nearest known one, otherwise `otherwise` or all of them.

    More than a hundred are not compared one by one, and not listed, unless they are `Words`.
    """
    near = nearest(word, known)
    if near:
        return f"did you mean {near!r}?"
    if otherwise or not known:
        return otherwise
    if len(known) <= _MANY:
        return f"choose one of {', '.join(sorted(known))}"
    return f"choose one of {len(known)}, such as {', '.join(known.in_order[:3])}" if isinstance(known, Words) else ""
