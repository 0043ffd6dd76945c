"""What a comment shows, from its Markdown: headings, paragraphs, lists, tables, code, and folded parts, of which only
the summary is seen.

markdown-it-py, by which rich reads Markdown too, reads CommonMark and GitHub's tables.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

Style = Literal["plain", "bold", "code"]
_DETAILS = re.compile(r"<details><summary>(.*?)</summary>")
_ZERO_WIDTH = "\u200b"
"""By which reports keep GitHub from making links; nothing is a link in a picture."""


@dataclass(frozen=True)
class Run:
    """A text in one style."""

    text: str
    style: Style = "plain"


Text = tuple[Run, ...]


@dataclass(frozen=True)
class Heading:
    """A title."""

    text: Text


@dataclass(frozen=True)
class Paragraph:
    """Lines without a mark."""

    text: Text


@dataclass(frozen=True)
class Item:
    """An entry of a list, in a list of others if its level is higher than 1."""

    text: Text
    level: int


@dataclass(frozen=True)
class Table:
    """A table; `right` says for each column whether it is aligned to the right."""

    rows: tuple[tuple[Text, ...], ...]
    right: tuple[bool, ...]


@dataclass(frozen=True)
class Code:
    """Lines of a block of code."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Folded:
    """A part that is closed: its summary."""

    summary: str


Block = Heading | Paragraph | Item | Table | Code | Folded


def blocks_of(markdown: str) -> list[Block]:
    """The blocks that a comment shows. Raises `ValueError` at Markdown that reports do not have."""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    return list(_blocks(tokens))


def _blocks(tokens: Sequence[Token]) -> Iterator[Block]:
    level = folds = 0
    is_title = False
    rest = iter(tokens)
    for token in rest:
        if token.type == "html_block":
            summary = _DETAILS.search(token.content)
            if summary and folds == 0:
                yield Folded(html.unescape(summary[1]))
            folds += bool(summary) - ("</details>" in token.content)
        elif folds or token.type in ("paragraph_open", "paragraph_close", "heading_close"):
            continue
        elif token.type in ("bullet_list_open", "bullet_list_close"):
            level += token.nesting
        elif token.type == "heading_open":
            is_title = True
        elif token.type == "inline":
            text = _text(token)
            yield Item(text, level) if level else Heading(text) if is_title else Paragraph(text)
            is_title = False
        elif token.type == "table_open":
            yield _table(rest)
        elif token.type == "fence":
            yield Code(tuple(token.content.splitlines()))
        elif token.type not in ("list_item_open", "list_item_close"):
            raise ValueError(f"a report has no {token.type}, which the picture could not show")


def _table(tokens: Iterator[Token]) -> Table:
    """A table, to whose end `tokens` are read."""
    rows: list[list[Text]] = []
    right: list[bool] = []
    for token in tokens:
        if token.type == "table_close":
            break
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "th_open":
            right.append("right" in str(token.attrs.get("style", "")))
        elif token.type == "inline":
            rows[-1].append(_text(token, style="plain" if len(rows) > 1 else "bold"))
    return Table(rows=tuple(map(tuple, rows)), right=tuple(right))


def _text(inline: Token, *, style: Style = "plain") -> Text:
    return tuple(_merged(_runs(inline.children or (), style)))


def _runs(tokens: Iterable[Token], style: Style) -> Iterator[Run]:
    outer = style
    for token in tokens:
        if token.type in ("strong_open", "strong_close"):
            style = "bold" if token.nesting > 0 else outer
        elif token.type == "code_inline":
            yield Run(token.content, "code")
        elif token.type in ("text", "text_special"):
            yield Run(token.content.replace(_ZERO_WIDTH, ""), style)
        elif token.type == "softbreak":
            yield Run(" ", style)
        else:
            raise ValueError(f"a report has no {token.type}, which the picture could not show")


def _merged(runs: Iterable[Run]) -> Iterator[Run]:
    """The runs, neighbours of one style as one."""
    last: Run | None = None
    for run in runs:
        if last and last.style == run.style != "code":
            last = Run(last.text + run.text, run.style)
            continue
        if last and last.text:
            yield last
        last = run
    if last and last.text:
        yield last
