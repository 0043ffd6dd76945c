"""A move of a channel as a person makes it: it is shown, asked for, made, and what became of it is shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rich.console import Console
from rich.text import Text

from lambda_src.handoff.builds import version_of
from ops.errors import OpsError
from ops.moving import Mover, Outcome, Plan, Refused, Step, steps_of
from ops.question import check_terminal, confirm
from ops.screen import build_label, new_table, open_console, short
from ops.sight import Sight

_REMARKS = {"unchanged": " (unchanged)", "to complete": " (a move was stopped before this region)"}


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of a command that moves a channel."""

    as_json: bool
    asks: bool
    again: Callable[[Plan], str]
    """The command line that finishes a move."""


def run_move(mover: Mover, decide: Callable[[Sight], Plan], *, channel: str, options: Options) -> int:
    """Show a move, ask, and make it; the exit status. Raises `OpsError`."""
    console = open_console(to_stderr=options.as_json)
    target = f"{mover.pipeline.image.name}@{channel}"

    def decide_and_note(sight: Sight) -> Plan:
        return with_functions(mover, decide(sight))

    try:
        with console.status("Reading Image Builder, Parameter Store and the history"):
            sight = mover.look()
            plan = decide_and_note(sight)
            steps = steps_of(plan, sight)
        if all(step.state == "unchanged" for step in steps):
            outcome = Outcome(plan=plan, number=None, steps=tuple(steps))
        else:
            show_plan(plan, steps, sight=sight, target=target, console=console)
            if options.asks:
                check_terminal(target)
                confirm(f"Move {target}?", otherwise=f"{target}: nothing was moved")
            outcome = mover.move(decide_and_note)
    except Refused as refused:
        if options.as_json:
            _print_json(mover, channel, {"refused": refused.lines})
        raise
    finish_move(mover, outcome, console=console, options=options)
    return 0


def with_functions(mover: Mover, plan: Plan) -> Plan:
    """With a note of the fleets whose functions roll out what the channel points to: no command asks for that."""
    names = [
        fleet.name
        for fleet in mover.declared.estate.fleets.values()
        if fleet.is_automatic
        and (fleet.image, fleet.channel) == (mover.pipeline.image.name, plan.channel)
        and fleet.region in plan.wanted
    ]
    if not names:
        return plan
    when = "as soon as windows, freezes, holds and after allow it"
    note = f"{', '.join(names)}: a function rolls this out, because of updates: automatic, {when}"
    return replace(plan, notes=(*plan.notes, note))


def show_plan(plan: Plan, steps: Sequence[Step], *, sight: Sight, target: str, console: Console) -> None:
    """What is moved, and what a person should know about it."""
    console.print(Text(f"{target}: {plan.how}", "bold").append(f", {plan.why}" if plan.why else "", "not bold"))
    table = new_table("REGION", "FROM", "TO", "VALUE")
    for step in steps:
        value = Text(short(step.value, console=console)).append(_REMARKS.get(step.state, ""), "dim")
        table.add_row(step.region, _previous(step, sight), label_of(plan), value)
    console.print(table)
    for note in plan.notes:
        console.print(note, style="yellow", soft_wrap=True)
    for line in plan.loud:
        console.print(line, style="bold red", soft_wrap=True)


def label_of(plan: Plan) -> str:
    """The build of a plan, for people."""
    return build_label(version_of(plan.build.arn) or "an AMI that no build made", plan.build.created)


def _previous(step: Step, sight: Sight) -> str:
    if step.previous is None:
        return "empty"
    arn = step.previous_build or ""
    build = sight.known.get(arn)
    return build_label(version_of(arn), build.created if build else None) if arn else step.previous


def finish_move(mover: Mover, outcome: Outcome, *, console: Console, options: Options) -> None:
    """Print what became of a plan. Raises `OpsError` when a region failed."""
    if options.as_json:
        _print_json(mover, outcome.plan.channel, _members(outcome))
    target = f"{mover.pipeline.image.name}@{outcome.plan.channel}"
    report_move(outcome, target=target, console=console, again=options.again(outcome.plan))


def report_move(outcome: Outcome, *, target: str, console: Console, again: str) -> None:
    """Say where the channel points. Raises `OpsError` when a region failed."""
    verb = "already points" if all(step.state == "unchanged" for step in outcome.steps) else "points"
    if right := [step.region for step in outcome.steps if step.state != "failed"]:
        where = ", ".join(right)
        console.print(f"{target} {verb} to {label_of(outcome.plan)} in {where}", style="green", soft_wrap=True)
    if outcome.failed:
        lines = [f"{step.region}: {step.reason}" for step in outcome.failed]
        where = ", ".join(step.region for step in outcome.failed)
        raise OpsError("\n".join([*lines, f"{target} was not moved in {where}; finish it with: {again}"]))


def _members(outcome: Outcome) -> dict[str, Any]:
    plan = outcome.plan
    return {
        "build": version_of(plan.build.arn) or None,
        "arn": plan.build.arn or None,
        "created": plan.build.created.isoformat() if plan.build.created else None,
        "how": plan.how,
        "why": plan.why or None,
        "skipped": plan.skipped,
        "notes": [*plan.notes, *plan.loud],
        "move": outcome.number,
        "regions": [asdict(step) for step in outcome.steps],
        "refused": [],
    }


def _print_json(mover: Mover, channel: str, members: dict[str, Any]) -> None:
    start = {"image": mover.pipeline.image.name, "channel": channel, "by": mover.aws.caller}
    open_console().print(json.dumps({**start, **members}, indent=2), soft_wrap=True)
