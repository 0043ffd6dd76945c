"""The page of what Image Builder takes and what becomes of it here, `docs/coverage.md`.

The rows are in `coverage.txt`. A test holds them against botocore's service model, the fields that they name against
the estate's schema, and what is used against what the stacks write.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_INTRODUCTION = """\
# Coverage of EC2 Image Builder

Generated from `pages/coverage.txt` by `python -m pages`; do not edit.

Every member of every operation by which EC2 Image Builder makes something, and what becomes of it here. *Used* names
the field of the estate that says it, as [configuration.md](configuration.md) explains it. *By default*: nobody says it;
Goldsmith writes a good value, or AWS has one. *Not* says why.

What the provider has is what 5.100 has. Where 6 has more, by its changelog up to 6.31, the row says so. A test holds
the rows against botocore's service model, the fields that they name against the models, and what is used and what not
against the Terraform of an estate that says everything.
"""

_HOW = {"used": "used", "default": "by default", "not": "not"}


@dataclass(frozen=True)
class Row:
    """What becomes of one member, named by its path in the operation: `distributions.region`."""

    operation: str
    member: str
    how: str
    words: str


@dataclass(frozen=True)
class Operation:
    """An operation that makes something."""

    name: str
    text: str
    rows: tuple[Row, ...]


def operations() -> list[Operation]:
    """Every operation of the table."""
    text = Path(__file__).with_name("coverage.txt").read_text(encoding="utf-8")
    return [_operation(part) for part in text.split("\n=== ")[1:]]


def coverage_page() -> str:
    """The page."""
    found = operations()
    return "\n".join([_INTRODUCTION, *_summary(found), *(line for each in found for line in _section(each))])


def _operation(part: str) -> Operation:
    name, *lines = part.strip().splitlines()
    rows = [line.split(" | ", 2) for line in lines if " | " in line]
    text = "\n".join(line for line in lines if " | " not in line)
    return Operation(name, text, tuple(Row(name, member, how, words) for member, how, words in rows))


def _summary(found: list[Operation]) -> Iterator[str]:
    yield f"| Operation | {' | '.join(_HOW.values())} |\n| --- | {' | '.join('---' for _ in _HOW)} |"
    for each in found:
        counts = (str(sum(row.how == how for row in each.rows)) for how in _HOW)
        yield f"| [{each.name}](#{each.name.lower()}) | {' | '.join(counts)} |"
    yield ""


def _section(operation: Operation) -> Iterator[str]:
    yield f"## {operation.name}\n"
    yield f"{operation.text}\n"
    yield "| Member | What becomes of it | By which field, or why |\n| --- | --- | --- |"
    for row in operation.rows:
        yield f"| `{row.member}` | {_HOW[row.how]} | {row.words} |"
    yield ""
