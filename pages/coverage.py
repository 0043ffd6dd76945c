"""The page of what Goldsmith does with each member of Image Builder's operations, `docs/coverage.md`.

The rows are in `coverage.txt`. A test compares them with botocore's service model, the fields that they name with the
estate's schema, and what is used with what the stacks write.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_INTRODUCTION = """\
# Coverage of EC2 Image Builder

Generated from `pages/coverage.txt` by `python -m pages`; do not edit.

Every member of every operation by which EC2 Image Builder creates something, and what Goldsmith does with it. *Used*:
the row names the field of the estate that sets it, as [configuration.md](configuration.md) explains. *By default*: no
field sets it; Goldsmith writes a good value, or AWS has one. *Not*: the row says why it is not used.

"The provider" means version 5.100. Where 6 has more, by its changelog up to 6.31, the row says so. A test compares the
rows with botocore's service model, the fields that they name with the models, and what is used with the Terraform of an
estate that sets every field.
"""

_HOW = {"used": "used", "default": "by default", "not": "not"}


@dataclass(frozen=True)
class Row:
    """What Goldsmith does with one member, named by its path in the operation: `distributions.region`."""

    operation: str
    member: str
    how: str
    words: str


@dataclass(frozen=True)
class Operation:
    """An operation that creates something."""

    name: str
    text: str
    rows: tuple[Row, ...]


def operations() -> list[Operation]:
    """Every operation of the table."""
    text = Path(__file__).with_name("coverage.txt").read_text(encoding="utf-8")
    return [_operation(part) for part in text.split("\n=== ")[1:]]


def coverage_page() -> str:
    """`docs/coverage.md`."""
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
    yield "| Member | Used | By which field, or why |\n| --- | --- | --- |"
    for row in operation.rows:
        yield f"| `{row.member}` | {_HOW[row.how]} | {row.words} |"
    yield ""
