"""`goldsmith plan`: one synthesis, then Terraform's plans of many stacks side by side.

`ops.plan_folder` describes what is written, `ops.plan_screen` prints, and `ops.commands.plan` lists the members of the
JSON. A plan locks no state, so that it never stops an apply.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

import cdktf_out
from estate.estate import Estate
from ops.alone import alone_in
from ops.changed_stacks import changed_since
from ops.configuration import Configuration
from ops.errors import Interrupted, OpsError, UsageError
from ops.jobs import jobs_for
from ops.plan_folder import CONFIGURATION, LOCK, PLAN, PLAN_JSON, SAVED_LOCK, Entry, PlanFolder, Status
from ops.plan_result import Planned, read_errors, read_plan
from ops.plan_screen import Board, print_json, print_planned, what_is_planned
from ops.precautions import about_undeclared, has_to_move, report
from ops.programs import Ended, Programs, Stopped
from ops.provider_schema import ProviderSchema
from ops.providers import Providers, complaint, environment, install
from ops.reader_role import refusals
from ops.screen import open_console
from ops.synthesis import synthesize
from scripts.terraform import missing_terraform

_NO_CHANGES, _CHANGES = 0, 2
"""Exit statuses of `terraform plan -detailed-exitcode`."""
_STATUSES: Mapping[int, Status] = {_NO_CHANGES: "empty", _CHANGES: "changes"}
_NOT_YET = "it was not planned, because the command ended before"


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the command."""

    patterns: Sequence[str] = ()
    accounts: Sequence[str] = ()
    """Names in `settings.accounts`. Default: all."""
    changed_since: str | None = None
    out: Path | None = None
    jobs: int | None = None
    allow_unbuilt: bool = False
    has_detailed_status: bool = False
    """Whether changes are exit status 2."""
    is_about_drift: bool = False
    as_json: bool = False
    again: Callable[[str], str] = str
    """Completes `apply DIR` to a command line with the same configuration."""


def run_plan(configuration: Configuration, estate: Estate, options: Options) -> int:
    """Synthesize, plan and print; the exit status. Raises `OpsError`."""
    named = _named(estate, options, out=configuration.out)
    if lack := missing_terraform(os.environ):
        raise OpsError(lack)
    folder = PlanFolder(options.out or configuration.out / "plans")
    console = open_console(to_stderr=options.as_json)
    with alone_in(configuration.out):
        written = synthesize(configuration, allow_unbuilt=options.allow_unbuilt)
        if written.interrupted:
            raise Interrupted("nothing was planned")
        if written.status != 0:
            raise (UsageError if written.status == UsageError.exit_status else OpsError)("nothing was planned")
        stacks = _changed(configuration, estate, named, options)
        entries = [_entry(estate, stack) for stack in stacks]
        folder.begin(entries)
        run = _Run(configuration=configuration, estate=estate, folder=folder, options=options, console=console)
        planned = run.plan(entries) if entries else []
    planned.sort(key=lambda each: stacks.index(each.entry.stack))
    if options.as_json:
        print_json(planned, folder.path)
    print_planned(planned, folder.path, shows_drift=options.is_about_drift, again=options.again, console=console)
    _explain(estate, planned)
    return _status(planned, options)


def _named(estate: Estate, options: Options, *, out: Path) -> list[str]:
    """The stacks that are named. Raises `UsageError` for a pattern that fits none."""
    unknown = [pattern for pattern in options.patterns if not fnmatch.filter(estate.stacks, pattern)]
    if unknown:
        raise UsageError("\n".join(about_undeclared(estate, stack, out=out, action="plan") for stack in unknown))
    return [
        stack
        for stack in estate.stacks
        if any(fnmatch.fnmatchcase(stack, pattern) for pattern in options.patterns or ("*",))
        and (not options.accounts or estate.account_of_stack(stack) in options.accounts)
    ]


def _changed(configuration: Configuration, estate: Estate, named: Sequence[str], options: Options) -> list[str]:
    """Those of the stacks that have changed since the commit, if there is one. Raises `OpsError`."""
    reference = options.changed_since
    if not named:
        of_accounts = f" of account {' or '.join(options.accounts)}" if options.accounts else ""
        lack = f"is named {' or '.join(options.patterns)}" if options.patterns else "is declared"
        report(f"nothing is planned: no stack{of_accounts} {lack}")
        return []
    if reference is None:
        return [*named]
    changed = changed_since(reference, configuration, estate)
    if not changed.is_known:
        report(f"{reference} has no snapshots, so all stacks are planned; write them with goldsmith check --update")
    for stack in changed.gone:
        report(
            f"{stack} is not declared any more, and is not planned: what it has in AWS stays until goldsmith destroy "
            f"{stack}"
        )
    found = [stack for stack in named if stack in changed.stacks]
    if not found:
        report(f"no stack has changed since {reference}")
    return found


def _entry(estate: Estate, stack: str) -> Entry:
    account = estate.settings.account(estate.account_of_stack(stack))
    return Entry(
        stack=stack,
        status="failed",
        error=_NOT_YET,
        account=account.id if account else None,
        region=estate.stacks[stack],
    )


@dataclass(frozen=True, kw_only=True)
class _Run:
    """One run of the command."""

    configuration: Configuration
    estate: Estate
    folder: PlanFolder
    options: Options
    console: Console

    def plan(self, entries: Sequence[Entry]) -> list[Planned]:
        """Plan these stacks. Raises `OpsError`, and `Interrupted` after Ctrl-C; then the list says what was not
        planned."""
        environ, out = environment(os.environ), self.configuration.out
        jobs = self.options.jobs or jobs_for(len(entries))
        with Programs(writes=False) as programs, Board(self.console, total=len(entries)) as board:
            try:
                board.note("Terraform's AWS provider is installed")
                providers = install(
                    self.estate,
                    out / "providers",
                    lock=lock_file(self.configuration),
                    programs=programs,
                    environ=environ,
                    is_exact=True,
                )
            except Stopped:
                raise Interrupted("nothing was planned") from None
            stacks = [cdktf_out.stack(out, entry.stack) for entry in entries]
            showing = ProviderSchema(providers, stacks, programs=programs, environ=environ)
            with showing as schema, ThreadPoolExecutor(jobs) as pool:
                each = _Each(self, providers, schema, programs, environ, board)
                futures = {entry.stack: pool.submit(each.plan, entry) for entry in entries}
                programs.wait(futures.values())
            is_interrupted = programs.is_interrupted
        done = {stack: future.result() for stack, future in futures.items()}
        self.folder.write_list([planned.entry for planned in done.values()])
        if is_interrupted:
            left = [stack for stack, planned in done.items() if planned.entry.error == _NOT_YET]
            raise Interrupted(f"\n{len(done) - len(left)} of {len(done)} stacks were planned, into {self.folder.path}")
        return [*done.values()]


def lock_file(configuration: Configuration) -> Path:
    """The lock file of providers, if a team has committed one: in the configuration's folder, or beside its file."""
    return configuration.beside / LOCK


@dataclass(frozen=True)
class _Each:
    """Plans one stack, in a thread."""

    run: _Run
    providers: Providers
    schema: ProviderSchema
    programs: Programs
    environ: Mapping[str, str]
    board: Board

    def plan(self, entry: Entry) -> Planned:
        """Init, plan and show."""
        try:
            planned = self._plan(entry)
        except Stopped:
            return Planned(entry=entry)
        except OSError as error:
            planned = _failed(entry, f"{error.filename or 'a file'}: {error.strerror or error}")
        except OpsError as error:
            planned = _failed(entry, str(error))
        self.board.end(entry.stack, what_is_planned(planned))
        return planned

    def _plan(self, entry: Entry) -> Planned:
        stack = entry.stack
        source, target = cdktf_out.stack(self.run.configuration.out, stack).absolute(), self.run.folder.of(stack)
        self.board.begin(stack, "init")
        ended = self.providers.init(source, programs=self.programs, environ=self.environ)
        if ended.interrupted:
            raise Stopped
        if ended.status != 0:
            return _failed(entry, complaint(ended))
        self.board.begin(stack, "plan")
        file = (target / PLAN).absolute()
        options = ("-json", "-input=false", "-lock=false", "-detailed-exitcode", f"-out={file}")
        ended = self._terraform(source, "plan", *options, environ=self.environ)
        error = ""
        if ended.status not in (_NO_CHANGES, _CHANGES):
            error = read_errors(ended.output) or complaint(ended)
            if not file.exists():  # otherwise it has what Terraform knew when it failed
                return _failed(entry, error)
        self.board.begin(stack, "show")
        shown = self._show(source, file)
        if shown.status != 0:
            file.unlink()
            return _failed(entry, error or complaint(shown))
        self.run.folder.write(target / PLAN_JSON, shown.output)
        planned = read_plan(entry, shown.output)
        if not error and planned.is_new:
            error = "\n".join(has_to_move(self.run.estate, stack, out=self.run.configuration.out, action="plan"))
        if error:
            file.unlink()
            return replace(planned, entry=replace(entry, status="failed", error=error))
        file.chmod(0o600)
        for name, saved in ((CONFIGURATION, CONFIGURATION), (LOCK, SAVED_LOCK)):
            if (source / name).exists():
                self.run.folder.write(target / saved, (source / name).read_text(encoding="utf-8"))
        return replace(planned, entry=replace(entry, status=_STATUSES[ended.status], error=""))

    def _show(self, folder: Path, plan: Path) -> Ended:
        """Raises `Stopped` after Ctrl-C."""
        if setting := self.schema.setting():
            shown = self._terraform(folder, "show", "-json", str(plan), environ={**self.environ, **setting})
            if shown.status == 0:  # else the state has resources of other types than the stacks
                return shown
        return self._terraform(folder, "show", "-json", str(plan), environ=self.environ)

    def _terraform(self, folder: Path, command: str, *arguments: str, environ: Mapping[str, str]) -> Ended:
        """Raises `Stopped` after Ctrl-C."""
        ended = self.programs.run(["terraform", f"-chdir={folder}", command, *arguments], environ=environ)
        if ended.interrupted:
            raise Stopped
        return ended


def _failed(entry: Entry, error: str) -> Planned:
    return Planned(entry=replace(entry, status="failed", error=error))


def _explain(estate: Estate, planned: Sequence[Planned]) -> None:
    """After failures, which fleets cannot read the account of their image, which Terraform cannot explain."""
    failed = {each.entry.stack for each in planned if each.entry.status == "failed"}
    fleets = [estate.fleet(name) for name, fleet in estate.fleets.items() if not fleet.is_pinned]
    elsewhere = [fleet for fleet in fleets if fleet.is_elsewhere and fleet.names.stack in failed]
    for line in refusals(elsewhere, action="plan"):
        report(line)


def _status(planned: Sequence[Planned], options: Options) -> int:
    if any(each.entry.status == "failed" or (options.is_about_drift and each.drift) for each in planned):
        return 1
    changes = any(each.entry.status == "changes" for each in planned)
    return _CHANGES if changes and options.has_detailed_status else 0
