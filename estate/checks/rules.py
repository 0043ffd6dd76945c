"""How rules are declared and checked.

A rule is a function that yields the problems of its subject: an image, a fleet, or two of them that belong together.
The keys of these problems begin at the subject. The function's docstring begins with the rule in plain words, which
become a row of docs/rules.md.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic

from estate.checks.context import Context
from estate.checks.subjects import SETTINGS, Subject, Values
from estate.problems import Problem


@dataclass(frozen=True)
class Rule(Generic[*Values]):
    """One rule.

    `reads` are the fields that it looks at, such as `image.os` or `settings.tags`. Where one of them is broken, the
    rule is not checked. `image.build[]` means each item of a list by itself: the rule gets only those that are not
    broken. `image.*` means every field, broken or not.
    """

    check: Callable[[*Values, Context], Iterator[Problem]]
    reads: tuple[str, ...]


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
    """Rules of all images or fleets together. Each gets only images and fleets in which no field that it reads is
    broken."""

    title: str
    rules: tuple[Rule[()], ...]
    reads: tuple[str, ...] = ()

    def problems(self, context: Context) -> Iterator[Problem]:
        """What breaks these rules."""
        broken = context.broken_fields(settings=SETTINGS)
        for rule in self.rules:
            if broken.isdisjoint(rule.reads):
                yield from rule.check(context.without_broken(rule.reads))
