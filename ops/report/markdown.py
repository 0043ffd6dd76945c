"""A report as Markdown, for the comment of a pull request.

What decides stands above the fold; AMI IDs, versions and long lists are folded. It is never longer than a comment of
GitHub may be: lists are cut, those that matter least first, and say how much was cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ops.report.contents import by_severity, worst_first
from ops.report.document import FleetRow, Inside, Report, StackReport
from ops.report.escape import block, clipped, code, html, inline
from ops.report.labels import Label
from ops.report.plan import Change, Kind
from ops.report.words import count, counted, listed, verb

MARKER = "<!-- goldsmith report -->"
"""The first line, by which a bot finds its comment to update it."""
LONGEST = 65_536
"""Characters of a comment ("body is too long (maximum is 65536 characters)" in answers of GitHub's API)."""

_MOST_ABOVE = 20
"""Needs and fleets above the fold, where there are more."""
_LONGEST_DIFF = 200
"""Lines of the difference of a component's document."""
_LONGEST_ERROR = 3_000
_MOST_NAMED = 5
"""Packages and fleets of one line that are named above the fold."""
T = TypeVar("T")


@dataclass(frozen=True)
class _Most:
    """How many entries lists have at most: those above the fold, what is inside builds, and everything else."""

    above: int = 10_000
    inside: int = 10_000
    rest: int = 10_000


_FIRST = _Most()
_STEPS = (
    *(_Most(rest=rest) for rest in (200, 100, 50, 25, 10)),
    *(_Most(rest=10, inside=inside) for inside in (100, 50, 20, 10)),
    *(_Most(rest=rest, inside=5, above=above) for rest, above in ((10, 200), (10, 100), (10, 50), (5, 50), (5, 20))),
    _Most(above=10, inside=3, rest=3),
    _Most(above=5, inside=1, rest=1),
)


def write_markdown(report: Report, *, longest: int = LONGEST) -> str:
    """The report as Markdown of at most so many characters, as JavaScript and GitHub count them."""
    text = ""
    for most in (_FIRST, *_STEPS):
        text = "\n".join(_lines(report, most)) + "\n"
        if len(text.encode("utf-16-le")) // 2 <= longest:
            return text
    return text


def _lines(report: Report, most: _Most) -> Iterator[str]:
    yield MARKER
    yield f"## {'⚠️ ' if report.is_alarming else ''}{inline(clipped(report.title, 400))}"
    yield ""
    if report.needs:
        yield "**Needs a person**"
        yield ""
        lines = [f"- {inline(need.text)}" for need in report.needs[: most.above]]
        yield from lines[:_MOST_ABOVE]
        yield ""
        left = len(report.needs) - len(lines)
        more = [*lines[_MOST_ABOVE:], *([f"- … and {left} more"] if left else [])]
        if more:
            yield from _folded(f"{len(report.needs) - len(lines[:_MOST_ABOVE])} more that need a person", more)
    if report.fleets:
        yield from _table(report.fleets[: min(most.above, _MOST_ABOVE)])
    if folded := report.fleets[_MOST_ABOVE : most.above]:
        yield from _folded(f"{len(folded)} more fleets", _table(folded))
    if len(report.fleets) > most.above:
        yield f"… and {len(report.fleets) - most.above} more fleets, which are in the JSON of this report"
        yield ""
    if report.by_itself:
        yield "**What goes on by itself**"
        yield ""
        yield from _cut(report.by_itself, most.above, lambda text: f"- {inline(text)}")
        yield ""
    yield from _proofs(report, most.above)
    for inside in report.inside[: most.above]:
        yield from _inside(inside, most.inside)
    yield from _ways_back(report, most)
    yield from _checked(report, most)
    yield from _rest(report, most)


def _cut(entries: Sequence[T], most: int, line: Callable[[T], str]) -> Iterator[str]:
    yield from map(line, entries[:most])
    if len(entries) > most:
        yield f"- … and {len(entries) - most} more"


def _table(rows: Sequence[FleetRow]) -> Iterator[str]:
    accounts = any(row.account or row.region for row in rows)
    yield f"| Fleet |{' Where |' if accounts else ''} Runs now | Will run | Instances | Order | Time |"
    yield f"| --- |{' --- |' if accounts else ''} --- | --- | --: | --- | --- |"
    for row in rows:
        where = f" {inline(' '.join(filter(None, (row.account, row.region))) or 'unknown')} |" if accounts else ""
        runs = ", ".join(dict.fromkeys(label.short for label in (row.runs, *row.others)))
        number = "unknown" if row.instances is None else str(row.instances)
        name = row.fleet if row.what in ("image", "instances") else f"{row.fleet} ({row.what})"
        cells = (runs, row.will_run.short, number, row.order, row.minutes)
        yield f"| {inline(name)} |{where} {' | '.join(map(inline, cells))} |"
    yield ""


def _proofs(report: Report, most: int) -> Iterator[str]:
    if report.proofs:
        yield "**Proved**"
        yield ""
        yield from _cut(
            report.proofs,
            most,
            lambda proof: (
                f"- {inline(f'{proof.image} {proof.build.short}')}: "
                + ("; ".join(inline(line) for line in proof.lines[:most]) or "nothing is known")
            ),
        )
        yield ""


def _folded(summary: str, lines: Iterable[str]) -> Iterator[str]:
    """A folded part; the empty line lets Markdown begin."""
    yield f"<details><summary>{html(summary)}</summary>"
    yield ""
    yield from lines
    yield ""
    yield "</details>"
    yield ""


def _inside(inside: Inside, most: int) -> Iterator[str]:
    contents, name = inside.contents, f"{inside.image}: {inside.old.short} → {inside.new.short}"
    yield f"**What changed inside {inline(name)}**"
    yield ""
    if inside.commit:
        yield f"- commits: {inline(inside.commit)}"
    if contents.base:
        yield f"- base: {'another one' if contents.base[0] else 'the same'}"
    if contents.scripts is None:
        yield "- recipe: not known"
    else:
        changed = [f"{each.name} ({each.what})" for each in contents.scripts]
        yield f"- recipe: {inline(', '.join(changed[:most]) or 'the same')}"
    if contents.stepped is None:
        yield "- packages: not known"
    else:
        parts = [
            f"{len(some)} {what} ({inline(listed(names, most=_MOST_NAMED))})"
            for what, some, names in (
                ("added", contents.added, list(contents.added or ())),
                ("removed", contents.removed, list(contents.removed or ())),
                ("with another version", contents.stepped, [step.name for step in contents.stepped]),
            )
            if some
        ]
        yield f"- packages: {', '.join(parts) or 'the same'}"
        for step in contents.major[:most]:
            yield f"  - {inline(f'{step.name} {step.before} → {step.after}')} is a major step"
    if contents.opened is None or contents.closed is None:
        yield "- vulnerabilities: not known"
    else:
        closed, opened = (inline(by_severity(each)) for each in (contents.closed, contents.opened))
        yield f"- vulnerabilities: closed {closed}, opened {opened}"
    yield ""
    details = list(_inside_details(inside, most))
    if details:
        yield from _folded(f"Everything that changed inside {inside.image}", details)


def _inside_details(inside: Inside, most: int) -> Iterator[str]:
    contents = inside.contents
    if contents.base and contents.base[0]:
        yield f"- base: {code(contents.base[0])} → {code(contents.base[1])}"
    steps = [f"- {inline(step.name)} {code(step.before)} → {code(step.after)}" for step in contents.stepped or ()]
    steps += [f"- {inline(name)} {code(version)} is new" for name, version in (contents.added or {}).items()]
    steps += [f"- {inline(name)} {code(version)} is removed" for name, version in (contents.removed or {}).items()]
    yield from _cut(steps, most, str)
    for what, findings in (("opened", contents.opened), ("closed", contents.closed)):
        lines = [f"- {what}: {inline(name)} {severity.lower()}" for name, severity in worst_first(findings or {})]
        yield from _cut(lines, most, str)
    for each in (contents.scripts or ())[:most]:
        if each.diff:
            yield from _diff(f"component {code(each.name)}", each.diff, most)
    if inside.diff:
        yield from _diff("the configuration between both commits", inside.diff, most)


def _diff(title: str, diff: str, most: int) -> Iterator[str]:
    lines = diff.splitlines()
    shown = lines[: min(_LONGEST_DIFF, 10 * most)]
    more = [f"… and {len(lines) - len(shown)} more lines"] if len(lines) > len(shown) else []
    yield ""
    yield f"{title}:"
    yield ""
    yield from block("\n".join([*(clipped(line, 300) for line in shown), *more]), "diff")


def _ways_back(report: Report, most: _Most) -> Iterator[str]:
    if not report.ways_back:
        return
    yield "**If it goes wrong**"
    yield ""
    for way in report.ways_back[: most.above]:
        yield f"- {inline(listed(way.fleets, most=_MOST_NAMED))}: {'; '.join(inline(line) for line in way.lines)}"
    yield ""
    commands: list[str] = []
    for way in report.ways_back[: most.above]:
        commands += [f"# {_names(way.fleets, most.above)}", *way.commands]
    yield from _folded("To go back later", block("\n".join(clipped(line, 1000) for line in commands), "sh"))


def _names(names: Sequence[str], most: int) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def _checked(report: Report, most: _Most) -> Iterator[str]:
    if report.unchecked:
        yield "**Not checked**"
        yield ""
        yield from _cut(report.unchecked, most.above, lambda text: f"- {inline(text)}")
        yield ""
    if report.checked:
        lines = _cut(report.checked, most.rest, lambda text: f"- {inline(text)}")
        yield from _folded(f"Checked: {count(len(report.checked), 'guard')} passed", lines)


def _rest(report: Report, most: _Most) -> Iterator[str]:
    builds = _builds(report)
    if builds:
        rows = [f"| {inline(label.short)} | {code(label.exact)} |" for label in builds[: most.rest]]
        yield from _folded("Builds and AMIs", ["| Build | Exactly |", "| --- | --- |", *rows])
    summary = counted(report.counts) or "nothing"
    stacks = f"{count(len(report.stacks), 'stack')}: {summary}; {report.counts.get(Kind.NO_OP, 0)} unchanged"
    yield from _folded(f"Everything in {stacks}", _stacks(report.stacks, most.rest))


def _builds(report: Report) -> list[Label]:
    labels = [label for row in report.fleets for label in (row.runs, *row.others, row.will_run)]
    return [label for label in dict.fromkeys(labels) if label.exact]


def _stacks(stacks: Sequence[StackReport], most: int) -> Iterator[str]:
    for stack in stacks[:most]:
        yield from _stack(stack, most)
    if left := stacks[most:]:
        counts = {kind: sum(stack.counts.get(kind, 0) for stack in left) for kind in Kind}
        quiet = (Kind.NO_OP, Kind.READ)
        yield f"… and {count(len(left), 'more stack')}: {counted(counts, also=quiet) or 'without a plan'}"
        yield ""
    if refreshed := sum(stack.refreshed for stack in stacks):
        yield f"AWS says something else than the state about {count(refreshed, 'resource')}, and no plan changes that."


def _stack(stack: StackReport, most: int) -> Iterator[str]:
    where = " ".join(filter(None, (stack.account, stack.region)))
    state = "failed" if stack.has_failed else counted(stack.counts) or "no changes"
    quiet = {kind: stack.counts.get(kind, 0) for kind in (Kind.NO_OP, Kind.READ)}
    unchanged = counted(quiet, also=(Kind.NO_OP, Kind.READ))
    yield f"**{inline(stack.stack)}**{f' {inline(where)}' if where else ''}: " + ", ".join(
        filter(None, (state, unchanged))
    )
    yield ""
    lines = [_change(change) for change in stack.changes]
    lines += [f"- output {code(output.address)} {verb(output.kind)}" for output in stack.outputs]
    lines += [f"- {code(each.address)} {inline(each.text)}" for each in stack.drift]
    lines += [f"- warning: {inline(text)}" for text in stack.warnings]
    shown, left = lines[:most], lines[most:]
    yield from shown
    if left:
        hidden = stack.changes[most:]
        kinds = {kind: sum(change.kind == kind for change in hidden) for kind in Kind}
        yield f"- … and {len(left)} more{f', with {counted(kinds)}' if hidden else ''}"
    if stack.error:
        yield ""
        yield from block(clipped(stack.error.strip(), min(_LONGEST_ERROR, 100 * most)))
    yield ""


def _change(change: Change) -> str:
    where = f", moved from {code(change.previous_address)}" if change.previous_address else ""
    deposed = f" (deposed object {code(change.deposed)})" if change.deposed else ""
    reason = f": {inline(change.reason)}" if change.reason else ""
    if change.kind == Kind.OTHER:
        reason = f": {code(' and '.join(change.actions))}"
    version = f" {code(change.version)}; the old one is deleted afterwards" if change.version else ""
    names = [
        f"{inline(each.name)} {code(each.before or '')} → {code(each.after or '')}"
        if each.before is not None
        else inline(each.name)
        for each in change.differences
    ]
    details = f" ({', '.join(names)})" if names else ""
    return f"- {code(change.address)} {verb(change.kind)}{version}{deposed}{reason}{where}{details}"
