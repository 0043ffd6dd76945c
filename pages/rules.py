"""The page of the rules that look at several keys at once, `docs/rules.md`."""

import inspect
from collections.abc import Iterator

from estate.checks.rules import Rule
from estate.checks.table import RULES

_INTRODUCTION = """\
# Rules

Generated from the table in `estate/checks/table.py` by `python -m pages`; do not edit.

[configuration.md](configuration.md) says what each key takes by itself. The rules on this page look at several keys at
once, in one image or fleet, in the images and fleets that belong together, or in the whole estate.

The second column lists the keys that a rule reads: `image.os` is the key `os` of the image, `base.os` that of the image
from which it is built. `image.build[]` means that the rule reads each item of the list separately. A rule is skipped
while one of its keys is wrong by itself, so one mistake is reported once, and all other rules are checked in the same
run.
"""


def rules_page() -> str:
    """The text of the page."""
    return "\n".join([_INTRODUCTION, *_sections()])


def _sections() -> Iterator[str]:
    for group in RULES:
        yield f"## {group.title}\n"
        if group.reads:
            yield f"All of these rules read {_keys(group.reads)}, too.\n"
        yield "| Rule | Keys |\n| --- | --- |"
        for rule in group.rules:
            yield f"| {_in_words(rule)} | {_keys(rule.reads)} |"
        yield ""


def _keys(reads: tuple[str, ...]) -> str:
    return ", ".join(f"`{key}`" for key in reads)


def _in_words(rule: Rule[*tuple[object, ...]]) -> str:
    """The rule as its docstring begins."""
    first, _, _ = inspect.getdoc(rule.check).partition("\n\n")  # type: ignore[union-attr]
    return " ".join(first.split()).replace("|", "\\|")
