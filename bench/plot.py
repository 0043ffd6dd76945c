"""The picture of a benchmark: an SVG of three panels, readable on light and on dark pages."""

from collections.abc import Iterator, Sequence
from html import escape

from bench.results import ROWS, Growth, Results

_WIDTH = 880
_LEFT = 290.0
"""Where bars begin; names stand left of it."""
_ROW = 28
_STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #24292f }
.title { font-weight: 600; font-size: 15px } .soft { fill: #6e7781 }
.end { text-anchor: end } .mid { text-anchor: middle }
.strong { font-weight: 600 }
.other { fill: #afb8c1 } .own { fill: #d4860b } .memory { fill: #8fb2d6 } .wait { fill: #f3c677 }
.grid { stroke: #d0d7de } .line { stroke: #d4860b; stroke-width: 2.5; fill: none }
.straight { stroke: #8c959f; stroke-dasharray: 4 4 } .back { fill: #ffffff }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .soft { fill: #8d96a0 } .other { fill: #57606a } .own { fill: #f0a530 }
  .memory { fill: #48719c } .wait { fill: #7d5a1c } .grid { stroke: #30363d } .line { stroke: #f0a530 }
  .straight { stroke: #6e7681 } .back { fill: #0d1117 }
}
"""


def plot(results: Results) -> str:
    """All of it; each panel is as high as it has rows."""
    parts: list[str] = []
    top = 0.0
    for panel, height in (
        (_programs(results), 92 + _ROW * len(results.programs)),
        (_phases(results), 92 + _ROW * len(results.phases)),
        (_growth(results), 320),
    ):
        parts += [f'<g transform="translate(0 {top:g})">', *panel, "</g>"]
        top += height
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top:g}" role="img" '
            'aria-label="Time and memory of synthesis; docs/performance.md has the figures">',
            f"<style>{_STYLE}</style>",
            f'<rect class="back" width="{_WIDTH}" height="{top:g}" rx="8"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _programs(results: Results) -> Iterator[str]:
    """Time and memory of each program, side by side."""
    shown = [(name, results.programs[name]) for name in ROWS if name in results.programs]
    seconds, memory = _Scale([each.wall for _, each in shown], 290), _Scale([each.peak for _, each in shown], 140)
    right = _LEFT + 375
    yield _text(24, 34, "Synthesis, from start to end", "title")
    yield _text(_LEFT, 58, "seconds", "soft")
    yield _text(right, 58, "MB at the peak", "soft")
    for row, (name, each) in enumerate(shown):
        y = 70 + row * _ROW
        own = name == "fast"
        yield _text(_LEFT - 12, y + 15, ROWS[name].replace("`", ""), "end strong" if own else "end")
        yield _bar(_LEFT, y, seconds(each.wall), "own" if own else "other")
        yield _text(_LEFT + seconds(each.wall) + 8, y + 15, f"{each.wall:.2f}", "strong" if own else "soft")
        yield _bar(right, y, memory(each.peak), "own" if own else "memory")
        yield _text(right + memory(each.peak) + 8, y + 15, f"{each.peak / 1e6:,.0f}", "strong" if own else "soft")


def _phases(results: Results) -> Iterator[str]:
    """One run as a staircase: each phase begins where the one before it ended."""
    total = sum(phase.seconds for phase in results.phases)
    across = _Scale([total, results.programs["fast"].wall], 500)
    bottom = 74 + _ROW * len(results.phases)
    yield _text(24, 34, "Where the milliseconds of the sample estate go", "title")
    for colour, x, words in (("own", _LEFT, "Python works"), ("wait", _LEFT + 120, "in calls to Node")):
        yield f'<rect class="{colour}" x="{x}" y="48" width="12" height="12" rx="2"/>'
        yield _text(x + 18, 58, words, "soft")
    empty = _LEFT + across(results.programs["empty"].wall)
    yield f'<line class="straight" x1="{empty:.1f}" y1="66" x2="{empty:.1f}" y2="{bottom}"/>'
    yield _text(empty + 6, 76, "an empty program has ended", "soft")
    at = 0.0
    for row, phase in enumerate(results.phases):
        x, y = _LEFT + across(at), 70 + row * _ROW
        yield _text(_LEFT - 12, y + 15, phase.name, "end")
        works = across(phase.seconds - phase.waiting)
        yield _bar(x, y, works, "own")
        yield _bar(x + works, y, across(phase.waiting), "wait")
        yield _text(x + across(phase.seconds) + 8, y + 15, f"{phase.seconds * 1000:.0f}", "soft")
        at += phase.seconds


def _growth(results: Results) -> Iterator[str]:
    """Time over resources, and the straight line on which it would stay if each cost what it does at ten stacks."""
    width, height, base = 530, 190, 262
    sizes: Sequence[Growth] = results.growth
    most = sizes[-1]
    ten = next(each for each in sizes if each.stacks == 10)
    first = sizes[0]
    straight = first.measured.wall + results.each_resource(ten) * (most.resources - first.resources)
    across = _Scale([each.resources for each in sizes], width)
    up = _Scale([straight, *(each.measured.wall for each in sizes)], height)
    points = [(_LEFT + across(each.resources), base - up(each.measured.wall)) for each in sizes]
    yield _text(24, 34, "Growth", "title")
    yield _text(24, 60, "seconds, over the number of resources", "soft")
    yield _text(24, 80, "dashed: as if every one cost", "soft")
    yield _text(24, 98, "what it does at 10 stacks", "soft")
    for share in (0, 0.5, 1):
        level = base - height * share
        yield f'<line class="grid" x1="{_LEFT}" y1="{level:.1f}" x2="{_LEFT + width}" y2="{level:.1f}"/>'
        yield _text(_LEFT - 12, level + 4, f"{up.most * share:.0f}", "soft end")
    yield (
        f'<line class="straight" x1="{points[0][0]:.1f}" y1="{points[0][1]:.1f}" '
        f'x2="{points[-1][0]:.1f}" y2="{base - up(straight):.1f}"/>'
    )
    yield f'<polyline class="line" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'
    for each, (x, y) in zip(sizes, points, strict=True):
        yield f'<circle class="own" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'
        if each.stacks >= 10:  # one stack stands too near
            yield _text(x, base + 20, f"{each.stacks} stacks", "soft mid")
            yield _text(x, base + 37, f"{each.resources:,}", "soft mid")
            yield _text(x - 8 if each is most else x + 4, y - 12, f"{each.measured.wall:.1f} s", "strong end")


class _Scale:
    """Values to pixels, from 0 to the largest."""

    def __init__(self, values: Sequence[float], pixels: float) -> None:
        self.most = max(values)
        self._pixels = pixels

    def __call__(self, value: float) -> float:
        return value / self.most * self._pixels


def _bar(x: float, y: float, width: float, colour: str) -> str:
    return f'<rect class="{colour}" x="{x:.1f}" y="{y}" width="{max(width, 0):.1f}" height="20" rx="2"/>'


def _text(x: float, y: float, words: str, kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{escape(words)}</text>'
