"""How rules are written down and checked.

A rule is a function that yields what breaks it, with keys that begin at its subject: an image, a fleet, or two of them
that belong together. Its docstring begins with the rule in plain words, from which docs/rules.md is made.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVarTuple

from estate.checks.context import Context
from estate.problems import Key, Problem

Values = TypeVarTuple("Values")
"""What a function of a rule takes before the context."""

SETTINGS: Key = ("settings",)


@dataclass(frozen=True)
class Rule(Generic[*Values]):
    """One rule.

    `reads` are the fields that it looks at, as `image.os` or `settings.tags`. It is not checked where one of them is
    broken. Of `image.build[]` it looks at each item by itself, and gets those that are not broken; `image.*` is every
    field, as it is.
    """

    check: Callable[[*Values, Context], Iterator[Problem]]
    reads: tuple[str, ...]


@dataclass(frozen=True)
class Subject(Generic[*Values]):
    """What a rule is checked for."""

    key: Key
    """Where the keys of its problems begin."""
    values: tuple[*Values]
    owners: Mapping[str, Key]
    """Where those stand whose fields rules read: `{"image": ("images", "web")}`."""


@dataclass(frozen=True)
class Rules(Generic[*Values]):
    """Rules of one kind of subject."""

    title: str
    subjects: Callable[[Context], Iterator[Subject[*Values]]]
    rules: tuple[Rule[*Values], ...]
    reads: tuple[str, ...] = ()
    """What all of them read."""

    def problems(self, context: Context) -> Iterator[Problem]:
        """What breaks these rules."""
        for subject in self.subjects(context):
            broken = context.broken_fields(settings=SETTINGS, **subject.owners)
            for rule in self.rules:
                if not broken or broken.isdisjoint((*self.reads, *rule.reads)):
                    for problem in rule.check(*subject.values, context):
                        yield problem.below(subject.key)


@dataclass(frozen=True)
class RulesAcross:
    """Rules of all images or fleets together. Each is checked with those of which no field that it reads is broken."""

    title: str
    rules: tuple[Rule[()], ...]
    reads: tuple[str, ...] = ()

    def problems(self, context: Context) -> Iterator[Problem]:
        """What breaks these rules."""
        broken = context.broken_fields(settings=SETTINGS)
        for rule in self.rules:
            if broken.isdisjoint(rule.reads):
                yield from rule.check(context.with_sound(rule.reads))
