"""docs/values.md: where the fields of images and fleets are written, of two examples."""

from collections.abc import Iterator
from pathlib import Path

from estate.load import WrittenField, explain

_EXAMPLES = Path(__file__).parent.parent / "examples"
_LONGEST_VALUE = 60

_INTRODUCTION = """\
# Where values come from

Generated from [examples/environments](../examples/environments) and [examples/accounts](../examples/accounts) by
`python -m pages`; do not edit.

A field of a fleet is taken from the first of these places that has it:

1. the fleet itself,
2. its environment, `environments.NAME`,
3. `defaults.fleets`,
4. the default of the field, in [configuration.md](configuration.md).

A field of an image is taken from the image itself, then from `defaults.images`, then from the default of the field. An
image that is built on another one of the estate and names no operating system has the operating system of its base, and
its architecture too. An image that names no account is in the only one of `settings.accounts`, if there is only one.

A value is taken whole: if a fleet has `tags`, it has none of those of its environment.
`goldsmith check --explain NAME` shows the same for each image and fleet of your configuration, with file and line. A
problem of a value is reported where the value is written.
"""


def values_page() -> str:
    """The page, from what `goldsmith check --explain` shows."""
    fleets = ("web-dev", "web-staging", "web-prod")
    fleets_of_accounts = ("web-staging", "web-prod", "jobs-prod")
    images = ("base", "web", "jobs")
    return "\n".join(
        [
            _INTRODUCTION,
            "## Fleets: examples/environments\n",
            *_table("environments", fleets),
            "\n## Fleets: examples/accounts\n",
            *_table("accounts", fleets_of_accounts),
            "\n## Images: examples/accounts\n",
            *_table("accounts", images),
            "",
        ]
    )


def _table(example: str, names: tuple[str, ...]) -> Iterator[str]:
    """A row for each field that is written for at least one of some images or fleets."""
    yield f"| field | {' | '.join(names)} |"
    yield f"| --- |{' --- |' * len(names)}"
    fields = [explain(_EXAMPLES / example, name) for name in names]
    for row in zip(*fields, strict=True):
        if any(field.key for field in row):
            yield f"| `{row[0].field}` | {' | '.join(map(_cell, row))} |"


def _cell(field: WrittenField) -> str:
    if not field.key:
        return "default"
    value = field.value if len(field.value) <= _LONGEST_VALUE else f"{field.value[: _LONGEST_VALUE - 1]}…"
    section, name, *_ = field.key.split(".")
    return f"`{value.replace('|', '/')}`<br>{section}.{name}"
