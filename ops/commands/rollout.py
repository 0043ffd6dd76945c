"""`goldsmith rollout`: replace the instances of fleets, and follow that to its end."""

from __future__ import annotations

import argparse

import entry
from ops.arguments import (
    Commands,
    add_command,
    add_configuration,
    add_json,
    add_why,
    add_yes,
    check_json_without_question,
    check_names,
    same_configuration,
)
from ops.configuration import find_configuration
from ops.errors import UsageError

_EXAMPLES = """examples:
  goldsmith rollout web-prod                   replace the instances, and follow that to its end
  goldsmith rollout web-a web-b --yes          for scripts: without the question; in the waves that the fleets declare
  goldsmith rollout web-prod --retry           try again what was rolled back, failed or was cancelled
  goldsmith rollout web-prod --abort           go back to the version before
  goldsmith rollout web-prod --now --why 'CVE-2026-1234 is exploited'
  goldsmith rollout --due --yes                for a job that runs every hour: what had to wait, and can start now

A fleet with `rollout: {by: goldsmith}` gets the newest version of its launch template by an instance refresh, which AWS
rolls back when it fails or an alarm is in the state ALARM. Before it is started, its AMI is checked by the rules of the
guards, and holds, `after`, `window` and `freeze` are honoured: a fleet that has to wait is queued, which is no failure,
and the next run of the command starts it. Of a fleet with `rollout: {by: terraform}`, the refresh that the last apply
started is followed. A rollout that runs already is joined, and Ctrl-C leaves it running.

--due looks at all fleets, and rolls out those that can start now. Where none can, it ends with 0: what has to wait,
what did not end well and what a person has to decide stays as it is. Waves count among all fleets of the estate.
"""

_JSON = """--json writes one object at the end, needs --yes, and everything else is written to standard error:
  fleets       one object for each fleet
    fleet, account, region, wave
    state      done: all instances in service run the newest version; queued: it has to wait until `until`; refused: a
               person is needed; rolled back, failed, cancelled, rollback failed or not followed to its end: how the
               last rollout ended; unknown: AWS could not be asked
    reasons    why, as messages
    until      when a queued fleet can be started, or null
    build, ami, version   what the newest version of the launch template has
    instances  how many instances in service run each version; none: something else than the launch template
    refresh, by, started, ended, reason   the instance refresh, who started it, and why it ended like this
    activity   the launch or termination that failed, or null
"""


def add(commands: Commands[argparse.ArgumentParser]) -> None:
    """Its command line."""
    command = add_command(
        commands, "rollout", run, about="replace the instances of fleets", examples=_EXAMPLES, more=_JSON
    )
    command.add_argument("fleets", metavar="FLEET", nargs="*", help="fleets, each once")
    command.add_argument("--due", action="store_true", help="instead of fleets: all whose rollout can start now")
    ways = command.add_mutually_exclusive_group()
    ways.add_argument("--abort", action="store_true", help="go back to the version before; without one, stop")
    ways.add_argument("--retry", action="store_true", help="try again what did not end well")
    command.add_argument(
        "--now", action="store_true", help="for emergencies: although window or freeze say to wait; needs --why"
    )
    command.add_argument(
        "--skip-after",
        action="store_true",
        help="for emergencies: although the fleets of `after` have not run the build long enough; needs --why",
    )
    add_why(command, "the reason, for the record; required with --now and --skip-after")
    add_json(command)
    add_yes(command)
    add_configuration(command)


def run(arguments: argparse.Namespace) -> int:
    """Look, show, ask and follow; the exit status."""
    estate = find_configuration(arguments.config).load()
    check_names(arguments.fleets, estate.fleets, kind="fleet")
    names = list(dict.fromkeys(arguments.fleets))
    _check_due(arguments)
    for flag in ("now", "skip_after"):
        if getattr(arguments, flag) and not arguments.why:
            raise UsageError(f"argument --{flag.replace('_', '-')}: needs a reason; add --why REASON")
    check_json_without_question(arguments)
    from lambda_src.rollout.decisions import Wish
    from ops.rollout import Options, run_rollout

    entry.raise_on_interrupt()  # rich shows the terminal's cursor again
    return run_rollout(
        estate,
        [name for name in estate.fleets if name not in estate.unpinned] if arguments.due else names,
        Options(
            wish=Wish(retry=arguments.retry, now=arguments.now, skip_after=arguments.skip_after),
            why=arguments.why or "",
            aborts=arguments.abort,
            only_due=arguments.due,
            as_json=arguments.json,
            asks=not arguments.yes,
            again=same_configuration(arguments),
        ),
    )


def _check_due(arguments: argparse.Namespace) -> None:
    """Raises `UsageError` unless there are either fleets or `--due`, which is for what needs no person."""
    ways = [flag for flag in ("abort", "retry", "now", "skip_after") if getattr(arguments, flag)]
    if arguments.due and arguments.fleets:
        raise UsageError("argument --due: is instead of fleets; leave one of them out")
    if arguments.due and ways:
        raise UsageError(f"argument --due: not with --{ways[0].replace('_', '-')}, which needs the names of fleets")
    if not arguments.due and not arguments.fleets:
        raise UsageError("argument FLEET: is missing; name fleets, or add --due for all whose rollout can start now")
