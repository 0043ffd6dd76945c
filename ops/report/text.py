"""A report on a terminal or in a log: the same in the same order, with every list in full."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ops.report.contents import by_severity, worst_first
from ops.report.document import Inside, Report, StackReport
from ops.report.escape import as_written, one_line
from ops.report.plan import Change
from ops.report.words import counted, verb


def print_report(report: Report, *, console: Console) -> None:
    """Print it. What came from AWS cannot move the cursor or change colours."""
    console.print(Text(one_line(report.title), "bold red" if report.is_alarming else "bold"), soft_wrap=True)
    _section(console, "Needs a person", (need.text for need in report.needs), style="yellow")
    if report.fleets:
        console.print(_fleets(report))
    _section(console, "What goes on by itself", report.by_itself)
    _section(
        console,
        "Proved",
        (f"{each.image} {each.build.short}: {'; '.join(each.lines) or 'nothing is known'}" for each in report.proofs),
    )
    for inside in report.inside:
        name = f"{inside.image}: {inside.old.short} → {inside.new.short}"
        _section(console, f"What changed inside {name}", _inside(inside))
    _section(
        console,
        "If it goes wrong",
        (f"{', '.join(way.fleets)}: {line}" for way in report.ways_back for line in (*way.lines, *way.commands)),
    )
    _section(console, "Checked", report.checked)
    _section(console, "Not checked", report.unchecked)
    for stack in report.stacks:
        state = "failed" if stack.has_failed else counted(stack.counts) or "no changes"
        _section(console, f"{stack.stack}: {state}", _stack(stack), always=True)


def _section(console: Console, title: str, lines: Iterable[str], *, style: str = "", always: bool = False) -> None:
    shown = [as_written(line) for line in lines]
    if shown or always:
        console.print(Text(f"\n{one_line(title)}", "bold"), soft_wrap=True)
        for line in shown:
            console.print(Text(f"  {line}".rstrip(), style), soft_wrap=True)


def _fleets(report: Report) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for title in ("\nFLEET", "ACCOUNT", "REGION", "RUNS NOW", "WILL RUN", "INSTANCES", "ORDER", "TIME"):
        table.add_column(title, overflow="fold", vertical="bottom")
    for row in report.fleets:
        name = row.fleet if row.what in ("image", "instances") else f"{row.fleet} ({row.what})"
        runs = ", ".join(dict.fromkeys(label.short for label in (row.runs, *row.others)))
        number = "unknown" if row.instances is None else str(row.instances)
        cells = (name, row.account, row.region, runs, row.will_run.short, number, row.order, row.minutes)
        table.add_row(*(one_line(each) or "-" for each in cells))
    return table


def _inside(inside: Inside) -> Iterable[str]:
    contents = inside.contents
    if inside.commit:
        yield f"commits: {inside.commit}"
        yield from (f"  {line}" for line in inside.diff.splitlines())
    if contents.base and contents.base[0]:
        yield f"base: {contents.base[0]} → {contents.base[1]}"
    if contents.scripts is None:
        yield "recipe: not known"
    for each in contents.scripts or ():
        yield f"recipe: {each.name} {each.what}"
        yield from (f"  {line}" for line in each.diff.splitlines())
    if contents.stepped is None:
        yield "packages: not known"
    for step in contents.stepped or ():
        yield f"{step.name} {step.before} → {step.after}{' is a major step' if step.is_major else ''}"
    yield from (f"{name} {version} is new" for name, version in (contents.added or {}).items())
    yield from (f"{name} {version} is removed" for name, version in (contents.removed or {}).items())
    if contents.opened is None or contents.closed is None:
        yield "vulnerabilities: not known"
        return
    yield f"vulnerabilities: closed {by_severity(contents.closed)}, opened {by_severity(contents.opened)}"
    yield from (f"opened: {name} {severity.lower()}" for name, severity in worst_first(contents.opened))
    yield from (f"closed: {name} {severity.lower()}" for name, severity in worst_first(contents.closed))


def _stack(stack: StackReport) -> Iterable[str]:
    yield from map(_change, stack.changes)
    yield from (f"output {output.address} {verb(output.kind)}" for output in stack.outputs)
    yield from (f"{drift.address} {drift.text}" for drift in stack.drift)
    yield from (f"warning: {warning}" for warning in stack.warnings)
    yield from stack.error.splitlines()


def _change(change: Change) -> str:
    parts = [f"{change.address} {verb(change.kind)}"]
    if change.version:
        parts.append(f"{change.version}; the old one is deleted afterwards")
    if change.previous_address:
        parts.append(f"moved from {change.previous_address}")
    if change.reason:
        parts.append(change.reason)
    names = [
        f"{each.name} {each.before} → {each.after}" if each.before is not None else each.name
        for each in change.differences
    ]
    return "; ".join(parts) + (f" ({', '.join(names)})" if names else "")
