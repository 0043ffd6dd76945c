"""What is wrong with a configuration, in one form everywhere: `place key: rule, got …; what to do`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

Key = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """One thing to mend.

    `key` is the path of the value (`("images", "web", "os")`), `rule` what must hold, `got` the offending
    value as the reader wrote it, `remedy` what to do. `place` is `file:line`, empty for an estate built in Python.
    """

    key: Key
    rule: str
    got: str = ""
    remedy: str = ""
    place: str = field(default="", compare=False)

    def __str__(self) -> str:
        key = ".".join(str(part) for part in self.key)
        where = " ".join(part for part in (self.place, key) if part)
        text = f"{where}: {self.rule}" if where else self.rule
        text += f", got {self.got}" if self.got else ""
        text += f"; {self.remedy}" if self.remedy else ""
        # names come from the reader's files: whatever they hold, a problem stays one line
        return (
            text if text.isprintable() else "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
        )


class EstateError(ValueError):
    """The configuration cannot be used. `problems` has every reason at once; `str()` prints one a line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class RuleError(ValueError):
    """One broken rule inside a model, for pydantic to carry to the place where it belongs.

    `key` leads on from the model to the value that breaks it.
    """

    def __init__(self, rule: str, *, got: str = "", remedy: str = "", key: Key = ()) -> None:
        self.rule, self.got, self.remedy, self.key = rule, got, remedy, key
        super().__init__(rule)


def shown(value: object) -> str:
    """A value as an error shows it: quoted text, plain numbers, and never more than a line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        text = repr(value)
    elif isinstance(value, dict):
        text = "a mapping with " + ", ".join(str(key) for key in value) if value else "an empty mapping"
    elif isinstance(value, list | tuple):
        text = f"a list of {len(value)}" if value else "an empty list"
    else:
        text = str(value)
    return text if len(text) <= 80 else text[:79] + "…"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant, if one was."""
    lower = {choice.lower(): choice for choice in sorted(known)}
    return next((lower[near] for near in get_close_matches(word.lower(), lower, n=1)), None)


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str = "") -> str:
    """The remedy for an unknown word: the nearest known one; when none is near, `otherwise` or all of them."""
    choices = sorted(known)
    near = nearest(word, choices)
    if near:
        return f"did you mean {near!r}?"
    return otherwise or (f"choose one of {', '.join(choices)}" if choices else "")
