"""`goldsmith apply`: exactly the plans that `goldsmith plan` has saved, and then the rollouts of their fleets.

The order is that of what needs what: histories, images with parents before their children, dashboards, fleets. It stops
at the first failure. A plan that was applied already is stale, so that the command can be run again.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rich.console import Console
from rich.text import Text

import cdktf_out
from estate.estate import Estate, EstateFleet
from estate.recipes.rollout import rollout_of
from lambda_src.rollout.decisions import Wish
from lambda_src.rollout.windows import opening
from ops.accounts import Accounts, access_to_fleet
from ops.alone import alone_in
from ops.configuration import Configuration
from ops.errors import Interrupted, OpsError, UsageError
from ops.fleet import read_fleet
from ops.fleet_status import fleet_status
from ops.plan_folder import CONFIGURATION, LOCK, PLAN, PLAN_JSON, SAVED_LOCK, PlanFolder
from ops.plan_result import Planned, applied_counts, read_errors, read_plan
from ops.plan_screen import Board
from ops.planned_amis import Look, look_at
from ops.precautions import report
from ops.programs import Ended, Programs, Stopped
from ops.providers import Providers, complaint, environment, install
from ops.question import check_terminal, confirm
from ops.reader_role import refusals
from ops.rollout import Options as RolloutOptions
from ops.rollout import run_rollout
from ops.screen import new_table, open_console
from ops.synthesis import synthesize
from scripts.terraform import missing_terraform

_AT_ONCE = 8
_STALE = "Saved plan is stale"
"""Terraform's error about a plan whose state has changed."""
_KINDS = ("history", "image", "overview", "fleet")


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the command."""

    asks: bool = True
    again: Callable[[str], str] = str
    """Completes `apply DIR` to a command line with the same configuration."""


@dataclass(frozen=True, kw_only=True)
class _Step:
    """A plan with changes."""

    planned: Planned
    look: Look = field(default_factory=Look)
    """At the AMI of a fleet."""
    later: str = ""
    """Why it is not applied now."""

    @property
    def stack(self) -> str:
        return self.planned.entry.stack


def run_apply(configuration: Configuration, estate: Estate, folder: PlanFolder, options: Options) -> int:
    """Look, show, ask, apply and roll out; the exit status. Raises `OpsError`."""
    console = open_console()
    planned = _read(folder, options)
    if planned and options.asks:
        check_terminal(f"apply {folder.path}")
    if lack := missing_terraform(os.environ):
        raise OpsError(lack)
    if not planned:
        console.print(f"{folder.path} has no changes", soft_wrap=True)
        return 0
    with alone_in(configuration.out):
        _check_same(configuration, estate, folder, planned)
        order = sorted(planned, key=lambda each: _rank(estate, each.entry.stack))
        with console.status("Looking at the AMIs once more"):
            steps = _looked_at(estate, order)
        _print(steps, console)
        _stop_refused(steps)
        now = [step for step in steps if not step.later]
        if now and options.asks:
            confirm(
                f"Apply {len(now)} of these plans?" if len(now) < len(steps) else "Apply these plans?",
                otherwise="nothing was applied",
            )
        _Run(configuration, estate, folder, options, console).apply(now)
    for step in steps:
        if step.later:
            console.print(f"{step.stack} is left for later: {step.later}", soft_wrap=True)
    fleets = [fleet for step in now if (fleet := _to_roll_out(estate, step.stack))]
    automatic = [fleet for fleet in fleets if estate.fleets[fleet].is_automatic]
    status = _what_functions_do(estate, automatic, console)
    if others := [fleet for fleet in fleets if fleet not in automatic]:
        status = run_rollout(estate, others, RolloutOptions(wish=Wish(), asks=False, again=options.again)) or status
    return status


def _what_functions_do(estate: Estate, fleets: Sequence[str], console: Console) -> int:
    """Say what is left to the functions of fleets with `updates: automatic`; 1 if a person is needed."""
    accounts, status = Accounts(), 0
    for name in fleets:
        declared = estate.fleet(name)
        found = fleet_status(declared, read_fleet(declared, accounts=accounts, builds=()), account=None)
        needs = [*found.gaps, *found.errors]
        for text in needs:
            console.print(Text(f"{name}: {text}", "red"), soft_wrap=True)
        for text in filter(None, (found.progress, found.queued)):
            console.print(Text(f"{name}: {text}"), soft_wrap=True)
        if not needs and not found.progress and not found.queued:
            console.print(f"{name}: nothing is left to roll out", soft_wrap=True)
        status = 1 if needs else status
    return status


def _read(folder: PlanFolder, options: Options) -> list[Planned]:
    """The plans with changes. Raises `OpsError` when one has failed, or its files are missing."""
    planned, problems = [], []
    for entry in folder.read():
        if entry.status == "failed":
            problems.append(f"{entry.stack} was not planned: {entry.error}")
        elif entry.status == "changes":
            files = [folder.of(entry.stack) / name for name in (PLAN, PLAN_JSON, CONFIGURATION)]
            missing = [str(file) for file in files if not file.is_file()]
            problems += [f"{file} does not exist" for file in missing]
            if not missing:
                try:
                    planned.append(read_plan(entry, files[1].read_text(encoding="utf-8")))
                except (OpsError, OSError, ValueError) as error:  # such as an artifact that arrived in part
                    problems.append(f"{files[1]}: cannot be read: {error}")
    if problems:
        raise OpsError("\n".join([*problems, f"nothing was applied: {options.again('plan')} again"]))
    return planned


def _check_same(configuration: Configuration, estate: Estate, folder: PlanFolder, planned: Sequence[Planned]) -> None:
    """Synthesize: Terraform works in the stacks' folders, and applies what is there, such as a function's code. Raises
    `OpsError` when something else was planned."""
    written = synthesize(configuration, allow_unbuilt=True)
    if written.interrupted:
        raise Interrupted("nothing was applied")
    if written.status != 0:
        raise (UsageError if written.status == UsageError.exit_status else OpsError)("nothing was applied")
    problems = []
    for stack in (each.entry.stack for each in planned):
        there = cdktf_out.stack(configuration.out, stack) / CONFIGURATION
        if stack not in estate.stacks:
            problems.append(f"{stack} is not declared")
        elif there.read_bytes() != (folder.of(stack) / CONFIGURATION).read_bytes():
            problems.append(f"{stack} is not as it was planned")
    if problems:
        remedy = "nothing was applied: check out the commit that was planned, or plan again"
        raise OpsError("\n".join([*problems, remedy]))


def _rank(estate: Estate, stack: str) -> tuple[int, int, str]:
    """Where a stack is in the order."""
    kind, _, name = stack.partition("-")
    depth = 0
    if kind == "image":
        depth = _ancestors(estate, name)
    elif kind == "fleet":
        depth = estate.fleets[name].rollout.wave
    return _KINDS.index(kind), depth, stack


def _ancestors(estate: Estate, name: str) -> int:
    """How many images of the estate an image is built on, one on the other."""
    parents = [parent for parent in estate.images if name in (child.name for child in estate.image(parent).children)]
    return max((1 + _ancestors(estate, parent) for parent in parents), default=0)


def _looked_at(estate: Estate, planned: Sequence[Planned]) -> list[_Step]:
    accounts = Accounts()
    fleets = [fleet for each in planned if (fleet := _fleet(estate, each.entry.stack))]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        accounts.reach_all([access_to_fleet(fleet) for fleet in fleets], pool=pool)
        return [*pool.map(lambda each: _step(estate, each, accounts), planned)]


def _step(estate: Estate, planned: Planned, accounts: Accounts) -> _Step:
    fleet = _fleet(estate, planned.entry.stack)
    if fleet is None:
        return _Step(planned=planned)
    if later := _frozen(fleet):
        return _Step(planned=planned, later=later)
    launches = planned.ami and (planned.is_new or not fleet.fleet.is_automatic)
    look = look_at(planned.ami, fleet, accounts=accounts) if launches else Look()
    return _Step(planned=planned, look=look)


def _frozen(fleet: EstateFleet) -> str:
    """Why a stack whose apply starts a rollout has to wait; empty if it need not."""
    rules = rollout_of(fleet)
    if rules.is_by_goldsmith:  # whose apply replaces nothing
        return ""
    now = opening((), rules.freezes, now=datetime.now(UTC))
    return "" if now.is_open else now.reason


def _fleet(estate: Estate, stack: str) -> EstateFleet | None:
    kind, _, name = stack.partition("-")
    return estate.fleet(name) if kind == "fleet" else None


def _to_roll_out(estate: Estate, stack: str) -> str:
    """The name of the fleet, if a stack is one with a group."""
    kind, _, name = stack.partition("-")
    return name if kind == "fleet" and name not in estate.unpinned else ""


def _print(steps: Sequence[_Step], console: Console) -> None:
    """The plans in their order, and what is destroyed."""
    table = new_table("STACK", "ACCOUNT", "REGION", "ADD", "CHANGE", "DESTROY", "WHAT HAPPENS")
    for step in steps:
        planned = step.planned
        counts = map(str, (planned.add, planned.change, planned.destroy))
        what = f"left for later: {step.later}" if step.later else "refused" if step.look.refused else "applied"
        style = "red" if step.look.refused else "yellow" if step.later else ""
        entry = planned.entry
        table.add_row(step.stack, entry.account or "-", entry.region, *counts, Text(what, style))
    console.print(table)
    for step in steps:
        for address in step.planned.destroyed:
            console.print(Text(f"{step.stack}: {address}", "red"), soft_wrap=True)
        for note in step.look.notes:
            console.print(Text(f"{step.stack}: {note}", "yellow"), soft_wrap=True)


def _stop_refused(steps: Sequence[_Step]) -> None:
    """Raises `OpsError` when an AMI must not be launched."""
    refused = [f"{step.stack}: {reason}" for step in steps for reason in step.look.refused]
    if refused:
        raise OpsError("\n".join([*refused, "nothing was applied: pin or promote another build, and plan again"]))


@dataclass(frozen=True)
class _Run:
    """One run of the command, after the question."""

    configuration: Configuration
    estate: Estate
    folder: PlanFolder
    options: Options
    console: Console

    def apply(self, steps: Sequence[_Step]) -> None:
        """One after the other. Raises `OpsError` at the first failure, and `Interrupted` after Ctrl-C."""
        environ, stacks = environment(os.environ), [step.stack for step in steps]
        done: list[str] = []
        with Programs(writes=True) as programs, Board(self.console, total=len(steps)) as board:
            try:
                board.note("Terraform's AWS provider is installed")
                self._init(stacks, programs, environ)
                for stack in stacks:
                    board.begin(stack, "apply")
                    board.end(stack, self._apply(stack, programs, environ))
                    done.append(stack)
                    if programs.is_interrupted:
                        raise Stopped
            except Stopped:
                raise Interrupted(f"\n{self._left(stacks, done)}") from None
            except OpsError as error:
                failed, text = error, f"{error}\n{self._left(stacks, done)}"
            else:
                return
        for line in refusals(self._elsewhere(stacks[len(done) :][:1]), action="apply"):
            report(line)
        raise type(failed)(text)

    def _init(self, stacks: Sequence[str], programs: Programs, environ: Mapping[str, str]) -> None:
        """Side by side, before anything is applied. Raises `OpsError` and `Stopped`."""
        lock = next((file for stack in stacks if (file := self.folder.of(stack) / SAVED_LOCK).exists()), None)
        own = self.configuration.beside / LOCK
        providers = install(
            self.estate,
            self.configuration.out / "providers",
            lock=lock or own,
            programs=programs,
            environ=environ,
            is_exact=own.exists(),
        )
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            futures = [pool.submit(self._init_one, stack, providers, programs, environ) for stack in stacks]
            programs.wait(futures)
        failed = [error for future in futures if (error := future.result())]
        if failed:
            raise OpsError("\n".join(failed))

    def _init_one(self, stack: str, providers: Providers, programs: Programs, environ: Mapping[str, str]) -> str:
        """Why it has failed; empty if it has not."""
        source = cdktf_out.stack(self.configuration.out, stack).absolute()
        try:
            ended = providers.init(source, programs=programs, environ=environ)
        except OSError as error:
            return f"{stack}: {error.filename}: {error.strerror}"
        if ended.interrupted:
            raise Stopped
        return f"{stack}: {complaint(ended)}" if ended.status != 0 else ""

    def _apply(self, stack: str, programs: Programs, environ: Mapping[str, str]) -> str:
        """What was done. Raises `OpsError`, and `Stopped` after Ctrl-C before its end."""
        plan = (self.folder.of(stack) / PLAN).absolute()
        ended = self._terraform(stack, "apply", "-json", "-input=false", str(plan), programs=programs, environ=environ)
        if ended.status == 0:
            return applied_counts(ended.output)
        errors = read_errors(ended.output) or complaint(ended)
        if ended.interrupted:
            raise Stopped
        if _STALE not in errors:
            raise OpsError(f"{stack} failed: {errors}")
        options = ("-json", "-input=false", "-lock=false", "-detailed-exitcode")
        again = self._terraform(stack, "plan", *options, programs=programs, environ=environ)
        if again.interrupted:
            raise Stopped
        if again.status != 0:
            raise OpsError(f"{stack} failed: its plan is stale, because its state was changed since: plan it again")
        return "was applied already"

    def _terraform(
        self, stack: str, command: str, *arguments: str, programs: Programs, environ: Mapping[str, str]
    ) -> Ended:
        source = cdktf_out.stack(self.configuration.out, stack).absolute()
        return programs.run(["terraform", f"-chdir={source}", command, *arguments], environ=environ)

    def _left(self, stacks: Sequence[str], done: Sequence[str]) -> str:
        """What was done, what is left, and how to go on."""
        left = [stack for stack in stacks if stack not in done]
        again, folder = self.options.again, shlex.quote(str(self.folder.path))
        lines = [f"applied: {', '.join(done) or 'nothing'}"]
        if left:
            lines.append(f"left: {', '.join(left)}")
            lines.append(
                f"to go on: {again(f'apply {folder}')}; where a plan is stale: {again('plan ' + ' '.join(left))}, and "
                "apply that"
            )
        names = {stack: _to_roll_out(self.estate, stack) for stack in stacks}
        if fleets := [stack for stack, name in names.items() if name and not self.estate.fleets[name].is_automatic]:
            lines.append(f"no rollout was started or followed: {', '.join(fleets)}")
        return "\n".join(lines)

    def _elsewhere(self, stacks: Sequence[str]) -> list[EstateFleet]:
        """The fleets of these stacks whose plans read another account."""
        fleets = (_fleet(self.estate, stack) for stack in stacks)
        return [fleet for fleet in fleets if fleet and fleet.is_elsewhere and not fleet.fleet.is_pinned]
