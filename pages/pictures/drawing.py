"""Draws the blocks of a comment as SVG, in the colours and sizes in which GitHub shows it.

The text is text, in the fonts of the reader's system, and nothing is loaded. All sizes are pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from pages.pictures.comment import Block, Code, Folded, Heading, Item, Paragraph, Run, Style, Table, Text
from pages.pictures.widths import (
    CODE_PADDING,
    CODE_SIZE,
    Line,
    lines_of,
    longest_line,
    monospaced_width,
    width_of,
)

_WIDTH, _MARGIN, _PADDING, _TITLE_BAR = 880, 1, 18, 40
_SIZE, _HEADING, _SMALL = 14.0, 20.0, 12.0
_LEADING = 1.5
"""The height of a line, for a text of size 1."""
_CELL = (11.0, 6.0)
"""Room in a cell beside and above the text."""
_FONT = "-apple-system, BlinkMacSystemFont, 'Segoe UI', 'Noto Sans', Helvetica, Arial, sans-serif"
_CODE_FONT = "ui-monospace, SFMono-Regular, 'SF Mono', Menlo, Consolas, 'Liberation Mono', monospace"


_CLASSES: Mapping[Style, str] = {"plain": "", "bold": ' class="b"', "code": ' class="c"'}


@dataclass(frozen=True)
class Scheme:
    """Colours, as in GitHub's Primer."""

    canvas: str
    bar: str
    border: str
    text: str
    muted: str
    code: str


LIGHT = Scheme(canvas="#ffffff", bar="#f6f8fa", border="#d1d9e0", text="#1f2328", muted="#59636e", code="#eff1f3")
DARK = Scheme(canvas="#0d1117", bar="#151b23", border="#3d444d", text="#f0f6fc", muted="#9198a1", code="#262c36")


def drawn(blocks: Sequence[Block], scheme: Scheme) -> str:
    """The SVG, a text that ends with a line end."""
    pen = _Pen(scheme, top=_TITLE_BAR + 16.0)
    last: Block | None = None
    for block in blocks:
        pen.top += _gap(last, block)
        pen.draw(block)
        last = block
    height = round(pen.top + 16)
    return "\n".join([*_frame(scheme, height), *pen.elements, "</svg>"]) + "\n"


def _gap(above: Block | None, block: Block) -> float:
    """The room between two blocks."""
    if above is None:
        return 0
    if isinstance(block, Item):
        return 3 if isinstance(above, Item) else 4
    if isinstance(block, Folded) and isinstance(above, Folded):
        return 4
    return 14


def _frame(scheme: Scheme, height: int) -> Iterator[str]:
    """The box of a comment, with the bar that says who has written it."""
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'font-family="{_FONT}" font-size="{_number(_SIZE)}" fill="{scheme.text}">'
    )
    yield f"<style>.c{{font-family:{_CODE_FONT}}}.b{{font-weight:600}}</style>"
    inner = _WIDTH - 2 * _MARGIN
    yield (
        f'<rect x="{_MARGIN}" y="{_MARGIN}" width="{inner}" height="{height - 2 * _MARGIN}" rx="6" '
        f'fill="{scheme.canvas}"/>'
    )
    yield (
        f'<path d="M{_MARGIN} {_TITLE_BAR}V{_MARGIN + 6}a6 6 0 0 1 6 -6H{_WIDTH - _MARGIN - 6}a6 6 0 0 1 6 6'
        f'V{_TITLE_BAR}z" fill="{scheme.bar}"/>'
    )
    yield (
        f'<rect x="{_MARGIN}" y="{_MARGIN}" width="{inner}" height="{height - 2 * _MARGIN}" rx="6" fill="none" '
        f'stroke="{scheme.border}"/>'
    )
    yield f'<path d="M{_MARGIN} {_TITLE_BAR}H{_WIDTH - _MARGIN}" stroke="{scheme.border}"/>'


class _Pen:
    """Draws from top to bottom; `top` is where the next block begins."""

    def __init__(self, scheme: Scheme, *, top: float) -> None:
        self.scheme, self.top = scheme, top
        self.elements: list[str] = []
        self._author()

    def _author(self) -> None:
        left = float(_PADDING)
        for run, colour in ((Run("acme-bot", "bold"), self.scheme.text), (Run("commented"), self.scheme.muted)):
            (line,) = lines_of((run,), width=_WIDTH, size=_SIZE)
            self._line(line, left=left, baseline=_TITLE_BAR / 2 + 5, colour=colour)
            left += longest_line([line]) + 6

    def draw(self, block: Block) -> None:
        """Draw a block, and go on below it."""
        left, room = float(_PADDING), float(_WIDTH - 2 * _PADDING)
        if isinstance(block, Heading):
            bold = tuple(Run(run.text, "bold" if run.style == "plain" else run.style) for run in block.text)
            self._text(bold, left=left, width=room, size=_HEADING, leading=1.3)
            self.top += 7
            self._rule(left, room)
        elif isinstance(block, Paragraph):
            self._text(block.text, left=left, width=room)
        elif isinstance(block, Item):
            indent = 22.0 * block.level
            self._bullet(left + indent - 11, filled=block.level == 1)
            self._text(block.text, left=left + indent, width=room - indent)
        elif isinstance(block, Folded):
            self._triangle(left)
            self._text((Run(block.summary),), left=left + 16, width=room - 16)
        elif isinstance(block, Table):
            self._table(block, left=left, room=room)
        else:
            self._code(block, left=left, room=room)

    def _text(self, text: Text, *, left: float, width: float, size: float = _SIZE, leading: float = _LEADING) -> None:
        for line in lines_of(text, width=width, size=size):
            self._line(line, left=left, baseline=self.top + size * (leading / 2 + 0.36), size=size)
            self.top += size * leading

    def _line(self, line: Line, *, left: float, baseline: float, size: float = _SIZE, colour: str = "") -> None:
        for piece in line:
            style, height = piece.run.style, size
            text, x = piece.run.text.strip(), left + piece.left
            width = width_of(text, style=style, size=size)
            if style == "code":
                self._box(x, baseline - size * 0.98, width, size * 1.36, fill=self.scheme.code, radius=5)
                height = size * CODE_SIZE
                x, width = x + height * CODE_PADDING, width - 2 * height * CODE_PADDING
            elif piece.run.text.startswith(" "):
                # programs differ in whether they draw a space at the beginning
                x += width_of(" ", style=style, size=size)
            self._write(text, x, baseline, width, kind=_CLASSES[style], size=height, colour=colour)

    def _write(
        self, text: str, x: float, baseline: float, width: float, *, kind: str, size: float, colour: str = ""
    ) -> None:
        if not text:
            return
        large = f' font-size="{_number(size)}"' if size != _SIZE else ""
        fill = f' fill="{colour}"' if colour else ""
        self.elements.append(
            f'<text{kind} x="{_number(x)}" y="{_number(baseline)}" textLength="{_number(width)}"{large}{fill}>'
            f"{escape(text)}</text>"
        )

    def _box(self, x: float, y: float, width: float, height: float, *, fill: str, radius: int) -> None:
        place = f'x="{_number(x)}" y="{_number(y)}" width="{_number(width)}" height="{_number(height)}"'
        self.elements.append(f'<rect {place} rx="{radius}" fill="{fill}"/>')

    def _rule(self, left: float, width: float) -> None:
        self.elements.append(
            f'<path d="M{_number(left)} {_number(self.top)}h{_number(width)}" stroke="{self.scheme.border}"/>'
        )

    def _bullet(self, x: float, *, filled: bool) -> None:
        middle = self.top + _SIZE * _LEADING / 2
        fill = self.scheme.text if filled else f'none" stroke="{self.scheme.text}'
        self.elements.append(f'<circle cx="{_number(x)}" cy="{_number(middle)}" r="2.5" fill="{fill}"/>')

    def _triangle(self, x: float) -> None:
        middle = self.top + _SIZE * _LEADING / 2
        self.elements.append(f'<path d="M{_number(x + 1)} {_number(middle - 4.5)}l7.5 4.5l-7.5 4.5z"/>')

    def _table(self, table: Table, *, left: float, room: float) -> None:
        beside, above = _CELL
        widths = _column_widths(table, room=room)
        for index, row in enumerate(table.rows):
            cells = [lines_of(text, width=width + 0.01, size=_SIZE) for text, width in zip(row, widths, strict=True)]
            height = max(map(len, cells)) * _SIZE * _LEADING + 2 * above
            if index % 2 == 0 and index:
                self._box(
                    left, self.top, sum(widths) + 2 * beside * len(widths), height, fill=self.scheme.bar, radius=0
                )
            x = left
            for lines, width, is_right in zip(cells, widths, table.right, strict=True):
                outer = width + 2 * beside
                self.elements.append(
                    f'<rect x="{_number(x)}" y="{_number(self.top)}" width="{_number(outer)}" '
                    f'height="{_number(height)}" fill="none" stroke="{self.scheme.border}"/>'
                )
                for number, line in enumerate(lines):
                    free = width - longest_line([line])
                    start = x + beside + (free if is_right else free / 2 if index == 0 else 0)
                    self._line(line, left=start, baseline=self.top + above + _SIZE * (_LEADING * (number + 0.5) + 0.36))
                x += outer
            self.top += height

    def _code(self, code: Code, *, left: float, room: float) -> None:
        height = len(code.lines) * _SMALL * _LEADING + 24
        self._box(left, self.top, room, height, fill=self.scheme.bar, radius=6)
        for number, line in enumerate(code.lines):
            baseline = self.top + 12 + _SMALL * (_LEADING * (number + 0.5) + 0.36)
            text, whole = line.strip(), monospaced_width(line.rstrip(), size=_SMALL)
            width = monospaced_width(text, size=_SMALL)
            self._write(text, left + 14 + whole - width, baseline, width, kind=_CLASSES["code"], size=_SMALL)
        self.top += height


def _column_widths(table: Table, *, room: float) -> list[float]:
    """The widths of the texts of each column: without line breaks, or with as many as the room needs."""
    columns = [[row[index] for row in table.rows] for index in range(len(table.right))]
    widths = [_widest(column, width=room) for column in columns]
    available = room - 2 * _CELL[0] * len(columns)
    while sum(widths) > available:
        narrower = [_widest(column, width=width - 1) for column, width in zip(columns, widths, strict=True)]
        gains = [width - less for width, less in zip(widths, narrower, strict=True)]
        shrinkable = [index for index, gain in enumerate(gains) if gain > 0]
        if not shrinkable:
            raise ValueError(f"a table with {len(columns)} columns has no room in a picture")
        widest = max(widths[index] for index in shrinkable)
        # those of the same width together, such as both builds of a fleet
        widths = [
            narrower[index] if index in shrinkable and width > widest - 1 else width
            for index, width in enumerate(widths)
        ]
    return widths


def _widest(column: Sequence[Text], *, width: float) -> float:
    return max(longest_line(lines_of(text, width=width, size=_SIZE)) for text in column)


def _number(value: float) -> str:
    """A number with two digits at most."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
