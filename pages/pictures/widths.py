"""How wide texts are, and lines of at most some width.

Nobody knows which font a reader's system has, so widths are those of Arial and Helvetica (Adobe's font metrics, AFM),
and of the usual monospaced fonts, whose characters are 0.6 em. The drawing then says how wide each text has to be, and
the reader's program moves the characters of another font a little closer or further apart.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pages.pictures.comment import Run, Style

_THOUSANDTHS = {
    222: "ijl",
    260: "|",
    278: " !,./:;I[\\]ft",
    333: "()-`r{}",
    389: "*",
    469: "^",
    500: "Jckvsxyz",
    556: "#$0123456789?L_abdeghnopqu",
    584: "+<=>~",
    611: "FTZ",
    667: "&ABEKPSVXY",
    722: "CDHNRUw",
    778: "GOQ",
    833: "Mm",
    889: "%",
    944: "W",
    1015: "@",
}
_EM = {character: width / 1000 for width, characters in _THOUSANDTHS.items() for character in characters}
_EM |= {"'": 0.191, '"': 0.355, "→": 1.0, "…": 1.0}
_OTHER, _WIDE, _BOLD, _MONOSPACED = 0.6, 1.0, 1.07, 0.6
CODE_SIZE, CODE_PADDING = 0.85, 0.4
"""Of code in a line: its size and the room on each side, for a text of size 1, as GitHub has them."""


@dataclass(frozen=True)
class Piece:
    """A part of a line: where it begins, and how wide it is."""

    run: Run
    left: float
    width: float


Line = tuple[Piece, ...]


def width_of(text: str, *, style: Style, size: float) -> float:
    """The width of a text; of code that is in a line with what is around it."""
    if style == "code":
        return size * (CODE_SIZE * _MONOSPACED * _cells(text) + 2 * CODE_PADDING * CODE_SIZE)
    return size * sum(map(_em, text)) * (_BOLD if style == "bold" else 1)


def monospaced_width(text: str, *, size: float) -> float:
    """The width of a line in a block of code."""
    return size * _MONOSPACED * _cells(text)


def _em(character: str) -> float:
    if unicodedata.category(character) in ("Mn", "Me"):  # it is drawn over the one before
        return 0.0
    return _EM.get(character, _WIDE if _is_wide(character) else _OTHER)


def _cells(text: str) -> int:
    return sum(2 if _is_wide(character) else 1 for character in text)


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF" or unicodedata.category(character) == "So"


def lines_of(text: Sequence[Run], *, width: float, size: float) -> list[Line]:
    """The text in lines that are not wider, broken between words; a word that is too long is a line by itself."""
    lines: list[list[Run]] = [[]]
    used = 0.0
    for word in _words(text):
        wide = width_of(word.text.rstrip(), style=word.style, size=size)
        if used and used + wide > width:
            lines.append([])
            used = 0.0
        lines[-1].append(word)
        used += width_of(word.text, style=word.style, size=size)
    return [_line(line, size=size) for line in lines]


def longest_line(lines: Sequence[Line]) -> float:
    """The width of the widest line."""
    return max((line[-1].left + line[-1].width for line in lines if line), default=0.0)


def _words(text: Sequence[Run]) -> Iterator[Run]:
    """Words with the space after them; code is never broken."""
    for run in text:
        if run.style == "code":
            yield run
            continue
        words = run.text.split(" ")
        for index, word in enumerate(words):
            space = " " if index < len(words) - 1 else ""
            if word or space:
                yield Run(word + space, run.style)


def _line(words: Sequence[Run], *, size: float) -> Line:
    """Words of one style as one piece, without the space at the end of the line."""
    runs: list[Run] = []
    for word in words:
        if runs and runs[-1].style == word.style != "code":
            runs[-1] = Run(runs[-1].text + word.text, word.style)
        else:
            runs.append(word)
    if runs:
        runs[-1] = Run(runs[-1].text.rstrip(), runs[-1].style)
    pieces, left = [], 0.0
    for run in runs:
        width = width_of(run.text, style=run.style, size=size)
        pieces.append(Piece(run, left, width))
        left += width
    return tuple(pieces)
